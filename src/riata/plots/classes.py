"""How well each class is told apart, and whether its probabilities are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from .plot import Chart, Data, Plot
from .rows import inline
from .theme import COLOURS

SHOWN = 10
"""Most classes drawn, the most frequent ones."""
NAMED = 4
"""Most classes that a message lists one by one."""
POINTS = 200
"""Most points of a curve."""
SIDE = 320
SMALL = 190
PALETTE = [COLOURS[p] for p in ("l2", "l1", "group_lasso", "elastic_net", "sparse_group_lasso")]
DASHES = [[1, 0], [6, 3]]


def roc_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return the ROC curve of each class."""
    return _curves(summary, figures, "roc", "auroc", "AUROC")


def precision_recall_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return precision against recall of each class, and its share of the rows."""
    return _curves(summary, figures, "precision_recall", "average_precision", "AP")


def calibration_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return the observed share of each class in bins of what was predicted."""
    shown, of = _shown(figures)
    rows = [
        {
            "label": str(c["class"]),
            **{k: round(b[k], 4) for k in ("predicted", "observed", "low", "high") if b.get(k) is not None},
            "rows": b["rows"],
        }
        for c in shown
        for b in c.get("calibration") or ()
        if b["rows"] and b["predicted"] is not None and b["observed"] is not None
    ]
    if not rows:
        return None
    gap = sum(abs(r["observed"] - r["predicted"]) * r["rows"] for r in rows) / sum(r["rows"] for r in rows)
    return {"rows": rows, "labels": _labels(rows), "of": of, "total": figures["predictions"]["rows"], "gap": gap}


def _shown(figures: Data) -> tuple[list[Data], int]:
    classes: Sequence[Data] = (figures.get("predictions") or {}).get("classes") or ()
    if len(classes) <= SHOWN:
        return list(classes), len(classes)
    frequent = sorted(range(len(classes)), key=lambda i: -(classes[i]["share"] or 0.0))[:SHOWN]
    return [classes[i] for i in sorted(frequent)], len(classes)


def _curves(summary: Data, figures: Data, curve: str, area: str, short: str) -> dict[str, Any] | None:
    shown, of = _shown(figures)
    rows: list[dict[str, Any]] = []
    areas = []
    for c in shown:
        points = _thinned((c.get(curve) or {}).get("x") or (), (c.get(curve) or {}).get("y") or ())
        if not points:
            continue
        value = "" if c.get(area) is None else f" ({short} {c[area]:.3f})"
        rows += [{"label": f"{c['class']}{value}", "x": x, "y": y, "step": i} for i, (x, y) in enumerate(points)]
        areas.append(
            {"label": f"{c['class']}{value}", "class": c["class"], "area": c.get(area), "share": c.get("share")}
        )
    if not rows:
        return None
    return {"rows": rows, "labels": _labels(rows), "areas": areas, "of": of, "total": figures["predictions"]["rows"]}


def _thinned(xs: Sequence[float | None], ys: Sequence[float | None]) -> list[tuple[float, float]]:
    points = [(round(x, 4), round(y, 4)) for x, y in zip(xs, ys, strict=True) if x is not None and y is not None]
    if len(points) <= POINTS:
        return points
    last = len(points) - 1
    return [points[round(i * last / (POINTS - 1))] for i in range(POINTS)]


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(r["label"] for r in rows))


def draw_roc(data: Data) -> Chart:
    """Draw a curve per class over the diagonal."""
    return alt.layer(_diagonal(), _lines(data, "false positive rate", "true positive rate")).properties(
        width=SIDE, height=SIDE
    )


def draw_precision_recall(data: Data) -> Chart:
    """Draw a curve per class, its share of the rows as a dashed rule."""
    shares = [{"label": a["label"], "share": round(a["share"], 4)} for a in data["areas"] if a["share"] is not None]
    base = alt.Chart(inline(shares)).mark_rule(strokeDash=[3, 3], strokeWidth=1.5)
    rules = base.encode(
        y="share:Q", color=_colour(data), tooltip=[alt.Tooltip("label:N", title="class"), alt.Tooltip("share:Q")]
    )
    return alt.layer(rules, _lines(data, "recall", "precision"), width=SIDE, height=SIDE)


def draw_calibration(data: Data) -> Chart:
    """Draw observed against predicted shares, a panel per class."""
    labels = data["labels"]
    side = SIDE if len(labels) == 1 else SMALL
    panels = [_calibration([r for r in data["rows"] if r["label"] == label], label, side) for label in labels]
    chart: Chart = alt.concat(*panels, columns=3).resolve_scale(size="shared")
    return chart


def _calibration(rows: Sequence[Data], label: str, side: int) -> alt.LayerChart | alt.FacetChart:
    tips = [alt.Tooltip(f"{k}:Q", format=".3f") for k in ("predicted", "observed", "low", "high")]
    base = alt.Chart(inline(list(rows))).encode(
        x=_share("predicted:Q", "predicted probability"), tooltip=[*tips, "rows:Q"]
    )
    known = base.transform_filter("isValid(datum.low) && isValid(datum.high)")
    whiskers = known.mark_rule(color=PALETTE[0], strokeWidth=1.5)
    dots = base.mark_point(filled=True, opacity=1, color=PALETTE[0])
    size = alt.Size("rows:Q", scale=alt.Scale(range=[15, 130], zero=True), legend=alt.Legend(title="rows", tickCount=3))
    return alt.layer(
        _diagonal(),
        whiskers.encode(y=_share("low:Q", "observed share", alt.Y), y2="high:Q"),
        dots.encode(y=_share("observed:Q", "observed share", alt.Y), size=size),
        title=alt.TitleParams(label, limit=side),
        width=side,
        height=side,
    )


def _share(field: str, title: str, axis: type[alt.X] | type[alt.Y] = alt.X) -> Any:
    return axis(field, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5), title=title)


def _lines(data: Data, x: str, y: str) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(inline(data["rows"]))
        .mark_line(strokeWidth=2, clip=True)
        .encode(
            x=_share("x:Q", x),
            y=_share("y:Q", y, alt.Y),
            order="step:Q",
            color=_colour(data),
            strokeDash=alt.StrokeDash("label:N", scale=_dashes(data), legend=_legend()),
            tooltip=[
                alt.Tooltip("label:N", title="class"),
                alt.Tooltip("x:Q", title=x, format=".3f"),
                alt.Tooltip("y:Q", title=y, format=".3f"),
            ],
        )
    )
    return chart


def _legend() -> alt.Legend:
    return alt.Legend(title=None, labelLimit=220, symbolSize=300, symbolStrokeWidth=2, symbolType="stroke")


def _colour(data: Data) -> alt.Color:
    labels = data["labels"]
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(labels))]
    return alt.Color("label:N", scale=alt.Scale(domain=labels, range=colours), legend=_legend())


def _dashes(data: Data) -> alt.Scale:
    labels = data["labels"]
    return alt.Scale(domain=labels, range=[DASHES[i // len(PALETTE)] for i in range(len(labels))])


def _diagonal() -> alt.Chart:
    ends = alt.Chart(inline([{"from": 0, "to": 1}])).mark_rule(strokeDash=[5, 4])
    diagonal: alt.Chart = ends.encode(x="from:Q", y="from:Q", x2="to:Q", y2="to:Q")
    return diagonal


def roc_message(data: Data) -> str:
    """Say the area under each class's curve."""
    return f"Area under the ROC curve on {_areas(data)}."


def precision_recall_message(data: Data) -> str:
    """Say the average precision of each class, and what it would be by chance."""
    shares = [(str(a["class"]), a["share"]) for a in data["areas"] if a["share"] is not None]
    chance = f"; by chance it would be the share of the class, {_listed(shares)}" if shares else ""
    return f"Average precision on {_areas(data)}{chance}."


def calibration_message(data: Data) -> str:
    """Say how far predicted and observed shares are apart."""
    outside = sum("low" in r and "high" in r and not r["low"] <= r["predicted"] <= r["high"] for r in data["rows"])
    return (
        f"Predicted probabilities and observed shares differ by {data['gap']:.3f} on average over {data['total']} "
        f"rows; the diagonal is outside the interval of {outside} of {len(data['rows'])} bins{_cut(data)}."
    )


def _areas(data: Data) -> str:
    known = [(str(a["class"]), a["area"]) for a in data["areas"] if a["area"] is not None]
    return f"{data['total']} rows: {_listed(known)}{_cut(data)}"


def _listed(values: Sequence[tuple[str, float]]) -> str:
    if len(values) > NAMED:
        low, high = (pick(values, key=lambda pair: pair[1]) for pick in (min, max))
        return f"from {low[0]} {low[1]:.3f} to {high[0]} {high[1]:.3f}"
    return ", ".join(f"{name} {value:.3f}" for name, value in values) or "unknown"


def _cut(data: Data) -> str:
    shown = len(data["labels"])
    return f" (the {shown} most frequent of {data['of']} classes)" if shown < data["of"] else ""


PLOTS = (
    Plot(
        name="roc",
        title="ROC curves",
        data=roc_data,
        draw=draw_roc,
        message=roc_message,
        how="From predictions on rows that the network was not trained on. The nearer to the upper left corner, the "
        "better; the dashed diagonal is chance.",
    ),
    Plot(
        name="precision_recall",
        title="Precision and recall",
        data=precision_recall_data,
        draw=draw_precision_recall,
        message=precision_recall_message,
        how="From predictions on rows that the network was not trained on. The dashed rule of a class is its share "
        "of the rows, the precision of guessing.",
    ),
    Plot(
        name="calibration",
        title="Calibration",
        data=calibration_data,
        draw=draw_calibration,
        message=calibration_message,
        how="Each dot is a bin of rows by predicted probability, larger for more rows, with the 95% interval of the "
        "observed share. On the dashed diagonal the probabilities are right; below it they are too high.",
    ),
)
