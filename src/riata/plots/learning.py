"""Learning curves: data loss and penalty of one network a penalty, and where early stopping stopped."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from .labels import rounded
from .names import NAMES
from .networks import networks_at
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import ACCENT, COLOURS

EPOCHS = 120
PANEL = 220
TRAINING, VALIDATION = "training", "validation"


def thinned(epochs: list[int], keep: int | None, most: int = EPOCHS) -> list[int]:
    """Return the positions of at most about ``most`` epochs: the first, the last and ``keep`` among them.

    >>> thinned([1, 2, 3, 4, 5, 6, 7], keep=3, most=3)
    [0, 2, 3, 6]
    """
    places = {round(float(i)) for i in np.linspace(0, len(epochs) - 1, min(most, len(epochs)))}
    return sorted(places | {i for i, epoch in enumerate(epochs) if epoch == keep})


def watched(figures: Data) -> list[dict[str, Any]]:
    """Return the networks of seed 0 whose training was watched."""
    return [n for n in networks_at(figures) if (n["curves"] or {}).get("epoch")]


def values_at(values: list[float | None], places: list[int], digits: int = 4) -> list[float | None]:
    """Return some of the values with few digits; None stays None."""
    return [None if values[i] is None else float(f"{values[i]:.{digits}g}") for i in places]


def learning_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return the curves of every penalty's network of fold 0 and seed 0."""
    panels = [_panel(network) for network in watched(figures)]
    losses = [x for p in panels for x in (*p["curve"]["train"], *p["curve"]["valid"]) if x is not None]
    if not losses:
        return None
    low, high = min(losses), float(np.percentile(losses, 98))
    ends = [p["stop"]["loss"] for p in panels if p["stop"] and p["stop"]["loss"] is not None]
    high = max([high, *ends])
    margin = 0.05 * (high - low) or 0.05
    return {"panels": panels, "domain": [rounded_to(low - margin), rounded_to(high + margin)]}


def rounded_to(value: float) -> float:
    """Return ``value`` with five significant digits."""
    return float(f"{value:.5g}")


def _panel(network: Data) -> dict[str, Any]:
    curves, stop = network["curves"], network["best_epoch"]
    places = thinned(curves["epoch"], stop)
    return {
        "penalty": network["penalty"],
        "title": NAMES.get(network["penalty"], network["penalty"]),
        "epochs": network["epochs"],
        "curve": {
            "epoch": [curves["epoch"][i] for i in places],
            "train": values_at(curves["train"], places, 5),
            "valid": values_at(curves["valid"], places, 5),
            "cost": values_at(curves["penalty"], places),
        },
        "stop": _stop(network) if stop in curves["epoch"] else None,
    }


def _stop(network: Data) -> dict[str, Any]:
    """Return where training stopped, and on which side of it there is room for the label."""
    curves, epoch = network["curves"], network["best_epoch"]
    at = curves["epoch"].index(epoch)
    share = at / max(len(curves["epoch"]) - 1, 1)
    loss, last = curves["valid"][at], network["epochs"]
    return {
        "epoch": epoch,
        "loss": None if loss is None else rounded_to(loss),
        "rise": _rise(curves["valid"], at),
        "label": f"stopped here: epoch {epoch} of {last}" if epoch < last else f"the last epoch: {last}",
        "side": "left" if share < 1 / 3 else "right" if share > 2 / 3 else "center",
    }


def _rise(valid: list[float | None], at: int) -> float | None:
    """Return how far the validation loss rose by the last epoch."""
    last, least = valid[-1], valid[at]
    return None if last is None or least is None else rounded(last - least)


def draw_losses(panel: Data, data: Data, first: bool) -> Chart:
    """Return training and validation loss of one network with the epoch that was kept."""
    base = alt.Chart(inline([panel["curve"]])).transform_flatten(["epoch", "train", "valid"])
    base = base.transform_fold(["train", "valid"], as_=["which", "loss"])
    base = base.transform_calculate(rows=f"datum.which == 'train' ? '{TRAINING}' : '{VALIDATION}'")
    base = base.transform_filter("isValid(datum.loss)")
    x = alt.X("epoch:Q", title=None, axis=alt.Axis(labels=False, grid=False, tickCount=5))
    scale = alt.Scale(domain=data["domain"], nice=False, zero=False)
    y = alt.Y("loss:Q", title="mean data loss" if first else None, scale=scale, axis=alt.Axis(tickCount=5))
    kinds = alt.Scale(domain=[TRAINING, VALIDATION], range=[COLOURS["constant"], ACCENT])
    dashes = alt.StrokeDash("rows:N", scale=alt.Scale(domain=[TRAINING, VALIDATION], range=[[4, 2], [1, 0]]))
    colour = alt.Color("rows:N", title="rows", scale=kinds, legend=alt.Legend(orient="bottom"))
    tips = [alt.Tooltip("rows:N"), alt.Tooltip("epoch:Q"), alt.Tooltip("loss:Q")]
    layers: list[Any] = [
        base.mark_line(clip=True).encode(x=x, y=y, color=colour, strokeDash=dashes.title("rows")),
        base.mark_point(opacity=0, size=40, clip=True).encode(x=x, y=y, tooltip=tips),
    ]
    if panel["stop"]:
        stop = alt.Chart(inline([panel["stop"]]))
        tips = [alt.Tooltip("epoch:Q"), alt.Tooltip("loss:Q", title="validation loss"), alt.Tooltip("label:N")]
        label = stop.mark_text(align=panel["stop"]["side"], baseline="bottom", fontSize=10)
        layers += [
            stop.mark_rule(strokeDash=[3, 3]).encode(x=x, tooltip=tips),
            stop.mark_point(filled=True, size=60, color=ACCENT, opacity=1).encode(x=x, y=y, tooltip=tips),
            label.encode(x=x, y=alt.value(-3), text="label:N"),
        ]
    return alt.layer(*layers).properties(width=PANEL, height=140, title=panel["title"])


def draw_cost(panel: Data, first: bool) -> Chart:
    """Return the penalty's own value, apart from the data loss."""
    base = alt.Chart(inline([panel["curve"]])).transform_flatten(["epoch", "cost"])
    colour = COLOURS.get(panel["penalty"], ACCENT)
    line = base.mark_line(color=colour, strokeWidth=1.5).encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(grid=False, tickCount=5)),
        y=alt.Y("cost:Q", title="penalty" if first else None, axis=alt.Axis(tickCount=3), scale=alt.Scale(zero=True)),
        tooltip=[alt.Tooltip("epoch:Q"), alt.Tooltip("cost:Q", title="value of the penalty")],
    )
    chart: Chart = line.properties(width=PANEL, height=50)
    return chart


def draw_learning(data: Data) -> Chart:
    """Return a panel for every penalty, three in a row: the losses, and the penalty's value beneath."""
    pairs: list[Any] = [
        (draw_losses(panel, data, i % 3 == 0), draw_cost(panel, i % 3 == 0)) for i, panel in enumerate(data["panels"])
    ]
    panels = [alt.vconcat(*pair, spacing=6).resolve_scale(x="shared") for pair in pairs]
    return alt.concat(*panels, columns=3, spacing=24)


def learning_message(data: Data) -> str:
    """Return the epoch whose weights each network keeps."""
    said = [
        f"{p['title']} epoch {p['stop']['epoch']} of {p['epochs']}" if p["stop"] else f"{p['title']} unknown"
        for p in data["panels"]
    ]
    rises = [(p["stop"]["rise"], p["title"]) for p in data["panels"] if p["stop"] and p["stop"]["rise"]]
    most = max(rises, default=(0.0, ""))
    more = f" After it the validation loss rises most with {most[1]}, by {most[0]:.3g}." if most[0] > 0 else ""
    return f"Each network keeps the weights of: {'; '.join(said)}.{more}"


PLOT = Plot(
    name="learning",
    title="Learning curves",
    data=learning_data,
    draw=draw_learning,
    message=learning_message,
    how=(
        "Mean data loss per row against the epoch, without the penalty, whose own value (lam times penalty) is drawn "
        "beneath. Where the validation loss rises while the training loss still falls, the network overfits; early "
        "stopping keeps the weights of the marked epoch."
    ),
)
