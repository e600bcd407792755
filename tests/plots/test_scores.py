from __future__ import annotations

import pytest

from riata.errors import InputError
from riata.plots.scores import PLOT


def test_candidates_are_sorted_by_their_mean_and_the_final_score_is_apart(made):
    summary, figures = made()
    data = PLOT.data(summary, figures)
    means = [r["mean"] for r in data["rows"]]
    assert means == sorted(means, reverse=True)
    assert len(means) == 12
    assert data["final"]["label"] == "final score (sealed rows)"
    assert data["final"]["mean"] == 0.71
    assert data["constant"]["mean"] == 0.5


def test_another_metric_is_sorted_by_what_is_better(made):
    summary, figures = made()
    data = PLOT.data(summary, figures, metric="log_loss")
    means = [r["mean"] for r in data["rows"]]
    assert means == sorted(means)
    assert data["lower_is_better"]


def test_a_metric_of_another_task_is_refused(made):
    with pytest.raises(InputError, match="auroc"):
        PLOT.data(*made(), metric="r2")


@pytest.mark.parametrize(("dropout", "label"), [(0.0, "L1 (lasso)"), (0.2, "L1 (lasso) + dropout")])
def test_only_the_arm_of_the_verdict_is_marked(made, dropout, label):
    summary, figures = made()
    summary["verdict"] |= {"penalty": "l1", "dropout": dropout}
    rows = PLOT.data(summary, figures)["rows"]
    assert [r["label"] for r in rows if r["role"] == "verdict"] == [label]
    assert {r["penalty"] for r in rows if r["role"] == "contender"} == {"group_lasso", "elastic_net"}


def test_scores_that_are_not_known_are_left_out(made):
    summary, figures = made()
    summary["final"] = {}
    for c in figures["candidates"]:
        if c["penalty"] == "l2":
            c["auroc"] = {"mean": None, "low": None, "high": None}
        elif c["penalty"] == "l1":
            c["auroc"] |= {"low": None, "high": None}
        elif c["penalty"] == "constant":
            del c["auroc"]
    data = PLOT.data(summary, figures)
    assert {r["penalty"] for r in data["rows"]} == {"none", "l1", "elastic_net", "group_lasso", "sparse_group_lasso"}
    assert all("low" not in r for r in data["rows"] if r["penalty"] == "l1")
    assert data["final"] is None
    assert data["constant"] is None
    PLOT.draw(data).to_dict()
    assert "constant" not in PLOT.message(data)


def test_without_candidates_there_is_no_figure(made):
    summary, figures = made()
    assert PLOT.data(summary, figures | {"candidates": []}) is None
    figures.pop("candidates")
    assert PLOT.data(summary, figures) is None


def test_the_message_names_the_best_the_verdict_and_the_final_score(made):
    summary, figures = made()
    for c in figures["candidates"]:
        c["auroc"] = {"mean": 0.8 if c["penalty"] == "l1" else 0.7, "low": 0.6, "high": 0.9}
    said = PLOT.message(PLOT.data(summary, figures))
    assert "L1 (lasso) has the best mean, 0.800" in said
    assert "the verdict, group lasso, has 0.700 (0.600 to 0.900)" in said
    assert "final score (sealed rows) is 0.710" in said


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_the_spec_is_valid_and_says_which_way_is_better(made, task):
    spec = PLOT.draw(PLOT.data(*made(task=task))).to_dict()
    assert "higher is better" in str(spec)
    assert "paired" in PLOT.how


def test_a_constant_far_away_is_told_and_not_drawn(made):
    summary, figures = made()
    near = PLOT.data(summary, figures)
    for c in (c for c in figures["candidates"] if c["penalty"] == "constant"):
        c["auroc"] = {"mean": -5.0, "low": -5.0, "high": -5.0}
    far = PLOT.data(summary, figures)
    said = [str(PLOT.draw(data).to_dict()) for data in (near, far)]
    assert (near["far"], far["far"]) == (False, True)
    assert ["off this scale" in text for text in said] == [False, True]
    assert "-5" in PLOT.message(far)
