"""First layers over a learned representation of the variants and the clinical variables, panel by panel."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
from numpy.typing import NDArray

from .heatmap import ABSENT, draw_paper, draw_weights, draw_zeros, layout, row_step, runs
from .labels import percent, rounded, row_labels
from .lit import fading
from .names import NAMES
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import DIVERGING, ZERO

Weights = NDArray[np.float64]
COLUMNS = 3


def representation_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return a panel a map: genetic rows first, then clinical ones, in the order of the table."""
    found = (figures.get("cohort") or {}).get("representation") or {}
    names = [str(name) for name in found.get("rows") or ()]
    maps = [(m, np.array(m["weights"], dtype=float)) for m in found.get("maps") or ()]
    maps = [(m, w) for m, w in maps if w.ndim == 2 and w.size and len(w) == len(names) and np.isfinite(w).all()]
    if not names or not maps:
        return None
    labels = row_labels([{"name": name, "variable": i} for i, name in enumerate(names)], names)
    sizes = np.concatenate([np.abs(w[w != 0]) for _, w in maps])
    repeated = [m["penalty"] for m, _ in maps]
    place = layout(max(w.shape[1] for _, w in maps), 0)
    return {
        "labels": labels,
        "genetic": int(found["genetic"]),
        "limit": rounded(float(np.percentile(sizes, 99))) if sizes.size else 1.0,
        "layout": place,
        "panels": [_panel_of(m, w, names, labels, place, repeated.count(m["penalty"]) > 1) for m, w in maps],
        "differ": _differ(maps),
        "explained": str(found.get("explained") or ""),
    }


def _panel_of(found: Data, weights: Weights, names: list[str], labels: list[str], place: Data, seeds: bool) -> Data:
    """Return one panel: its title, its counts, and one record a row."""
    name = NAMES.get(found["penalty"], found["penalty"])
    lam = "" if found.get("lam") is None else f"lam {found['lam']:.3g}, "
    kept = int((weights != 0).any(axis=1).sum())
    zeros = float((weights == 0).mean())
    return {
        "penalty": found["penalty"],
        "seed": found.get("seed"),
        "title": f"{name}, seed {found['seed']}" if seeds else name,
        "subtitle": [f"{lam}{kept} of {len(names)} rows", f"{percent(zeros)} of weights exactly 0"],
        "kept": kept,
        "zeros": rounded(zeros),
        "rows": [_row(names[i], labels[i], weights[i], place) for i in range(len(names))],
    }


def _row(name: str, label: str, weights: Weights, place: Data) -> dict[str, Any]:
    """Return one record: the weights that are not zero with their units, and the runs of those that are."""
    units, alive = np.arange(len(weights)), weights != 0
    start, stop = runs(units[~alive], place["width"] // place["step"])
    return {
        "variable": name,
        "row": label,
        "norm": rounded(float(np.linalg.norm(weights))),
        "zeros": int((~alive).sum()),
        "width": len(weights),
        "unit": [int(u) for u in units[alive]],
        "weight": [rounded(float(w)) for w in weights[alive]],
        "start": start,
        "stop": stop,
    }


def _differ(maps: list[tuple[Data, Weights]]) -> dict[str, Any] | None:
    """Return in how many rows two seeds of the same penalty differ; None where there is one seed only."""
    by: dict[str, list[NDArray[np.bool_]]] = {}
    for found, weights in maps:
        by.setdefault(found["penalty"], []).append((weights != 0).any(axis=1))
    pair = next(((p, rows) for p, rows in by.items() if len(rows) > 1), None)
    return None if pair is None else {"penalty": pair[0], "rows": int((pair[1][0] != pair[1][1]).sum())}


def draw_panel(panel: Data, data: Data, labelled: bool) -> Chart:
    """Return one heat map: dark bars for zeros, a cell for every other weight, a line below the genetic rows."""
    place, step = data["layout"], row_step(len(data["labels"]))
    base = alt.Chart().encode(opacity=fading(0.2))
    x = alt.Scale(domain=[0, place["width"] // place["step"]], nice=False, zero=False)
    tips = [alt.Tooltip("variable:N"), alt.Tooltip("norm:Q", title="norm of the row")]
    counts = [alt.Tooltip("zeros:Q", title=ABSENT), alt.Tooltip("width:Q", title="of weights")]
    cells = draw_weights(base, x, place, data["limit"])
    layers: list[Any] = [
        *draw_paper(base, place),
        draw_zeros(base, x).encode(tooltip=[*tips, *counts]),
        cells.encode(tooltip=[*tips, alt.Tooltip("place:N", title="to"), alt.Tooltip("weight:Q")]),
    ]
    axis = alt.Axis(title=None, labelLimit=150, labelFontSize=10, ticks=False, domain=False, labels=labelled)
    rows = alt.Y("row:N", sort=data["labels"], axis=axis, scale=alt.Scale(padding=0))
    if 0 < data["genetic"] < len(data["labels"]):
        line = alt.Chart(inline([{}])).encode(y=alt.value(data["genetic"] * step), opacity=alt.value(1))
        layers += [line.mark_rule(strokeWidth=w, color=c) for w, c in ((5, DIVERGING[2]), (1.5, ZERO))]
    title = alt.Title(panel["title"], subtitle=panel["subtitle"])
    chart: Chart = alt.layer(*layers, data=inline(panel["rows"])).encode(y=rows)
    return chart.properties(title=title, width=place["width"], height=alt.Step(step))


def draw_representation(data: Data) -> Chart:
    """Return the panels three in a row, with one scale of colours."""
    panels: list[Any] = [draw_panel(panel, data, labelled=i % COLUMNS == 0) for i, panel in enumerate(data["panels"])]
    return alt.concat(*panels, columns=COLUMNS, spacing=24).add_params(alt.param(name="lit", value=""))


def representation_message(data: Data) -> str:
    """Return each map's share of zeros and its empty rows, and how far two seeds agree."""
    of = len(data["labels"])
    said = [f"{p['title']} {percent(p['zeros'])}, {of - p['kept']} rows" for p in data["panels"]]
    text = f"Share of weights that are exactly 0, and empty rows among {of}: {'; '.join(said)}."
    if data["differ"]:
        name = NAMES.get(data["differ"]["penalty"], data["differ"]["penalty"])
        text += f" With {name}, two seeds differ in whether they keep {data['differ']['rows']} rows."
    return f"{text} {data['explained']}".strip()


PLOT = Plot(
    name="representation",
    title="First-layer weights over a learned representation",
    data=representation_data,
    draw=draw_representation,
    message=representation_message,
    how=(
        "Rows above the line are the numbers learned from the variants (g01 and on), rows below it the clinical "
        "variables. A cell is the weight to one hidden unit; dark cells are exactly 0. Group lasso empties whole rows. "
        "Hidden units have no order, so compare rows between panels and not cells."
    ),
)
