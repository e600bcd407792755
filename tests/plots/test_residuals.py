from __future__ import annotations

import numpy as np
import pytest

from riata.plots.residuals import PLOTS

PREDICTED, RESIDUALS = PLOTS


def with_rows(made, n):
    summary, figures = made(task="regression")
    rng = np.random.default_rng(0)
    actual = rng.standard_normal(n)
    predicted = actual + 0.1 * rng.standard_normal(n)
    figures["predictions"] = {"actual": actual.tolist(), "predicted": predicted.tolist(), "rows": n, "of": n}
    return summary, figures


def test_points_are_predicted_actual_and_what_is_left(made):
    summary, figures = made(task="regression")
    figures["predictions"] = {"actual": [1.0, 2.0, 4.0], "predicted": [1.5, 2.0, 3.0], "rows": 3, "of": 3}
    assert PREDICTED.data(summary, figures)["rows"] == [{"x": 1.5, "y": 1}, {"x": 2, "y": 2}, {"x": 3, "y": 4}]
    data = RESIDUALS.data(summary, figures)
    assert [r["y"] for r in data["rows"]] == [-0.5, 0.0, 1.0]
    assert data["mean"] == pytest.approx(1 / 6)
    assert sum(bar["count"] for bar in data["histogram"]) == 3


@pytest.mark.parametrize("plot", PLOTS)
def test_many_rows_are_counted_in_bins_and_none_is_lost(made, plot):
    few, many = plot.data(*with_rows(made, 2000)), plot.data(*with_rows(made, 2001))
    assert not few["binned"]
    assert len(few["rows"]) == 2000
    assert many["binned"]
    assert sum(r["count"] for r in many["rows"]) == 2001
    assert len(many["rows"]) <= 1600
    assert "2001 rows, counted in bins" in plot.message(many)
    assert "bins" not in plot.message(few)


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("n", [1, 50, 3000])
def test_the_spec_is_valid(made, plot, n):
    plot.draw(plot.data(*with_rows(made, n))).to_dict()


@pytest.mark.parametrize("plot", PLOTS)
def test_a_part_of_the_rows_is_said(made, plot):
    assert "400 of 960 rows" in plot.message(plot.data(*made(task="regression")))


def test_a_constant_prediction_is_said(made):
    summary, figures = made(task="regression")
    figures["predictions"] = {"actual": [1.0, 2.0, 3.0], "predicted": [2.0] * 3, "rows": 3, "of": 3}
    data = PREDICTED.data(summary, figures)
    assert "the prediction is constant" in PREDICTED.message(data)
    PREDICTED.draw(data).to_dict()
    RESIDUALS.draw(RESIDUALS.data(summary, figures)).to_dict()


def test_the_diagonal_spans_both_axes(made):
    data = PREDICTED.data(*made(task="regression"))
    low, high = data["domain"]
    values = [v for r in data["rows"] for v in (r["x"], r["y"])]
    assert low < min(values)
    assert max(values) < high


def test_values_that_are_not_finite_are_left_out(made):
    summary, figures = made(task="regression")
    figures["predictions"] = {"actual": [1.0, None, 3.0], "predicted": [1.0, 2.0, None], "rows": 3, "of": 3}
    assert len(PREDICTED.data(summary, figures)["rows"]) == 1


@pytest.mark.parametrize("plot", PLOTS)
def test_without_predicted_values_there_is_no_figure(made, plot):
    summary, figures = made(task="regression")
    assert plot.data(*made()) is None
    assert plot.data(summary, figures | {"predictions": None}) is None
    assert plot.data(summary, figures | {"predictions": {"actual": [None], "predicted": [1.0], "rows": 1}}) is None
