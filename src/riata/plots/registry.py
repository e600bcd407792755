"""Every figure, by name: a new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ..errors import InputError
from .plot import Chart, Plot

MODULES = (
    "scores", "flowchart", "heatmap", "seeds", "stability", "path", "learning", "weights", "classes", "residuals",
    "picture", "correlation", "sparsity", "sample", "views", "variants", "cohort_path", "representation",
)  # fmt: skip


def _plots() -> tuple[Plot, ...]:
    found: list[Plot] = []
    for name in MODULES:
        module = import_module(f"{__package__}.{name}")
        found += getattr(module, "PLOTS", None) or (module.PLOT,)
    return tuple(found)


PLOTS: tuple[Plot, ...] = _plots()


def plot_named(name: str) -> Plot:
    """Return a figure's plot.

    Raises
    ------
    InputError
        If there is no such figure; the message names all.
    """
    for plot in PLOTS:
        if plot.name == name:
            return plot
    raise InputError(f"figure {name!r} is unknown; expected one of {', '.join(p.name for p in PLOTS)}")


def figure(name: str, summary: Mapping[str, Any], figures: Mapping[str, Any], **how: Any) -> Chart:
    """Return a figure as an Altair chart; ``how`` goes to its data function.

    Raises
    ------
    InputError
        If the figure is unknown, or the run holds nothing for it.
    """
    plot = plot_named(name)
    data = plot.data(summary, figures, **how)
    if data is None:
        raise InputError(f"figure {name!r}: this run holds nothing for it; type --what with another figure")
    return plot.draw(data)
