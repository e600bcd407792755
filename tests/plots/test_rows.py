"""Every figure's specification is valid Vega-Lite, with its rows inside."""

from __future__ import annotations

import pytest

from riata.plots.registry import PLOTS


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_figure_passes_the_schema(made, task: str) -> None:
    summary, figures = made(task=task, picture=(3, 4))
    drawn = 0
    for plot in PLOTS:
        data = plot.data(summary, figures)
        if data is not None:
            spec = plot.draw(data).to_dict(validate=True)
            assert "values" in str(spec) or spec["datasets"], plot.name
            drawn += 1
    assert drawn == len(PLOTS) - (7 if task == "classification" else 8)


def test_figures_name_what_they_draw(made) -> None:
    summary, figures = made(picture=(3, 4))
    names = [plot.name for plot in PLOTS]
    assert len(set(names)) == len(names)
    for plot in PLOTS:
        data = plot.data(summary, figures)
        assert data is None or len(plot.message(data)) > 20, plot.name
        assert plot.title and plot.how
