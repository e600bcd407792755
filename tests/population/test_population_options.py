"""Every option does something, lam has one meaning, and what should be free, bounded or zero is so."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from small_population import QUICK, arms_for, blocks, design, fit, same, table

from riata.engines import NetworkSpec
from riata.errors import InputError
from riata.groups import by_variable
from riata.penalties import NAMES, by_name
from riata.population.design import Member, Training, nested_splits
from riata.population.run import train_population
from riata.population.train import terms_for

BASE = replace(QUICK, epochs=8, patience=2, min_delta=1e-3)
TURNED = {
    "update": "prox_sgd", "epochs": 9, "batch_size": 8, "patience": 1, "min_delta": 0.5, "early_stopping": False,
    "stop_after": 2, "warmup": 0.5, "hidden": (6,), "activation": "tanh", "form": "ridge", "skip": False,
    "metric": "entry",
}  # fmt: skip


def outcome(training=BASE, **facts):
    return train_population(blocks(), design(("l1",), (0.003, 0.03), training, **facts)).members


@pytest.mark.parametrize("name", [f.name for f in fields(Training)])
def test_every_field_of_training_does_something(name):
    base = BASE
    if name == "upper_ridge":
        base, turned = replace(BASE, form="ridge"), replace(BASE, form="ridge", upper_ridge=0.3)
    elif name == "patience":
        base = replace(BASE, epochs=40, patience=10)
        turned = replace(base, patience=1)
    else:
        turned = replace(BASE, **{name: TURNED[name]})
    a, b = outcome(base), outcome(turned)
    assert any(not np.array_equal(x.test_outputs, y.test_outputs) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    "turned", [{"penalty": "l2"}, {"lam": 0.05}, {"dropout": 0.3}, {"split": 1}, {"seed": 5}, {"lr": 0.05}], ids=str
)
def test_every_field_of_a_member_does_something(turned):
    assert {f.name for f in fields(Member)} == {"penalty", "lam", "dropout", "split", "seed", "lr"}
    plan = design(("l1",))
    one = Member("l1", 0.01)
    results = train_population(blocks(), replace(plan, members=(one, replace(one, **turned)))).members
    assert not np.array_equal(results[0].test_outputs, results[1].test_outputs)


def test_apg_solves_with_all_rows():
    training = Training(update="apg", epochs=3000, hidden=())
    for member in train_population(blocks(), design(("l1", "group_lasso"), (0.01, 0.05), training)).members:
        assert member.status == "ok" and member.kkt <= 1e-5
    short = train_population(blocks(), design(("l1",), (0.01,), replace(training, epochs=2))).members
    assert {m.status for m in short} == {"not converged"}
    with pytest.raises(InputError, match="apg with dropout"):
        train_population(blocks(), design(("l1",), (0.01,), training, dropout=0.1))


@pytest.mark.parametrize(
    "options", [{"update": "adam"}, {"metric": "unit"}, {"epochs": 0}, {"batch_size": 0}, {"patience": 0}], ids=str
)
def test_training_refuses(options):
    with pytest.raises(InputError):
        Training(**options)


@pytest.mark.parametrize("options", [{"dropout": 1.0}, {"dropout": -0.1}, {"lam": -1.0}, {"lr": 0.0}], ids=str)
def test_member_refuses(options):
    with pytest.raises(InputError):
        Member("l1", **options)


@pytest.mark.parametrize("penalty", [p for p in NAMES if p != "none"])
def test_lam_means_the_same_on_duplicated_rows(penalty):
    """The loss is a mean: twice the rows, in full batches, is the same problem."""
    x, y = table(60)
    training = replace(QUICK, batch_size=1000, epochs=60, early_stopping=False)
    arms = arms_for([0.01, 0.1])
    both = [fit(arms, penalty, training, table_of=(np.repeat(x, times, 0), np.repeat(y, times, 0))) for times in (1, 2)]
    for name, w in both[0].params.items():
        torch.testing.assert_close(w, both[1].params[name], rtol=0, atol=2e-3, msg=lambda m, n=name: f"{n}: {m}")


def test_terms():
    """The penalty on the first layer, a bound or a ridge above, biases free."""
    groups, lam = by_variable((7, 6), [0, 0, 1, 2, 3, 3, 4], list("abcde")), torch.ones(2)
    bounded = terms_for(NetworkSpec(7, 1, (5, 4)), by_name("l1"), lam, groups)
    assert {k: t.penalty.name for k, t in bounded.items()} == {"first": "l1", "w2": "max_norm", "out": "max_norm"}
    ridge = terms_for(NetworkSpec(7, 1, (5, 4), form="ridge", upper_ridge=0.02), by_name("l1"), lam, groups)
    assert {k: t.penalty.name for k, t in ridge.items()} == {"first": "l1", "w2": "l2", "out": "l2"}
    assert ridge["w2"].lam.tolist() == pytest.approx([0.02, 0.02])


@pytest.mark.parametrize("penalty", NAMES)
def test_upper_layers_are_bounded_and_biases_move(penalty):
    fitted = fit(arms_for([0.001, 5.0], lr=0.1), penalty, replace(QUICK, early_stopping=False, epochs=20))
    for name in ("w2", "out"):
        assert float(fitted.params[name].norm(dim=1).max()) <= 1 + 1e-6
    moved = fit(arms_for([0.001, 5.0], lr=1e-9), penalty, replace(QUICK, early_stopping=False, epochs=1))
    for name in ("b1", "b2", "b_out"):
        assert bool((fitted.params[name] != moved.params[name]).any())


@pytest.mark.parametrize("update", ["prox_adam", "prox_sgd"])
@pytest.mark.parametrize("metric", ["group", "entry"])
def test_exact_zeros(metric, update):
    training = replace(QUICK, metric=metric, update=update, early_stopping=False, epochs=40)
    lr = 0.02 if update == "prox_adam" else 0.2
    alive = {}
    for penalty in NAMES:
        first = fit(arms_for([0.02, 0.1], lr=lr), penalty, training).params["first"]
        zero = first == 0.0
        index = torch.tensor([0, 0, 1, 2, 3, 3, 4])
        whole = torch.stack([zero[:, index == g].flatten(1).all(1) for g in range(5)], 1)
        mixed = torch.stack([zero[:, index == g].flatten(1).any(1) for g in range(5)], 1) & ~whole
        alive[penalty] = (int(zero.sum()), int(whole.sum()), int(mixed.sum()))
    for penalty in ("none", "l2"):
        assert alive[penalty] == (0, 0, 0)
    for penalty in ("l1", "elastic_net", "sparse_group_lasso"):
        assert alive[penalty][0] > 0 and alive[penalty][2] > 0, (penalty, alive[penalty])
    for penalty in ("group_lasso", "sparse_group_lasso"):
        assert 0 < alive[penalty][1] < 10, (penalty, alive[penalty])
    assert alive["group_lasso"][2] == 0, "a group dies or lives as a whole"


def test_results_say_what_the_weights_are():
    for member in train_population(blocks(), design(("group_lasso",), (0.003, 0.1))).members:
        assert member.kept == int((member.norms > 0).sum()) and member.norms.shape == (5,)
        assert member.status == "ok" and np.isfinite(member.kkt) and 1 <= member.best_epoch <= member.epochs
        assert member.test_outputs.shape == (20, 1)


def test_nested_splits_never_score_what_they_saw():
    folds = np.arange(50) % 5
    found = nested_splits(folds, seeds=3)
    assert len(found) == 15
    for fold, _, split in found:
        parts = [set(split.train), set(split.valid), set(split.test)]
        assert set(split.test) == set(np.flatnonzero(folds == fold))
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
        assert len(parts[0] | parts[1] | parts[2]) == 50
    tuned = {frozenset(split.valid) for fold, _, split in found if fold == 0}
    assert len(tuned) == 3, "the seeds of a fold tune on different rows"


def test_same_can_fail():
    a, b = outcome()[:2]
    assert same(a, a) and not same(a, b)
