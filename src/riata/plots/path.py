"""One penalty along its strengths: validation loss, variables kept, and the norm of every variable."""

from __future__ import annotations

from math import ceil, floor, log, log10
from typing import Any

import altair as alt

from .labels import rounded, shortened
from .lit import IS_LIT
from .names import NAMES
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import ACCENT, COLOURS, LIT

NAMED, SPACING = 12, 14
LOSS_HEIGHT, NORM_HEIGHT, WIDE = 200, 280, 560


def path_data(summary: Data, figures: Data, *, penalty: str | None = None) -> dict[str, Any] | None:
    """Return the path of a penalty, by default the verdict's, or else the first there is."""
    paths = {name: path for name, path in (figures["paths"] or {}).items() if path and path["lams"]}
    asked = summary["verdict"]["penalty"] if penalty is None else penalty
    if penalty is not None and penalty not in paths:
        return None
    if not paths:
        return None
    chosen = asked if asked in paths else next(iter(paths))
    path, names = paths[chosen], figures["variables"]
    use = [i for i, lam in enumerate(path["lams"]) if lam and lam > 0]
    if not use:
        return None
    lams = [path["lams"][i] for i in use]
    lines = [
        {"variable": names[v], "lam": [rounded(x) for x in lams], "norm": [_short(line[i]) for i in use]}
        for v, line in zip(path["variables"], path["norms"], strict=True)
    ]
    top = max((x for line in lines for x in line["norm"] if x is not None), default=0.0) or 1.0
    return {
        "penalty": chosen,
        "title": NAMES.get(chosen, chosen),
        "penalties": list(paths),
        "loss": [_point(path, i) for i in use],
        "rules": _rules(path, lams),
        "lines": lines,
        "ends": _ends(lines, top),
        "domain": [rounded(min(lams)), rounded(max(lams))],
        "ticks": ticks(rounded(min(lams)), rounded(max(lams))),
        "top": rounded(top * 1.03),
        "shown": len(lines),
        "of": path["of"],
        "variables": len(names),
    }


def _short(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")


def _point(path: Data, i: int) -> dict[str, Any]:
    """Return one strength; losses keep six digits, as their differences are small."""
    loss, se = path["loss"][i], path["se"][i]
    known = loss is not None and se is not None
    return {
        "lam": rounded(path["lams"][i]),
        "loss": _short(loss, 6),
        "low": _short(loss - se, 6) if known else None,
        "high": _short(loss + se, 6) if known else None,
        "kept": _short(path["kept"][i]),
    }


def _rules(path: Data, lams: list[float]) -> list[dict[str, Any]]:
    """Return lam_min and lam_1se, each with a label that stays inside the picture; one rule where they are equal."""
    best, one = path["best"], path["one_se"]
    wanted = [("lam_1se", one), ("lam_min", best)] if one != best else [("lam_min = lam_1se", best)]
    rules = []
    for level, (name, lam) in enumerate(wanted):
        if lam is None or lam <= 0:
            continue
        i = min(range(len(path["lams"])), key=lambda k: abs(path["lams"][k] - lam))
        along = log(max(lams) / lam) / (log(max(lams) / min(lams)) or 1.0)
        rules.append(
            {
                "name": name,
                "label": f"{name} {lam:.3g}",
                "lam": rounded(lam),
                "loss": path["loss"][i],
                "kept": path["kept"][i],
                "side": "left" if along < 0.5 else "right",
                "level": level,
            }
        )
    return rules


def apart(places: list[float], gap: float) -> list[float]:
    """Return falling places moved so that neighbours are at least ``gap`` apart and none is below half a gap.

    >>> apart([5.0, 4.9, 0.0], 1.0)
    [5.0, 4.0, 0.5]
    >>> apart([0.1, 0.0], 1.0)
    [1.5, 0.5]
    """
    moved: list[float] = []
    for place in places:
        moved.append(min(place, moved[-1] - gap) if moved else place)
    floor = gap / 2
    for i in reversed(range(len(moved))):
        moved[i] = max(moved[i], floor)
        floor = moved[i] + gap
    return moved


def _ends(lines: list[dict[str, Any]], top: float) -> list[dict[str, Any]]:
    """Return the labels of the strongest lines, at the weakest strength, moved apart."""
    ranked = sorted(lines, key=lambda line: -max((x for x in line["norm"] if x is not None), default=0.0))[:NAMED]
    last = sorted(((line["norm"][-1] or 0.0, line["variable"]) for line in ranked), key=lambda end: -end[0])
    places = apart([norm for norm, _ in last], SPACING * top * 1.03 / NORM_HEIGHT)
    return [
        {"variable": name, "label": shortened(name, 22), "norm": norm, "place": rounded(place)}
        for (norm, name), place in zip(last, places, strict=True)
    ]


def ticks(low: float, high: float) -> list[float]:
    """Return the powers of ten of a range, and where they are few also their twofold and fivefold.

    >>> ticks(0.001, 1), ticks(0.015, 0.3)
    ([0.001, 0.01, 0.1, 1.0], [0.02, 0.05, 0.1, 0.2])
    """
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    for steps in ((1,), (1, 2, 5)):
        each = (float(f"{step}e{power}") for power in powers for step in steps)
        found = [value for value in each if low * 0.999 <= value <= high * 1.001]
        if len(found) >= 3:
            return found
    return [low, high] if high > low else [low]


def _lam_axis(data: Data, title: str | None) -> alt.X:
    """Return the shared axis: strong penalties on the left."""
    scale = alt.Scale(type="log", domain=data["domain"], reverse=True, nice=False)
    axis = alt.Axis(title=title, format="~g", values=data["ticks"], grid=False, labels=title is not None)
    return alt.X("lam:Q", scale=scale, axis=axis)


def draw_loss(data: Data) -> Chart:
    """Return the validation loss with its band, the two strengths, and the number of variables kept."""
    x = _lam_axis(data, None)
    base = alt.Chart(inline(data["loss"])).encode(x=x)
    loss = alt.Y("loss:Q", title="validation loss", scale=alt.Scale(zero=False), axis=alt.Axis(titleColor=ACCENT))
    tips = [alt.Tooltip("lam:Q"), alt.Tooltip("loss:Q"), alt.Tooltip("kept:Q", title="variables kept")]
    band = base.mark_area(color=ACCENT, opacity=0.2).encode(y=alt.Y("low:Q", title="validation loss"), y2="high:Q")
    line = base.mark_line(color=ACCENT, point=alt.OverlayMarkDef(color=ACCENT)).encode(y=loss, tooltip=tips)
    marks = alt.Chart(inline(data["rules"])).encode(x=x)
    rules = marks.mark_rule(strokeDash=[4, 3])
    words = [
        marks.transform_filter(f"datum.side == '{side}' && datum.level == {level}")
        .mark_text(align=side, baseline="bottom", fontSize=11, dx=-3 if side == "left" else 3)
        .encode(y=alt.value(-4 - 14 * level), text="label:N")
        for side in ("left", "right")
        for level in (0, 1)
    ]
    kept = base.mark_line(interpolate="step", color=COLOURS["group_lasso"], strokeWidth=1.5).encode(
        y=alt.Y(
            "kept:Q",
            title="variables kept",
            scale=alt.Scale(zero=True),
            axis=alt.Axis(orient="right", grid=False, titleColor=COLOURS["group_lasso"], tickMinStep=1),
        ),
        tooltip=tips,
    )
    left = alt.layer(band, line, rules, *words)
    title = alt.Title(data["title"], offset=8)
    both: Chart = alt.layer(left, kept).resolve_scale(y="independent")
    return both.properties(width=WIDE, height=LOSS_HEIGHT, title=title)


def draw_norms(data: Data) -> Chart:
    """Return a line for every variable, the strongest of them named at its end."""
    lit = IS_LIT
    x, high = _lam_axis(data, "strength lam (logarithmic, strong to weak)"), alt.Scale(domain=[0, data["top"]])
    colour = alt.condition(lit, alt.value(LIT), alt.value(COLOURS["constant"]))
    clear = alt.condition(f"lit == '' || ({lit})", alt.value(0.85), alt.value(0.15))
    base = alt.Chart(inline(data["lines"])).transform_flatten(["lam", "norm"])
    base = base.encode(
        x=x,
        y=alt.Y("norm:Q", title="norm of first-layer weights", scale=high),
        tooltip=[alt.Tooltip("variable:N"), alt.Tooltip("lam:Q"), alt.Tooltip("norm:Q")],
    )
    width = alt.condition(lit, alt.value(3), alt.value(1.3))
    lines = base.mark_line().encode(detail="variable:N", color=colour, opacity=clear, strokeWidth=width)
    points = base.mark_point(filled=True, size=60, opacity=0)
    rules = alt.Chart(inline(data["rules"])).mark_rule(strokeDash=[4, 3]).encode(x=x)
    ends = alt.Chart(inline(data["ends"]))
    links = ends.mark_rule(strokeWidth=0.8).encode(
        x=alt.value(WIDE), x2=alt.value(WIDE + 12), y=alt.Y("norm:Q", scale=high), y2="place:Q", opacity=clear
    )
    names = ends.mark_text(align="left", baseline="middle", fontSize=11, dx=3, limit=180).encode(
        x=alt.value(WIDE + 12), y=alt.Y("place:Q", scale=high), text="label:N", opacity=clear, tooltip=["variable:N"]
    )
    return alt.layer(rules, lines, points, links, names).properties(width=WIDE, height=NORM_HEIGHT)


def draw_path(data: Data) -> Chart:
    """Return loss and norms above each other, on one axis of strengths."""
    parts: list[Any] = [draw_loss(data), draw_norms(data)]
    both = alt.vconcat(*parts, spacing=12)
    return both.add_params(alt.param(name="lit", value=""))


def path_message(data: Data) -> str:
    """Return the loss and the number of variables kept at lam_min and at lam_1se."""
    said = [
        f"{'-' if r['loss'] is None else format(r['loss'], '.4g')} at {r['name']} {r['lam']:.3g} "
        f"with {'-' if r['kept'] is None else format(r['kept'], '.3g')} of {data['variables']} variables kept"
        for r in sorted(data["rules"], key=lambda r: -r["level"])
    ]
    part = "" if data["shown"] == data["of"] else f" Drawn are the {data['shown']} strongest of {data['of']} variables."
    return f"{data['title']}, mean validation loss: {'; '.join(said) or 'unknown at every strength'}.{part}"


PLOT = Plot(
    name="path",
    title="Along the strength of the penalty",
    data=path_data,
    draw=draw_path,
    message=path_message,
    how=(
        "From strong to weak penalties, left to right. Above, the mean validation loss over the folds with one "
        "standard error to each side, and how many variables are kept. lam_min has the least loss; lam_1se is the "
        "strongest lam within one standard error of it. Below, each line is a variable."
    ),
)
