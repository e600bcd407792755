from __future__ import annotations

import json

import pytest

from riata.plots.correlation import PLOT


def test_the_lower_triangle_and_the_diagonal_are_drawn_in_the_given_order(made):
    summary, figures = made()
    figures["data"]["correlation"]["variables"] = list(range(11, -1, -1))
    data = PLOT.data(summary, figures)
    assert data["names"] == [f"x{i}" for i in range(11, -1, -1)]
    assert len(data["rows"]) == 12 * 13 // 2
    place = {name: i for i, name in enumerate(data["names"])}
    assert all(place[r["column"]] <= place[r["row"]] for r in data["rows"])
    matrix = figures["data"]["correlation"]["matrix"]
    for r in data["rows"]:
        assert r["r"] == round(matrix[place[r["row"]]][place[r["column"]]], 2)
        assert r["variable"] == r["row"]


def test_clusters_of_two_or_more_are_outlined_and_named(made):
    data = PLOT.data(*made())
    assert data["clusters"] == [["x1", "x2"]]
    squares = PLOT.draw(data).to_dict()["layer"][1]
    assert squares["data"]["values"] == [{"first": "x1", "last": "x2"}]
    said = PLOT.message(data)
    assert "x1 with x2" in said
    assert "effective rank is 9.1 of 14 columns (11.2 if the columns were independent)" in said


def test_many_clusters_are_counted(made):
    summary, figures = made()
    figures["data"]["correlation"]["cluster"] = [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    said = PLOT.message(PLOT.data(summary, figures))
    assert "x0 with x1 and 1 more; x3 with x4; x5 with x6; and 2 more clusters" in said


def test_without_clusters_there_are_no_squares(made):
    summary, figures = made()
    figures["data"]["correlation"]["cluster"] = list(range(12))
    data = PLOT.data(summary, figures)
    assert len(PLOT.draw(data).to_dict()["layer"]) == 1
    assert "No variables are correlated above 0.8" in PLOT.message(data)


def test_a_wide_table_stays_small_and_the_count_is_said(made):
    data = PLOT.data(*made(variables=1000))
    assert (data["shown"], data["of"]) == (60, 1000)
    assert "60 of 1000 variables are shown" in PLOT.message(data)
    assert len(json.dumps(PLOT.draw(data).to_dict(validate=False))) < 200_000


def test_correlations_that_are_not_known_are_left_out(made):
    summary, figures = made()
    figures["data"]["correlation"]["matrix"][5][2] = None
    figures["data"]["effective_rank"] = None
    data = PLOT.data(summary, figures)
    assert ("x5", "x2") not in {(r["row"], r["column"]) for r in data["rows"]}
    assert "rank" not in PLOT.message(data)


@pytest.mark.parametrize("facts", [None, {}, {"correlation": None}])
def test_without_the_facts_there_is_no_figure(made, facts):
    summary, figures = made()
    assert PLOT.data(summary, figures | {"data": facts}) is None


@pytest.mark.parametrize("variables", [1, 2, 4])
def test_few_variables_can_be_drawn_and_lit(made, variables):
    spec = PLOT.draw(PLOT.data(*made(variables=variables))).to_dict()
    assert [p["name"] for p in spec["params"]] == ["lit"]
