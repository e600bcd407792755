"""Figures of a cohort: what they hold, what they say, and that hostile names and missing parts do not matter."""

from __future__ import annotations

import json

import numpy as np
import pytest
import vl_convert

from riata.plots.cohort_path import PLOT as PATH
from riata.plots.registry import PLOTS
from riata.plots.representation import PLOT as REPRESENTATION
from riata.plots.variants import PLOT as VARIANTS
from riata.plots.views import PLOTS as BOTH
from riata.plots.views import best_of, gained

VIEWS, REPRESENTATION_VIEWS = BOTH
ALL = (VIEWS, REPRESENTATION_VIEWS, VARIANTS, PATH, REPRESENTATION)


@pytest.mark.parametrize("plot", ALL, ids=lambda plot: plot.name)
@pytest.mark.parametrize("how", [{}, {"hostile": True}, {"placed": False}, {"task": "regression"}], ids=str)
def test_every_figure_is_valid_and_can_be_drawn(cohort, plot, how):
    data = plot.data(*cohort(**how))
    spec = plot.draw(data).to_dict(validate=True)
    assert "NaN" not in json.dumps(spec) and len(plot.message(data)) > 40 and plot.how
    assert vl_convert.vegalite_to_svg(spec).startswith("<svg")


@pytest.mark.parametrize("plot", ALL, ids=lambda plot: plot.name)
def test_an_ordinary_run_holds_none_of_them(made, plot):
    summary, figures = made()
    assert plot.data(summary, figures) is None and plot in PLOTS
    assert plot.data(summary | {"cohort": {}}, figures | {"cohort": {}}) is None
    assert plot.variants is None or plot.variants(summary, figures) == []


def test_views_hold_every_score_and_say_why_one_is_missing(cohort):
    summary, figures = cohort()
    for key, _, how in VIEWS.variants(summary, figures):
        data = VIEWS.data(summary, figures, **how)
        low, high = data["domain"]
        for panel in data["panels"]:
            rows = summary["cohort"]["views"][panel["view"]]
            for row in panel["rows"]:
                score = rows[row["penalty"]].get(key)
                assert (row["mean"] is None) == (score is None) == bool(row["why"])
                assert score is None or row["mean"] == pytest.approx(score["mean"], abs=1e-4)
                assert score is None or low < row["low"] < row["mean"] < row["high"] < high
    keys = [key for key, _, _ in VIEWS.variants(summary, figures)]
    assert keys == ["auroc", "accuracy", "average_precision"]
    said = VIEWS.message(VIEWS.data(summary, figures))
    assert said.count("it does not fit into memory") == 1 and "genetic with no penalty" in said
    assert VIEWS.data(summary, figures, metric="r2") is None
    assert "kept" not in REPRESENTATION_VIEWS.data(summary, figures)["panels"][0]["rows"][0]["why"]


def test_the_gain_is_that_of_the_same_folds():
    views = {
        "clinical": {"l1": {"per_fold": {"rmse": [1.0, 2.0, 3.0]}}},
        "combined": {"l1": {"per_fold": {"rmse": [0.5, 2.5, 2.0]}}},
    }
    mean, better, folds = gained(views, "l1", "rmse")
    assert (mean, better, folds) == (pytest.approx(-1 / 3), 2, 3)  # less error is better
    assert gained(views, "l2", "rmse") is None
    views["combined"]["l1"]["per_fold"]["rmse"].pop()
    assert gained(views, "l1", "rmse") is None  # other folds are not compared
    assert best_of({"l1": {"rmse": {"mean": 2.0}}, "l2": {"rmse": {"mean": 1.0}}}, "rmse") == "l2"
    assert best_of({"l1": {"why_not": "no"}}, "rmse") is None


def test_variants_lie_in_their_chromosome_in_both_panels(cohort):
    summary, figures = cohort()
    data, kept = VARIANTS.data(summary, figures), figures["cohort"]["variants"]
    places = {c["name"]: c for c in data["chromosomes"]}
    assert list(places) == [str(i) for i in range(1, 23)]
    assert data["width"] == pytest.approx(sum(c["length"] for c in figures["cohort"]["chromosomes"]) / 1e6)
    for row in data["rows"]:
        i = kept["name"].index(row["variable"])
        place = places[kept["chromosome"][i]]
        assert place["start"] <= row["x"] <= place["start"] + place["length"]
        assert row["x"] == pytest.approx(place["start"] + kept["position"][i] / 1e6, abs=1e-3)
        assert row["norm"] == pytest.approx(kept["norm"][i], rel=5e-3) and row["norm"] < data["top"]
    assert sum(len(r["reach"]) for r in data["sky"]) == len(figures["cohort"]["skyline"]["reach"])
    assert {r["chromosome"]: r["start"] for r in data["sky"]} == {n: p["start"] for n, p in places.items()}
    leads = {c["lead"] for c in summary["cohort"]["clusters"]}
    assert {r["variable"] for r in data["rows"] if r["is_lead"]} == leads
    assert {label["variable"] for label in data["labels"]} <= leads and data["labels"]


def test_the_closest_of_the_others_is_no_kept_one(cohort):
    summary, figures = cohort()
    sky, kept = figures["cohort"]["skyline"], figures["cohort"]["variants"]
    inside = set(zip(kept["chromosome"], kept["position"], strict=True))
    others = [
        r for c, at, r in zip(sky["chromosome"], sky["position"], sky["reach"], strict=True) if (c, at) not in inside
    ]
    data = VARIANTS.data(summary, figures)
    assert max(sky["reach"]) == 1.0 > data["closest"] == max(others)
    assert f"{max(others):.3f} of 1" in VARIANTS.message(data) and "14 of 500,000" in VARIANTS.message(data)


def test_without_places_variants_are_numbered(cohort):
    summary, figures = cohort(placed=False)
    data = VARIANTS.data(summary, figures)
    at = dict(zip(*(figures["cohort"]["variants"][k] for k in ("name", "position")), strict=True))
    assert data["chromosomes"] == [] and all(row["x"] == at[row["variable"]] for row in data["rows"])
    assert max(at.values()) <= data["width"] <= 500_000
    assert "chromosome" not in VARIANTS.message(data)


@pytest.mark.parametrize(
    "lost", ["variants", "skyline", "chromosomes", "path", "representation", "representation_views"]
)
def test_without_a_part_the_others_are_drawn(cohort, lost):
    summary, figures = cohort()
    del figures["cohort"][lost]
    gone = {"path": "cohort_path"}.get(lost, lost) if lost not in ("variants", "skyline", "chromosomes") else ""
    for plot in ALL:
        data = plot.data(summary, figures)
        assert (data is None) == (plot.name == gone)
        assert data is None or plot.draw(data).to_dict(validate=True)


def test_a_chromosome_that_no_list_names_gets_its_room(cohort):
    summary, figures = cohort()
    figures["cohort"]["variants"]["chromosome"][0] = "X"
    data = VARIANTS.data(summary, figures)
    row = next(r for r in data["rows"] if r["chromosome"] == "X")
    assert data["names"][-1] == "X" and row["x"] == pytest.approx(data["width"], abs=1e-3)


def test_a_hostile_chromosome_stays_a_text(cohort):
    summary, figures = cohort()
    name = "\"];alert(1)//'"
    figures["cohort"]["variants"]["chromosome"][0] = name
    spec = VARIANTS.draw(VARIANTS.data(summary, figures)).to_dict()
    expression = spec["vconcat"][1]["layer"][0]["encoding"]["x"]["axis"]["labelExpr"]
    assert json.dumps(name) in expression
    assert "alert" in vl_convert.vegalite_to_svg(spec)  # drawn as the chromosome's name


def test_the_path_tells_clinical_variables_and_variants_apart(cohort):
    summary, figures = cohort()
    path, data = figures["cohort"]["path"], PATH.data(summary, figures)
    assert {line["variable"] for line in data["lines"] if line["kind"] == "clinical variable"} == set(path["clinical"])
    assert [r["lam"] for r in data["loss"]] == sorted((r["lam"] for r in data["loss"]), reverse=True)
    for line in data["lines"]:
        true = path["norms"][line["variable"]]
        for i, norm in enumerate(line["norm"]):
            assert norm == pytest.approx(true[i], rel=5e-3) if norm is not None else true[i] == 0.0
    chosen = data["chosen"][0]
    assert chosen["lam"] == pytest.approx(path["lams"][path["chosen"]], rel=5e-3)
    assert (chosen["variants"], chosen["clinical"]) == (
        path["kept_variants"][path["chosen"]],
        path["kept_clinical"][path["chosen"]],
    )


def test_a_path_from_weak_to_strong_is_turned_round(cohort):
    summary, figures = cohort()
    before, path = PATH.data(summary, figures), figures["cohort"]["path"]
    for key in ("lams", "kept_variants", "kept_clinical", "valid_loss"):
        path[key] = path[key][::-1]
    path["norms"] = {name: line[::-1] for name, line in path["norms"].items()}
    path["chosen"] = len(path["lams"]) - 1 - path["chosen"]
    assert PATH.data(summary, figures) == before
    path["chosen"] = None
    assert PATH.data(summary, figures)["chosen"] == [] and "none was chosen" in PATH.message(
        PATH.data(summary, figures)
    )


def test_maps_show_every_weight_and_every_exact_zero(cohort):
    summary, figures = cohort()
    found, data = figures["cohort"]["representation"], REPRESENTATION.data(summary, figures)
    assert [p["title"] for p in data["panels"]][-2:] == ["group lasso, seed 0", "group lasso, seed 1"]
    for panel, source in zip(data["panels"], found["maps"], strict=True):
        weights = np.array(source["weights"])
        assert panel["kept"] == source["kept"] and len(panel["rows"]) == len(found["rows"])
        for row, true in zip(panel["rows"], weights, strict=True):
            zeros = {u for a, b in zip(row["start"], row["stop"], strict=True) for u in range(a, b)}
            assert zeros == set(np.flatnonzero(true == 0.0)) and row["zeros"] == len(zeros)
            np.testing.assert_allclose(row["weight"], true[row["unit"]], rtol=5e-3)
            assert row["norm"] == pytest.approx(np.linalg.norm(true), rel=5e-3)
    assert data["differ"] == {"penalty": "group_lasso", "rows": 2} and found["explained"] in REPRESENTATION.message(
        data
    )
    spec = json.dumps(REPRESENTATION.draw(data).to_dict())
    assert spec.count("norm of the row") == 2 * len(data["panels"])


def test_maps_that_do_not_fit_are_left_out(cohort):
    summary, figures = cohort()
    maps = figures["cohort"]["representation"]["maps"]
    maps[0]["weights"][0][0] = float("nan")
    maps[1]["weights"].pop()
    data = REPRESENTATION.data(summary, figures)
    assert [p["penalty"] for p in data["panels"]] == ["l2", "elastic_net", "group_lasso", "group_lasso"]
    for one in maps[2:]:
        one["weights"] = []
    assert REPRESENTATION.data(summary, figures) is None


@pytest.mark.parametrize("plot", [VARIANTS, PATH, REPRESENTATION], ids=lambda plot: plot.name)
def test_rows_can_be_lit(cohort, plot):
    spec = plot.draw(plot.data(*cohort(hostile=True))).to_dict()
    assert [p["name"] for p in spec["params"]] == ["lit"]
    assert plot is REPRESENTATION or '"variable": "<script>alert(3)</script>"' in json.dumps(spec)
