"""How large the first-layer weights are, how many are exactly zero, and how the largest grew."""

from __future__ import annotations

from typing import Any

import altair as alt

from .labels import percent, rounded
from .learning import thinned, values_at, watched
from .names import NAMES
from .networks import networks_at
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import ACCENT, COLOURS, ZERO

PANEL, WIDE = 220, 560


def weights_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return the histogram of every penalty's first layer (fold 0, seed 0), and the growth of its largest weight."""
    panels = [_panel(n) for n in networks_at(figures) if n["weights_total"]]
    if not panels:
        return None
    reach = max((abs(x) for p in panels for bar in p["bars"] for x in (bar["low"], bar["high"])), default=1.0)
    growth = [_growth(n) for n in watched(figures)]
    return {"panels": panels, "reach": rounded(reach * 1.02) or 1.0, "growth": growth}


def _panel(network: Data) -> dict[str, Any]:
    histogram, total = network["histogram"], network["weights_total"]
    edges, counts = histogram["edges"], histogram["counts"]
    zeros = histogram["zeros"] / total
    far = max((edges[0], edges[-1]), key=abs) if counts else None
    large = f"; largest {abs(far):.3g}" if far is not None else ""
    return {
        "penalty": network["penalty"],
        "title": NAMES.get(network["penalty"], network["penalty"]),
        "label": f"{percent(zeros)} exactly 0{large}",
        "zeros": rounded(zeros),
        "total": total,
        "largest": None if far is None else {"weight": far, "size": abs(far)},
        "bars": [
            {"low": rounded(a), "high": rounded(b), "count": count}
            for a, b, count in zip(edges[:-1], edges[1:], counts, strict=True)
            if count
        ],
    }


def _growth(network: Data) -> dict[str, Any]:
    curves, stop = network["curves"], network["best_epoch"]
    places = thinned(curves["epoch"], stop)
    return {
        "penalty": NAMES.get(network["penalty"], network["penalty"]),
        "key": network["penalty"],
        "epoch": [curves["epoch"][i] for i in places],
        "largest": values_at(curves["largest"], places),
        "stop": stop,
    }


def draw_share(panel: Data) -> Chart:
    """Return the share of weights that are exactly 0 as a strip: the whole strip is all weights."""
    record = {k: panel[k] for k in ("zeros", "total", "label")}
    base = alt.Chart(inline([record]))
    scale = alt.Scale(domain=[0, 1], nice=False)
    tips = [alt.Tooltip("zeros:Q", title="share exactly 0", format=".1%"), alt.Tooltip("total:Q", title="weights")]
    whole = base.mark_bar(color=COLOURS["constant"], opacity=0.25, height=10).encode(
        x=alt.value(0), x2=alt.value(PANEL), tooltip=tips
    )
    part = base.mark_bar(color=ZERO, height=10).encode(x=alt.X("zeros:Q", scale=scale, axis=None), tooltip=tips)
    title = alt.Title(panel["title"], subtitle=panel["label"])
    return alt.layer(whole, part).properties(width=PANEL, height=14, title=title)


def draw_histogram(panel: Data, data: Data, first: bool) -> Chart:
    """Return the weights that are not zero, with a triangle at the largest."""
    scale = alt.Scale(domain=[-data["reach"], data["reach"]], nice=False)
    axis = alt.Axis(grid=False, tickCount=5)
    bars = alt.Chart(inline(panel["bars"])).mark_rect(color=COLOURS.get(panel["penalty"], ACCENT))
    layers: list[Any] = [
        bars.encode(
            x=alt.X("low:Q", title="weight", scale=scale, axis=axis),
            x2="high:Q",
            y=alt.Y("count:Q", title="weights not 0" if first else None, axis=alt.Axis(tickCount=4, format="~s")),
            y2=alt.datum(0),
            tooltip=[alt.Tooltip("low:Q", title="from"), alt.Tooltip("high:Q", title="to"), alt.Tooltip("count:Q")],
        )
    ]
    if panel["largest"]:
        mark = alt.Chart(inline([panel["largest"]]))
        layers.append(
            mark.mark_point(shape="triangle-down", filled=True, size=70, opacity=1, color=ACCENT).encode(
                x=alt.X("weight:Q", scale=scale, axis=axis, title="weight"),
                y=alt.value(105),
                tooltip=[alt.Tooltip("weight:Q", title="largest weight")],
            )
        )
    return alt.layer(*layers).properties(width=PANEL, height=110)


def draw_growth(growth: list[dict[str, Any]]) -> Chart:
    """Return the largest weight of every network against the epoch, a point where early stopping stopped."""
    names = [line["penalty"] for line in growth]
    scale = alt.Scale(domain=names, range=[COLOURS.get(line["key"], ACCENT) for line in growth])
    base = alt.Chart(inline(growth)).transform_flatten(["epoch", "largest"]).encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(grid=False)),
        y=alt.Y("largest:Q", title="largest absolute weight", scale=alt.Scale(zero=True)),
        color=alt.Color("penalty:N", title=None, scale=scale),
        tooltip=[alt.Tooltip("penalty:N"), alt.Tooltip("epoch:Q"), alt.Tooltip("largest:Q")],
    )  # fmt: skip
    lines = base.mark_line(strokeWidth=2)
    hover = base.mark_point(opacity=0, size=40)
    points = base.transform_filter("datum.epoch == datum.stop").mark_point(filled=True, size=60, opacity=1)
    title = alt.Title("Growth of the largest weight", subtitle="a point where early stopping stopped")
    return alt.layer(lines, hover, points).properties(width=WIDE, height=220, title=title)


def draw_weights(data: Data) -> Chart:
    """Return the histograms three in a row, and the growth of the largest weights beneath."""
    pairs: list[Any] = [
        (draw_share(panel), draw_histogram(panel, data, i % 3 == 0)) for i, panel in enumerate(data["panels"])
    ]
    panels = [alt.vconcat(*pair, spacing=4) for pair in pairs]
    chart = alt.concat(*panels, columns=3, spacing=24)
    if not data["growth"]:
        return chart
    growth: Any = draw_growth(data["growth"])
    both: Chart = alt.vconcat(chart, growth, spacing=30).resolve_scale(color="independent")
    return both


def weights_message(data: Data) -> str:
    """Return each network's share of zeros and its largest weight."""
    said = "; ".join(f"{p['title']} {p['label'].replace('; largest', ', largest')}" for p in data["panels"])
    ends = [(line["largest"][-1], line["penalty"]) for line in data["growth"] if line["largest"][-1] is not None]
    most = max(ends, default=None)
    more = f" By the last epoch the largest weight is {most[0]:.3g}, with {most[1]}." if most else ""
    return f"First-layer weights: {said}.{more}"


PLOT = Plot(
    name="weights",
    title="Sizes of the first-layer weights",
    data=weights_data,
    draw=draw_weights,
    message=weights_message,
    how=(
        "The dark part of each strip is the share of weights that are exactly 0; the histogram shows the others, on "
        "one scale for all penalties, with a triangle at the largest. Large and growing weights are a sign of "
        "overfitting."
    ),
)
