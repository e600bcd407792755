"""The flowchart: every box once, nothing on anything else, and the lit way is the walk."""

from __future__ import annotations

from collections import Counter
from graphlib import CycleError
from itertools import combinations, pairwise

import numpy as np
import pytest

from riata.choice.chart import to_dict
from riata.choice.classic import CLASSIC, SECOND_OPINION
from riata.choice.default_chart import DEFAULT
from riata.errors import InputError
from riata.plots.flowchart import PLOT, draw_flowchart, flowchart_data
from riata.plots.layers import bends, layout, ranks
from riata.plots.theme import ACTION, BOX_INK, OUTCOME, QUESTION, config

LETTER = 6.0
ACTIONS = {
    ("subsample", "yes"): "Use the sub-sample from here on",
    ("resources", "yes"): "Train every candidate on the same folds",
    ("correlated", "yes"): "Say which columns belong together, and how strongly they are correlated with one another",
}
CHARTS = {"default": DEFAULT, "classic": CLASSIC, "second opinion": SECOND_OPINION}


def real(chart, walk=(), leaf="", actions=ACTIONS):
    """Return the figures of a run that walked a real chart."""
    said = to_dict(chart)
    for edge in said["edges"]:
        edge["action"] = actions.get((edge["from"], edge["answer"]), "")
    said |= {"walk": [{"key": k, "answer": a} for k, a in walk], "leaf": leaf}
    return {"charts": {"default": said, "classic": None}}


def corners(box):
    return box["left"], box["top"], box["right"], box["bottom"]


def named(data):
    """Return the drawn boxes by the ends that arrows give."""
    return {box["id"]: box for box in data["boxes"]}


def touches(box, a, b, shrink=0.2):
    """Say whether the straight piece from a to b passes inside a box."""
    left, top, right, bottom = corners(box)
    (x0, x1), (y0, y1) = sorted((a[0], b[0])), sorted((a[1], b[1]))
    return x1 > left + shrink and x0 < right - shrink and y1 > top + shrink and y0 < bottom - shrink


@pytest.mark.parametrize("actions", [{}, ACTIONS], ids=["plain", "actions"])
@pytest.mark.parametrize("name", CHARTS)
class TestRealCharts:
    def data(self, name, actions):
        return flowchart_data({}, real(CHARTS[name], actions=actions))

    def test_every_node_is_drawn_once(self, name, actions):
        data = self.data(name, actions)
        texts = Counter(box["text"] for box in data["boxes"] if box["shape"] == "question")
        assert texts == Counter(q.text for q in CHARTS[name].questions.values())
        assert sum(box["shape"] == "outcome" for box in data["boxes"]) == len(CHARTS[name].leaves)
        drawn = [q for q, _ in actions if q in CHARTS[name].questions]
        assert sum(box["shape"] == "action" for box in data["boxes"]) == len(drawn)
        assert all(box["lines"].split() == box["text"].split() for box in data["boxes"])

    def test_no_two_boxes_overlap(self, name, actions):
        for a, b in combinations(self.data(name, actions)["boxes"], 2):
            apart = a["right"] < b["left"] or b["right"] < a["left"] or a["bottom"] < b["top"] or b["bottom"] < a["top"]
            assert apart, (a["text"], b["text"])

    def test_arrows_run_down_around_the_boxes_from_end_to_end(self, name, actions):
        data = self.data(name, actions)
        boxes = named(data)
        for arrow in data["arrows"]:
            points, start, end = arrow["points"], boxes[arrow["from"]], boxes[arrow["to"]]
            assert points[0][1] == pytest.approx(start["bottom"], abs=0.11)
            assert points[-1][1] == pytest.approx(end["top"], abs=0.11)
            assert start["left"] < points[0][0] < start["right"] and end["left"] < points[-1][0] < end["right"]
            for a, b in pairwise(points):
                assert (a[0] == b[0] or a[1] == b[1]) and a[1] <= b[1]
                assert [box["text"] for box in data["boxes"] if touches(box, a, b)] == []

    def test_no_arrow_lies_on_another(self, name, actions):
        pieces = [
            (number, *a, *b)
            for number, arrow in enumerate(self.data(name, actions)["arrows"])
            for a, b in pairwise(arrow["points"])
        ]
        for (i, ax, ay, bx, by), (j, cx, cy, dx, dy) in combinations(pieces, 2):
            if i == j:
                continue
            upright = ax == bx and cx == dx and abs(ax - cx) < 2 and min(by, dy) - max(ay, cy) > 0.5
            level = ay == by and cy == dy and abs(ay - cy) < 2
            level = level and min(max(ax, bx), max(cx, dx)) - max(min(ax, bx), min(cx, dx)) > 0.5
            assert not upright and not level

    def test_labels_are_free(self, name, actions):
        data = self.data(name, actions)
        labels = [
            {"left": s["x"], "top": s["y"] - 6, "right": s["x"] + LETTER * len(s["text"]), "bottom": s["y"] + 6}
            for s in data["labels"]
        ]
        for a, b in combinations([*labels, *data["boxes"]], 2):
            assert not touches(a, (b["left"], b["top"]), (b["right"], b["bottom"]))
        for label in labels:
            assert not any(touches(label, a, b) for arrow in data["arrows"] for a, b in pairwise(arrow["points"]))

    def test_it_fits_a_page(self, name, actions):
        data = self.data(name, actions)
        assert data["width"] <= 900
        assert max(len(line) for box in data["boxes"] for line in box["lines"].split("\n")) <= 26
        for box in data["boxes"]:
            left, top, right, bottom = corners(box)
            assert min(left, top) >= 0 and right <= data["width"] + 0.1 and bottom <= data["height"] + 0.1


def walks(chart, key=None):
    """Return every walk of a chart as ([(question, answer)], leaf)."""
    found = []
    for answer, to in chart.questions[key or chart.start].arrows.items():
        step = (key or chart.start, answer)
        rest = [([], to.removeprefix("leaf:"))] if to.startswith("leaf:") else walks(chart, to)
        found += [([step, *steps], leaf) for steps, leaf in rest]
    return found


@pytest.mark.parametrize("chart", [DEFAULT, CLASSIC], ids=["default", "classic"])
def test_the_lit_way_is_exactly_the_walk(chart):
    for walk, leaf in walks(chart)[::5]:
        data = flowchart_data({}, real(chart, walk, leaf))
        lit = [arrow for arrow in data["arrows"] if arrow["lit"]]
        boxes = named(data)
        here, passed = chart.start, []
        while not here.startswith("leaf:"):
            (arrow,) = [a for a in lit if a["from"] == here]
            if boxes[here]["shape"] == "question":
                assert dict(walk)[here] in arrow["answers"].split(" / ")
            passed.append(here)
            here = arrow["to"]
        assert here == f"leaf:{leaf}" and len(lit) == len(passed)
        assert [p for p in passed if boxes[p]["shape"] == "question"] == [key for key, _ in walk]
        assert {box["id"] for box in data["boxes"] if box["lit"]} == {*passed, here}


def test_parallel_answers_are_one_arrow_and_an_action_stands_between(made):
    data = flowchart_data(*made())
    boxes = named(data)
    between = {(a["from"], a["to"]): a["answers"] for a in data["arrows"]}
    assert between["subsample", "resources"] == "yes / all"
    assert ("resources", "baseline") not in between
    (action,) = [box for box in data["boxes"] if box["shape"] == "action"]
    assert between["resources", action["id"]] == between[action["id"], "baseline"] == "yes"
    assert boxes["resources"]["bottom"] < action["top"] and action["bottom"] < boxes["baseline"]["top"]
    assert [s["text"] for s in data["labels"] if s["lit"]] == ["yes / all", "yes", "yes", "yes / unclear"]


def test_questions_carry_their_evidence(made):
    boxes = named(flowchart_data(*made()))
    asked = boxes["correlated"]
    assert (asked["key"], asked["kind"], asked["answer"], asked["source"]) == ("correlated", "theory", "no", "S")
    assert boxes["which"]["answer"] == "group lasso"


def test_message_tells_the_walk(made):
    said = PLOT.message(PLOT.data(*made()))
    assert said.startswith("Can a sub-sample with the same distribution be taken? all. Are there resources")
    assert said.endswith("Which of the contenders? group lasso. -> group lasso")
    classic = PLOT.message(flowchart_data(*made(), which="classic"))
    assert classic.endswith("Are there resources to validate? yes. -> L1 (lasso)")


def test_a_run_without_a_chart_has_no_flowchart(made):
    summary, figures = made()
    assert flowchart_data(summary, {}) is None
    assert flowchart_data(summary, {"charts": None}) is None
    assert (
        flowchart_data(summary, figures | {"charts": {**figures["charts"], "classic": None}}, which="classic") is None
    )
    with pytest.raises(InputError, match="default, classic"):
        flowchart_data(summary, figures, which="newest")


@pytest.mark.parametrize("leaf", ["", None])
def test_a_chart_that_was_not_walked_is_drawn_without_a_way(made, leaf):
    summary, figures = made()
    chart = figures["charts"]["default"] | {"walk": [], "leaf": leaf}
    data = flowchart_data(summary, {"charts": {"default": chart}})
    assert not any(row["lit"] for row in (*data["boxes"], *data["arrows"], *data["labels"]))
    assert PLOT.message(data) == "This chart was not walked."
    draw_flowchart(data).to_dict()


def test_the_drawing_is_valid_and_takes_its_ink_from_the_theme(made):
    data = flowchart_data(*made())
    spec = draw_flowchart(data).to_dict()
    marks = [layer["mark"] for layer in spec["layer"]]
    assert {m["fill"] for m in marks if m["type"] == "rect"} == {QUESTION, ACTION, OUTCOME}
    drawn = [layer for layer in spec["layer"] if layer["mark"]["type"] == "text"]
    for layer in drawn:
        on_box = layer["encoding"]["text"]["field"] in {"lines", "kind"}
        assert layer["mark"].get("color") == (BOX_INK if on_box else None)
    asked = {box["key"] for box in data["boxes"] if box["shape"] == "question"}
    carried = [layer for layer in spec["layer"] if "kind" in str(layer["encoding"].get("tooltip"))]
    assert [layer["mark"]["type"] for layer in carried] == ["rect", "text", "text"]
    for layer in carried:
        assert {row["key"] for row in layer["data"]["values"]} == asked


def test_faded_boxes_stay_readable_on_both_papers():
    from riata.plots.flowchart import FADED

    def light(colour):
        channel = np.where(colour <= 0.03928, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
        return float(channel @ [0.2126, 0.7152, 0.0722])

    def rgb(text):
        return np.array([int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)])

    for fill in (QUESTION, ACTION, OUTCOME):
        for dark in (False, True):
            seen = FADED * rgb(fill) + (1 - FADED) * rgb(config(dark)["background"])
            assert (light(seen) + 0.05) / (light(rgb(BOX_INK)) + 0.05) >= 4.5


def test_ranks_are_longest_ways_and_circles_are_refused():
    arrows = [("a", "b", 0.0), ("b", "d", 0.0), ("a", "d", 0.0), ("a", "c", 0.0)]
    assert ranks("abcd", arrows) == {"a": 0, "b": 1, "c": 1, "d": 2}
    assert ranks("abcd", arrows, bottom="c") == {"a": 0, "b": 1, "c": 3, "d": 2}
    with pytest.raises(CycleError):
        ranks("ab", [("a", "b", 0.0), ("b", "a", 0.0)])


def test_a_way_without_turns_is_straight_and_crossings_are_undone():
    size = dict.fromkeys("abcdef", (80.0, 30.0))
    line = layout(size, [*((a, b, 0.0) for a, b in pairwise("abcdef"))])
    assert all(len(route) == 2 and route[0][0] == route[1][0] for route in line.routes)
    crossed = layout(size, [("a", "f", 0.0), ("b", "e", 0.0), ("c", "d", 0.0)])
    left = {name: box[0] for name, box in crossed.boxes.items()}
    assert sorted("abc", key=left.get) == [{"f": "a", "e": "b", "d": "c"}[n] for n in sorted("def", key=left.get)]


@pytest.mark.parametrize("seed", range(8))
def test_sideways_pieces_never_lie_on_one_another(seed):
    draw = np.random.default_rng(seed)
    above, below = (draw.permutation(40)[:9] * 20.0 + shift for shift in (0.0, 7.0))
    ends = list(zip(above.tolist(), below.tolist(), strict=True))
    tracks, count = bends(ends)
    assert set(tracks) == set(range(count))
    for (a, s), (b, t) in combinations(zip(ends, tracks, strict=True), 2):
        assert s != t or max(a) < min(b) or max(b) < min(a)


def test_a_chart_is_wide_only_where_its_boxes_need_it():
    many = {("which", name): "Refit one network a fold on all rows" for name in ("l1", "l2", "group_lasso")}
    assert flowchart_data({}, real(DEFAULT, actions=ACTIONS | many))["width"] <= 900
    leaves = [f"n{i}" for i in range(12)]
    wide = layout({"a": (90.0, 30.0), **dict.fromkeys(leaves, (90.0, 30.0))}, [("a", n, 0.0) for n in leaves])
    assert wide.width == pytest.approx(12 * 90 + 11 * 16, abs=1)


def test_larger_charts_are_laid_out_too():
    draw = np.random.default_rng(0)
    names = [f"n{i}" for i in range(25)]
    pairs = {(int(draw.integers(0, i)), i) for i in range(1, 25) for _ in range(2)}
    found = layout(dict.fromkeys(names, (90.0, 30.0)), [(names[a], names[b], 20.0) for a, b in sorted(pairs)])
    for (_, a), (_, b) in combinations(found.boxes.items(), 2):
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
