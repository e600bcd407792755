"""Colours and sizes of all figures: readable in print, in the dark, and without colour vision."""

from __future__ import annotations

from typing import Any

COLOURS = {
    "constant": "#6e7781",
    "none": "#999999",
    "l2": "#0072b2",
    "l1": "#d55e00",
    "elastic_net": "#cc79a7",
    "group_lasso": "#009e73",
    "sparse_group_lasso": "#e69f00",
}
"""One colour a penalty, everywhere (Okabe & Ito 2008, told apart by all common kinds of colour vision)."""
ACCENT = "#0072b2"
LIT = "#d55e00"
ZERO = "#30343b"
"""Weights that are exactly 0.0."""
DIVERGING = ["#b35806", "#f1a340", "#f7f7f7", "#998ec3", "#542788"]
"""Negative to positive weights."""
QUESTION, ACTION, OUTCOME = "#cfe3f5", "#fbe3bd", "#c9ead9"
"""Boxes of a flowchart; their text is always dark."""
BOX_INK = "#1b1f24"
FONT = "system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif"
WIDTH, HEIGHT = 560, 320


def config(dark: bool = False) -> dict[str, Any]:
    """Return Vega-Lite's configuration for light or dark paper; charts set no such colours themselves."""
    ink, soft, line, paper = (
        ("#e6e9ed", "#9aa5b1", "#3a424b", "#15191e") if dark else ("#1b1f24", "#5b6570", "#d5dae0", "#ffffff")
    )
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"}
    return {
        "background": paper,
        "font": FONT,
        "axis": {**text, "gridColor": line, "domainColor": soft, "tickColor": soft},
        "header": text,
        "legend": text,
        "title": {"color": ink, "subtitleColor": soft, "fontSize": 13, "anchor": "start", "fontWeight": 600},
        "text": {"color": ink},
        "rule": {"color": soft},
        "view": {"stroke": None},
    }
