"""Early stopping: when it stops, what it keeps, and that nothing is lost on the way."""

from __future__ import annotations

import io
import math

import pytest
import torch
from torch import nn

from riata.errors import InputError
from riata.torch.early_stopping import EarlyStopping

NAN = float("nan")


def run(values, **options):
    stopping = EarlyStopping(**options)
    improved = []
    for value in values:
        improved.append(stopping.update(value))
        if stopping.stop:
            break
    return stopping, improved


def test_patience_counts_epochs_in_a_row():
    stopping, improved = run([1.0, 0.9, 1.0, 0.8, 0.8, 0.9, 0.1], patience=2)
    assert improved == [True, True, False, True, False, False]
    assert (stopping.best, stopping.best_epoch, stopping.epoch, stopping.waited) == (0.8, 3, 5, 2)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("offset", [0.0, -5.0])
def test_max_is_min_upside_down(sign, offset):
    values = [offset + v for v in (0.5, 0.4, 0.45, 0.39, 0.2, 0.3, 0.31)]
    smaller = run(values, patience=2, min_delta=0.02)
    larger = run([-v for v in values], patience=2, min_delta=0.02, mode="max")
    assert smaller[1] == larger[1] and smaller[0].best == -larger[0].best


@pytest.mark.parametrize(
    ("value", "absolute", "relative"),
    [(98.0, True, False), (94.0, True, True), (99.5, False, False), (99.0, False, False)],
)
def test_min_delta(value, absolute, relative):
    """More than 1 below 100; more than 5% below 100."""
    assert run([100.0, value], min_delta=1.0)[1] == [True, absolute]
    assert run([100.0, value], min_delta=0.05, relative=True)[1] == [True, relative]
    assert run([-100.0, value - 200.0], min_delta=0.05, relative=True)[1] == [True, relative]


def test_nan_and_infinity():
    stopping, improved = run([NAN, 1.0, NAN, 0.5, NAN, NAN], patience=2)
    assert improved == [False, True, False, True, False, False] and stopping.stop
    assert (stopping.best, stopping.best_epoch) == (0.5, 3)
    stopping, improved = run([math.inf, 3.0, math.inf], patience=5, min_delta=0.1, relative=True)
    assert improved == [False, True, False]
    stopping, _ = run([1.0, NAN, 0.5], patience=5, stop_on_nan=True)
    assert stopping.stop and stopping.epoch == 1 and stopping.best == 1.0
    assert not run([1.0, NAN], patience=5)[0].stop


def test_by_name_or_value():
    stopping = EarlyStopping(monitor="auroc", mode="max", patience=1)
    assert stopping.update({"loss": 9.0, "auroc": torch.tensor(0.7)})
    assert stopping.update(0.8)
    assert not stopping.update({"loss": 0.0, "auroc": 0.75})
    assert stopping.stop


def make(seed: int = 0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    return model, torch.optim.Adam(model.parameters(), lr=0.1)


def train(model, optimizer, epochs=1):
    x = torch.arange(18.0).reshape(6, 3)
    for _ in range(epochs):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()


def state_of(model, optimizer):
    moments = [v for s in optimizer.state_dict()["state"].values() for v in s.values()]
    return [v.clone() for v in (*model.state_dict().values(), *moments)]


def test_restore_gives_the_best_epoch_back_with_its_zeros_and_training_goes_on_from_there():
    model, optimizer = make()
    stopping = EarlyStopping(patience=3)
    train(model, optimizer)
    with torch.no_grad():
        model[0].weight[:, 1] = 0.0
    at_best = state_of(model, optimizer)
    stopping.update(1.0, model, optimizer)
    train(model, optimizer, 2)
    stopping.update(2.0, model, optimizer)
    after = state_of(model, optimizer)
    assert not torch.equal(after[0], at_best[0])
    for _ in range(2):  # what is kept does not move with the model that was restored
        stopping.restore(model, optimizer)
        assert all(torch.equal(a, b) for a, b in zip(state_of(model, optimizer), at_best, strict=True))
        assert bool((model[0].weight[:, 1] == 0.0).all())
        train(model, optimizer)


def test_state_dict_round_trip_through_a_file():
    model, optimizer = make()
    values = [3.0, 2.0, 2.5, NAN, 1.9, 2.2, 2.3]
    whole, first = EarlyStopping(patience=2), EarlyStopping(patience=2)
    for value in values[:3]:
        train(model, optimizer)
        whole.update(value, model, optimizer)
        first.update(value, model, optimizer)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = EarlyStopping(patience=2)
    second.load_state_dict(torch.load(file, weights_only=True))
    for value in values[3:]:
        assert whole.update(value) == second.update(value)
        assert (whole.stop, whole.best, whole.best_epoch, whole.waited, whole.epoch) == (
            second.stop,
            second.best,
            second.best_epoch,
            second.waited,
            second.epoch,
        )
    first.restore(model, optimizer)
    kept, (other, other_optimizer) = state_of(model, optimizer), make(1)
    third = EarlyStopping()
    third.load_state_dict(first.state_dict())
    third.restore(other, other_optimizer)
    assert all(torch.equal(a, b) for a, b in zip(state_of(other, other_optimizer), kept, strict=True))


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda: EarlyStopping(patience=0), "patience 0"),
        (lambda: EarlyStopping(patience=2.5), "patience 2.5"),
        (lambda: EarlyStopping(mode="low"), "mode 'low'"),
        (lambda: EarlyStopping(min_delta=-1.0), "min_delta -1.0"),
        (lambda: EarlyStopping(min_delta=NAN), "min_delta nan"),
        (lambda: EarlyStopping(monitor="auc").update({"loss": 1.0}), "monitor 'auc' among loss"),
        (lambda: EarlyStopping().update({"loss": 1.0}), "monitor None among loss"),
        (lambda: EarlyStopping().update(torch.ones(3)), r"shape \(3,\); expected one number"),
        (lambda: EarlyStopping().restore(nn.Linear(1, 1)), "no model to restore"),
        (lambda: EarlyStopping().load_state_dict({"best": 1.0}), "state with best; expected best, best_epoch"),
    ],
)
def test_refusals(act, says):
    with pytest.raises(InputError, match=says) as caught:
        act()
    assert "\n" not in str(caught.value)


def test_an_optimizer_that_was_not_kept_is_not_restored():
    model, optimizer = make()
    stopping = EarlyStopping()
    stopping.update(1.0, model)
    stopping.restore(model)
    with pytest.raises(InputError, match="no optimizer to restore"):
        stopping.restore(model, optimizer)
