"""Where a network looks in a picture: the norm of each pixel's first-layer weights."""

from __future__ import annotations

import json
from typing import Any

import altair as alt

from .labels import percent, rounded
from .lit import fading
from .names import NAMES
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import ACCENT, ZERO

SIDE, LEAST = 200, 2
PALE = "#f7f7f7"


def picture_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return one row a pixel with its norm under every penalty; None where the columns are no picture."""
    picture = figures["picture"]
    if not picture or not picture["images"]:
        return None
    width, height = picture["width"], picture["height"]
    images = {image["penalty"]: image["values"] for image in picture["images"]}
    names = figures["variables"] if len(figures["variables"]) == width * height else []
    rows: list[dict[str, Any]] = [
        {"pixel": i, **{key: None if v[i] is None else rounded(v[i]) for key, v in images.items()}}
        for i in range(width * height)
    ]
    for row, name in zip(rows, names, strict=bool(names)):
        row["variable"] = name
    zeros = {key: sum(v == 0 for v in values) / len(values) for key, values in images.items()}
    return {
        "width": width,
        "height": height,
        "penalties": list(images),
        "titles": {key: f"{NAMES.get(key, key)}: {percent(share)} exactly 0" for key, share in zeros.items()},
        "zeros": {key: rounded(share) for key, share in zeros.items()},
        "named": bool(names),
        "rows": rows,
    }


def draw_picture(data: Data) -> Chart:
    """Return one picture a penalty, three in a row, on one scale of colours."""
    step = max(LEAST, SIDE // max(data["width"], data["height"]))
    tall = max(step * data["height"], 40)
    titles = alt.Header(title=None, labelExpr=f"{json.dumps(data['titles'])}[datum.value]", labelAnchor="start")
    titles.labelFontWeight = 600
    base = alt.Chart(inline(data["rows"])).transform_fold(data["penalties"], as_=["penalty", "norm"])
    base = base.transform_calculate(
        left=f"datum.pixel % {data['width']}",
        right=f"datum.pixel % {data['width']} + 1",
        top=f"floor(datum.pixel / {data['width']})",
        bottom=f"floor(datum.pixel / {data['width']}) + 1",
    )
    name = [alt.Tooltip("variable:N")] if data["named"] else [alt.Tooltip("pixel:Q")]
    colours = alt.Color(
        "norm:Q",
        title="norm of a pixel's weights",
        scale=alt.Scale(range=[PALE, ACCENT], zero=True),
        legend=alt.Legend(orient="bottom", gradientLength=200, direction="horizontal"),
    )
    across = alt.Scale(domain=[0, data["width"]], nice=False)
    lit = alt.param(name="lit", value="")
    down = alt.Scale(domain=[0, data["height"]], nice=False, reverse=True)
    chart = base.mark_rect().encode(
        x=alt.X("left:Q", scale=across, axis=None),
        x2="right:Q",
        y=alt.Y("top:Q", scale=down, axis=None),
        y2="bottom:Q",
        color=alt.condition("datum.norm === 0", alt.value(ZERO), colours),
        opacity=fading(),
        tooltip=[*name, alt.Tooltip("norm:Q")],
        facet=alt.Facet("penalty:N", columns=3, sort=data["penalties"], header=titles),
    )
    facets: Chart = chart.properties(width=step * data["width"], height=tall).add_params(lit)
    return facets


def picture_message(data: Data) -> str:
    """Return how many pixels each penalty leaves out."""
    said = "; ".join(f"{NAMES.get(key, key)} {percent(share)}" for key, share in data["zeros"].items())
    return f"Share of the {data['width']} x {data['height']} pixels whose weights are all exactly 0: {said}."


PLOT = Plot(
    name="picture",
    title="Where the networks look",
    data=picture_data,
    draw=draw_picture,
    message=picture_message,
    how="A pixel is as dark blue as the norm of its first-layer weights; a dark grey pixel is not used at all.",
)
