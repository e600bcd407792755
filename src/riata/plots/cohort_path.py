"""A cohort along the strength of the penalty: loss, how many are kept, and the norm of each of them."""

from __future__ import annotations

from typing import Any

import altair as alt

from .labels import rounded, shortened
from .lit import IS_LIT
from .names import NAMES
from .path import apart, ticks
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import ACCENT, COLOURS, LIT
from .variants import aside

NAMED, SPACING, LABEL = 12, 14, 18
WIDE, LOSS_HEIGHT, NORM_HEIGHT = 560, 190, 280
GENETIC, CLINICAL = "variant", "clinical variable"
HUES = {GENETIC: ACCENT, CLINICAL: COLOURS["group_lasso"]}


def cohort_path_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return loss, counts and norms at every strength, strong to weak, and the strength that was chosen."""
    path = (figures.get("cohort") or {}).get("path") or {}
    order = sorted(
        (i for i, lam in enumerate(path.get("lams") or ()) if lam and lam > 0), key=lambda i: -path["lams"][i]
    )
    if not order:
        return None
    lams = [rounded(path["lams"][i]) for i in order]
    clinical = set(path.get("clinical") or ())
    lines = [
        {
            "variable": name,
            "kind": CLINICAL if name in clinical else GENETIC,
            "lam": lams,
            "norm": _risen(_at(norms, order)),
        }
        for name, norms in (path.get("norms") or {}).items()
    ]
    top = max((x for line in lines for x in line["norm"] if x is not None), default=0.0) or 1.0
    counts = {GENETIC: _at(path["kept_variants"], order), CLINICAL: _at(path["kept_clinical"], order)}
    losses, chosen = _at(path["valid_loss"], order, 6), path.get("chosen")
    at = order.index(chosen) if chosen in order else None
    return {
        "aside": aside(summary),
        "penalty": path["penalty"],
        "title": NAMES.get(path["penalty"], path["penalty"]),
        "loss": [{"lam": lam, "loss": loss} for lam, loss in zip(lams, losses, strict=True)],
        "counts": [
            {"lam": lam, "kind": kind, "kept": count}
            for kind, values in counts.items()
            for lam, count in zip(lams, values, strict=True)
        ],
        "chosen": []
        if at is None
        else [
            {"lam": lams[at], "label": f"chosen {lams[at]:.3g}", "side": "left" if at < len(lams) / 2 else "right"}
            | {"loss": losses[at], "variants": counts[GENETIC][at], "clinical": counts[CLINICAL][at]}
        ],
        "lines": lines,
        "ends": _ends(lines, top),
        "domain": [min(lams), max(lams)],
        "ticks": ticks(min(lams), max(lams)),
        "top": rounded(top * 1.03),
        "of": (summary.get("cohort") or {}).get("variants"),
    }


def _at(values: list[float | None], order: list[int], digits: int = 3) -> list[float | None]:
    """Return the values of these strengths, short."""
    chosen = (values[i] for i in order)
    return [None if value is None else float(f"{value:.{digits}g}") for value in chosen]


def _risen(norms: list[float | None]) -> list[float | None]:
    """Return the norms without the zeros that have only zeros beside them, which would be drawn on each other.

    >>> _risen([0.0, 0.0, 0.2, 0.0, 0.0])
    [None, 0.0, 0.2, 0.0, None]
    """
    around = [0.0, *norms, 0.0]
    return [None if not any(around[i : i + 3]) else norm for i, norm in enumerate(norms)]


def _ends(lines: list[dict[str, Any]], top: float) -> list[dict[str, Any]]:
    """Return the labels of the strongest lines, at the weakest strength, moved apart."""
    last = sorted(
        ((line["norm"][-1] or 0.0, line["variable"], line["kind"]) for line in lines), key=lambda end: -end[0]
    )
    last = [end for end in last if end[0] > 0][:NAMED]
    places = apart([end[0] for end in last], SPACING * top * 1.03 / NORM_HEIGHT)
    return [
        {"variable": name, "kind": kind, "label": shortened(name, LABEL), "norm": norm, "place": rounded(place)}
        for (norm, name, kind), place in zip(last, places, strict=True)
    ]


def _x(data: Data, title: str | None) -> alt.X:
    """Return the shared axis: strong penalties on the left."""
    scale = alt.Scale(type="log", domain=data["domain"], reverse=True, nice=False)
    axis = alt.Axis(title=title, format="~g", values=data["ticks"], grid=False, labels=title is not None)
    return alt.X("lam:Q", scale=scale, axis=axis)


def _kinds() -> alt.Color:
    legend = alt.Legend(orient="bottom", title=None, symbolType="stroke")
    return alt.Color("kind:N", scale=alt.Scale(domain=list(HUES), range=list(HUES.values())), legend=legend)


def draw_loss(data: Data) -> Chart:
    """Return the validation loss, and how many variants and clinical variables are kept."""
    x, soft = _x(data, None), COLOURS["constant"]
    axis = alt.Axis(titleColor=soft, tickCount=5)
    loss = alt.Chart(inline(data["loss"])).mark_line(color=soft, point=alt.OverlayMarkDef(color=soft)).encode(
        x=x,
        y=alt.Y("loss:Q", title="validation loss", scale=alt.Scale(zero=False), axis=axis),
        tooltip=["lam:Q", "loss:Q"],
    )  # fmt: skip
    kept = alt.Chart(inline(data["counts"])).mark_line(interpolate="step", strokeWidth=1.5).encode(
        x=x,
        y=alt.Y("kept:Q", title="kept", axis=alt.Axis(orient="right", grid=False, tickMinStep=1, tickCount=5)),
        color=_kinds(),
        tooltip=["kind:N", "lam:Q", "kept:Q"],
    )  # fmt: skip
    marks = alt.Chart(inline(data["chosen"])).encode(x=x)
    words = [
        marks.transform_filter(f"datum.side == '{side}'")
        .mark_text(align=side, baseline="bottom", fontSize=11, dx=-3 if side == "left" else 3)
        .encode(y=alt.value(-4), text="label:N")
        for side in ("left", "right")
    ]
    left = alt.layer(loss, marks.mark_rule(strokeDash=[4, 3]), *words)
    both: Chart = alt.layer(left, kept).resolve_scale(y="independent")
    return both.properties(width=WIDE, height=LOSS_HEIGHT, title=alt.Title(data["title"], offset=8))


def draw_norms(data: Data) -> Chart:
    """Return a line for every variant and clinical variable that is ever kept, the strongest named at their end."""
    x, high = _x(data, "strength lam (logarithmic, strong to weak)"), alt.Scale(domain=[0, data["top"]])
    clear = alt.condition(f"lit == '' || ({IS_LIT})", alt.value(0.85), alt.value(0.15))
    hue = alt.condition(IS_LIT, alt.value(LIT), _kinds())
    base = alt.Chart(inline(data["lines"])).transform_flatten(["lam", "norm"])
    base = base.encode(
        x=x,
        y=alt.Y("norm:Q", title="norm of first-layer weights", scale=high),
        tooltip=["variable:N", "kind:N", "lam:Q", "norm:Q"],
    )
    width = alt.condition(IS_LIT, alt.value(3), alt.value(1.4))
    lines = base.mark_line().encode(detail="variable:N", color=hue, opacity=clear, strokeWidth=width)
    rules = alt.Chart(inline(data["chosen"])).mark_rule(strokeDash=[4, 3]).encode(x=x)
    ends = alt.Chart(inline(data["ends"])).encode(opacity=clear)
    links = ends.mark_rule(strokeWidth=0.8).encode(
        x=alt.value(WIDE), x2=alt.value(WIDE + 12), y=alt.Y("norm:Q", scale=high), y2="place:Q"
    )
    names = ends.mark_text(align="left", baseline="middle", fontSize=11, dx=3, limit=140).encode(
        x=alt.value(WIDE + 12), y=alt.Y("place:Q", scale=high), text="label:N", tooltip=["variable:N", "kind:N"]
    )
    points = base.mark_point(filled=True, size=60, opacity=0)
    return alt.layer(rules, lines, points, links, names).properties(width=WIDE, height=NORM_HEIGHT)


def draw_cohort_path(data: Data) -> Chart:
    """Return loss and counts above the norms, on one axis of strengths."""
    parts: list[Any] = [draw_loss(data), *([draw_norms(data)] if data["lines"] else [])]
    return alt.vconcat(*parts, spacing=12).add_params(alt.param(name="lit", value=""))


def _whose(data: Data) -> str:
    return ", combined view, which the verdict does without" if data.get("aside") else ""


def cohort_path_message(data: Data) -> str:
    """Return the loss and what is kept at the chosen strength, and how many lines are drawn."""
    genetic = sum(line["kind"] == GENETIC for line in data["lines"])
    drawn = f" Drawn are the norms of {genetic} variants and {len(data['lines']) - genetic} clinical variables."
    if not data["chosen"]:
        return f"{data['title']} along {len(data['loss'])} strengths; none was chosen.{drawn}"
    c = data["chosen"][0]
    of = "" if data["of"] is None else f" of {data['of']:,}"
    loss = "unknown" if c["loss"] is None else f"{c['loss']:.4g}"
    return (
        f"{data['title']}{_whose(data)}: at the chosen strength {c['lam']:.3g} the validation loss is {loss}, with "
        f"{_count(c['variants'])}{of} variants and {_count(c['clinical'])} clinical variables kept.{drawn}"
    )


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


PLOT = Plot(
    name="cohort_path",
    title="Variants and clinical variables along the strength",
    data=cohort_path_data,
    draw=draw_cohort_path,
    message=cohort_path_message,
    how=(
        "From strong to weak penalties, left to right. Above, the validation loss in grey, and how many variants and "
        "clinical variables are kept. Below, each line is one of them; where it leaves zero it enters the model. The "
        "dashed line is the strength that was chosen."
    ),
)
