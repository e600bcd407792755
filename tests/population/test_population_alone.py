"""A member's result does not depend on who else is trained with it, in what pieces, or where: bit for bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_population import QUICK, arms_for, blocks, design, fit, same

from riata.population.run import fit_chunk, train_population
from riata.population.train import Arms

LAMS = [10**-e for e in torch.linspace(0.3, 3.5, 32).tolist()]
DROPOUT = [0.0, 0.2, 0.5, 0.0] * 8
PICKS = [[0], [1], [31], [5, 2], [3, 4, 5, 6, 7, 8, 9], list(range(31, -1, -1))]


def assert_same_bits(whole, arms, **options):
    for ids in PICKS:
        part = fit(arms.take(torch.tensor(ids)), **options)
        for name, w in part.params.items():
            assert torch.equal(w, whole.params[name][ids]), (ids, name)
        assert torch.equal(part.valid_loss, whole.valid_loss[ids])
        assert torch.equal(part.best_epoch, whole.best_epoch[ids]) and torch.equal(part.epochs, whole.epochs[ids])
        assert part.status == [whole.status[i] for i in ids]


@pytest.mark.parametrize("penalty", ["none", "l2", "l1", "elastic_net", "group_lasso", "sparse_group_lasso"])
def test_every_penalty(penalty):
    arms = arms_for(LAMS, DROPOUT)
    assert_same_bits(fit(arms, penalty), arms, penalty=penalty)


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": ()},
        {"hidden": (32, 32)},
        {"activation": "silu"},
        {"activation": "tanh"},
        {"metric": "entry"},
        {"update": "prox_sgd"},
        {"form": "ridge"},
        {"skip": False},
        {"early_stopping": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["logistic", "softmax"])
def test_every_form(change, kind):
    training, arms = replace(QUICK, epochs=3, **change), arms_for(LAMS, DROPOUT)
    assert_same_bits(fit(arms, training=training, kind=kind), arms, training=training, kind=kind)


def test_members_that_leave_change_nobody():
    """Members stop at different epochs, one diverges, and the rest have the bits they have alone."""
    training = replace(QUICK, epochs=12, patience=2, min_delta=1e-2)
    lr = [0.01] * 31 + [1e6]
    arms = arms_for(LAMS, DROPOUT, lr)
    whole = fit(arms, training=training)
    assert len(set(whole.epochs.tolist())) > 3, "members must leave at different times"
    assert_same_bits(whole, arms, training=training)


def test_divergence_is_a_status():
    arms = arms_for(LAMS[:8])
    wild = Arms(arms.lam, arms.dropout, torch.tensor([0.01] * 3 + [1e30] + [0.01] * 4))
    calm, hit = fit(arms, "none", kind="squared"), fit(wild, "none", kind="squared")
    assert hit.status == ["ok"] * 3 + ["diverged"] + ["ok"] * 4 and calm.status == ["ok"] * 8
    others = [0, 1, 2, 4, 5, 6, 7]
    assert all(torch.equal(hit.params[k][others], calm.params[k][others]) for k in calm.params)
    assert torch.equal(hit.valid_loss[others], calm.valid_loss[others])
    assert all(bool(torch.isfinite(w).all()) for w in hit.params.values()), "the best weights before it are kept"


@pytest.mark.parametrize("chunk", [1, 2, 5, 32])
def test_chunks(chunk):
    data, plan = blocks(), design(dropout=0.2)
    whole, parts = train_population(data, plan, chunk=8), train_population(data, plan, chunk=chunk)
    assert len(whole.members) == len(plan.members) == 12
    assert [(m.penalty, m.lam, m.split, m.seed) for m in whole.members] == [
        (m.penalty, m.lam, m.split, m.seed) for m in plan.members
    ]
    assert all(same(a, b) for a, b in zip(whole.members, parts.members, strict=True))


def test_order_of_the_design():
    data, plan = blocks("softmax"), design()
    turned = replace(plan, members=plan.members[::-1])
    a, b = train_population(data, plan), train_population(data, turned)
    assert all(same(x, y) for x, y in zip(a.members, b.members[::-1], strict=True))


def test_worker_processes():
    data, plan = blocks(), design(dropout=0.2)
    here, there = train_population(data, plan, chunk=2), train_population(data, plan, chunk=3, workers=2)
    assert all(same(a, b) for a, b in zip(here.members, there.members, strict=True))


def test_progress_and_kept_members():
    data, plan, seen, finished = blocks(), design(), [], []

    class Half:
        """Knows the first six members and remembers what it is given."""

        def __init__(self, first):
            self.first, self.added = first, []

        def known(self, blocks, design):
            return dict(enumerate(self.first))

        def add(self, blocks, design, ids, results):
            self.added += ids

    whole = train_population(data, plan)
    keep = Half(whole.members[:6])
    again = train_population(
        data,
        plan,
        keep=keep,
        chunk=4,
        progress=lambda *said: seen.append((*said, len(finished))),
        finished=finished.extend,
    )
    assert sorted(keep.added) == [6, 7, 8, 9, 10, 11]
    assert seen[-1] == (12, 12, 12) and all(done == told for done, _, told in seen)
    assert sorted(map(id, finished)) == sorted(map(id, again.members))
    assert all(same(a, b) for a, b in zip(again.members, whole.members, strict=True))


def test_a_start_is_used():
    data, plan = blocks(), design(penalties=("l1",))
    fitted, first = fit_chunk(data, plan, [0, 1, 2])
    before = {k: w.clone() for k, w in fitted.params.items()}
    _, second = fit_chunk(data, plan, [0, 1, 2], start_from=fitted.params)
    assert all(torch.equal(w, before[k]) for k, w in fitted.params.items()), "the start is not written to"
    assert first[0].train_loss != second[0].train_loss
