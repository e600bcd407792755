"""Networks are those of the population, zeros are exact, and what is drawn depends on the seed alone."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from riata.engines import BatchedEngine, Loss, NetworkSpec
from riata.groups import by_input
from riata.penalties import GroupLasso
from riata.population.design import Design, Member, Split, Training
from riata.population.run import Blocks, fit_chunk
from riata.population.train import batches, start, terms_for
from riata.sklearn import RegularizedMLPClassifier, RegularizedMLPRegressor
from riata.sklearn.rows import distinct, hold_out
from riata.sklearn.training import WeightedEngine
from riata.updates import ProxAdam

QUICK: dict[str, Any] = {"hidden": (8,), "epochs": 12, "random_state": 1}


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 6))
    return x, np.maximum(x[:, 0], 0) + x[:, 1] + 0.2 * rng.normal(size=120)


def classes(y: np.ndarray, count: int = 3) -> np.ndarray:
    return np.array(["low", "mid", "top"])[np.digitize(y, np.quantile(y, np.arange(1, count) / count))]


def sorted_rows(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    table = distinct(x, y, np.ones(len(y)))
    assert table.weight is None
    return table.x, table.y


def test_the_network_is_the_one_of_a_population(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sorted_rows(*data)
    model = RegularizedMLPRegressor(lam=0.05, early_stopping=False, dropout=0.2, batch_size=32, **QUICK).fit(x, y)
    z = ((x - x.mean(0)) / x.std(0))[None]
    target = ((y - y.mean()) / y.std())[None]
    blocks = Blocks(z.astype(np.float32), target, np.arange(6), tuple("abcdef"), Loss("squared", 1))
    seed = model._work.options.seed
    split = Split(0, np.arange(len(y)), np.arange(0), np.arange(0))
    training = Training(epochs=12, batch_size=32, hidden=(8,), early_stopping=False)
    design = Design((Member("group_lasso", 0.05, 0.2, seed=seed),), (split,), training)
    fitted, results = fit_chunk(blocks, design, [0])
    np.testing.assert_array_equal(model.first_layer_, fitted.params["first"][0].numpy())
    assert model.kkt_ == pytest.approx(results[0].kkt, rel=1e-6)
    assert model.n_iter_ == 12


def test_partial_fit_is_prox_adam_step_by_step(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = sorted_rows(*data)
    model = RegularizedMLPRegressor(lam=0.03, batch_size=40, standardize=False, **QUICK)
    for _ in range(3):
        model.partial_fit(x, y)
    rows_x = torch.as_tensor(x, dtype=torch.float32)
    rows_y = torch.as_tensor((y - y.mean()) / y.std(), dtype=torch.float32)
    spec, loss, lam = NetworkSpec(6, 1, (8,)), Loss("squared", 1), torch.tensor([0.03])
    seed = model._work.options.seed
    params = start(spec, loss, type("R", (), {"x": rows_x, "y": rows_y, "weight": None}), seed, 1)
    terms = terms_for(spec, GroupLasso(), lam, by_input((6, 9)).to(dtype=torch.float32))
    update, engine = ProxAdam(), BatchedEngine(spec, loss)
    state = update.init(params, terms)
    for epoch in (1, 2, 3):
        for index in batches(seed, epoch, len(y), 40):
            _, grads = engine.grads(params, rows_x[index], rows_y[index])
            update.step(params, grads, state, torch.tensor([0.01]), terms)
    np.testing.assert_array_equal(model.first_layer_, params["first"][0].numpy())
    assert model.n_iter_ == len(model.loss_curve_) == 3


def test_partial_fit_goes_on_after_pickling(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    label = classes(y)
    parts = [(x[:60], label[:60]), (x[60:], label[60:])]
    whole = RegularizedMLPClassifier(**QUICK).partial_fit(*parts[0], classes=["low", "mid", "top"])
    again = pickle.loads(pickle.dumps(whole))
    whole.partial_fit(*parts[1])
    again.partial_fit(*parts[1])
    np.testing.assert_array_equal(whole.first_layer_, again.first_layer_)
    fresh = RegularizedMLPClassifier(**QUICK).partial_fit(*parts[1], classes=["low", "mid", "top"])
    assert np.abs(whole.first_layer_ - fresh.first_layer_).max() > 1e-4


def test_partial_fit_goes_on_from_a_fit(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    model = RegularizedMLPRegressor(**QUICK).fit(x, y)
    before, curve = model.first_layer_, len(model.loss_curve_)
    model.set_params(lam=0.5).partial_fit(x, y)
    assert 0 < np.abs(model.first_layer_ - before).max() < 0.2
    assert len(model.loss_curve_) == curve + 1
    score = model.score(x, y)
    for _ in range(30):
        model.partial_fit(x, y)
    assert model.score(x, y) > score


def test_passes_lower_the_loss(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    model = RegularizedMLPClassifier(lam=0.001, **QUICK)
    for _ in range(40):
        model.partial_fit(x, classes(y), classes=["low", "mid", "top"])
    assert model.loss_curve_[-1] < 0.6 * model.loss_curve_[0]


@pytest.mark.filterwarnings("error")
def test_dropped_inputs_are_exactly_zero_and_do_not_matter(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    x = x * np.array([1, 1, 1e-4, 1, 1, 1])
    model = RegularizedMLPRegressor(lam=0.3, early_stopping=False, hidden=(8,), random_state=0).fit(x, y)
    assert model.kept_.tolist() == [True, True, False, False, False, False]
    assert (model.first_layer_[~model.kept_] == 0.0).all()
    assert (model.norms_[~model.kept_] == 0.0).all()
    other = x.copy()
    other[:, ~model.kept_] = 1.7e308
    np.testing.assert_array_equal(model.predict(x), model.predict(other))


def test_a_column_of_one_value_is_dropped(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    x = np.column_stack([x, np.full(len(y), 0.1)])
    model = RegularizedMLPRegressor("none", **QUICK).fit(x, y)
    assert model.kept_.tolist() == [True] * 6 + [False]


def test_early_stopping_keeps_the_best_epoch(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    noise = np.random.default_rng(1).normal(size=len(y))
    model = RegularizedMLPRegressor("none", hidden=(32,), patience=7, validation_fraction=0.3, random_state=0)
    model.fit(x, y + noise)
    curve = model.validation_curve_
    assert len(curve) == len(model.loss_curve_) == model.n_iter_
    assert model.best_epoch_ == 1 + int(np.argmin(curve))
    assert model.n_iter_ == model.best_epoch_ + 7 < 150
    last = clone(model).set_params(early_stopping=False).fit(x, y + noise)
    assert (last.n_iter_, last.best_epoch_, last.validation_curve_) == (150, 150, [])


def test_held_out_rows_are_spread_over_classes() -> None:
    y = np.repeat([0.0, 1.0, 2.0], [100, 20, 1])
    table = distinct(np.random.default_rng(0).normal(size=(121, 2)), y, np.ones(121))
    train, held = hold_out(table, 0.1, 0, True)
    assert np.array_equal(np.sort(np.concatenate([train, held])), np.arange(121))
    counts = np.bincount(table.y[held].astype(int), minlength=3)
    assert counts[0] in (9, 10, 11)
    assert counts[1] in (1, 2, 3)
    assert counts[2] == 0


@pytest.mark.parametrize("before", range(8))
def test_the_only_row_of_a_class_is_not_held_out(before: int) -> None:
    y = np.repeat([0.0, 1.0, 2.0], [before, 1, 39 - before]) if before else np.repeat([0.0, 2.0], [1, 39])
    table = distinct(np.random.default_rng(0).normal(size=(40, 2)), y, np.ones(40))
    held = hold_out(table, 0.25, 0, True)[1]
    assert len(held) >= 9
    assert (np.bincount(table.y[held].astype(int), minlength=3) < np.bincount(table.y.astype(int), minlength=3))[
        np.unique(y).astype(int)
    ].all()


def test_the_order_of_rows_and_repetition_do_not_matter(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    order = np.random.default_rng(1).permutation(len(y))
    weight = np.random.default_rng(2).integers(0, 3, len(y))
    model = RegularizedMLPRegressor(**QUICK)
    a, b = clone(model).fit(x, y), clone(model).fit(x[order], y[order])
    np.testing.assert_array_equal(a.first_layer_, b.first_layer_)
    c = clone(model).fit(x, y, weight)
    d = clone(model).fit(np.repeat(x, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_array_equal(c.first_layer_, d.first_layer_)
    assert not np.array_equal(a.first_layer_, c.first_layer_)


def test_batches_of_weighted_rows_have_the_gradient_of_all_rows() -> None:
    rng = np.random.default_rng(0)
    x = torch.as_tensor(rng.normal(size=(64, 4)))
    y, weight = x[:, 0].clone(), torch.as_tensor(rng.exponential(size=64) ** 2)
    weight = weight / weight.mean()
    spec, loss = NetworkSpec(4, 1, (5,)), Loss("squared", 1)
    params = start(spec, loss, type("R", (), {"x": x, "y": y, "weight": weight}), 0, 1)
    _, whole = BatchedEngine(spec, loss).grads(params, x, y, weight)
    engine = WeightedEngine(spec, loss)
    parts = [engine.grads(params, x[i], y[i], weight[i])[1] for i in torch.arange(64).split(8)]
    for name, g in whole.items():
        torch.testing.assert_close(torch.stack([p[name] for p in parts]).mean(0), g, rtol=1e-10, atol=1e-12)


def test_same_seed_same_network_and_nothing_global_is_touched(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    torch.set_num_threads(2)
    torch.manual_seed(7)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    a = RegularizedMLPRegressor(dropout=0.2, **QUICK).fit(x, y)
    a.partial_fit(x, y)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    b = RegularizedMLPRegressor(dropout=0.2, **QUICK).fit(x, y).partial_fit(x, y)
    np.testing.assert_array_equal(a.first_layer_, b.first_layer_)
    c = RegularizedMLPRegressor(dropout=0.2, **{**QUICK, "random_state": 2}).fit(x, y)
    assert not np.array_equal(a.first_layer_, c.first_layer_)


def test_float32_inputs(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    half = x.astype(np.float32)
    a, b = RegularizedMLPRegressor(**QUICK).fit(half, y), RegularizedMLPRegressor(**QUICK).fit(half.astype(float), y)
    np.testing.assert_array_equal(a.first_layer_, b.first_layer_)
    assert a.predict(half).dtype == np.float64


def test_a_fit_that_runs_away_says_so(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    model = RegularizedMLPRegressor("none", form="ridge", learning_rate=1e30, early_stopping=False, **QUICK)
    with pytest.warns(ConvergenceWarning, match="lower learning_rate"):
        model.fit(x, y)
