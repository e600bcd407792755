"""The variants that a model keeps, where they lie, and how close all others are to being kept."""

from __future__ import annotations

import json
from typing import Any, Literal

import altair as alt

from .labels import rounded, shortened
from .lit import colour, fading
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import ACCENT, COLOURS, WIDTH

Align = Literal["center", "left", "right"]
Box = tuple[float, float, float, float]
NORMS, SKY = 200, 170
MEGA = 1e6
NUMBERED: dict[str, Any] = {"name": "", "start": 0.0, "side": 0, "unit": 1}
"""In place of a chromosome where no place is known: a variant's position is its number."""
LETTER, LINE, NARROW = 6.2, 13, 400
"""Pixels of a letter and of a line of a label, and the width at which labels must not touch."""
REACH = ((0.22, 0.78), (0.0, 0.55), (0.45, 1.0))
"""Where along the axis a label may stand centred, to the right and to the left of its head, to stay inside."""


def layout(chromosomes: list[Data], sky: Data, kept: Data) -> list[dict[str, Any]] | None:
    """Return the chromosomes side by side: name, start and length in megabases; None where no place is known."""
    lengths = {str(c["name"]): float(c["length"]) for c in chromosomes or ()}
    for part in (kept, sky):
        for name, at in zip(part.get("chromosome") or (), part.get("position") or (), strict=False):
            if name is not None and at is not None:
                lengths[str(name)] = max(lengths.get(str(name), 0.0), float(at))
    if not lengths:
        return None
    start, placed = 0.0, []
    for i, (name, length) in enumerate(lengths.items()):
        size = max(length / MEGA, 1e-6)
        where = {"start": round(start, 4), "length": round(size, 4), "side": i % 2, "unit": MEGA}
        placed.append({"name": name, **where})
        start += size
    return placed


def variants_data(summary: Data, figures: Data) -> dict[str, Any] | None:
    """Return the kept variants with their places and norms, and the reach of all variants."""
    cohort = figures.get("cohort") or {}
    kept, sky = cohort.get("variants") or {}, cohort.get("skyline") or {}
    if not kept.get("name") and not sky.get("reach"):
        return None
    found = layout(cohort.get("chromosomes") or [], sky, kept)
    width = found[-1]["start"] + found[-1]["length"] if found else _numbered(kept, sky)
    places = {c["name"]: c for c in found or ()}
    clusters = (summary.get("cohort") or {}).get("clusters") or []
    rows = _kept(kept, places, clusters)
    top = max((row["norm"] for row in rows), default=0.0) or 1.0
    reach = [float(r) for r in sky.get("reach") or () if r is not None]
    return {
        "aside": aside(summary),
        "rows": rows,
        "labels": _labels(rows, width, top * 1.12),
        "sky": _sky(sky, places),
        "chromosomes": found or [],
        "ticks": [round(c["start"] + c["length"] / 2, 4) for c in found or ()],
        "names": [c["name"] for c in found or ()],
        "width": round(width, 4),
        "top": rounded(top * 1.12),
        "reach": rounded(max([1.0, *reach]) * 1.06),
        "closest": _closest(sky, kept),
        "kept": len(kept.get("name") or ()),
        "leads": len(clusters),
        "of": (summary.get("cohort") or {}).get("variants"),
    }


def _numbered(kept: Data, sky: Data) -> float:
    """Return how many variants there are to number, where places are unknown."""
    known = [at for part in (kept, sky) for at in part.get("position") or () if at is not None]
    return float(max([len(kept.get("name") or ()), len(sky.get("reach") or ()), *known]))


def _kept(kept: Data, places: Data, clusters: list[Data]) -> list[dict[str, Any]]:
    """Return one row a kept variant that has a place; without chromosomes a position is the variant's number."""
    lead = {name: c["lead"] for c in clusters for name in (*(c.get("members") or ()), c["lead"])}
    rows = []
    for i, name in enumerate(kept.get("name") or ()):
        chromosome, at = kept["chromosome"][i], kept["position"][i]
        place = places.get(str(chromosome)) if places else NUMBERED
        if at is None or place is None:
            continue
        rows.append(
            {
                "variable": name,
                "chromosome": place["name"],
                "position": at,
                "x": round(place["start"] + at / place["unit"], 4),
                "side": place["side"],
                "norm": rounded(kept["norm"][i]),
                "lead": lead.get(name, name),
                "is_lead": lead.get(name, name) == name,
            }
        )
    return sorted(rows, key=lambda row: row["x"])


def _sky(sky: Data, places: Data) -> list[dict[str, Any]]:
    """Return one record a chromosome: its start, and positions and reaches as lists."""
    found: dict[str, dict[str, Any]] = {}
    reach = sky.get("reach") or []
    named = sky.get("chromosome") or [None] * len(reach)
    where = sky.get("position") or list(range(len(reach)))
    for name, at, value in zip(named, where, reach, strict=True):
        place = places.get(str(name)) if places else NUMBERED
        if value is None or at is None or place is None:
            continue
        blank = {"chromosome": place["name"], "start": place["start"], "side": place["side"]}
        record = found.setdefault(place["name"], {**blank, "position": [], "reach": []})
        record["position"].append(round(at / place["unit"], 4))
        record["reach"].append(rounded(float(value)))
    return list(found.values())


def _closest(sky: Data, kept: Data) -> float | None:
    """Return the largest reach of a variant that is not kept."""
    inside = {(str(c), at) for c, at in zip(kept.get("chromosome") or (), kept.get("position") or (), strict=False)}
    found = zip(sky.get("chromosome") or (), sky.get("position") or (), sky.get("reach") or (), strict=False)
    return max((r for c, at, r in found if r is not None and (str(c), at) not in inside), default=None)


def _labels(rows: list[dict[str, Any]], width: float, top: float) -> list[dict[str, Any]]:
    """Return the labels of the strongest leads that touch neither each other nor a stem, each at its head."""
    spots = [(row["x"] / width * NARROW, row["norm"] / top * NORMS) for row in rows]
    taken = [(x - 1, x + 1, 0.0, y + 4) for x, y in spots]
    labels = []
    for i in sorted(range(len(rows)), key=lambda i: -rows[i]["norm"]):
        text, (x, y) = shortened(rows[i]["variable"], 18), spots[i]
        long = LETTER * len(text)
        for align, left, (least, most) in zip(
            ("center", "left", "right"), (x - long / 2, x + 5, x - 5 - long), REACH, strict=True
        ):
            low = y + 5 if align == "center" else y - LINE / 2
            box = (left, left + long, low, low + LINE)
            inside = rows[i]["is_lead"] and least <= x / NARROW <= most
            if inside and not any(_touch(box, other) for other in taken):
                taken.append(box)
                labels.append({**rows[i], "label": text, "align": align})
                break
    return labels


def _touch(one: Box, two: Box) -> bool:
    return one[0] <= two[1] and two[0] <= one[1] and one[2] <= two[3] and two[2] <= one[3]


def _x(data: Data, named: bool) -> alt.X:
    """Return the shared axis: the chromosomes side by side, named in their middle."""
    scale = alt.Scale(domain=[0, data["width"]], nice=False, zero=False)
    if not data["names"]:
        axis = alt.Axis(title="variant" if named else None, labels=named, grid=False, format="~s")
        return alt.X("x:Q", scale=scale, axis=axis)
    label = f"{json.dumps(data['names'])}[indexof({json.dumps(data['ticks'])}, datum.value)]"
    axis = alt.Axis(
        title="chromosome" if named else None,
        values=data["ticks"],
        labelExpr=label,
        labels=named,
        labelOverlap="greedy",
        labelSeparation=3,
        grid=False,
        ticks=False,
    )
    return alt.X("x:Q", scale=scale, axis=axis)


def _sides() -> alt.Color:
    scale = alt.Scale(domain=[0, 1], range=[ACCENT, COLOURS["constant"]])
    return alt.Color("side:N", scale=scale, legend=None)


def draw_norms(data: Data) -> Chart:
    """Return a stem for every kept variant, the leads of the clusters named."""
    y = alt.Y("norm:Q", title="norm of its weights", scale=alt.Scale(domain=[0, data["top"]], nice=False))
    tips: list[Any] = ["variable:N", "chromosome:N", alt.Tooltip("position:Q", format=","), "norm:Q"]
    tips.append(alt.Tooltip("lead:N", title="lead of its cluster"))
    base = alt.Chart(inline(data["rows"])).encode(
        x=_x(data, named=False), y=y, color=colour(_sides()), opacity=fading(), tooltip=tips
    )
    stems = base.mark_rule(strokeWidth=2).encode(y2=alt.datum(0))
    heads = base.mark_point(filled=True).encode(
        size=alt.condition("datum.is_lead", alt.value(70), alt.value(25)),
    )
    sides: tuple[tuple[Align, int, int], ...] = (("center", 0, -11), ("left", 7, 0), ("right", -7, 0))
    names = [
        alt.Chart(inline([row for row in data["labels"] if row["align"] == align]))
        .mark_text(align=align, fontSize=11, dx=dx, dy=dy)
        .encode(x=_x(data, named=False), y=y, text="label:N", opacity=fading(), tooltip=tips)
        for align, dx, dy in sides
    ]
    return alt.layer(stems, heads, *names).properties(width=WIDTH, height=NORMS, title="Variants that are kept")


def draw_sky(data: Data) -> Chart:
    """Return the reach of all variants, and the line at which one enters."""
    y = alt.Y("reach:Q", title="gradient / strength", scale=alt.Scale(domain=[0, data["reach"]], nice=False))
    dots = (
        alt.Chart(inline(data["sky"]))
        .transform_flatten(["position", "reach"])
        .transform_calculate(x="datum.start + datum.position")
        .mark_point(filled=True, size=10, opacity=0.7)
        .encode(
            x=_x(data, named=True),
            y=y,
            color=_sides(),
            tooltip=[
                "chromosome:N",
                alt.Tooltip("position:Q", title="megabases" if data["names"] else "number"),
                "reach:Q",
            ],
        )
    )
    line = alt.Chart(inline([{"reach": 1, "text": "enters at 1"}])).encode(y=y)
    rule = line.mark_rule(strokeDash=[5, 4])
    return alt.layer(dots, rule).properties(width=WIDTH, height=SKY, title="How close every variant is to being kept")


def draw_variants(data: Data) -> Chart:
    """Return the kept variants above all variants, on one axis of places."""
    parts: list[Any] = ([draw_norms(data)] if data["rows"] else []) + ([draw_sky(data)] if data["sky"] else [])
    return alt.vconcat(*parts, spacing=16).add_params(alt.param(name="lit", value=""))


def aside(summary: Data) -> bool:
    """Return whether the path drawn is that of a network that the verdict does without."""
    shown = (summary.get("cohort") or {}).get("shown")
    return shown is not None and shown != (summary.get("verdict") or {}).get("view", shown)


def variants_message(data: Data) -> str:
    """Return how many variants are kept, in how many clusters, and how close the next one is."""
    of = "" if data["of"] is None else f" of {data['of']:,}"
    kept = data["kept"]
    whose = " by the combined network, which the verdict does without" if data.get("aside") else ""
    text = f"{kept}{of} variants are kept{whose}" + (f", in {data['leads']} clusters." if data["leads"] else ".")
    strongest = max(data["rows"], key=lambda row: row["norm"], default=None)
    if strongest:
        where = f" on chromosome {strongest['chromosome']}" if strongest["chromosome"] else ""
        text += f" The strongest is {strongest['variable']}{where}."
    if data["closest"] is not None:
        text += f" Of the others drawn, the closest to entering is at {data['closest']:.3f} of 1."
    return text


PLOT = Plot(
    name="variants",
    title="Where the kept variants lie",
    data=variants_data,
    draw=draw_variants,
    message=variants_message,
    how=(
        "Above, a stem is a kept variant, as high as the norm of its first-layer weights; large heads lead a cluster. "
        "Below, each dot is the largest gradient of a stretch of the genome, over the strength: a variant "
        "enters the model at 1, and kept ones stay there. Colours alternate by chromosome."
    ),
)
