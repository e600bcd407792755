"""LoopEngine (autograd), VmapEngine and BatchedEngine are one function; the module is the same network."""

from __future__ import annotations

import itertools

import pytest
import torch

from riata.engines import BatchedEngine, LoopEngine, Loss, Network, NetworkSpec, VmapEngine, initial

M, B, D = 3, 9, 4
HIDDEN = [(), (5,), (6, 4)]
LOSSES = [("squared", 1), ("logistic", 1), ("softmax", 3), ("softmax", 6)]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


def random_params(spec, members, dtype, draw):
    return {k: torch.randn(members, *s, generator=draw, dtype=dtype) * 0.7 for k, s in spec.shapes().items()}


def problem(hidden, loss, activation="silu", skip=True, dtype=torch.float64, per_member=False, seed=0):
    draw = torch.Generator().manual_seed(seed)
    spec = NetworkSpec(D, loss.outputs, hidden, activation, skip=skip)
    params = random_params(spec, M, dtype, draw)
    x = torch.randn(*((M, B, D) if per_member else (B, D)), generator=draw, dtype=dtype)
    if loss.kind == "squared":
        y = torch.randn(B, generator=draw, dtype=dtype)
    else:
        y = torch.randint(0, max(2, loss.outputs), (B,), generator=draw).to(dtype)
    return spec, params, x, y, draw


def masks_for(spec, dtype, draw):
    if not spec.hidden:
        return None
    return [(torch.rand(M, B, h, generator=draw) > 0.3).to(dtype) / 0.7 for h in spec.hidden]


def weights_for(kind, dtype, draw):
    shape = {"none": None, "rows": (B,), "members": (M, B)}[kind]
    if shape is None:
        return None
    weight = torch.rand(*shape, generator=draw).to(dtype)
    weight[..., 2] = 0  # a row that is left out
    return weight


def assert_agree(spec, loss, params, x, y, weight=None, masks=None):
    module = Network(spec, initial(spec, 0, dtype=x.dtype))
    reference = LoopEngine(module, loss)
    out, grads = reference.grads(params, x, y, weight, masks)
    tolerance = TOLERANCE[x.dtype]
    for engine in (BatchedEngine(spec, loss), VmapEngine(module, loss, chunk=2)):
        found, slopes = engine.grads(params, x, y, weight, masks)
        close = {"rtol": tolerance, "atol": tolerance}
        torch.testing.assert_close(found, out, **close)
        assert list(slopes) == list(params) == list(grads)
        for name in params:
            torch.testing.assert_close(slopes[name], grads[name], **close, msg=lambda m, n=name: f"{n}: {m}")
        torch.testing.assert_close(engine.predict(params, x), reference.predict(params, x), **close)
        want = reference.losses(params, x, y, weight)
        assert want.shape == (M,)
        torch.testing.assert_close(engine.losses(params, x, y, weight), want, **close)


@pytest.mark.parametrize("kind", LOSSES, ids=str)
@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_losses_and_sizes(hidden, kind, dtype):
    loss = Loss(*kind)
    for per_member, activation in itertools.product((False, True), ("relu", "silu", "tanh", "identity")):
        spec, params, x, y, draw = problem(hidden, loss, activation, dtype=dtype, per_member=per_member)
        assert_agree(spec, loss, params, x, y, weights_for("rows", dtype, draw), masks_for(spec, dtype, draw))


@pytest.mark.parametrize("weighting", ["none", "rows", "members"])
@pytest.mark.parametrize("dropped", [False, True], ids=["plain", "dropout"])
@pytest.mark.parametrize("skip", [True, False], ids=["skip", "no skip"])
def test_weights_masks_skip(weighting, dropped, skip):
    for hidden, activation in itertools.product(((5,), (6, 4), (3, 4, 5)), ("relu", "tanh", "silu")):
        loss = Loss("softmax", 3)
        spec, params, x, y, draw = problem(hidden, loss, activation, skip=skip)
        masks = masks_for(spec, x.dtype, draw) if dropped else None
        assert_agree(spec, loss, params, x, y, weights_for(weighting, x.dtype, draw), masks)


@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
@pytest.mark.parametrize("kind", [("squared", 1), ("logistic", 1), ("softmax", 3)], ids=str)
def test_gradients_are_finite_differences(hidden, kind):
    """Central differences of the engine's own losses, where the network is smooth."""
    loss = Loss(*kind)
    spec, params, x, y, draw = problem(hidden, loss, "tanh", per_member=True)
    weight, engine = weights_for("members", x.dtype, draw), BatchedEngine(spec, loss)
    _, grads = engine.grads(params, x, y, weight)
    for name, w in params.items():
        for _ in range(3):
            direction = torch.randn(w.shape, generator=draw, dtype=w.dtype)
            up, down = (engine.losses({**params, name: w + sign * 1e-6 * direction}, x, y, weight) for sign in (1, -1))
            slope = (grads[name] * direction).flatten(1).sum(1)
            torch.testing.assert_close((up - down) / 2e-6, slope, rtol=1e-6, atol=1e-8)


def test_loss_gradient_is_the_derivative_of_value():
    draw = torch.Generator().manual_seed(3)
    for kind, outputs in (("squared", 1), ("logistic", 1), ("softmax", 4)):
        loss = Loss(kind, outputs)
        z = torch.randn(M, B, outputs, generator=draw, dtype=torch.float64).requires_grad_()
        y = torch.randint(0, max(2, outputs), (B,), generator=draw).double()
        for weighting in ("none", "rows", "members"):
            weight = weights_for(weighting, torch.float64, draw)
            (exact,) = torch.autograd.grad(loss.value(z, y, weight).sum(), z)
            torch.testing.assert_close(loss.gradient(z.detach(), y, weight), exact, rtol=1e-12, atol=1e-14)


def test_loss_meaning():
    """The losses are scikit-learn's and the interface's: half squares, cross entropy, means per row."""
    z, y = torch.tensor([[[2.0], [-1.0]]]), torch.tensor([1.0, 0.0])
    assert float(Loss("squared", 1).value(z, y)) == pytest.approx(0.5 * (1 + 1) / 2)
    want = (torch.log1p(torch.exp(torch.tensor(-2.0))) + torch.log1p(torch.exp(torch.tensor(-1.0)))) / 2
    assert float(Loss("logistic", 1).value(z, y)) == pytest.approx(float(want))
    three = torch.randn(1, 2, 3, generator=torch.Generator().manual_seed(0))
    want = torch.nn.functional.cross_entropy(three[0], torch.tensor([2, 0]))
    assert float(Loss("softmax", 3).value(three, torch.tensor([2.0, 0.0]))) == pytest.approx(float(want))
    left = Loss("squared", 1).value(z, y, torch.tensor([1.0, 0.0]))
    assert float(left) == pytest.approx(0.5), "a weight of 0 leaves the row out of the mean"


@pytest.mark.parametrize("kind", [("squared", 1), ("logistic", 1), ("softmax", 3)], ids=str)
def test_null_is_the_best_constant(kind):
    loss, draw = Loss(*kind), torch.Generator().manual_seed(0)
    y = torch.randint(0, max(2, kind[1]), (40,), generator=draw).double()
    weight = torch.rand(40, generator=draw, dtype=torch.float64)
    null = loss.null(y, weight)
    z = null.expand(1, 40, -1).clone()
    assert float(loss.gradient(z, y, weight).sum(1).abs().max()) < 1e-12


@pytest.mark.parametrize("skip", [True, False], ids=["skip", "no skip"])
@pytest.mark.parametrize("hidden", HIDDEN, ids=str)
def test_module_equals_engine(hidden, skip):
    spec = NetworkSpec(D, 3, hidden, "relu", skip=skip)
    draw = torch.Generator().manual_seed(0)
    params = random_params(spec, 1, torch.float64, draw)
    x = torch.randn(B, D, generator=draw, dtype=torch.float64)
    module = Network(spec, {k: w[0] for k, w in params.items()})
    torch.testing.assert_close(module(x), BatchedEngine(spec, Loss("softmax", 3)).predict(params, x)[0])
    assert {k: tuple(w.shape) for k, w in module.named_parameters()} == spec.shapes()
    assert sum(w.numel() for w in module.parameters()) == spec.count()


def test_engine_writes_to_no_argument():
    loss = Loss("logistic", 1)
    for activation in ("relu", "silu", "tanh", "identity"):
        spec, params, x, y, draw = problem((6, 4), loss, activation)
        masks = masks_for(spec, x.dtype, draw)
        given = [*params.values(), x, y, *masks]
        before = [t.clone() for t in given]
        BatchedEngine(spec, loss).grads(params, x, y, None, masks)
        assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))
