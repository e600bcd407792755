"""Correlations of the variables, those that go together side by side."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import altair as alt

from .plot import Chart, Data, Plot
from .rows import inline
from .theme import ACCENT, DIVERGING

SHOWN = 60
NAMED = 3
"""Clusters that the message names."""
SMALLEST, LARGEST = 11, 36
SIDE = 560
ROOMY = 340
"""Side from which the empty upper triangle holds the legend."""


def correlation_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return the lower triangle of the map in the given order, and the clusters of two or more variables."""
    facts = figures.get("data") or {}
    found = facts.get("correlation")
    if not found or not found["variables"]:
        return None
    names = [figures["data"]["names"][v] for v in found["variables"][:SHOWN]]
    rows = [
        {"row": row, "column": names[j], "r": round(r, 2), "variable": row}
        for i, row in enumerate(names)
        for j, r in enumerate(found["matrix"][i][: i + 1])
        if r is not None
    ]
    return {
        "rows": rows,
        "names": names,
        "clusters": _clusters(names, found["cluster"]),
        "shown": len(names),
        "of": found["of"],
        "threshold": found["threshold"],
        "sampled": found["rows"],
        "columns": facts.get("columns"),
        "rank": facts.get("effective_rank"),
        "rank_permuted": facts.get("effective_rank_permuted"),
    }


def _clusters(names: list[str], ids: list[int]) -> list[list[str]]:
    runs = [[name for name, _ in run] for _, run in groupby(zip(names, ids, strict=False), key=lambda pair: pair[1])]
    return [run for run in runs if len(run) > 1]


def draw_correlation(data: Data) -> Chart:
    """Draw the lower triangle, clusters outlined on the diagonal."""
    names = data["names"]
    step = max(SMALLEST, min(LARGEST, SIDE // len(names)))
    scale = alt.Scale(domain=names, paddingInner=0, paddingOuter=0)
    size = min(12, step - 2)
    label: dict[str, Any] = {"labelLimit": 140, "labelFontSize": size, "ticks": False, "domain": False, "title": None}
    cells = (
        alt.Chart(inline(data["rows"]))
        .mark_rect()
        .encode(
            x=alt.X("column:N", scale=scale, axis=alt.Axis(labelAngle=-90, labelOverlap=False, **label)),
            y=alt.Y("row:N", scale=scale, axis=alt.Axis(labelOverlap=False, **label)),
            color=alt.Color(
                "r:Q",
                scale=alt.Scale(domain=[-1, -0.5, 0, 0.5, 1], range=DIVERGING),
                legend=_legend(step * len(names)),
            ),
            opacity=alt.condition(
                "lit == '' || datum.row == lit || datum.column == lit", alt.value(1), alt.value(0.25)
            ),
            tooltip=[
                alt.Tooltip("row:N", title="variable"),
                alt.Tooltip("column:N", title="with"),
                alt.Tooltip("r:Q", format=".2f", title="correlation"),
            ],
        )
    )
    ends = [{"first": c[0], "last": c[-1]} for c in data["clusters"]]
    squares = (
        alt.Chart(inline(ends))
        .mark_rect(fillOpacity=0, stroke=ACCENT, strokeWidth=2)
        .encode(
            x=alt.X("first:N", bandPosition=0, scale=scale),
            x2=alt.X2("last:N", bandPosition=1),
            y=alt.Y("first:N", bandPosition=0, scale=scale),
            y2=alt.Y2("last:N", bandPosition=1),
        )
    )
    layers = [cells, squares] if ends else [cells]
    return (
        alt.layer(*layers)
        .properties(width=step * len(names), height=step * len(names))
        .add_params(alt.param(name="lit", value=""))
    )


def _legend(side: int) -> alt.Legend:
    return alt.Legend(
        title="correlation",
        values=[-1, -0.5, 0, 0.5, 1],
        format=".1f",
        gradientLength=min(160, side),
        orient="top-right" if side >= ROOMY else "right",
    )


def correlation_message(data: Data) -> str:
    """Say which variables go together, and the effective rank of the columns."""
    found = data["clusters"]
    named = "; ".join(" with ".join(c[:2]) + (f" and {len(c) - 2} more" if len(c) > 2 else "") for c in found[:NAMED])
    more = f"; and {len(found) - NAMED} more clusters" if len(found) > NAMED else ""
    said = (
        f"Correlated above {data['threshold']:.2g}, with either sign: {named}{more}."
        if found
        else f"No variables are correlated above {data['threshold']:.2g}, with either sign."
    )
    if data["rank"] is not None and data["columns"] is not None:
        permuted = data["rank_permuted"]
        by_chance = "" if permuted is None else f" ({permuted:.1f} if the columns were independent)"
        said += f" The effective rank is {data['rank']:.1f} of {data['columns']} columns{by_chance}."
    cut = f" {data['shown']} of {data['of']} variables are shown." if data["shown"] < data["of"] else ""
    return said + cut


PLOT = Plot(
    name="correlation",
    title="Correlation of the variables",
    data=correlation_data,
    draw=draw_correlation,
    message=correlation_message,
    how="Variables that go together stand side by side; squares mark clusters. Of two strongly correlated variables L1 "
    "keeps one nearly at random, L2 and the elastic net share the weight. The effective rank is how many independent "
    "columns the table is worth.",
)
