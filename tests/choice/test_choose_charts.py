from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from riata.choice.chart import (
    Chart,
    Context,
    Evidence,
    Question,
    Resources,
    questions,
    to_dict,
    validate,
    walk,
)
from riata.choice.classic import CLASSIC, SECOND_OPINION
from riata.choice.default_chart import DEFAULT, LEAVES
from riata.choice.profile import explain, profile, theory
from riata.errors import InputError

Make = Callable[..., Context]
CHARTS = (CLASSIC, SECOND_OPINION, DEFAULT)


def toy(key: str, **arrows: str) -> Question:
    return Question(key, key, "", "convention", "", lambda c: Evidence(), lambda e: next(iter(arrows)), arrows)


@pytest.mark.parametrize("chart", CHARTS, ids=lambda c: c.name)
def test_charts_are_whole(chart: Chart) -> None:
    validate(chart)
    for q in chart.questions.values():
        assert q.text and q.why and q.source


@pytest.mark.parametrize("chart", CHARTS, ids=lambda c: c.name)
def test_drawing_data_is_json_and_complete(chart: Chart) -> None:
    drawn = json.loads(json.dumps(to_dict(chart), allow_nan=False))
    ids = {node["id"] for node in drawn["nodes"]}
    assert {e["from"] for e in drawn["edges"]} | {e["to"] for e in drawn["edges"]} == ids
    assert all(e["kind"] in ("theory", "measured", "convention") for e in drawn["edges"])


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (Chart("c", "a", questions(toy("a", yes="b")), ("l1",)), "leads to 'b'"),
        (Chart("c", "a", questions(toy("a", yes="b"), toy("b", yes="a")), ("l1",)), "cycle"),
        (Chart("c", "a", questions(toy("a", yes="leaf:l1")), ("l1", "l2")), "leaf:l2"),
        (Chart("c", "a", questions(toy("a", yes="leaf:l1"), toy("b", yes="leaf:l1")), ("l1",)), "'b'"),
        (Chart("c", "a", questions(toy("a", yes="leaf:l3")), ()), "leaf:l3"),
        (Chart("c", "a", questions(replace(toy("a", yes="leaf:l1"), kind="guess")), ("l1",)), "'a'"),
        (Chart("c", "a", questions(toy("a", yes="leaf:l1")), ("l1",), always=("z",)), "'z'"),
    ],
)
def test_validate_names_what_is_wrong(made: Chart, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        validate(made)


def test_walk_refuses_cycles_unknown_arrows_and_answers(context_of: Make) -> None:
    context = context_of()
    with pytest.raises(InputError, match="met twice"):
        walk(Chart("c", "a", questions(toy("a", yes="b"), toy("b", yes="a")), ()), context)
    with pytest.raises(InputError, match="does not exist"):
        walk(Chart("c", "a", questions(toy("a", yes="z")), ()), context)
    odd = replace(toy("a", yes="leaf:l1"), branch=lambda e: "perhaps")
    with pytest.raises(InputError, match="perhaps"):
        walk(Chart("c", "a", questions(odd), ("l1",)), context)


CLASSIC_CASES = [
    ("plain", {"none": 0.6, "elastic_net": 0.7, "l1": 0.71, "l2": 0.5}, "l1"),
    ("plain", {"none": 0.6, "elastic_net": 0.7, "l1": 0.69, "l2": 0.9}, "elastic_net"),
    ("plain", {"none": 0.6, "elastic_net": 0.5, "l1": 0.9, "l2": 0.61}, "l2"),
    ("plain", {"none": 0.6, "elastic_net": 0.5, "l1": 0.9, "l2": 0.59}, "none"),
    ("plain", {"none": 0.6, "elastic_net": 0.7, "l1": np.nan, "l2": 0.5}, "elastic_net"),
    ("plain", {"none": np.nan, "elastic_net": 0.7, "l1": 0.1, "l2": 0.5}, "elastic_net"),
    ("correlated", None, "l2"),
    ("picture", None, "l2"),
    ("plain", None, "l1"),
]


@pytest.mark.parametrize(("kind", "scores", "leaf"), CLASSIC_CASES)
def test_classic_leaves(kind: str, scores: dict[str, float] | None, leaf: str, context_of: Make) -> None:
    assert walk(CLASSIC, context_of(kind, scores)).leaf == leaf


def test_classic_ties_are_not_better(context_of: Make) -> None:
    same = np.array([0.5, 0.6, 0.7, 0.6, 0.5])
    context = replace(
        context_of(),
        scores=dict.fromkeys(("none", "elastic_net", "l1", "l2"), same),
        resources=Resources(True),
    )
    assert walk(CLASSIC, context).leaf == "none"


def test_classic_follows_its_arrows(context_of: Make, bad_subsample: Evidence) -> None:
    scores = {"none": 0.6, "elastic_net": 0.7, "l1": 0.71, "l2": 0.5}
    assert walk(CLASSIC, context_of("plain", scores)).trace == (
        "subsample=all",
        "resources=yes",
        "elastic_net_better=yes",
        "l1_better=yes",
    )
    alike = walk(CLASSIC, context_of("correlated", scores, subsample=bad_subsample))
    assert alike.trace == ("subsample=no", "correlated=yes")
    assert walk(CLASSIC, context_of("correlated", scores, no_validation=True)).leaf == "l2"
    with pytest.raises(InputError, match="classic chart got no scores of l1"):
        walk(CLASSIC, context_of("plain", {"none": 0.6, "elastic_net": 0.7}))


DEFAULT_CASES = [
    ("plain", {"constant": 0.5, "none": 0.8, "l1": 0.6, "l2": 0.6, "elastic_net": 0.6}, "prediction", "none"),
    ("plain", {"constant": 0.5, "none": 0.6, "l1": 0.8, "l2": 0.8, "elastic_net": 0.6}, "prediction", "l2"),
    ("plain", {"constant": 0.5, "none": 0.6, "l1": 0.8, "l2": 0.7}, "prediction", "l1"),
    ("plain", {"constant": 0.5, "none": 0.8, "l2": 0.8, "elastic_net": 0.8}, "prediction", "elastic_net"),
    (
        "plain",
        {"constant": 0.5, "none": 0.6, "elastic_net": 0.8, "group_lasso": 0.8},
        "selection",
        "group_lasso",
    ),
    (
        "plain",
        {"constant": 0.5, "none": 0.6, "l1": 0.7, "sparse_group_lasso": 0.8},
        "prediction",
        "sparse_group_lasso",
    ),
    ("plain", {"constant": 0.5, "none": 0.4, "l1": 0.5, "l2": 0.8}, "prediction", "l2"),
    ("plain", {"l1": 0.8, "l2": 0.5}, "prediction", "l1"),
    ("plain", {"none": 0.5}, "prediction", "none"),
    ("correlated", None, "prediction", "l2"),
    ("correlated", None, "selection", "elastic_net"),
    ("picture", None, "prediction", "l2"),
    ("wide", None, "prediction", "elastic_net"),
    ("grouped", None, "prediction", "group_lasso"),
    ("plain", None, "prediction", "l1"),
]


@pytest.mark.parametrize(("kind", "scores", "goal", "leaf"), DEFAULT_CASES)
def test_default_leaves(kind: str, scores: dict[str, float] | None, goal: str, leaf: str, context_of: Make) -> None:
    assert walk(DEFAULT, context_of(kind, scores, goal=goal)).leaf == leaf


def test_every_leaf_of_both_charts_has_a_case() -> None:
    assert {case[-1] for case in DEFAULT_CASES} == set(LEAVES)
    assert {case[-1] for case in CLASSIC_CASES} == set(CLASSIC.leaves)


def test_theory_is_recorded_where_measurement_decides(context_of: Make) -> None:
    context = context_of("correlated", {"constant": 0.5, "none": 0.6, "l1": 0.8, "l2": 0.7})
    walked = walk(DEFAULT, context)
    aside = {a.question.key: a.answer for a in walked.answers if not a.decided}
    assert walked.leaf == "l1"
    assert aside == {"correlated": "yes", "picture": "no", "wide": "no", "grouped": "no"}
    known = theory(context)
    assert known.leaf == "l2" and explain(known).startswith("Must variables be dropped? no")
    record = json.loads(json.dumps([a.to_dict() for a in walked.answers], allow_nan=False))
    assert {"question", "answer", "kind", "source", "evidence"} <= set(record[0])


def test_a_probe_runs_once_for_each_context(context_of: Make) -> None:
    calls: list[int] = []

    def probe(context: Context) -> Evidence:
        calls.append(len(context.X))
        return Evidence()

    question = replace(toy("a", yes="leaf:l1"), probe=probe)
    chart = Chart("c", "a", questions(question), ("l1",))
    context = context_of()
    assert [walk(chart, context).leaf, walk(chart, context).leaf] == ["l1", "l1"]
    assert calls == [200]


def test_default_without_scores_that_were_promised(context_of: Make) -> None:
    with pytest.raises(InputError, match="no scores"):
        walk(DEFAULT, context_of("plain", None, resources=Resources(True)))


def test_default_goes_to_theory_without_a_representative_sample(context_of: Make, bad_subsample: Evidence) -> None:
    context = context_of("plain", {"none": 0.8, "l1": 0.5}, subsample=bad_subsample)
    assert walk(DEFAULT, context).trace[0] == "subsample=no"
    assert walk(DEFAULT, context).leaf == "l1"


def test_profile_second_opinion() -> None:
    rng = np.random.default_rng(0)
    dense = rng.standard_normal((300, 12))
    sparse = np.where(rng.random((300, 12)) < 0.95, 0.0, 1.0 + rng.random((300, 12)))
    between = np.where(rng.random((300, 12)) < 0.7, 0.0, 1.0 + rng.random((300, 12)))
    pairs = np.hstack([dense, dense[:, :2] + 0.1 * rng.standard_normal((300, 2))])
    few = np.hstack([dense, rng.standard_normal((300, 18)), dense[:, :1] + 0.1 * rng.standard_normal((300, 1))])
    assert profile(dense).answer == "l1"
    assert profile(sparse).answer == "l2"
    assert profile(between).answer == "elastic_net"
    assert profile(pairs).answer == "l2"
    assert profile(few).answer == "elastic_net"
    assert profile(rng.standard_normal((50, 200))).answer == "elastic_net"
    assert profile(rng.standard_normal((50, 200)), n_rows=5000).answer == "l1"
    assert profile(rng.standard_normal((300, 64)), picture="8x8").answer == "l2"


def test_profile_carries_facts_and_theory(context_of: Make) -> None:
    made = context_of("grouped")
    got = profile(made.X, made.group, made.y, goal="selection")
    assert got.theory == "group_lasso" and got.facts["grouped_share"] == pytest.approx(12 / 14)
    assert got.facts["variables"] == 5 and got.facts["picture"] == "no"
    assert json.loads(json.dumps(got.to_dict(), allow_nan=False))["answer"] == got.answer


def test_context_refuses_what_does_not_fit() -> None:
    with pytest.raises(InputError):
        Context(np.zeros((3, 2)), np.zeros(3), np.zeros(3, int))
    with pytest.raises(InputError):
        profile(np.array([[1.0, np.nan]]))
