"""The candidates of a decision as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..plots.names import METRIC_NAMES, METRICS, NAMES
from .text import counts, number, printable, with_interval

MARK = ">"
NARROW = 76
"""Characters below which the intervals are left out."""


def print_table(summary: Mapping[str, Any], console: Console) -> None:
    """Print every candidate with its score, its accuracy (or error) and the variables that it keeps.

    Parameters
    ----------
    summary : mapping
        ``decision.json``; numbers that are not finite are None.
    console : rich.console.Console
    """
    metrics = METRICS[summary["task"]][:2]
    whole = console.width >= NARROW
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, title_justify="left", caption_justify="left")
    table.title = _line(f"{summary['table']['name']}: {summary['table']['target']}", "bold")
    said = "; means over the folds of the comparison" + (", 95% intervals" if whole else "")
    table.caption = _line(f"{MARK} the verdict{said}", "dim")
    table.add_column("  candidate", no_wrap=True)
    table.add_column(METRIC_NAMES[metrics[0]], no_wrap=True, justify="left" if whole else "right")
    table.add_column(METRIC_NAMES[metrics[1]], no_wrap=True, justify="right")
    table.add_column("groups kept" if summary["options"].get("groups") else "variables kept", justify="right")
    groups = f"{sum(counts(summary)):,}" if summary.get("cohort") else f"{len(summary['selection']['shares'])}"
    for name, scores in summary["scores"].items():
        chosen = name == summary["verdict"]["penalty"]
        first, second = (scores.get(metric) for metric in metrics)
        table.add_row(
            f"{MARK if chosen else ' '} {NAMES[name]}",
            with_interval(first) if whole else _mean(first),
            _mean(second),
            "-" if scores.get("kept") is None else f"{scores['kept']:.1f} of {groups}",
            style="bold" if chosen else None,
        )
    console.print(table, highlight=False)


def _mean(score: Mapping[str, float | None] | None) -> str:
    return number(score["mean"] if score else None)


def _line(text: str, style: str) -> Text:
    """Return one line of text without control characters, cut where the table ends."""
    return Text(printable(text), style=style, overflow="ellipsis", no_wrap=True)
