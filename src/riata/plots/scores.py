"""Every candidate's score with its interval, the constant and the final score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt

from ..errors import InputError
from .names import METRIC_NAMES, METRICS, NAMES
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import COLOURS, WIDTH

LOWER_IS_BETTER = ("log_loss", "rmse", "mae")
STEP = 22
FAR = 2.0
"""How many times the span of all intervals the constant may be away and still be drawn."""


def scores_data(summary: Data, figures: Data, metric: str | None = None) -> dict[str, Any] | None:
    """Return the candidates in the order of their mean, best first, then the final score.

    Raises
    ------
    InputError
        If the task has no such metric; the message names all.
    """
    metric = metric or str(summary["metric"])
    known = METRICS[summary["task"]]
    if metric not in known:
        raise InputError(f"metric {metric!r} is unknown here; expected one of {', '.join(known)}")
    found = [(c, spread) for c in figures.get("candidates") or () if (spread := _spread(c.get(metric)))]
    rows = [_row(summary, c, spread) for c, spread in found if c["penalty"] != "constant"]
    if not rows:
        return None
    rows.sort(key=lambda r: r["mean"], reverse=metric not in LOWER_IS_BETTER)
    constant, final = next((s for c, s in found if c["penalty"] == "constant"), None), _final(summary, metric)
    return {
        "metric": metric,
        "metric_name": METRIC_NAMES[metric],
        "lower_is_better": metric in LOWER_IS_BETTER,
        "rows": rows,
        "constant": constant,
        "far": constant is not None and _far(constant["mean"], [*rows, *([final] if final else [])]),
        "final": final,
    }


def _far(value: float, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a scale that shows the value would leave the rows too little room to tell them apart."""
    ends = [r.get(k, r["mean"]) for r in rows for k in ("low", "high")]
    low, high = min(ends), max(ends)
    return bool(max(low - value, value - high) > FAR * (high - low))


def _spread(score: Mapping[str, float | None] | None) -> dict[str, float] | None:
    if not score or score.get("mean") is None:
        return None
    return {k: float(f"{v:.6g}") for k in ("mean", "low", "high") if (v := score.get(k)) is not None}


def _row(summary: Data, candidate: Data, spread: dict[str, float]) -> dict[str, Any]:
    penalty, dropout = candidate["penalty"], bool(candidate["dropout"])
    verdict = summary["verdict"]
    is_verdict = penalty == verdict["penalty"] and dropout == bool(verdict["dropout"])
    role = "verdict" if is_verdict else "contender" if penalty in summary["contenders"] else ""
    label = NAMES[penalty] + (" + dropout" if dropout else "")
    return {
        "label": label,
        "penalty": penalty,
        "dropout": "with" if dropout else "without",
        "role": role,
        "note": f"{_number(spread['mean'])} {role}".rstrip(),
        **spread,
    }


def _final(summary: Data, metric: str) -> dict[str, Any] | None:
    final = summary.get("final") or {}
    spread = _spread(final.get(metric))
    if spread is None:
        return None
    return {
        "label": f"final score ({final['method']})",
        "penalty": summary["verdict"]["penalty"],
        "dropout": "with" if summary["verdict"]["dropout"] else "without",
        "role": "final",
        "note": f"{_number(spread['mean'])} on {final['rows']} rows",
        **spread,
    }


def draw_scores(data: Data) -> Chart:
    """Draw a dot and whisker per candidate, the constant as a dashed rule."""
    rows = [*data["rows"], *([data["final"]] if data["final"] else [])]
    better = "lower" if data["lower_is_better"] else "higher"
    title = f"{data['metric_name']}, mean and 95% interval ({better} is better)"
    base = alt.Chart(inline(rows)).encode(
        y=alt.Y(
            "label:N",
            scale=alt.Scale(domain=_labels(data)),
            axis=alt.Axis(labelLimit=220, labelPadding=8, ticks=False, domain=False, title=None),
        ),
        color=alt.Color("penalty:N", scale=_palette(), legend=None),
        tooltip=[
            alt.Tooltip("label:N", title="candidate"),
            *(alt.Tooltip(f"{k}:Q", format=".4") for k in ("mean", "low", "high")),
            alt.Tooltip("role:N"),
        ],
    )
    x = alt.X("mean:Q", scale=alt.Scale(zero=False, nice=False, padding=14), axis=alt.Axis(tickCount=6), title=title)
    whiskers = base.transform_filter("isValid(datum.low) && isValid(datum.high)").mark_rule(strokeWidth=2)
    layers: list[alt.Chart] = [
        *_constant(data["constant"], data["far"]),
        whiskers.encode(x=alt.X("low:Q", title=title), x2="high:Q"),
        _dots(base, "datum.dropout == 'with' && datum.role != 'final'", filled=False).encode(x=x),
        _dots(base, "datum.dropout == 'without' && datum.role != 'final'", filled=True).encode(x=x),
        _dots(base, "datum.role == 'final'", filled=True, shape="diamond", size=190).encode(x=x),
        _notes(rows, "datum.role == 'verdict'", "bold"),
        _notes(rows, "datum.role != 'verdict'", "normal"),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=alt.Step(STEP))


def _labels(data: Data) -> list[str]:
    apart = [" ", data["final"]["label"]] if data["final"] else []
    return [r["label"] for r in data["rows"]] + apart


def _notes(rows: Sequence[Data], test: str, weight: Literal["bold", "normal"]) -> alt.Chart:
    base = alt.Chart(inline(list(rows))).transform_filter(test)
    notes: alt.Chart = base.mark_text(align="left", dx=10, fontWeight=weight).encode(
        x=alt.value(WIDTH), y="label:N", text="note:N"
    )
    return notes


def _palette() -> alt.Scale:
    return alt.Scale(domain=list(COLOURS), range=list(COLOURS.values()))


def _dots(base: alt.Chart, test: str, filled: bool, shape: str = "circle", size: int = 90) -> alt.Chart:
    rows = base.transform_filter(test)
    dots: alt.Chart = rows.mark_point(filled=filled, shape=shape, size=size, strokeWidth=2, opacity=1)
    return dots


def _constant(constant: Mapping[str, float] | None, far: bool) -> list[alt.Chart]:
    if constant is None:
        return []
    text = f"{NAMES['constant']} {_number(constant['mean'])}"
    if far:
        base = alt.Chart(inline([{"text": f"{text} is off this scale"}]))
        return [base.mark_text(dy=-8, align="left", fontStyle="italic").encode(
            x=alt.value(0), y=alt.value(0), text="text:N"
        )]  # fmt: skip
    base = alt.Chart(inline([{"mean": constant["mean"], "text": text}])).encode(x="mean:Q")
    return [
        base.mark_rule(strokeDash=[5, 4]).encode(tooltip=alt.Tooltip("text:N", title="reference")),
        base.mark_text(dy=-8, align="left", fontStyle="italic").encode(y=alt.value(0), text="text:N"),
    ]


def scores_message(data: Data) -> str:
    """Say which candidate scores best, and what the verdict, the constant and the final score are."""
    name, rows = data["metric_name"], data["rows"]
    said = [f"{name} of {len(rows)} candidates: {rows[0]['label']} has the best mean, {_written(rows[0])}"]
    said += [f"the verdict, {r['label']}, has {_written(r)}" for r in rows[1:] if r["role"] == "verdict"]
    if rows[0]["role"] == "verdict":
        said[0] += ", and is the verdict"
    if data["constant"]:
        said.append(f"the {NAMES['constant']} has {_number(data['constant']['mean'])}")
    if data["final"]:
        said.append(f"the {data['final']['label']} is {_written(data['final'])}")
    return "; ".join(said) + "."


def _written(row: Mapping[str, Any]) -> str:
    if "low" not in row or "high" not in row:
        return _number(row["mean"])
    return f"{_number(row['mean'])} ({_number(row['low'])} to {_number(row['high'])})"


def _number(value: float) -> str:
    return f"{value:.3f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.3g}"


PLOT = Plot(
    name="scores",
    title="Scores of all candidates",
    data=scores_data,
    draw=draw_scores,
    message=scores_message,
    how="A filled dot is trained without dropout, a hollow one with; bars are 95% intervals over the outer folds, the "
    "dashed line is the constant predictor, the diamond the verdict on rows that no choice has seen. All candidates "
    "are scored on the same folds, so their bars overlap by nature: they are compared by paired differences on these "
    "folds, not by the overlap of the bars.",
)
