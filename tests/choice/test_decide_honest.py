"""No score has seen the rows that made it: leaks are looked for bit by bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

import riata
from riata.choice import prepare
from riata.choice import search as searching
from riata.choice.evidence import leaf_set, pick_leaf
from riata.choice.final import nested
from riata.choice.options import Options
from riata.choice.prepare import Arena, arena
from riata.choice.search import Plan, Search, best_setting, constant_scores, members_of, search, tuned
from riata.choice.training import training_for
from riata.data import make_table
from riata.penalties import NAMES
from riata.population.design import Design, Member, Training
from riata.population.run import fit_chunk, train_population
from riata.results import Population

OPTIONS = Options(hidden=(8,), epochs=8, folds=3, seeds=2, path_length=4, workers=1, dropout=(0.0, 0.3), device="cpu")
SMALL: dict[str, Any] = {
    "hidden": (8,), "epochs": 12, "folds": 3, "seeds": 2, "path_length": 4, "workers": 1, "dropout": (0.0,),
    "device": "cpu",
}  # fmt: skip
PLAN = Plan({name: np.array([0.3, 0.05, 0.01]) for name in ("l2", "l1", "group_lasso")}, (0.0, 0.3))


def made(task: str, n: int = 90) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 5)) * [1, 10, 0.1, 3, 1] + [0, 5, 0, -2, 100]
    signal = X[:, 0] + 0.1 * X[:, 1] + 0.4 * rng.normal(size=n)
    return X, (signal > np.median(signal)).astype(int) if task == "classification" else signal


@pytest.fixture
def fixed_folds(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Folds that do not look at the target, so that only what is tested changes."""
    folds = np.random.default_rng(1).permutation(np.arange(90) % 3)
    monkeypatch.setattr(prepare, "fold_ids", lambda table, k, seed: folds)
    monkeypatch.setattr(searching, "EXTENSIONS", 0)
    return folds


def field_of(X: np.ndarray, y: np.ndarray, task: str) -> Arena:
    table = make_table(X, y, task=task)
    return arena(table, np.arange(table.n), OPTIONS, 2, 1, "cpu", None)


def searched(field: Arena) -> Search:
    return search(field, PLAN, training_for(OPTIONS, 30))


def picks(found: Search, field: Arena) -> list[str]:
    scored = {name: tuned(found, field, name)[0] for name in ("none", *PLAN.strengths)}

    def rule(inner: Mapping[str, np.ndarray], folds: int, rope: float) -> str:
        candidates = {name: values for name, values in inner.items() if name != "constant"}
        return pick_leaf(leaf_set(candidates, folds, 1, rope), "prediction").leaf

    return nested(found, field, {"constant": constant_scores(field), **scored}, rule)[1]


SPOILT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "classification": lambda y: 1 - y,
    "regression": lambda y: 500 - 40 * y,
}


@pytest.mark.parametrize("task", SPOILT)
def test_the_targets_of_a_fold_reach_nothing_but_its_score(task: str, fixed_folds: np.ndarray) -> None:
    X, y = made(task)
    spoilt = np.where(fixed_folds == 0, SPOILT[task](y), y)
    fields = [field_of(X, y, task), field_of(X, spoilt, task)]
    found = [searched(field) for field in fields]
    assert {m.fold for m in found[0].population.members} == {0, 1, 2}
    changed = 0
    for a, b in zip(*(f.population.members for f in found), strict=True):
        same = a.valid_loss == b.valid_loss and np.array_equal(a.test_outputs, b.test_outputs)
        same = same and np.array_equal(a.norms, b.norms) and a.best_epoch == b.best_epoch and a.kkt == b.kkt
        if a.fold == 0:
            assert same, f"{a.penalty} at {a.lam} saw the targets of its test rows"
        changed += not same
    others = sum(m.fold != 0 for m in found[0].population.members)
    assert changed == others  # these trained or tuned on the changed rows
    for name in ("none", *PLAN.strengths):
        first, second = (best_setting(f.population.select(penalty=name, fold=0)) for f in found)
        assert first == second
    before, after = (picks(f, field) for f, field in zip(found, fields, strict=True))
    assert before[0] == after[0]
    scores = [tuned(f, field, "l2")[0].per_fold for f, field in zip(found, fields, strict=True)]
    worse = "auroc" if task == "classification" else "r2"
    assert scores[1][worse][0] < scores[0][worse][0] - 0.3


def test_encoding_is_learned_from_the_training_rows_alone(fixed_folds: np.ndarray) -> None:
    X, y = made("classification")
    spoilt = X.copy()
    spoilt[fixed_folds == 0] = spoilt[fixed_folds == 0] * 1000 + 77
    before, after = field_of(X, y, "classification"), field_of(spoilt, y, "classification")
    for i, (fold, _, split) in enumerate(before.splits):
        assert not set(split.train) & set(split.test) and not set(split.train) & set(split.valid)
        assert not set(split.valid) & set(split.test)
        here = before.blocks.x[split.block]
        np.testing.assert_allclose(here[split.train].mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(here[split.train].std(0), 1, atol=1e-5)
        other = after.splits[i][2]
        if fold != 0:
            continue
        assert np.array_equal(here[split.train], after.blocks.x[other.block][split.train])
        assert not np.array_equal(here[split.test], after.blocks.x[other.block][split.test])
        design = Design((Member("l1", 0.02, split=i, seed=0),), tuple(s for _, _, s in before.splits), training())
        weights = [fit_chunk(f.blocks, design, [0])[0].params for f in (before, after)]
        assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])


def training() -> Training:
    return training_for(OPTIONS, 30)


def test_regression_targets_are_standardized_by_the_training_rows(fixed_folds: np.ndarray) -> None:
    X, y = made("regression")
    field = field_of(X, y, "regression")
    for _, _, split in field.splits:
        assert field.y_centre[split.block] == pytest.approx(y[split.train].mean())
        assert field.y_scale[split.block] == pytest.approx(y[split.train].std())


def test_every_candidate_meets_the_same_folds_seeds_dropout_and_training(fixed_folds: np.ndarray) -> None:
    X, y = made("classification")
    field = field_of(X, y, "classification")
    designs: list[Design] = []

    def watched(design: Design) -> Population:
        designs.append(design)
        return train_population(field.blocks, design)

    search(field, PLAN, training(), watched)
    assert len(designs) == 1 and designs[0].training.early_stopping  # one training for all arms
    members = designs[0].members
    assert {m.penalty for m in members} == {"none", "l2", "l1", "group_lasso"}
    sets = {p: {(m.lam, m.dropout, m.split, m.seed, m.lr) for m in members if m.penalty == p} for p in PLAN.strengths}
    assert sets["l2"] == sets["l1"] == sets["group_lasso"]
    lams = {split: {m.lam for m in members if (m.penalty, m.split) == ("l1", split)} for split in range(6)}
    assert all(found == {0.3, 0.05, 0.01} for found in lams.values())
    assert {m.dropout for m in members if m.penalty == "none"} == {0.0, 0.3} == {m.dropout for m in members}


def test_penalties_share_initial_weights_order_and_noise(fixed_folds: np.ndarray) -> None:
    X, y = made("classification")
    field = field_of(X, y, "classification")
    members = tuple(Member(p, 0.0, drop, 2, 1) for p in NAMES for drop in (0.0, 0.3))
    found = train_population(field.blocks, Design(members, tuple(s for _, _, s in field.splits), training())).members
    for drop in (0.0, 0.3):
        outputs = [m.test_outputs for m in found if m.dropout == drop]
        for other in outputs[1:]:  # without a strength all penalties are the same network
            np.testing.assert_allclose(other, outputs[0], atol=1e-5)
    assert not np.allclose(found[0].test_outputs, found[1].test_outputs, atol=1e-3)
    stranger = Member("l1", 0.0, 0.0, 2, 2)
    again = train_population(field.blocks, Design((stranger,), tuple(s for _, _, s in field.splits), training()))
    assert not np.allclose(again.members[0].test_outputs, found[0].test_outputs, atol=1e-3)


def test_a_permuted_target_scores_like_chance_though_validation_looks_better() -> None:
    scores, gaps = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(150, 6)), rng.permutation(np.arange(150) % 2)
        found = riata.choose(X, y, penalties=["l2", "elastic_net"], seed=seed, **SMALL)
        final = found.summary["final"]
        assert final["method"] == "nested" and final["auroc"]["low"] < 0.5 < final["auroc"]["high"]
        scores.append(final["auroc"]["mean"])
        assert found.population is not None
        gaps.append(final["log_loss"]["mean"] - min(m.valid_loss for m in found.population.members))
    assert abs(np.mean(scores) - 0.5) < 0.1
    assert min(gaps) > 0  # the best validation loss is not what is reported


def test_a_permuted_number_has_no_r2() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 4)), rng.normal(size=150)
    found = riata.choose(X, y, penalties=["l2", "l1"], **SMALL)
    assert found.summary["final"]["r2"]["mean"] < 0.08
    assert found.scores["none"]["r2"]["mean"] < 0.08


def test_sealed_rows_of_a_permuted_target_score_like_chance() -> None:
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(1000, 4)), rng.integers(0, 2, 1000)
    found = riata.choose(X, y, penalties=["l2"], **{**SMALL, "epochs": 4, "seeds": 1})
    final = found.summary["final"]
    assert final["method"] == "sealed rows" and abs(final["auroc"]["mean"] - 0.5) < 0.12
    assert abs(final["nested"]["auroc"]["mean"] - 0.5) < 0.1


def test_the_members_of_a_plan_are_counted() -> None:
    field = field_of(*made("classification"), "classification")
    assert len(members_of(field, PLAN, ["none", *PLAN.strengths])) == PLAN.count() * len(field.splits)
