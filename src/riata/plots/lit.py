"""The variable that is lit: marks of the others fade."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from .theme import ACCENT, LIT

SHOWN = "lit == '' || datum.variable == lit"
"""Whether a mark is not faded: nothing is lit, or its variable is."""
IS_LIT = "lit != '' && datum.variable == lit"


def fading(low: float = 0.25) -> Any:
    """Return the opacity of marks that fade when another variable is lit."""
    return alt.condition(SHOWN, alt.value(1), alt.value(low))


def colour(otherwise: Any = None) -> Any:
    """Return the colour of marks that stand out when their variable is lit."""
    return alt.condition(IS_LIT, alt.value(LIT), alt.value(ACCENT) if otherwise is None else otherwise)


def variables_down(rows: Sequence[dict[str, Any]], **axis: Any) -> alt.Y:
    """Return a vertical axis of variables in the order of the rows; long names are cut, tooltips have them whole."""
    names = [row["variable"] for row in rows]
    return alt.Y(
        "variable:N",
        scale=alt.Scale(domain=names),
        axis=alt.Axis(labelLimit=140, ticks=False, title=None, **axis),
    )
