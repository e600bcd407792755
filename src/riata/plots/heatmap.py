"""Heat maps of the first layers, one penalty beside the other, exact zeros apart."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from .labels import percent, rounded, row_labels
from .lit import fading
from .names import NAMES
from .networks import BEST, networks_at, strengths
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import DIVERGING, ZERO

Weights = NDArray[np.float64]
ROWS, UNITS = 40, 96
PANEL, GAP = 240, 2
ABSENT = "exactly 0"
TIPS = (alt.Tooltip("variable:N"), alt.Tooltip("column:N"))


def matrices(figures: Data, at: str = BEST, seed: int = 0) -> list[tuple[dict[str, Any], Weights]]:
    """Return the networks of one strength and seed that have finite weights, each with its first layer."""
    found = []
    for network in networks_at(figures, at, seed):
        first = np.array(network["first"] or [[]], dtype=float)
        if first.size and np.isfinite(first).all():
            found.append((network, first))
    return found


def strongest(weights: list[Weights]) -> Weights:
    """Return each column's largest norm, relative to the largest column of the same network."""
    norms = np.array([np.linalg.norm(w, axis=1) for w in weights])
    largest = norms.max(axis=1, keepdims=True)
    best: Weights = (norms / np.where(largest > 0, largest, 1.0)).max(axis=0)
    return best


def orders_of(columns: list[dict[str, Any]], variables: list[str], score: Weights, chosen: list[int]) -> Data:
    """Return the chosen columns by norm, by name and as in the table; a variable's columns stay together."""
    best: dict[int, float] = {}
    for i in chosen:
        best[columns[i]["variable"]] = max(best.get(columns[i]["variable"], 0.0), float(score[i]))
    of = {i: int(columns[i]["variable"]) for i in chosen}
    return {
        "norm": sorted(chosen, key=lambda i: (-best[of[i]], of[i], i)),
        "name": sorted(chosen, key=lambda i: (variables[of[i]].casefold(), of[i], i)),
        "table": sorted(chosen),
    }


def layout(units: int, skip: int) -> dict[str, int]:
    """Return where a panel's hidden units and its linear skip lie, in pixels.

    >>> layout(64, 1)["width"], layout(0, 1)["width"]
    (201, 240)
    """
    gap = (GAP if units > 20 else 1) if units and skip else 0
    step = max(2, PANEL // max(units + gap + skip, 1))
    return {"units": units, "skip": skip, "gap": gap, "step": step, "width": step * (units + gap + skip)}


def sheet(figures: Data, weights: list[Weights], rows: int, order: str) -> dict[str, Any]:
    """Return what all panels share: rows and their orders, units and pixels, and the scale's end."""
    columns, variables, units = figures["columns"], figures["variables"], figures["units"]
    score = strongest(weights)
    chosen = sorted(range(len(columns)), key=lambda i: -score[i])[:rows]
    orders = orders_of(columns, variables, score, chosen)
    labels = row_labels(columns, variables)
    sizes = np.concatenate([np.abs(w[w != 0]) for w in weights])
    return {
        "order": orders[order],
        "labels": labels,
        "orders": {name: [labels[i] for i in found] for name, found in orders.items()},
        "sort": [labels[i] for i in orders[order]],
        "limit": rounded(float(np.percentile(sizes, 99))) if sizes.size else 1.0,
        "layout": layout(min(units, UNITS), weights[0].shape[1] - units),
        "units_of": units,
        "shown": len(chosen),
        "of": figures["columns_of"],
    }


def runs(places: NDArray[np.int64], size: int) -> tuple[list[int], list[int]]:
    """Return where runs of neighbouring places start, and where they stop.

    >>> runs(np.array([0, 1, 2, 5]), 6)
    ([0, 5], [3, 6])
    """
    mask = np.zeros(size + 2, dtype=int)
    mask[places + 1] = 1
    turns = np.flatnonzero(np.diff(mask))
    return [int(i) for i in turns[::2]], [int(i) for i in turns[1::2]]


def cells(figures: Data, penalty: str, weights: Weights, shared: Data) -> list[dict[str, Any]]:
    """Return one record a row: the weights that are not zero with their units, and the runs of those that are."""
    place = shared["layout"]
    units = np.concatenate([np.arange(place["units"]), np.arange(place["skip"]) + place["units"] + place["gap"]])
    drawn = np.concatenate([weights[:, : place["units"]], weights[:, figures["units"] :]], axis=1)
    records = []
    for i in shared["order"]:
        alive = drawn[i] != 0
        start, stop = runs(units[~alive], place["width"] // place["step"])
        records.append(
            {
                "variable": figures["variables"][figures["columns"][i]["variable"]],
                "column": figures["columns"][i]["name"],
                "row": shared["labels"][i],
                "penalty": penalty,
                "zeros": int((weights[i] == 0).sum()),
                "width": int(weights.shape[1]),
                "unit": [int(u) for u in units[alive]],
                "weight": [rounded(float(w)) for w in drawn[i, alive]],
                "start": start,
                "stop": stop,
            }
        )
    return records


def panel_of(figures: Data, network: Data, weights: Weights, shared: Data) -> dict[str, Any]:
    """Return one panel: its title, its counts and its rows."""
    zeros = network["histogram"]["zeros"] / max(network["weights_total"], 1)
    lam = "" if network["penalty"] == "none" else f"lam {network['lam']:.3g}, "
    return {
        "penalty": network["penalty"],
        "seed": network["seed"],
        "title": NAMES.get(network["penalty"], network["penalty"]),
        "subtitle": [
            f"{lam}{network['kept']} of {len(figures['variables'])} variables",
            f"{percent(zeros)} of weights exactly 0",
        ],
        "zeros": rounded(zeros),
        "empty": int((weights == 0).all(axis=1).sum()),
        "rows": cells(figures, network["penalty"], weights, shared),
    }


def heatmap_data(
    summary: Data, figures: Data, *, rows: int = ROWS, order: str = "norm", at: str = BEST
) -> dict[str, Any] | None:
    """Return the first layers of fold 0, seed 0, at lam_min ("best") or at lam_1se ("one_se").

    At most ``rows`` columns, ordered by "norm", "name" or "table".
    """
    found = matrices(figures, at)
    if not found or not figures["columns"]:
        return None
    shared = sheet(figures, [w for _, w in found], rows, order)
    panels = [panel_of(figures, network, weights, shared) for network, weights in found]
    return {**{k: v for k, v in shared.items() if k != "labels"}, "panels": panels, "columns": len(figures["columns"])}


def draw_paper(base: alt.Chart, place: Data) -> list[alt.Chart]:
    """Return pale bars behind the rows that have weights, so that no seam between cells shows."""
    skip = place["units"] + place["gap"]
    bar = base.transform_filter("datum.zeros < datum.width").mark_rect(color=DIVERGING[2])
    spans = [(0, place["units"]), (skip, skip + place["skip"])]
    return [bar.encode(x=alt.value(a * place["step"]), x2=alt.value(b * place["step"])) for a, b in spans if b > a]


def draw_zeros(base: alt.Chart, x: alt.Scale) -> alt.Chart:
    """Return dark bars where weights are exactly 0."""
    scale, legend = alt.Scale(domain=[ABSENT], range=[ZERO]), alt.Legend(orient="bottom")
    counts = [alt.Tooltip("zeros:Q", title=ABSENT), alt.Tooltip("width:Q", title="of weights")]
    bars = base.transform_flatten(["start", "stop"]).transform_calculate(absent=f"'{ABSENT}'").mark_rect()
    drawn: alt.Chart = bars.encode(
        x=alt.X("start:Q", scale=x),
        x2="stop:Q",
        fill=alt.Fill("absent:N", scale=scale, title=None, legend=legend),
        tooltip=[*TIPS, *counts],
    )
    return drawn


def draw_weights(base: alt.Chart, x: alt.Scale, place: Data, limit: float) -> alt.Chart:
    """Return a cell for every weight that is not zero."""
    cell = base.transform_flatten(["unit", "weight"]).transform_calculate(
        end="datum.unit + 1", place=f"datum.unit < {place['units']} ? 'hidden unit ' + datum.unit : 'skip'"
    )
    scale = alt.Scale(domain=[-limit, 0, limit], range=DIVERGING, clamp=True)
    legend = alt.Legend(orient="bottom", gradientLength=200, direction="horizontal", format=".2~g", tickCount=5)
    drawn: alt.Chart = cell.mark_rect().encode(
        x=alt.X("unit:Q", scale=x, axis=_units_axis(place)),
        x2="end:Q",
        color=alt.Color("weight:Q", title="weight", scale=scale, legend=legend),
        tooltip=[*TIPS, alt.Tooltip("place:N", title="to"), alt.Tooltip("weight:Q")],
    )
    return drawn


def draw_panel(panel: Data, shared: Data, labelled: bool) -> Chart:
    """Return one network's heat map: dark bars for zeros, and a cell for every other weight."""
    clear = fading(0.2)
    base, place = alt.Chart().encode(opacity=clear), shared["layout"]
    x = alt.Scale(domain=[0, place["width"] // place["step"]], nice=False, zero=False)
    layers = [*draw_paper(base, place), draw_zeros(base, x), draw_weights(base, x, place, shared["limit"])]
    axis = alt.Axis(title=None, labelLimit=150, labelFontSize=10, ticks=False, domain=False, labels=labelled)
    rows = alt.Y("row:N", sort=shared["sort"], axis=axis, scale=alt.Scale(padding=0))
    chart: Chart = alt.layer(*layers, data=inline(panel["rows"])).encode(y=rows)
    title = alt.Title(panel["title"], subtitle=panel["subtitle"])
    return chart.properties(title=title, width=place["width"], height=alt.Step(row_step(shared["shown"])))


def row_step(rows: int) -> int:
    """Return the height of a row in pixels."""
    return min(max(480 // rows, 11), 20)


def _units_axis(place: Data) -> alt.Axis:
    """Return the axis that names the hidden units' end and the linear skip."""
    skip = place["units"] + place["gap"] + place["skip"] / 2
    said = f"datum.value == {skip} ? 'skip' : datum.value == 0 ? '' : 'hidden units'"
    values = ([place["units"] / 2] if place["units"] else []) + ([skip] if place["skip"] else [])
    return alt.Axis(title=None, values=values, labelExpr=said, grid=False, ticks=False, domain=False, labelFontSize=10)


def draw_heatmap(data: Data) -> Chart:
    """Return the panels three in a row, with one scale of colours."""
    panels: list[Any] = [draw_panel(panel, data, labelled=i % 3 == 0) for i, panel in enumerate(data["panels"])]
    return alt.concat(*panels, columns=3, spacing=24).add_params(alt.param(name="lit", value=""))


def heatmap_message(data: Data) -> str:
    """Return each network's share of zeros and its empty rows."""
    said = [f"{p['title']} {percent(p['zeros'])}, {p['empty']} rows" for p in data["panels"]]
    shown = data["layout"]["units"]
    units = f" and the first {shown} of {data['units_of']} hidden units" if shown < data["units_of"] else ""
    part = f"Drawn are the {data['shown']} strongest of {data['of']} columns{units}."
    whole = data["shown"] == data["of"] and not units
    return (
        f"Share of weights that are exactly 0, and empty rows among {data['columns']}: {'; '.join(said)}."
        f"{'' if whole else ' ' + part}"
    )


PLOT = Plot(
    name="heatmap",
    title="First-layer weights under every penalty",
    data=heatmap_data,
    draw=draw_heatmap,
    message=heatmap_message,
    how=(
        "A row is a column of the table, a cell the weight from it to one hidden unit; the linear skip stands apart. "
        "Dark cells are exactly 0. L1 leaves scattered zeros, L2 small weights, group lasso whole empty rows. "
        "One network a penalty, on fold 0 with seed 0. What predicts best keeps more than what selects."
    ),
    variants=strengths,
)
