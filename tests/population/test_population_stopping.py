"""Early stopping: the best weights come back, patience is kept, and nothing stops without rows to stop by."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from small_population import QUICK, arms_for, fit, rows_of, table

from riata.engines import BatchedEngine, Loss, NetworkSpec
from riata.population.train import _Best, batches, rate

ARMS = arms_for([0.001, 0.01, 0.1, 0.6])
LONG = replace(QUICK, epochs=40, patience=4)


def test_best_weights_are_those_of_the_best_epoch():
    """Leaving the same schedule at a member's best epoch gives the weights that were restored, bit for bit."""
    fitted = fit(ARMS, training=LONG)
    assert len(set(fitted.best_epoch.tolist())) > 1
    for i, best in enumerate(fitted.best_epoch.tolist()):
        stopped = fit(ARMS, training=replace(LONG, early_stopping=False, stop_after=best))
        assert all(torch.equal(stopped.params[k][i], fitted.params[k][i]) for k in fitted.params)
        assert float(stopped.valid_loss[i]) == float(fitted.valid_loss[i])


def test_valid_loss_is_that_of_the_weights():
    fitted, (x, y) = fit(ARMS, training=LONG), table()
    engine = BatchedEngine(NetworkSpec(x.shape[1], 1, LONG.hidden), Loss("logistic", 1))
    held = rows_of(x[60:], y[60:])
    torch.testing.assert_close(engine.losses(fitted.params, held.x, held.y), fitted.valid_loss)


@pytest.mark.parametrize("patience", [1, 3, 7])
def test_patience(patience):
    fitted = fit(ARMS, training=replace(LONG, patience=patience))
    early = fitted.epochs < LONG.epochs
    assert bool(early.any())
    assert torch.equal((fitted.epochs - fitted.best_epoch)[early], torch.full_like(fitted.epochs[early], patience))
    assert bool((fitted.epochs - fitted.best_epoch <= patience).all())


def test_min_delta_is_relative():
    training = replace(QUICK, min_delta=0.1, patience=2)
    best = _Best({"w": torch.zeros(3, 1)}, training, early=True)
    live = torch.arange(3)
    losses = [[1.0, 10.0, 1.0], [0.95, 8.9, 0.5], [0.91, 8.1, 0.46], [0.89, 7.0, 0.455]]
    for epoch, loss in enumerate(losses, start=1):
        go = best.look(live, {"w": torch.full((3, 1), float(epoch))}, torch.tensor(loss), epoch)
        assert go.tolist() == [[0, 1, 2], [0, 1, 2], [1, 2], [0, 1]][epoch - 1]
    assert best.loss.tolist() == pytest.approx([0.89, 7.0, 0.5])
    assert best.params["w"].flatten().tolist() == [4.0, 4.0, 2.0]


def test_without_early_stopping_the_last_weights_are_kept():
    training = replace(QUICK, early_stopping=False, patience=1)
    fitted = fit(ARMS, training=training)
    assert fitted.epochs.tolist() == [QUICK.epochs] * 4 == fitted.best_epoch.tolist()


def test_without_rows_to_stop_by_nothing_stops():
    training = replace(QUICK, patience=1, epochs=15)
    fitted = fit(ARMS, training=training, valid=False)
    last = fit(ARMS, training=replace(training, early_stopping=False), valid=False)
    assert fitted.best_epoch.tolist() == [15] * 4
    assert all(torch.equal(fitted.params[k], last.params[k]) for k in fitted.params)


def test_stop_after_leaves_the_schedule():
    long, short = replace(QUICK, early_stopping=False, stop_after=3), replace(QUICK, early_stopping=False, epochs=3)
    left, whole = fit(ARMS, training=long), fit(ARMS, training=short)
    assert left.epochs.tolist() == [3] * 4 == whole.epochs.tolist()
    assert not torch.equal(left.params["first"], whole.params["first"]), "the rate decays over all epochs asked for"


def test_rate_rises_and_decays():
    rates = [rate(s, 100, 0.05) for s in range(100)]
    assert rates[0] < rates[3] < rates[5] <= 1 and rates[5] > 0.9
    assert all(a > b for a, b in itertools.pairwise(rates[6:])) and 0 < rates[-1] < 1e-3
    assert rate(0, 100, 0.0) == 1.0


@pytest.mark.parametrize("rows, size", [(60, 16), (455, 64), (5, 64), (64, 64), (65, 64), (7, 1)])
def test_batches_are_a_partition(rows, size):
    parts = list(batches(0, 1, rows, size))
    assert sorted(torch.cat(parts).tolist()) == list(range(rows))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert len(parts) == max(1, round(rows / size))
    if rows > 5:
        assert not torch.equal(torch.cat(parts), torch.cat(list(batches(0, 2, rows, size))))
        assert not torch.equal(torch.cat(parts), torch.cat(list(batches(1, 1, rows, size))))
