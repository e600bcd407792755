"""The same penalty from two seeds, side by side: which variables both networks keep."""

from __future__ import annotations

from typing import Any

import altair as alt

from .heatmap import ROWS, Weights, draw_panel, matrices, panel_of, row_step, sheet
from .lit import fading
from .names import NAMES
from .networks import BEST, strengths
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import LIT

BOTH, FIRST, SECOND, NEITHER = "both", "seed 0 only", "seed 1 only", "neither"


def seeds_data(
    summary: Data, figures: Data, *, rows: int = ROWS, penalty: str | None = None, at: str = BEST
) -> dict[str, Any] | None:
    """Return the networks of seeds 0 and 1 of a penalty, by default the verdict's, or else the sparsest."""
    first = {network["penalty"]: (network, weights) for network, weights in matrices(figures, at, 0)}
    second = {network["penalty"]: (network, weights) for network, weights in matrices(figures, at, 1)}
    paired = [name for name in first if name in second]
    if not paired or not figures["columns"]:
        return None
    sparsest = min(paired, key=lambda name: first[name][0]["weights_kept"])
    asked = summary["verdict"]["penalty"] if penalty is None else penalty
    chosen = asked if asked in paired else sparsest
    pair = [first[chosen], second[chosen]]
    shared = sheet(figures, [weights for _, weights in pair], rows, "norm")
    panels = [panel_of(figures, network, weights, shared) for network, weights in pair]
    for panel in panels:
        panel["title"] = f"seed {panel['seed']}"
    kept = agreement(figures, [weights for _, weights in pair])
    marks = [{"variable": r["variable"], "row": r["row"], "kept": kept[r["variable"]]} for r in panels[0]["rows"]]
    return {
        **{k: v for k, v in shared.items() if k != "labels"},
        "penalty": chosen,
        "panels": panels,
        "marks": marks,
        "differ": sum(state in (FIRST, SECOND) for state in kept.values()),
        "variables": len(kept),
        "columns": len(figures["columns"]),
    }


def agreement(figures: Data, weights: list[Weights]) -> dict[str, str]:
    """Return, for every variable, which of the two networks keep it."""
    states = {(True, True): BOTH, (True, False): FIRST, (False, True): SECOND, (False, False): NEITHER}
    alive = [(w != 0).any(axis=1) for w in weights]
    kept: dict[str, tuple[bool, bool]] = {}
    for i, column in enumerate(figures["columns"]):
        name = figures["variables"][column["variable"]]
        one, two = kept.get(name, (False, False))
        kept[name] = (one or bool(alive[0][i]), two or bool(alive[1][i]))
    return {name: states[pair] for name, pair in kept.items()}


def draw_seeds(data: Data) -> Chart:
    """Return the two heat maps, and beside them who keeps each row's variable."""
    panels: list[Any] = [draw_panel(panel, data, labelled=i == 0) for i, panel in enumerate(data["panels"])]
    differ = f"datum.kept == '{FIRST}' || datum.kept == '{SECOND}'"
    base = alt.Chart().encode(
        x=alt.value(0), text="kept:N", tooltip=["variable:N", "kept:N"], opacity=fading(0.2),
    )  # fmt: skip
    words = alt.layer(
        base.transform_filter(f"!({differ})").mark_text(align="left", fontSize=10, dx=4),
        base.transform_filter(differ).mark_text(align="left", fontSize=10, dx=4, fontWeight="bold", color=LIT),
        data=inline(data["marks"]),
    ).encode(y=alt.Y("row:N", sort=data["sort"], axis=None, scale=alt.Scale(type="band", padding=0)))
    height = alt.Step(row_step(data["shown"]))
    panels.append(words.properties(width=70, height=height, title=alt.Title("kept by", subtitle=[" ", " "])))
    return alt.concat(*panels, columns=3, spacing=16).add_params(alt.param(name="lit", value=""))


def seeds_message(data: Data) -> str:
    """Return how many variables only one of the networks keeps."""
    part = "" if data["shown"] == data["of"] else f" Drawn are the {data['shown']} strongest of {data['of']} columns."
    among = "" if data["columns"] == data["of"] else f" (those of the {data['columns']} strongest columns)"
    return (
        f"With {NAMES.get(data['penalty'], data['penalty'])}, networks from two seeds differ in whether they keep "
        f"{data['differ']} of {data['variables']} variables{among}.{part}"
    )


PLOT = Plot(
    name="seeds",
    title="The same network from another seed",
    data=seeds_data,
    draw=draw_seeds,
    message=seeds_message,
    how=(
        "Same rows, same penalty, same strength; only the random start differs. Rows whose variable only one of the "
        "two networks keeps are named in colour. Hidden units have no order, so compare rows and not cells."
    ),
    variants=strengths,
)
