from __future__ import annotations

import json

import pytest
from scipy.stats import binomtest

from riata.plots.stability import PLOT
from riata.shares import wilson


@pytest.mark.parametrize(("hits", "of"), [(0, 15), (4, 15), (15, 15), (1, 1)])
def test_the_interval_is_wilsons(hits, of):
    expected = binomtest(hits, of).proportion_ci(method="wilson")
    assert wilson(hits, of) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_variables_come_by_share_and_then_by_norm(made):
    summary, figures = made()
    summary["norms"]["x3"] = 9.0
    data = PLOT.data(summary, figures)
    shares = [r["share"] for r in data["rows"]]
    assert shares == sorted(shares, reverse=True)
    assert [r["variable"] for r in data["rows"][:4]] == ["x3", "x0", "x1", "x2"]
    assert all(r["low"] <= r["share"] <= r["high"] for r in data["rows"])
    assert [r["variable"] for r in data["rows"] if r["state"] == "selected"] == ["x3", "x0", "x1", "x2"]


def test_the_strongest_40_are_shown_and_the_count_is_said(made):
    data = PLOT.data(*made(variables=1000))
    assert (len(data["rows"]), data["shown"], data["of"]) == (40, 40, 1000)
    assert "The 40 most often kept of 1,000 are shown" in PLOT.message(data)
    assert len(json.dumps(PLOT.draw(data).to_dict(validate=False))) < 20_000


def test_an_unstable_selection_names_no_variable(made):
    summary, figures = made()
    summary["selection"]["stability"] = 0.31
    data = PLOT.data(summary, figures)
    assert data["unstable"]
    assert data["rows"] == []
    spec = json.dumps(PLOT.draw(data).to_dict())
    assert "The selection is unstable (0.31 of 1): no list is shown." in spec
    assert "x0" not in spec
    assert "no list is shown" in PLOT.message(data)


def test_networks_that_keep_everything_are_not_called_unstable(made):
    summary, figures = made()
    selection = {"shares": dict.fromkeys(figures["variables"], 1.0), "stability": 0.0, "networks": 15}
    data = PLOT.data(summary | {"selection": selection}, figures)
    assert not data["unstable"]
    assert "keep every one of the 12 variables" in PLOT.message(data)


@pytest.mark.parametrize("selection", [None, {}, {"shares": {}, "stability": None, "networks": 0}])
def test_without_a_selection_there_is_no_figure(made, selection):
    summary, figures = made()
    assert PLOT.data(summary | {"selection": selection}, figures) is None


def test_a_stability_that_is_not_known_leaves_the_list(made):
    summary, figures = made()
    summary["selection"]["stability"] = None
    data = PLOT.data(summary, figures)
    assert len(data["rows"]) == 12
    assert "Stability" not in PLOT.message(data)


def test_rows_can_be_lit(made):
    spec = PLOT.draw(PLOT.data(*made(hostile=True))).to_dict()
    assert [p["name"] for p in spec["params"]] == ["lit"]
    assert any(r.get("variable") == "<script>alert(1)</script>" for layer in spec["layer"] for r in _rows(layer))


def _rows(layer):
    return layer.get("data", {}).get("values", [])
