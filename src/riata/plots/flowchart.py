"""The flowchart as it was walked: questions, actions and outcomes, and the lit way through them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import altair as alt

from ..errors import InputError
from .layers import layout
from .names import NAMES
from .plot import Chart, Data, Plot
from .rows import inline
from .theme import ACTION, BOX_INK, LIT, OUTCOME, QUESTION

WRAP = {"question": 26, "action": 26, "outcome": 13}
LETTER, LINE, FRAME, TAG = 6.6, 15.0, 9.0, 13.0
"""Width of a letter, height of a line, room above and below the text, height of the tag that says the kind."""
FILLS = {"question": QUESTION, "action": ACTION, "outcome": OUTCOME}
ROUND = {"question": 5, "action": 0, "outcome": 14}
FADED = 0.62
"""Opacity of boxes that were not walked: dark text stays readable on dark paper."""
WHICH = ("default", "classic")


def _arrows(chart: Data) -> list[dict[str, Any]]:
    """Return the chart's edges; those that differ in nothing but the answer are one, with all their answers."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for edge in chart["edges"]:
        a, b, action = edge["from"], edge["to"], edge.get("action") or ""
        arrow = found.setdefault((a, b, action), {"from": a, "to": b, "action": action, "answers": []})
        arrow["answers"].append(edge["answer"])
    return list(found.values())


def _pieces(chart: Data) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return boxes and arrows, both with ``lit``; an action is a box of its own, in the middle of its arrow."""
    walk = {step["key"]: step["answer"] for step in chart["walk"]}
    boxes, arrows = [], []
    for number, arrow in enumerate(_arrows(chart)):
        lit = walk.get(arrow["from"]) in arrow["answers"]
        says = " / ".join(arrow["answers"])
        label = "" if says == arrow["to"].removeprefix("leaf:") else says
        part = {"answers": says, "lit": lit}
        if not arrow["action"]:
            arrows.append({**part, "from": arrow["from"], "to": arrow["to"], "label": label})
            continue
        box = f"action:{number}"
        boxes.append({"id": box, "shape": "action", "text": arrow["action"], "lit": lit})
        arrows.append({**part, "from": arrow["from"], "to": box, "label": label})
        arrows.append({**part, "from": box, "to": arrow["to"], "label": ""})
    reached = f"leaf:{chart['leaf']}"
    for node in chart["nodes"]:
        if node["leaf"]:
            text = NAMES.get(node["text"], node["text"])
            boxes.append({"id": node["id"], "shape": "outcome", "text": text, "lit": node["id"] == reached})
        else:
            boxes.append({**node, "shape": "question", "key": node["id"], "lit": node["id"] in walk})
    return boxes, arrows


def _lines(box: Data) -> list[str]:
    return textwrap.wrap(box["text"], WRAP[box["shape"]]) or [""]


def _size(box: Data) -> tuple[float, float]:
    lines = _lines(box)
    width = max(len(line) for line in lines) * LETTER + 22
    tag = TAG if box["shape"] == "question" else 0.0
    return max(width, 96.0), len(lines) * LINE + 2 * FRAME + tag


def _box_row(box: Data, at: Sequence[float], answers: Mapping[str, str]) -> dict[str, Any]:
    left, top, right, bottom = (round(v, 1) for v in at)
    row = {
        "id": box["id"],
        "shape": box["shape"], "text": box["text"], "lines": "\n".join(_lines(box)), "lit": box["lit"],
        "left": left, "top": top, "right": right, "bottom": bottom, "middle": round((left + right) / 2, 1),
        "line": round(top + FRAME + 1 + (TAG if box["shape"] == "question" else 0.0), 1),
    }  # fmt: skip
    if box["shape"] == "question":
        row |= {"key": box["key"], "kind": box["kind"], "source": box["source"], "answer": answers.get(box["key"], "")}
        row["tag"] = round(top + 6, 1)
    return row


def _line_rows(arrow: Data, points: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    """Return an arrow's pieces and the two strokes of its head."""
    (x, y) = points[-1]
    tip = 5.0 if arrow["lit"] else 4.0
    pieces = [*pairwise(points), ((x - tip, y - 7), (x, y)), ((x + tip, y - 7), (x, y))]
    return [
        {"x": round(a[0], 1), "y": round(a[1], 1), "x2": round(b[0], 1), "y2": round(b[1], 1), "lit": arrow["lit"]}
        for a, b in pieces
        if a != b
    ]


def flowchart_data(summary: Data, figures: Data, which: str = "default") -> dict[str, Any] | None:
    """Return the boxes, the pieces of the arrows and their labels, all in pixels from the top left corner.

    Raises
    ------
    InputError
        If there is no chart of the name ``which``.
    """
    if which not in WHICH:
        raise InputError(f"chart {which!r} is unknown; expected one of {', '.join(WHICH)}")
    chart = (figures.get("charts") or {}).get(which)
    if not chart or not chart["nodes"]:
        return None
    boxes, arrows = _pieces(chart)
    shape = layout(
        {box["id"]: _size(box) for box in boxes},
        [(a["from"], a["to"], len(a["label"]) * LETTER + 4 if a["label"] else 0.0) for a in arrows],
        [box["id"] for box in boxes if box["shape"] == "outcome"],
    )
    texts = {node["id"]: node["text"] for node in chart["nodes"]}
    answers = {a["key"]: a["answer"] for a in summary.get("answers") or ()}
    answers |= {step["key"]: step["answer"] for step in chart["walk"]}
    answers = {key: NAMES.get(answer, answer) for key, answer in answers.items()}
    return {
        "name": chart["name"],
        "boxes": [_box_row(box, shape.boxes[box["id"]], answers) for box in boxes],
        "arrows": [
            {**{name: a[name] for name in ("from", "to", "answers", "lit")}, "points": points}
            for a, points in zip(arrows, shape.routes, strict=True)
        ],
        "lines": [row for a, points in zip(arrows, shape.routes, strict=True) for row in _line_rows(a, points)],
        "labels": [
            {"x": round(x, 1), "y": round(y, 1), "text": a["label"], "lit": a["lit"]}
            for a, (x, y) in zip(arrows, shape.labels, strict=True)
            if a["label"]
        ],
        "walk": [{"text": texts[s["key"]], "answer": answers[s["key"]]} for s in chart["walk"] if s["key"] in texts],
        "leaf": NAMES.get(chart["leaf"] or "", chart["leaf"] or ""),
        "width": round(shape.width, 1),
        "height": round(shape.height, 1),
    }


def draw_flowchart(data: Data) -> Chart:
    """Draw arrows, then boxes with their texts, the walked way on top and the rest faded."""
    x = alt.Scale(domain=[-2, data["width"] + 2], nice=False, zero=False)
    y = alt.Scale(domain=[-2, data["height"] + 2], nice=False, zero=False, reverse=True)
    scales = {"x": x, "y": y}
    layers = [
        *(_lines_layer(data["lines"], lit, scales) for lit in (False, True)),
        *(_labels_layer(data["labels"], lit, scales) for lit in (False, True)),
        *(layer for shape in FILLS for layer in _boxes_layers(data["boxes"], shape, scales)),
    ]
    return alt.layer(*layers).properties(width=data["width"] + 4, height=data["height"] + 4)


def _at(name: str, scale: alt.Scale) -> dict[str, Any]:
    return {"field": name, "type": "quantitative", "scale": scale, "axis": None}


def _chart(rows: Sequence[Data], scales: Mapping[str, alt.Scale], x: str, y: str) -> alt.Chart:
    chart = alt.Chart(inline(list(rows)))
    return chart.encode(x=alt.X(**_at(x, scales["x"])), y=alt.Y(**_at(y, scales["y"])))


def _lines_layer(rows: Sequence[Data], lit: bool, scales: Mapping[str, alt.Scale]) -> alt.Chart:
    style: dict[str, Any] = {"strokeWidth": 3.5, "color": LIT} if lit else {"strokeWidth": 1.2, "opacity": 0.75}
    chart = _chart([row for row in rows if row["lit"] is lit], scales, "x", "y").encode(x2="x2", y2="y2")
    marked: alt.Chart = chart.mark_rule(strokeCap="round", **style)
    return marked


def _labels_layer(rows: Sequence[Data], lit: bool, scales: Mapping[str, alt.Scale]) -> alt.Chart:
    style: dict[str, Any] = {"fontWeight": "bold"} if lit else {"opacity": 0.8}
    chart = _chart([row for row in rows if row["lit"] is lit], scales, "x", "y").encode(text="text:N")
    marked: alt.Chart = chart.mark_text(align="left", baseline="middle", fontSize=12, **style)
    return marked


def _boxes_layers(rows: Sequence[Data], shape: str, scales: Mapping[str, alt.Scale]) -> list[alt.Chart]:
    """Return the boxes of one shape, their texts, and the tags of questions; each carries the whole row."""
    rows = [row for row in rows if row["shape"] == shape]
    told = ("text", "answer", "kind", "source") if shape == "question" else ("text",)
    tips = [alt.Tooltip(f"{name}:N", title="question" if name == "text" and len(told) > 1 else name) for name in told]
    frame = {"stroke": alt.condition("datum.lit", alt.value(LIT), alt.value(FILLS[shape])), "tooltip": tips}
    boxes = (
        _chart(rows, scales, "left", "top")
        .mark_rect(cornerRadius=ROUND[shape], fill=FILLS[shape])
        .encode(
            x2="right", y2="bottom", **frame,
            strokeWidth=alt.condition("datum.lit", alt.value(4 if shape == "outcome" else 2.5), alt.value(1)),
            opacity=alt.condition("datum.lit", alt.value(1), alt.value(FADED)),
        )
    )  # fmt: skip
    style: dict[str, Any] = {
        "fontWeight": "bold" if shape == "outcome" else "normal",
        "color": BOX_INK,
        "lineHeight": LINE,
    }
    text = (
        _chart(rows, scales, "middle", "line")
        .mark_text(baseline="top", fontSize=12, lineBreak="\n", **style)
        .encode(text="lines:N", tooltip=tips)
    )
    if shape != "question":
        return [boxes, text]
    tag = _chart(rows, scales, "middle", "tag").encode(text="kind:N", tooltip=tips)
    return [boxes, text, tag.mark_text(baseline="top", fontSize=10, fontStyle="italic", color=BOX_INK)]


def flowchart_message(data: Data) -> str:
    """Return the walk in words.

    >>> walk = [{"text": "Are the features correlated?", "answer": "yes"}]
    >>> flowchart_message({"walk": walk, "leaf": "L2 (ridge)"})
    'Are the features correlated? yes. -> L2 (ridge)'
    """
    said = [f"{step['text']} {step['answer']}." for step in data["walk"]] or ["This chart was not walked."]
    return " ".join([*said, f"-> {data['leaf']}"] if data["leaf"] else said)


PLOT = Plot(
    name="flowchart",
    title="The flowchart, and the way that was taken",
    data=flowchart_data,
    draw=draw_flowchart,
    message=flowchart_message,
    how="Blue boxes ask, yellow ones are what Riata then does, green ones are outcomes; the thick line is the way that "
    "was taken. Each question says what stands behind its answer: theory, a measurement, or a convention.",
)
