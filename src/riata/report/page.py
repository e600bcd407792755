"""The first report: one self-contained page, no script, no request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from ..plots.names import NAMES
from .text import number, printable, residual, sentence, with_interval


def render_html(summary: Mapping[str, Any]) -> str:
    """Return the report as HTML; every name and cell is escaped."""
    env = Environment(
        loader=PackageLoader("riata", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    env.filters["score"] = with_interval
    env.filters["number"] = number
    env.filters["residual"] = residual
    page = env.get_template("page.html.j2")
    return page.render(s=summary, names=NAMES, verdict=sentence(summary))
