"""Heat maps of first layers: every weight that is not zero, and nothing where one is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from riata.plots.heatmap import PLOT, heatmap_data, layout
from riata.plots.labels import row_labels
from riata.plots.theme import ZERO


def panel(data, penalty):
    return next(p for p in data["panels"] if p["penalty"] == penalty)


def network(figures, penalty, seed=0):
    return next(n for n in figures["networks"] if n["penalty"] == penalty and n["seed"] == seed)


def test_every_nonzero_weight_is_drawn_once_in_its_place(made):
    summary, figures = made()
    data = heatmap_data(summary, figures)
    units = figures["units"]
    for p in data["panels"]:
        first = network(figures, p["penalty"])["first"]
        for record in p["rows"]:
            i = [c["name"] for c in figures["columns"]].index(record["column"])
            drawn = np.zeros(units + figures["skip"])
            for unit, weight in zip(record["unit"], record["weight"], strict=True):
                drawn[unit if unit < units else unit - data["layout"]["gap"]] = weight
            assert np.allclose(drawn, first[i], rtol=5e-3)
            assert record["zeros"] == sum(w == 0 for w in first[i])
            assert 0.0 not in record["weight"]
            dark = {u for a, b in zip(record["start"], record["stop"], strict=True) for u in range(a, b)}
            gap = set(range(units, units + data["layout"]["gap"]))
            assert dark | set(record["unit"]) | gap == set(range(units + data["layout"]["gap"] + figures["skip"]))
            assert not dark & (set(record["unit"]) | gap)


def test_group_lasso_has_empty_rows_and_the_panel_says_so(made):
    summary, figures = made()
    data = heatmap_data(summary, figures)
    group, none = panel(data, "group_lasso"), panel(data, "none")
    assert group["empty"] == sum(not r["unit"] for r in group["rows"]) == 8
    assert none["empty"] == 0
    assert group["subtitle"][0] == "lam 0.01, 4 of 12 variables"
    assert "group lasso 57%, 8 rows" in PLOT.message(data)


def test_levels_stay_with_their_variable_in_every_order(made):
    summary, figures = made()
    data = heatmap_data(summary, figures)
    assert set(data["orders"]) == {"norm", "name", "table"}
    for order in data["orders"].values():
        assert sorted(order) == sorted(data["sort"])
        places = [order.index(f"x0: {level}") for level in "abc"]
        assert places == list(range(places[0], places[0] + 3))
    assert data["orders"]["table"][:4] == ["x0: a", "x0: b", "x0: c", "x1"]
    assert heatmap_data(summary, figures, order="name")["sort"] == data["orders"]["name"]


def test_norm_order_puts_the_strongest_variable_first(made):
    summary, figures = made()
    for n in figures["networks"]:
        n["first"][9] = [5.0] * len(n["first"][9])
    data = heatmap_data(summary, figures)
    assert data["sort"][0] == figures["columns"][9]["name"]


def test_one_scale_and_one_order_in_all_panels(made):
    data = heatmap_data(*made())
    spec = PLOT.draw(data).to_dict()
    assert len(spec["concat"]) == 6
    assert [p["name"] for p in spec["params"]] == ["lit"]
    scales = [
        layer["encoding"]["color"]["scale"]
        for c in spec["concat"]
        for layer in c["layer"]
        if "color" in layer["encoding"]
    ]
    assert len(scales) == 6 and all(s == scales[0] for s in scales)
    assert scales[0]["domain"] == [-data["limit"], 0, data["limit"]] and scales[0]["clamp"]
    for chart in spec["concat"]:
        assert chart["encoding"]["y"]["field"] == "row"
        assert chart["encoding"]["y"]["sort"] == data["sort"]
    assert ZERO in json.dumps(spec)


def test_many_variables_are_cut_and_the_count_is_said(made):
    data = heatmap_data(*made(variables=1000))
    assert (data["shown"], data["of"]) == (40, 1002)
    assert "40 strongest of 1002 columns" in PLOT.message(data)
    assert len(json.dumps(PLOT.draw(data).to_dict())) < 400_000
    assert heatmap_data(*made(variables=1000), rows=7)["shown"] == 7


def test_many_hidden_units_are_cut_and_the_count_is_said(made):
    data = heatmap_data(*made(units=150))
    assert data["layout"]["units"] == 96
    assert "first 96 of 150 hidden units" in PLOT.message(data)
    gone = [u for p in data["panels"] for r in p["rows"] for u in r["unit"]]
    assert max(gone) == 96 + data["layout"]["gap"]


def test_linear_networks_have_a_skip_alone(made):
    summary, figures = made(units=0)
    data = heatmap_data(summary, figures)
    assert data["layout"]["units"] == data["layout"]["gap"] == 0
    assert PLOT.draw(data).to_dict()["concat"]


@pytest.mark.parametrize("kind", ["none at all", "not finite", "no columns"])
def test_runs_without_networks_have_no_heat_map(made, kind):
    summary, figures = made()
    if kind == "none at all":
        figures["networks"] = []
    elif kind == "no columns":
        figures["columns"] = []
    else:
        for n in figures["networks"]:
            n["first"][0][0] = None
    assert heatmap_data(summary, figures) is None


def test_a_diverged_network_is_left_out(made):
    summary, figures = made()
    network(figures, "none")["first"][0][0] = None
    assert "none" not in [p["penalty"] for p in heatmap_data(summary, figures)["panels"]]


def test_all_weights_zero_can_be_drawn(made):
    summary, figures = made()
    for n in figures["networks"]:
        n["first"] = [[0.0] * len(row) for row in n["first"]]
    data = heatmap_data(summary, figures)
    assert data["limit"] > 0
    assert PLOT.draw(data).to_dict()["concat"]


def test_long_and_equal_names_get_labels_that_differ():
    long = "a very long name of a variable that goes on and on"
    columns = [{"name": f"{long}={level}", "variable": 0} for level in ("one", "two")]
    columns += [{"name": long + end, "variable": 1} for end in ("", "")]
    labels = row_labels(columns, [long, "other"])
    assert len(set(labels)) == 4
    assert all(len(label) <= 24 for label in labels)
    assert labels[0].endswith(": one")


def test_hostile_names_are_data_and_never_field_names_or_expressions(made):
    summary, figures = made(hostile=True)
    data = heatmap_data(summary, figures)
    assert {r["variable"] for r in data["panels"][0]["rows"]} == set(figures["variables"])
    spec = PLOT.draw(data).to_dict()
    for chart in spec["concat"]:
        chart["encoding"]["y"].pop("sort")
        chart.pop("data")
    assert "alert" not in json.dumps(spec["concat"])


def test_cells_are_whole_pixels_wide():
    for units in (0, 1, 8, 64, 96):
        place = layout(units, 1)
        assert isinstance(place["step"], int) and place["width"] % place["step"] == 0
