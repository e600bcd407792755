"""Clinical variables, variants, and both: how well each predicts under every penalty."""

from __future__ import annotations

from math import isfinite
from typing import Any

import altair as alt

from .names import METRIC_NAMES, METRICS, NAMES
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import COLOURS, WIDTH

TITLES = {"clinical": "Clinical", "genetic": "Genetic", "combined": "Combined"}
LOWER = ("log_loss", "rmse", "mae")
"""Metrics of which less is better."""
STEP, MARGIN = 20, 0.06


def metrics_of(views: Data) -> list[str]:
    """Return the metrics that the views were scored by, in the usual order.

    >>> metrics_of({"clinical": {"l1": {"accuracy": {"mean": 0.7}, "auroc": {"mean": 0.8}}}})
    ['auroc', 'accuracy']
    """
    there = {key for rows in views.values() for row in rows.values() for key in row}
    return [m for names in METRICS.values() for m in names if m in there]


def best_of(rows: Data, metric: str) -> str | None:
    """Return the penalty with the best mean; None where nothing was compared.

    >>> best_of({"l1": {"auroc": {"mean": 0.7}}, "l2": {"why_not": "too wide"}}, "auroc")
    'l1'
    """
    means = {p: (row.get(metric) or {}).get("mean") for p, row in rows.items()}
    known = {p: mean for p, mean in means.items() if mean is not None}
    if not known:
        return None
    return (min if metric in LOWER else max)(known, key=lambda p: known[p])


def gained(views: Data, penalty: str, metric: str) -> tuple[float, int, int] | None:
    """Return what the variants add to the clinical variables: mean over the folds, folds that gain, folds.

    >>> one = {"l1": {"per_fold": {"auroc": [0.7, 0.8]}}}
    >>> two = {"l1": {"per_fold": {"auroc": [0.75, 0.8]}}}
    >>> mean, better, folds = gained({"clinical": one, "combined": two}, "l1", "auroc")
    >>> round(mean, 3), better, folds
    (0.025, 1, 2)
    """
    each = [
        ((views.get(view) or {}).get(penalty) or {}).get("per_fold", {}).get(metric)
        for view in ("clinical", "combined")
    ]
    if not each[0] or not each[1] or len(each[0]) != len(each[1]):
        return None
    pairs = [(a, b) for a, b in zip(*each, strict=True) if a is not None and b is not None]
    if not pairs:
        return None
    better = sum(b < a if metric in LOWER else b > a for a, b in pairs)
    return sum(b - a for a, b in pairs) / len(pairs), better, len(pairs)


def data_of(summary: Data, views: Data | None, metric: str | None) -> dict[str, Any] | None:
    """Return a panel a view: the mean of every penalty with its interval, or why it was not compared."""
    there = metrics_of(views or {})
    if not views or not there or (metric is not None and metric not in there):
        return None
    chosen = metric or next((m for m in there if m == summary["metric"]), there[0])
    order = [p for p in NAMES if any(p in rows for rows in views.values())]
    order += [p for rows in views.values() for p in rows if p not in NAMES and p not in order]
    panels: list[dict[str, Any]] = [
        {
            "view": view,
            "title": TITLES.get(view, view),
            "rows": [_row(p, rows[p], chosen) for p in order if p in rows],
            "best": best_of(rows, chosen),
        }
        for view, rows in views.items()
    ]
    constant = ((summary.get("scores") or {}).get("constant") or {}).get(chosen) or {}
    drawn = [row[k] for panel in panels for row in panel["rows"] for k in ("low", "mean", "high")]
    known = [x for x in (*drawn, constant.get("mean")) if x is not None and isfinite(x)]
    if not known:
        return None
    room = MARGIN * (max(known) - min(known) or 1.0)
    penalty = summary["verdict"]["penalty"]
    return {
        "metric": chosen,
        "name": METRIC_NAMES.get(chosen, chosen),
        "panels": panels,
        "constant": constant.get("mean"),
        "domain": [round(min(known) - room, 4), round(max(known) + room, 4)],
        "penalty": penalty,
        "gained": gained(views, penalty, chosen),
    }


def _row(penalty: str, row: Data, metric: str) -> dict[str, Any]:
    score = row.get(metric) or {}
    mean, low, high = (None if score.get(k) is None else round(score[k], 4) for k in ("mean", "low", "high"))
    return {
        "penalty": penalty,
        "label": NAMES.get(penalty, penalty),
        "mean": mean,
        "low": mean if low is None else low,
        "high": mean if high is None else high,
        "variants": row.get("kept_variants"),
        "clinical": row.get("kept_clinical"),
        "why": "" if mean is not None else str(row.get("why_not") or "no score"),
    }


def views_data(summary: Data, figures: Data, *, metric: str | None = None) -> dict[str, Any] | None:
    """Return the views of a cohort's decision by a metric, by default the one that decides."""
    return data_of(summary, (summary.get("cohort") or {}).get("views"), metric)


def representation_views_data(summary: Data, figures: Data, *, metric: str | None = None) -> dict[str, Any] | None:
    """Return the same for the tables in which a learned representation stands for the variants."""
    return data_of(summary, (figures.get("cohort") or {}).get("representation_views"), metric)


def draw_views(data: Data) -> Chart:
    """Return the views below each other, on one axis."""
    last = len(data["panels"]) - 1
    parts: list[Any] = [_panel(panel, data, i == last) for i, panel in enumerate(data["panels"])]
    chart: Chart = alt.vconcat(*parts, spacing=14)
    return chart


def _panel(panel: Data, data: Data, titled: bool) -> Chart:
    rows, labels = panel["rows"], [row["label"] for row in panel["rows"]]
    axis = alt.Axis(title=f"{data['name']}, 95% interval" if titled else None, tickCount=6, labels=titled)
    scale = alt.Scale(domain=data["domain"], nice=False, zero=False)
    x, low = (alt.X(f"{part}:Q", scale=scale, axis=axis) for part in ("mean", "low"))
    tips = [
        alt.Tooltip("label:N", title="penalty"),
        alt.Tooltip("mean:Q", format=".3f"),
        alt.Tooltip("low:Q", format=".3f"),
        alt.Tooltip("high:Q", format=".3f"),
        alt.Tooltip("variants:Q", format=".1f", title="variants kept"),
        alt.Tooltip("clinical:Q", format=".1f", title="clinical variables kept"),
    ]
    base = alt.Chart(inline(rows)).encode(
        y=alt.Y(
            "label:N",
            scale=alt.Scale(domain=labels),
            axis=alt.Axis(title=None, ticks=False, minExtent=110, labelLimit=140),
        ),
    )
    colours = alt.Scale(domain=list(COLOURS), range=list(COLOURS.values()))
    scored = base.transform_filter("isValid(datum.mean)").encode(
        color=alt.Color("penalty:N", scale=colours, legend=None), tooltip=tips
    )
    layers: list[Any] = [
        scored.mark_rule(strokeWidth=2).encode(x=low, x2="high:Q"),
        scored.mark_point(filled=True, size=80, opacity=1).encode(x=x),
        base.transform_filter("datum.why != ''")
        .mark_text(align="left", fontSize=11, fontStyle="italic")
        .encode(x=alt.value(4), text=alt.value("not compared"), tooltip=["label:N", alt.Tooltip("why:N", title="why")]),
    ]
    if data["constant"] is not None:
        rule = alt.Chart(inline([{"mean": data["constant"], "is": "the best constant predictor"}]))
        layers.insert(0, rule.mark_rule(strokeDash=[5, 4]).encode(x=x, tooltip=["is:N", "mean:Q"]))
    return alt.layer(*layers).properties(width=WIDTH, height=alt.Step(STEP), title=panel["title"])


def views_message(data: Data) -> str:
    """Return the best of every view, and what the variants add to the clinical variables."""
    said = []
    for panel in data["panels"]:
        best = next((row for row in panel["rows"] if row["penalty"] == panel["best"]), None)
        words = "not compared" if best is None else f"{best['mean']:.3f} ({best['label']})"
        said.append(f"{panel['title'].lower()} {words}")
    text = f"{data['name']}, the best penalty of each view: {'; '.join(said)}."
    if data["gained"] is not None:
        mean, better, folds = data["gained"]
        text += (
            f" With {NAMES.get(data['penalty'], data['penalty'])}, adding the variants to the clinical variables "
            f"changes it by {mean:+.3f} on the same folds, for the better in {better} of {folds}."
        )
    return text + unscored(data)


def unscored(data: Data) -> str:
    """Return which penalties were not compared, and why, once a reason."""
    reasons: dict[str, list[str]] = {}
    for panel in data["panels"]:
        for row in panel["rows"]:
            if row["why"]:
                reasons.setdefault(row["why"], []).append(f"{panel['title'].lower()} with {row['label']}")
    return "".join(f" Not compared: {', '.join(rows)} ({why.rstrip('.')})." for why, rows in reasons.items())


def variants(summary: Data, views: Data | None) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the metrics to choose from, the one that decides first."""
    there = sorted(metrics_of(views or {}), key=lambda m: m != summary["metric"])
    return [(m, METRIC_NAMES.get(m, m), {"metric": m}) for m in there]


HOW = (
    "A dot is the mean over the outer folds, the line its 95% interval; every strength was tuned inside its fold. All "
    "views have the same people in the same folds. The dashed line is the best constant predictor."
)
PLOTS = (
    Plot(
        name="views",
        title="Clinical, genetic, and combined",
        data=views_data,
        draw=draw_views,
        message=views_message,
        how=HOW,
        variants=lambda summary, figures: variants(summary, (summary.get("cohort") or {}).get("views")),
    ),
    Plot(
        name="representation_views",
        title="The same comparison with a learned representation of the variants",
        data=representation_views_data,
        draw=draw_views,
        message=views_message,
        how=HOW + " Here a few learned numbers stand for all variants; they were learned inside each fold.",
        variants=lambda summary, figures: variants(summary, (figures.get("cohort") or {}).get("representation_views")),
    ),
)
