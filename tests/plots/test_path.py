"""Paths: the two strengths, their losses, and names that do not overlap."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riata.plots.path import NORM_HEIGHT, PLOT, SPACING, apart, path_data, ticks


def test_the_verdicts_path_or_the_one_asked_for(made):
    run = made()
    assert path_data(*run)["penalty"] == "group_lasso"
    assert path_data(*run, penalty="l1")["penalty"] == "l1"
    assert path_data(*run, penalty="none") is None
    run[0]["verdict"]["penalty"] = "none"
    assert path_data(*run)["penalty"] == "l2"


def test_message_gives_loss_and_count_at_both_strengths(made):
    summary, figures = made()
    path = figures["paths"]["group_lasso"]
    message = PLOT.message(path_data(summary, figures))
    for name in ("best", "one_se"):
        i = path["lams"].index(path[name])
        label = {"best": "lam_min", "one_se": "lam_1se"}[name]
        assert f"{path['loss'][i]:.4g} at {label} {path[name]:.3g} with {path['kept'][i]:.3g} of 12" in message


def test_equal_strengths_are_one_rule(made):
    summary, figures = made()
    figures["paths"]["group_lasso"]["one_se"] = figures["paths"]["group_lasso"]["best"]
    rules = path_data(summary, figures)["rules"]
    assert [r["name"] for r in rules] == ["lam_min = lam_1se"]


def test_labels_turn_inwards_at_the_edges(made):
    summary, figures = made()
    path = figures["paths"]["group_lasso"]
    path["one_se"], path["best"] = path["lams"][0], path["lams"][-1]
    rules = {r["name"]: r["side"] for r in path_data(summary, figures)["rules"]}
    assert rules == {"lam_1se": "left", "lam_min": "right"}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_names_at_the_ends_never_overlap(places):
    gap = SPACING / NORM_HEIGHT
    moved = apart(sorted(places, reverse=True), gap)
    assert all(a - b >= gap * 0.999 for a, b in pairwise(moved))
    assert min(moved) >= gap / 2 * 0.999


def test_only_the_strongest_are_named_and_drawn(made):
    data = path_data(*made(variables=1000))
    assert (data["shown"], data["of"], len(data["ends"])) == (60, 1000, 12)
    assert {"x0", "x1", "x2", "x3"} <= {e["variable"] for e in data["ends"]}
    assert "60 strongest of 1000 variables" in PLOT.message(data)
    assert len(json.dumps(PLOT.draw(data).to_dict())) < 400_000


def test_the_axis_runs_from_strong_to_weak_in_both_parts(made):
    data = path_data(*made())
    spec = PLOT.draw(data).to_dict()
    assert [p["name"] for p in spec["params"]] == ["lit"]
    found = []

    def look(part):
        if isinstance(part, dict):
            if part.get("field") == "lam" and "scale" in part:
                found.append(part["scale"])
            for child in part.values():
                look(child)
        elif isinstance(part, list):
            for child in part:
                look(child)

    look(spec["vconcat"])
    assert len(found) > 4
    assert all(s == {"type": "log", "domain": data["domain"], "reverse": True, "nice": False} for s in found)


def test_strengths_without_a_loss_and_zero_strengths_are_survived(made):
    summary, figures = made()
    path = figures["paths"]["group_lasso"]
    path["loss"][0] = path["se"][0] = path["norms"][0][0] = None
    path["lams"][-1] = 0.0
    data = path_data(summary, figures)
    assert data["loss"][0]["low"] is None
    assert len(data["loss"]) == len(path["lams"]) - 1
    assert PLOT.draw(data).to_dict()["vconcat"]


def test_a_path_on_which_all_diverged_says_so(made):
    summary, figures = made()
    path = figures["paths"]["group_lasso"]
    path |= {"best": None, "one_se": None, "loss": [None] * 20, "se": [None] * 20}
    data = path_data(summary, figures)
    assert "unknown at every strength" in PLOT.message(data)
    assert PLOT.draw(data).to_dict()


def test_one_strength_can_be_drawn(made):
    summary, figures = made(strengths=1)
    data = path_data(summary, figures)
    assert data["ticks"] == [1.0]
    assert PLOT.draw(data).to_dict()


@pytest.mark.parametrize("paths", [{}, None, {"l1": None}, {"l1": {"lams": []}}])
def test_runs_by_theory_have_no_path(made, paths):
    summary, figures = made()
    figures["paths"] = paths
    assert path_data(summary, figures) is None


@given(st.floats(1e-6, 10), st.floats(1.0, 1e5))
def test_ticks_lie_inside_the_axis(low, span):
    assert ticks(low, low * span)
    assert all(low * 0.998 <= t <= low * span * 1.002 for t in ticks(low, low * span))
