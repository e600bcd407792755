"""The Keras front: exact zeros, the convex solution, identity with the updates, and save and load."""

from __future__ import annotations

import importlib.util
import os
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
if keras.backend.backend() != "torch":
    pytest.skip("Keras is on another backend", allow_module_level=True)

from sklearn.linear_model import Lasso  # noqa: E402

import riata.keras as rk  # noqa: E402
from riata import updates  # noqa: E402
from riata.errors import InputError  # noqa: E402
from riata.groups import by_input  # noqa: E402
from riata.penalties import GroupMCP  # noqa: E402

N, D, ALPHA = 80, 12, 0.1
SIZES = [3, 2, 1, 4, 2]
SHAPE = (6, 4)
TERMS = [rk.L1(0.1), rk.L2(0.3), rk.ElasticNet(0.1, alpha=0.2), rk.GroupLasso(1.0), rk.SparseGroupLasso(0.5)]
BACKEND = Path(rk.__file__).with_name("backend.py")


def data():
    draw = np.random.default_rng(0)
    x = draw.standard_normal((N, D)) * np.linspace(0.5, 1.5, D)
    x[:, 1] += 0.6 * x[:, 0]
    truth = np.array([1.0, -0.8, 0, 0, 0, 0.7, 0, 0, 0, 0, 0.5, 0.4])
    return x, (x @ truth + 0.3 * draw.standard_normal(N) + 2.0)[:, None]


def linear(regularizer, optimizer, dtype="float64"):
    """A linear model; the loss is Keras' mse, which has no 1/2."""
    layer = keras.layers.Dense(1, kernel_regularizer=regularizer, kernel_initializer="zeros", dtype=dtype)
    model = keras.Sequential([keras.Input((D,), dtype=dtype), layer])
    model.compile(optimizer, keras.losses.MeanSquaredError(dtype=dtype))
    return model


def train(model, steps):
    """Full batches in a loop of one's own, as the Keras guide writes it."""
    x, y = (torch.from_numpy(a) for a in data())
    model.optimizer.build(model.trainable_variables)
    for _ in range(steps):
        model.zero_grad()
        model.compute_loss(x=x, y=y, y_pred=model(x)).backward()
        with torch.no_grad():
            model.optimizer.apply([v.value.grad for v in model.trainable_variables], model.trainable_variables)


def weights_of(model):
    return model.layers[-1].kernel.value.detach().numpy()[:, 0]


def variable(regularizer):
    start = torch.randn(*SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    w = keras.Variable(start, dtype="float64")
    w.regularizer = regularizer
    return w


@pytest.mark.parametrize("term", TERMS, ids=lambda t: t.penalty.name)
@pytest.mark.parametrize("name", ["adam", "sgd", "sgd momentum"])
def test_each_step_is_that_of_the_update(name, term):
    w = variable(term)
    if name == "adam":
        b = {"beta1": 0.875, "beta2": 0.984375}  # Keras rounds these to float32
        optimizer = rk.ProximalAdam(0.0625, beta_1=0.875, beta_2=0.984375, epsilon=0.0)
        update = updates.ProxAdam(**b, eps=0, metric="entry")
    else:
        b = 0.75 if "momentum" in name else 0.0
        optimizer, update = rk.ProximalSGD(0.0625, momentum=b), updates.ProxSGD(b)
    params, lr = {"w": w.value.detach().clone()[None]}, torch.tensor([0.0625], dtype=torch.float64)
    lam = torch.tensor([term.lam], dtype=torch.float64)
    terms = {"w": updates.Term(term.penalty, lam, by_input(SHAPE))}
    state, draw = update.init(params, terms), torch.Generator().manual_seed(1)
    for _ in range(40):
        before = w.value.detach().clone()
        grad = 0.2 * before + 0.1 * torch.randn(SHAPE, dtype=torch.float64, generator=draw)
        update.step(params, {"w": grad[None]}, state, lr, terms)
        optimizer.apply([grad], [w])
        torch.testing.assert_close(w.value.detach(), params["w"][0], rtol=0, atol=1e-12)
        assert torch.equal(w.value == 0, params["w"][0] == 0)
    assert bool((w.value == 0).any()) == term.penalty.sparse


def test_without_a_penalty_the_step_is_that_of_keras():
    w, plain = variable(None), variable(None)
    options = {"beta_1": 0.875, "beta_2": 0.984375, "epsilon": 2.0**-20, "amsgrad": True}
    ours, theirs = rk.ProximalAdam(0.125, **options), keras.optimizers.Adam(0.125, **options)
    for k in range(5):
        grad = torch.full(SHAPE, 1.0 - k, dtype=torch.float64)
        ours.apply([grad], [w])
        theirs.apply([grad], [plain])
    torch.testing.assert_close(w.value, plain.value, rtol=0, atol=1e-8)  # Keras works in float32 in places


@pytest.mark.parametrize(
    ("optimizer", "steps"),
    [(lambda: rk.ProximalSGD(0.2), 700), (lambda: rk.ProximalSGD(0.2, momentum=0.5), 800)],
    ids=["sgd", "momentum"],
)
def test_reaches_the_lasso(optimizer, steps):
    model = linear(rk.L1(2 * ALPHA), optimizer())
    train(model, steps)
    x, y = data()
    exact = Lasso(alpha=ALPHA, tol=1e-14, max_iter=1_000_000).fit(x, y[:, 0])
    np.testing.assert_allclose(weights_of(model), exact.coef_, atol=1e-6)
    assert np.array_equal(weights_of(model) == 0.0, exact.coef_ == 0.0)
    (residual,) = rk.kkt(model, torch.from_numpy(x), torch.from_numpy(y)).values()
    assert residual <= 1e-6
    assert list(rk.zeros(model).values()) == [(int((exact.coef_ == 0).sum()), D)]
    assert 0 < (exact.coef_ == 0).sum() < D


def test_adam_reaches_the_lasso():
    steps = 900
    model = linear(rk.L1(2 * ALPHA), rk.ProximalAdam(keras.optimizers.schedules.CosineDecay(0.05, steps), beta_2=0.99))
    train(model, steps)
    x, y = data()
    exact = Lasso(alpha=ALPHA, tol=1e-14, max_iter=1_000_000).fit(x, y[:, 0])
    np.testing.assert_allclose(weights_of(model), exact.coef_, atol=1e-5)
    assert np.array_equal(weights_of(model) == 0.0, exact.coef_ == 0.0)
    (residual,) = rk.kkt(model, torch.from_numpy(x), torch.from_numpy(y)).values()
    assert residual <= 1e-5


def test_the_certificate_can_fail_and_sees_a_clipped_gradient():
    x, y = (torch.from_numpy(a) for a in data())
    model = linear(rk.L1(2 * ALPHA), rk.ProximalSGD(0.15, global_clipnorm=0.1))
    (before,) = rk.kkt(model, x, y).values()
    train(model, 500)
    (after,) = rk.kkt(model, x, y).values()
    assert before > 0.1 and after > 0.01  # clipped below the gradient at the solution: another problem


def network(regularizer, optimizer):
    keras.utils.set_random_seed(0)
    first = keras.layers.Dense(8, "relu", kernel_regularizer=regularizer, name="first")
    second = keras.layers.Dense(1, kernel_regularizer=rk.L2(1e-3), name="second")
    model = keras.Sequential([keras.Input((D,)), first, second])
    model.compile(optimizer, "mse")
    return model


def test_fit_drops_whole_variables():
    x, y = data()
    model = network(rk.GroupLasso(0.6, sizes=SIZES), rk.ProximalAdam(0.01))
    history = model.fit(x, y, batch_size=20, epochs=40, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]
    dead, count = rk.zeros(model)["first/kernel"]
    assert count == 5 and 0 < dead < 5
    norms = np.add.reduceat((model.get_layer("first").get_weights()[0] ** 2).sum(1), np.cumsum([0, *SIZES[:-1]]))
    assert dead == (norms == 0.0).sum()
    gone = np.repeat(norms == 0.0, SIZES)
    moved = np.where(gone, x + 9.0, x)
    assert np.array_equal(model.predict(moved, verbose=0), model.predict(x, verbose=0))


def test_mixed_precision_keeps_float32_weights_with_exact_zeros():
    keras.utils.set_random_seed(0)
    policy = "mixed_bfloat16"
    layer = keras.layers.Dense(
        8, "relu", kernel_regularizer=rk.GroupLasso(0.6, sizes=SIZES), dtype=policy, name="first"
    )
    model = keras.Sequential([keras.Input((D,)), layer, keras.layers.Dense(1, dtype=policy)])
    model.compile(rk.ProximalAdam(0.01), "mse")
    model.fit(*data(), batch_size=20, epochs=20, verbose=0)
    assert layer.kernel.value.dtype == torch.float32
    assert 0 < rk.zeros(model)["first/kernel"][0] < 5


def test_the_loss_shows_the_value_and_has_no_gradient_of_it():
    x, y = (torch.from_numpy(a) for a in data())
    with_term, without = (linear(r, rk.ProximalSGD(0.1)) for r in (rk.GroupLasso(0.7), None))
    for model in (with_term, without):
        model.optimizer.build(model.trainable_variables)
        model.layers[-1].kernel.assign(torch.full((D, 1), 0.5, dtype=torch.float64))
    losses = [m.compute_loss(x=x, y=y, y_pred=m(x)) for m in (with_term, without)]
    assert (losses[0] - losses[1]).item() == pytest.approx(0.7 * D * 0.5, rel=1e-6)
    for loss in losses:
        loss.backward()
    assert torch.equal(with_term.layers[-1].kernel.value.grad, without.layers[-1].kernel.value.grad)


def test_save_and_load_go_on_bit_by_bit(tmp_path):
    x, y = data()
    term = rk.SparseGroupLasso(0.3, mix=0.4, sizes=SIZES)
    model = network(term, rk.ProximalAdam(0.01, gradient_accumulation_steps=2))
    model.fit(x, y, batch_size=40, epochs=5, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, rk.ProximalAdam)
    assert loaded.get_layer("first").kernel_regularizer.get_config() == term.get_config()
    assert rk.zeros(loaded) == rk.zeros(model)
    for both in (model, loaded):
        both.fit(x, y, batch_size=40, epochs=5, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("term", TERMS, ids=lambda t: t.penalty.name)
def test_config_makes_the_same_penalty(term):
    again = keras.regularizers.deserialize(keras.regularizers.serialize(term))
    assert (again.penalty, again.lam, again.get_config()) == (term.penalty, term.lam, term.get_config())


def test_units_are_those_that_the_page_says():
    w = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    pairs = [
        (rk.L1(0.2), keras.regularizers.L1(0.2)),
        (rk.L2(0.4), keras.regularizers.L2(0.2)),
        (rk.ElasticNet(0.5, alpha=0.6), keras.regularizers.L1L2(0.2, 0.3)),
    ]
    for ours, theirs in pairs:
        assert float(ours(w)) == pytest.approx(float(theirs(w)), rel=1e-6)


@pytest.mark.parametrize(("groups", "axis"), [("input", 2), ("output", 3), (0, 0)])
def test_convolution_kernels(groups, axis):
    layer = keras.layers.Conv2D(5, 3, kernel_regularizer=rk.GroupLasso(0.1, groups=groups), name="conv")
    layer.build((None, 8, 8, 2))
    with torch.no_grad():
        layer.kernel.value.select(axis, 1).zero_()
    assert rk.zeros(layer) == {"kernel": (1, (3, 3, 2, 5)[axis])}


def test_accumulated_gradients_take_one_prox_a_step():
    w = variable(rk.L1(1e3))
    optimizer = rk.ProximalSGD(0.1, gradient_accumulation_steps=2)
    for k in range(2):
        optimizer.apply([torch.zeros(SHAPE, dtype=torch.float64)], [w])
        assert bool((w.value == 0).all()) == (k == 1)


def test_a_step_that_the_loss_scale_skips_has_no_prox():
    w = variable(rk.L1(1e3))
    optimizer = keras.optimizers.LossScaleOptimizer(rk.ProximalAdam(0.1))
    optimizer.apply([torch.full(SHAPE, torch.inf, dtype=torch.float64)], [w])
    assert bool((w.value != 0).all())
    optimizer.apply([torch.ones(SHAPE, dtype=torch.float64)], [w])
    assert bool((w.value == 0).all())


def test_an_optimizer_without_a_prox_is_refused_at_the_first_step():
    x, y = data()
    model = network(rk.GroupLasso(0.1), keras.optimizers.Adam(0.01))
    with pytest.raises(InputError, match="takes no prox"):
        model.fit(x, y, epochs=1, verbose=0)
    model.compile(rk.proximal(keras.optimizers.Adam(0.01)), "mse")
    model.fit(x, y, epochs=1, verbose=0)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD"])
def test_proximal_keeps_the_options(name):
    theirs = getattr(keras.optimizers, name)(0.25, weight_decay=0.125, clipnorm=2.0)
    ours = rk.proximal(theirs)
    assert isinstance(ours, rk.ProximalSGD if name == "SGD" else rk.ProximalAdam)
    assert {**theirs.get_config(), "name": ""} == {**ours.get_config(), "name": ""}


def bounded():
    w = variable(rk.L1(0.1))
    w.constraint = keras.constraints.NonNeg()
    return w


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda: rk.proximal(keras.optimizers.SGD(0.1, momentum=0.9)), r"true step lr/\(1 - momentum\)"),
        (lambda: rk.proximal(keras.optimizers.RMSprop()), "RMSprop"),
        (lambda: rk.proximal(rk.ProximalAdam()), "ProximalAdam"),
        (lambda: rk.proximal("adam"), "str"),
        (lambda: rk.ProximalSGD(0.1, momentum=0.9, nesterov=True).build([variable(None)]), "nesterov"),
        (lambda: rk.ProximalAdam(0.1, use_ema=True).build([variable(rk.L1(0.1))]), "use_ema"),
        (lambda: rk.ProximalAdam(0.1).build([bounded()]), "constraint"),
        (lambda: rk.ProximalAdam(0.1).apply([torch.ones(SHAPE)], [variable(rk.Proximal(GroupMCP(), 0.1))]), "step"),
        (lambda: rk.GroupLasso(-1.0), "lam -1.0"),
        (lambda: rk.GroupLasso(0.1, groups="inputs"), "'inputs'"),
        (lambda: rk.GroupLasso(0.1)(torch.ones(3)), "expected a kernel"),
        (lambda: rk.GroupLasso(0.1, sizes=[1, 1])(torch.ones(3, 2)), "add up"),
        (lambda: rk.kkt(keras.Sequential([keras.layers.Dense(1)]), np.ones((2, 2)), np.ones(2)), "compile"),
    ],
)
def test_refuses_in_words(act, said):
    with pytest.raises(InputError, match=said):
        act()


def test_says_what_to_install_and_which_backend(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match="KERAS_BACKEND"):
        runpy.run_path(str(BACKEND))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'riata\[keras\]'"):
        runpy.run_path(str(BACKEND))
