"""Both flowcharts as nodes and arrows, and the way that was walked."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ..chart import Chart, Context, walk
from ..chart import to_dict as chart_dict
from ..classic import CLASSIC
from ..look import CHARTS
from ..options import Options


def charts_of(context: Context, options: Options) -> dict[str, Any]:
    """Return the chart that decided and the classic one; None where a chart could not be walked."""
    return {"default": walked(CHARTS[options.chart], context), "classic": walked(CLASSIC, context)}


def walked(chart: Chart, context: Context) -> dict[str, Any] | None:
    """Return a chart, its answers on the way, and the leaf they led to."""
    try:
        way = walk(chart, context)
    except InputError:
        return None
    steps = [{"key": a.question.key, "answer": a.answer} for a in way.answers if a.decided]
    return {**chart_dict(chart), "walk": steps, "leaf": way.leaf}
