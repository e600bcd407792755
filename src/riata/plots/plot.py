"""What a plot is: data first, then a drawing, and its message in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt

Data = Mapping[str, Any]
Chart = alt.TopLevelMixin


@dataclass(frozen=True)
class Plot:
    """One kind of figure.

    Attributes
    ----------
    name : str
        As in ``riata plot --what`` and ``decision.plot.<name>()``.
    title : str
        Heading on the page.
    data : callable (summary, figures) -> mapping or None
        Everything that is drawn, computed; None where the run holds nothing for this figure.
    draw : callable (data) -> altair chart
        Draws and computes nothing. Rows about one variable carry it in the field ``variable``, and a chart with such
        rows has the top-level parameter ``lit``: the variable that is lit everywhere, "" for none.
    message : callable (data) -> str
        The figure in one or two sentences: its alternative text.
    how : str
        How to read it, for the caption.
    variants : callable (summary, figures) -> list of (key, label, keyword arguments of ``data``)
        What a page offers to choose from; the first is shown at first.
    """

    name: str
    title: str
    data: Callable[[Data, Data], dict[str, Any] | None]
    draw: Callable[[Data], Chart]
    message: Callable[[Data], str]
    how: str = ""
    variants: Callable[[Data, Data], list[tuple[str, str, dict[str, Any]]]] | None = None
