"""How many networks keep each variable."""

from __future__ import annotations

from typing import Any

import altair as alt

from ..shares import wilson
from .lit import colour, fading, variables_down
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import ACCENT, COLOURS, WIDTH

SHOWN = 40
SELECTED = 0.75
"""Share of networks from which a variable is selected."""
POOR = 0.4
"""Stability below which no list should be believed."""
STEP = 18


def stability_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return the share of networks that keep each variable, strongest first; no rows where they do not agree."""
    selection = summary.get("selection") or {}
    shares, networks, agreement = (selection.get(k) for k in ("shares", "networks", "stability"))
    if not shares or not networks:
        return None
    all_kept = all(share == 1 for share in shares.values())
    differ = any(0 < share < 1 for share in shares.values())
    cohort = summary.get("cohort")
    unstable = agreement is not None and agreement < POOR and differ
    norms = summary.get("norms") or {}
    order = sorted(shares, key=lambda name: (-shares[name], -(norms.get(name) or 0.0)))
    return {
        "rows": [] if unstable else [_row(name, shares[name], networks) for name in order[:SHOWN]],
        "shown": 0 if unstable else min(SHOWN, len(order)),
        "of": cohort["variants"] if cohort else len(order),
        "what": "half-samples" if cohort else "networks",
        "selected": sum(share >= SELECTED for share in shares.values()),
        "networks": networks,
        "stability": agreement,
        "unstable": unstable,
        "all_kept": all_kept,
    }


def _row(name: str, share: float, networks: int) -> dict[str, Any]:
    low, high = wilson(round(share * networks), networks)
    return {
        "variable": name,
        "share": round(share, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "state": "selected" if share >= SELECTED else "not selected",
    }


def draw_stability(data: Data) -> Chart:
    """Draw a dot and whisker per variable, or a sentence where no list is shown."""
    if data["unstable"]:
        return _sentence(_not_shown(data))
    rows = data["rows"]
    colours = alt.Scale(domain=["selected", "not selected"], range=[ACCENT, COLOURS["none"]])
    base = alt.Chart(inline(rows)).encode(
        y=variables_down(rows),
        color=colour(alt.Color("state:N", scale=colours, legend=alt.Legend(orient="bottom", title=None))),
        opacity=fading(),
        tooltip=[
            alt.Tooltip("variable:N"),
            alt.Tooltip("share:Q", format=".2f", title=f"share of {data['networks']} {data['what']}"),
            *(alt.Tooltip(f"{k}:Q", format=".2f") for k in ("low", "high")),
        ],
    )
    title = f"share of {data['networks']} {data['what']} that keep the variable, 95% interval"
    scale, axis = alt.Scale(domain=[0, 1]), alt.Axis(tickCount=5)
    threshold = alt.Chart(inline([{"at": SELECTED, "text": f"selected from {SELECTED}"}])).encode(x="at:Q")
    return (
        alt.layer(
            threshold.mark_rule(strokeDash=[5, 4]),
            threshold.mark_text(dy=-8).encode(y=alt.value(0), text="text:N"),
            base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale, axis=axis, title=title), x2="high:Q"),
            base.mark_point(filled=True, size=70).encode(x=alt.X("share:Q", scale=scale, axis=axis, title=title)),
        )
        .properties(width=WIDTH, height=alt.Step(STEP))
        .add_params(alt.param(name="lit", value=""))
    )


def _sentence(text: str) -> Chart:
    chart: Chart = (
        alt.Chart(inline([{"text": text}]))
        .mark_text(align="left", fontSize=14, baseline="middle")
        .encode(x=alt.value(0), y=alt.value(20), text="text:N")
        .properties(width=WIDTH, height=40)
        .add_params(alt.param(name="lit", value=""))
    )
    return chart


def _not_shown(data: Data) -> str:
    return f"The selection is unstable ({data['stability']:.2f} of 1): no list is shown."


def stability_message(data: Data) -> str:
    """Say how many variables are selected and how far the networks agree."""
    networks, of = f"{data['networks']} {data['what']}", f"{data['of']:,}"
    if data["unstable"]:
        return f"{_not_shown(data)} The {networks} keep different variables."
    if data["all_kept"]:
        return f"All {networks} keep every one of the {of} variables: nothing is selected."
    agreement = "" if data["stability"] is None else f" Stability of the selection is {data['stability']:.2f} of 1."
    cut = f" The {data['shown']} most often kept of {of} are shown." if data["shown"] < data["of"] else ""
    kept = f"{data['selected']} of {of} variables are kept by at least {SELECTED:.0%} of {networks}."
    return kept + agreement + cut


PLOT = Plot(
    name="stability",
    title="Stability of the selection",
    data=stability_data,
    draw=draw_stability,
    message=stability_message,
    how="Each dot is the share of the networks of all folds and seeds (with genotypes of half-samples) that keep the "
    "variable, with Wilson's 95% interval. The networks share rows, so the true uncertainty is somewhat larger. "
    "Variables right of the dashed line are selected.",
)
