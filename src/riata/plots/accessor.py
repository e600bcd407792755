"""``decision.plot.heatmap()``: the figures of one run by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .plot import Chart
from .registry import PLOTS, figure, plot_named


class Plots:
    """The figures of a run, each a method that returns an Altair chart, which a notebook shows inline.

    Keyword arguments of a method go to the figure's data function, such as ``heatmap(rows=20)`` or
    ``path(penalty="l1")``.
    """

    def __init__(self, summary: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
        self._summary, self._figures = summary, figures

    def __getattr__(self, name: str) -> Callable[..., Chart]:
        if name not in self.__dir__():
            raise AttributeError(f"no figure {name!r}; expected one of {', '.join(self.__dir__())}")

        def draw(**how: Any) -> Chart:
            return figure(name, self._summary, self._figures, **how)

        draw.__name__, draw.__doc__ = name, plot_named(name).how or plot_named(name).title
        return draw

    def __dir__(self) -> list[str]:
        return [plot.name for plot in PLOTS]
