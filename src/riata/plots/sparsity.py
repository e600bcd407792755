"""Share of the most common value of each variable: how sparse the table is."""

from __future__ import annotations

from typing import Any

import altair as alt

from .lit import colour, fading, variables_down
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import WIDTH

SHOWN = 40
STEP = 16


def sparsity_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return the share of each variable's most common value, largest first."""
    common = (figures.get("data") or {}).get("most_common")
    if not common:
        return None
    names = figures["data"]["names"]
    found = [
        {"variable": names[v], "share": round(share, 4)}
        for v, share in zip(common["variables"], common["share"], strict=True)
        if share is not None
    ]
    found.sort(key=lambda row: -row["share"])
    if not found:
        return None
    return {
        "rows": found[:SHOWN],
        "shown": min(SHOWN, len(found)),
        "of": common["of"],
        "half": sum(row["share"] > 0.5 for row in found),
        "measured": len(found),
    }


def draw_sparsity(data: Data) -> Chart:
    """Draw a bar per variable."""
    rows = data["rows"]
    chart: Chart = (
        alt.Chart(inline(rows))
        .mark_bar(height=STEP - 5)
        .encode(
            x=alt.X(
                "share:Q",
                scale=alt.Scale(domain=[0, 1]),
                title="share of rows with the most common value",
                axis=alt.Axis(format=".0%"),
            ),
            y=variables_down(rows),
            color=colour(),
            opacity=fading(),
            tooltip=[alt.Tooltip("variable:N"), alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(width=WIDTH, height=alt.Step(STEP))
        .add_params(alt.param(name="lit", value=""))
    )
    return chart


def sparsity_message(data: Data) -> str:
    """Say which variable is the sparsest and how many are mostly one value."""
    top = data["rows"][0]
    cut = f" The {data['shown']} sparsest of {data['of']} variables are shown." if data["shown"] < data["of"] else ""
    return (
        f"{data['half']} of {data['measured']} variables have one value in more than half of the rows; the sparsest is "
        f"{top['variable']} with {top['share']:.0%}.{cut}"
    )


PLOT = Plot(
    name="sparsity",
    title="Sparsity of the variables",
    data=sparsity_data,
    draw=draw_sparsity,
    message=sparsity_message,
    how="A long bar is a variable that nearly always has the same value, often 0: it says little about most rows.",
)
