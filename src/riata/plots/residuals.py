"""Predicted against actual values, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from .plot import Chart, Data, Plot
from .rows import inline
from .theme import ACCENT

MOST = 2000
"""More points than these are counted in bins."""
BINS = 40
HISTOGRAM_BINS = 30
SIDE = 340

Values = NDArray[np.float64]


def predicted_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return the points (predicted, actual), in bins where there are many."""
    found = _values(figures)
    if found is None:
        return None
    actual, predicted = found
    domain = _padded(float(min(actual.min(), predicted.min())), float(max(actual.max(), predicted.max())))
    spread = float(actual.std() * predicted.std())
    return {
        **_points(predicted, actual, (domain, domain)),
        **_counts(figures, len(actual)),
        "domain": domain,
        "r": round(float(np.mean((actual - actual.mean()) * (predicted - predicted.mean())) / spread), 4)
        if spread > 0
        else None,
        "error": _short(float(np.median(np.abs(actual - predicted)))),
    }


def residuals_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return the points (predicted, actual minus predicted) and the histogram of the latter."""
    found = _values(figures)
    if found is None:
        return None
    actual, predicted = found
    left = actual - predicted
    x = _padded(float(predicted.min()), float(predicted.max()))
    y = _padded(float(left.min()), float(left.max()))
    counts, edges = np.histogram(left, bins=HISTOGRAM_BINS)
    bars = [
        {"low": _short(a), "high": _short(b), "count": int(n)}
        for n, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
    ]
    return {
        **_points(predicted, left, (x, y)),
        **_counts(figures, len(actual)),
        "x_domain": x,
        "y_domain": y,
        "histogram": bars,
        "mean": _short(float(left.mean())),
        "sd": _short(float(left.std())),
    }


def _values(figures: Data) -> tuple[Values, Values] | None:
    said = figures.get("predictions") or {}
    if not said.get("actual") or not said.get("predicted"):
        return None
    both = np.array([said["actual"], said["predicted"]], dtype=np.float64)
    both = both[:, np.isfinite(both).all(axis=0)]
    return (both[0], both[1]) if both.shape[1] else None


def _counts(figures: Data, shown: int) -> dict[str, int]:
    return {"shown": shown, "of": figures["predictions"].get("of") or shown}


def _points(x: Values, y: Values, domains: tuple[Sequence[float], Sequence[float]]) -> dict[str, Any]:
    if len(x) <= MOST:
        return {"binned": False, "rows": [{"x": _short(a), "y": _short(b)} for a, b in zip(x, y, strict=True)]}
    counts, xs, ys = np.histogram2d(x, y, bins=BINS, range=[(d[0], d[1]) for d in domains])
    rows = [
        {
            "x": _short(xs[i]),
            "x2": _short(xs[i + 1]),
            "y": _short(ys[j]),
            "y2": _short(ys[j + 1]),
            "count": int(counts[i, j]),
        }
        for i, j in np.argwhere(counts > 0)
    ]
    return {"binned": True, "rows": rows}


def _padded(low: float, high: float) -> list[float]:
    margin = 0.03 * (high - low) or 0.5
    return [_short(low - margin), _short(high + margin)]


def _short(value: float) -> float:
    return float(f"{value:.7g}")


def draw_predicted(data: Data) -> Chart:
    """Draw actual against predicted values over the diagonal."""
    low, high = data["domain"]
    diagonal = (
        alt.Chart(inline([{"from": low, "to": high}]))
        .mark_rule(strokeDash=[5, 4])
        .encode(x="from:Q", y="from:Q", x2="to:Q", y2="to:Q")
    )
    marks = _marks(data, ("predicted", data["domain"]), ("actual", data["domain"]))
    return alt.layer(marks, diagonal).properties(width=SIDE, height=SIDE)


def draw_residuals(data: Data) -> Chart:
    """Draw residuals against predicted values, with their histogram beside."""
    y_scale = alt.Scale(domain=data["y_domain"], nice=False)
    zero = alt.Chart(inline([{"y": 0}])).mark_rule(strokeDash=[5, 4]).encode(y=alt.Y("y:Q", scale=y_scale))
    marks = _marks(data, ("predicted", data["x_domain"]), ("actual minus predicted", data["y_domain"]))
    bars = (
        alt.Chart(inline(data["histogram"]))
        .mark_rect(color=ACCENT, opacity=0.8)
        .encode(
            y=alt.Y("low:Q", scale=y_scale, title=None, axis=alt.Axis(labels=False, ticks=False)),
            y2="high:Q",
            x=alt.X("zero:Q", title="rows", axis=alt.Axis(tickCount=3), scale=alt.Scale(nice=True, zero=True)),
            x2="count:Q",
            tooltip=["low:Q", "high:Q", "count:Q"],
        )
        .transform_calculate(zero="0")
    )
    return alt.hconcat(
        alt.layer(marks, zero).properties(width=SIDE + 60, height=SIDE),
        alt.layer(bars, zero).properties(width=110, height=SIDE),
        spacing=8,
    )


def _marks(data: Data, x: tuple[str, Sequence[float]], y: tuple[str, Sequence[float]]) -> alt.Chart:
    (x_title, x_domain), (y_title, y_domain) = x, y
    base = alt.Chart(inline(data["rows"])).encode(
        x=alt.X("x:Q", scale=alt.Scale(domain=list(x_domain), nice=False), title=x_title),
        y=alt.Y("y:Q", scale=alt.Scale(domain=list(y_domain), nice=False), title=y_title),
    )
    if not data["binned"]:
        tips = [alt.Tooltip("x:Q", title=x_title), alt.Tooltip("y:Q", title=y_title)]
        points: alt.Chart = base.mark_point(filled=True, size=28, color=ACCENT, opacity=0.65).encode(tooltip=tips)
        return points
    shade = alt.Scale(type="sqrt", range=[0.12, 1])
    legend = alt.Legend(
        title="rows in bin", symbolType="square", symbolFillColor=ACCENT, symbolStrokeWidth=0, tickCount=4
    )
    bins: alt.Chart = base.mark_rect(color=ACCENT).encode(
        x2="x2:Q", y2="y2:Q", opacity=alt.Opacity("count:Q", scale=shade, legend=legend), tooltip="count:Q"
    )
    return bins


def predicted_message(data: Data) -> str:
    """Say how closely predicted and actual values go together."""
    together = "the prediction is constant" if data["r"] is None else f"they correlate with {data['r']:.2f}"
    half = f"half of the errors are below {data['error']:.3g}"
    return f"Predicted against actual values of {_rows(data)}: {together}; {half}."


def residuals_message(data: Data) -> str:
    """Say the mean and spread of the residuals."""
    return (
        f"Actual minus predicted values of {_rows(data)}: mean {data['mean']:.3g}, standard deviation {data['sd']:.3g}."
    )


def _rows(data: Data) -> str:
    which = f"{data['shown']} of {data['of']} rows" if data["shown"] < data["of"] else f"{data['shown']} rows"
    return f"{which}, counted in bins" if data["binned"] else which


PLOTS = (
    Plot(
        name="predicted",
        title="Predicted against actual",
        data=predicted_data,
        draw=draw_predicted,
        message=predicted_message,
        how="From predictions on rows that the network was not trained on; on the dashed diagonal they are exact. "
        "More than 2,000 rows are counted in bins, in a stronger colour for more rows.",
    ),
    Plot(
        name="residuals",
        title="Residuals",
        data=residuals_data,
        draw=draw_residuals,
        message=residuals_message,
        how="What the prediction leaves: a trend, a bend or a funnel is structure that the network misses. "
        "More than 2,000 rows are counted in bins, in a stronger colour for more rows.",
    ),
)
