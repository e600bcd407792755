"""Sub-sample against all rows: the shift of each variable's mean."""

from __future__ import annotations

from typing import Any

import altair as alt

from .lit import colour, fading, variables_down
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import WIDTH

SHOWN = 40
STEP = 16


def sample_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return the standardized mean difference of each variable, largest first; None where all rows were used."""
    sample = (figures.get("data") or {}).get("sample")
    if not sample:
        return None
    names, limit = figures["data"]["names"], sample["limit"]
    found = [
        {"variable": names[v], "difference": round(d, 4), "outside": abs(d) > limit}
        for v, d in zip(sample["variables"], sample["difference"], strict=True)
        if d is not None
    ]
    found.sort(key=lambda row: -abs(row["difference"]))
    if not found:
        return None
    return {
        "rows": found[:SHOWN],
        "shown": min(SHOWN, len(found)),
        "of": sample["of_variables"],
        "outside": sum(row["outside"] for row in found),
        "measured": len(found),
        "limit": limit,
        "sampled": sample["rows"],
        "total": sample["of"],
        "reach": round(max(1.2 * limit, 1.05 * abs(found[0]["difference"])), 4),
    }


def draw_sample(data: Data) -> Chart:
    """Draw a dot per variable between the two limits."""
    rows, reach = data["rows"], data["reach"]
    marks = [{"at": s * data["limit"], "text": f"{s * data['limit']:+.2g}"} for s in (-1, 1)] + [{"at": 0, "text": ""}]
    limits = alt.Chart(inline(marks)).encode(x="at:Q")
    x = alt.X(
        "difference:Q",
        scale=alt.Scale(domain=[-reach, reach]),
        title="difference of means, sub-sample minus all rows, in standard deviations",
    )
    dots = (
        alt.Chart(inline(rows))
        .mark_point(filled=True, size=70)
        .encode(
            x=x,
            y=variables_down(rows, grid=True),
            color=colour(),
            opacity=fading(),
            tooltip=[alt.Tooltip("variable:N"), alt.Tooltip("difference:Q", format="+.3f")],
        )
    )
    return (
        alt.layer(
            limits.transform_filter("datum.text != ''").mark_rule(strokeDash=[5, 4]),
            limits.transform_filter("datum.text == ''").mark_rule(),
            limits.transform_filter("datum.text != ''").mark_text(dy=-8).encode(y=alt.value(0), text="text:N"),
            dots,
        )
        .properties(width=WIDTH, height=alt.Step(STEP))
        .add_params(alt.param(name="lit", value=""))
    )


def sample_message(data: Data) -> str:
    """Say how far the sub-sample's means are from those of all rows."""
    top = data["rows"][0]
    cut = f" The {data['shown']} largest of {data['of']} variables are shown." if data["shown"] < data["of"] else ""
    return (
        f"{data['sampled']} of {data['total']} rows were used; the mean of {data['outside']} of {data['measured']} "
        f"variables lies more than {data['limit']:g} standard deviations from that of all rows; the largest difference "
        f"is {top['difference']:+.3f} ({top['variable']}).{cut}"
    )


PLOT = Plot(
    name="sample",
    title="Sub-sample against all rows",
    data=sample_data,
    draw=draw_sample,
    message=sample_message,
    how="Each dot is the mean of a variable in the sub-sample minus its mean in all rows, in standard deviations. "
    "Between the dashed lines the sub-sample stands for the whole table.",
)
