"""Histograms of weights: all of them counted, zeros apart, the largest marked."""

from __future__ import annotations

import json

import pytest

from riata.plots.theme import COLOURS, ZERO
from riata.plots.weights import PLOT, weights_data


def test_bars_and_zeros_count_every_weight(made):
    data = weights_data(*made())
    for panel in data["panels"]:
        assert sum(bar["count"] for bar in panel["bars"]) + round(panel["zeros"] * panel["total"]) == pytest.approx(
            panel["total"], abs=0.005 * panel["total"]
        )


def test_the_largest_weight_has_its_sign_and_is_inside_the_axis(made):
    summary, figures = made()
    figures["networks"][0]["histogram"] = {"edges": [-9.0, -1.0, 2.0], "counts": [1, 3], "zeros": 0}
    data = weights_data(summary, figures)
    assert data["panels"][0]["largest"] == {"weight": -9.0, "size": 9.0}
    assert data["reach"] >= 9.0
    assert "no penalty 0% exactly 0, largest 9" in PLOT.message(data)


def test_one_axis_of_weights_in_all_panels(made):
    data = weights_data(*made())
    spec = PLOT.draw(data).to_dict()
    grid, growth = spec["vconcat"]
    for panel in grid["concat"]:
        for layer in panel["vconcat"][1]["layer"]:
            assert layer["encoding"]["x"]["scale"]["domain"] == [-data["reach"], data["reach"]]
    assert ZERO in json.dumps(grid)
    assert growth["layer"][0]["encoding"]["color"]["scale"]["range"] == [
        COLOURS[line["key"]] for line in data["growth"]
    ]


def test_growth_ends_at_the_curves_end(made):
    summary, figures = made()
    figures["networks"][6]["curves"]["largest"][-1] = 7.0
    data = weights_data(summary, figures)
    assert "is 7, with L1 (lasso)" in PLOT.message(data)


def test_without_curves_the_histograms_stay(made):
    summary, figures = made()
    for network in figures["networks"]:
        network["curves"] = {}
    data = weights_data(summary, figures)
    assert data["growth"] == []
    assert len(PLOT.draw(data).to_dict()["concat"]) == 6


def test_a_network_of_zeros_alone_has_a_full_strip_and_no_bar(made):
    summary, figures = made()
    for network in figures["networks"]:
        network["histogram"] = {"edges": [], "counts": [], "zeros": network["weights_total"]}
    data = weights_data(summary, figures)
    assert (
        data["panels"][0] | {"bars": [], "largest": None, "zeros": 1.0, "label": "100% exactly 0"} == data["panels"][0]
    )
    assert PLOT.draw(data).to_dict()["vconcat"]


def test_runs_without_networks_have_no_figure(made):
    summary, figures = made()
    figures["networks"] = []
    assert weights_data(summary, figures) is None
