"""The curves and errors as charts, and charts as pictures for a page without scripts."""

from __future__ import annotations

import json
import re

import altair as alt
import vl_convert as vlc

from ..plots.plot import Chart
from ..plots.rows import inline
from ..plots.theme import BOX_INK, COLOURS, DIVERGING, config
from .fits import CURVE, Fit, Found
from .points import Floats, truth
from .words import title

POLYNOMIAL = DIVERGING[-1]
TRUTH_COLOUR = "#767676"
TRAIN, FRESH = "the twelve points", "fresh points"
SHADES = {TRAIN: "#56b4e9", FRESH: "#d55e00"}
ERROR = "error, on a scale of factors"
TICKS = alt.Axis(values=[0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30], format="~g")
TOP = 3.2
"""Half the height of the curves' pictures; what lies beyond is cut off."""


def colour(key: str) -> str:
    """Return the colour of a fit."""
    return COLOURS.get(key, POLYNOMIAL)


def curve_chart(found: Found, fit: Fit) -> Chart:
    """Draw one curve over the points, with the true curve dashed."""
    x = alt.X("x:Q", title="x", scale=alt.Scale(domain=[-1, 1], nice=False), axis=alt.Axis(tickCount=5))
    y = alt.Y("y:Q", title="y", scale=alt.Scale(domain=[-TOP, TOP], nice=False), axis=alt.Axis(tickCount=5))
    true = alt.Chart(_rows(CURVE, truth(CURVE))).mark_line(color=TRUTH_COLOUR, strokeDash=[5, 4], strokeWidth=1.5)
    line = alt.Chart(_rows(CURVE, fit.curve)).mark_line(color=colour(fit.key), strokeWidth=2.5, clip=True)
    points = alt.Chart(_rows(found.points.x, found.points.y)).mark_point(size=60, filled=True, color=BOX_INK, opacity=1)
    layers = (layer.encode(x=x, y=y) for layer in (true, line, points))
    return alt.layer(*layers).properties(width=320, height=220)


def degrees_chart(found: Found) -> Chart:
    """Draw the errors against the degree of the polynomial."""
    rows = [
        {"degree": degree, "error": round(error, 4), "on": on}
        for degree, train, fresh in found.degrees
        for on, error in ((TRAIN, train), (FRESH, fresh))
    ]
    chart: alt.Chart = (
        alt.Chart(inline(rows))
        .mark_line(point=alt.OverlayMarkDef(size=45, filled=True), strokeWidth=2.5)
        .encode(
            x=alt.X("degree:O", title="degree of the polynomial", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("error:Q", title=ERROR, scale=alt.Scale(type="log"), axis=TICKS),
            color=_shade(),
        )
        .properties(width=340, height=240)
    )
    return chart


def errors_chart(found: Found) -> Chart:
    """Draw the errors of every fit on both kinds of points, joined by a line."""
    order = [title(key) for key in found.fits]
    rows = [
        {"fit": title(f.key), "error": round(error, 4), "on": on}
        for f in found.fits.values()
        for on, error in ((TRAIN, f.train), (FRESH, f.fresh))
    ]
    where = alt.Y("fit:N", sort=order, title=None, axis=alt.Axis(labelLimit=190, grid=True))
    base = alt.Chart(inline(rows))
    far = alt.X("error:Q", title=ERROR, scale=alt.Scale(type="log"), axis=TICKS)
    shape = alt.Shape("on:N", title="error on", scale=alt.Scale(domain=list(SHADES)), legend=alt.Legend(orient="top"))
    lines = base.mark_line(strokeWidth=1.5, color=TRUTH_COLOUR).encode(x=far, y=where, detail="fit:N")
    dots = base.mark_point(size=90, filled=True, opacity=1).encode(x=far, y=where, color=_shade(), shape=shape)
    return alt.layer(lines, dots).properties(width=240, height=230)


def svg(chart: Chart, name: str) -> str:
    """Return a chart as SVG for light paper; its ids start with ``name``, so that several fit on one page."""
    spec = {**chart.to_dict(), "config": config()}
    text = vlc.vegalite_to_svg(json.dumps(spec))
    for i, old in enumerate(re.findall(r'\bid="([^"]+)"', text)):
        text = text.replace(f'id="{old}"', f'id="{name}-{i}"').replace(f"url(#{old})", f"url(#{name}-{i})")
    return text


def _rows(x: Floats, y: Floats) -> alt.Data:
    pairs = zip(x.tolist(), y.tolist(), strict=True)
    return inline([{"x": round(a, 4), "y": round(b, 4)} for a, b in pairs])


def _shade() -> alt.Color:
    return alt.Color(
        "on:N",
        title="error on",
        scale=alt.Scale(domain=list(SHADES), range=list(SHADES.values())),
        legend=alt.Legend(orient="top"),
    )
