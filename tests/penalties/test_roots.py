"""The batched roots against scipy's bracketing solver, on tame and hostile numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from riata.groups import by_input, by_variable
from riata.penalties.roots import norm_root, soft_root


def length(v: np.ndarray, a: np.ndarray) -> float:
    """Root of sum (v/(t+a))^2 = 1 in float64."""
    if np.sum((v / a) ** 2) <= 1:
        return 0.0
    f = lambda t: 1 - 1 / np.sqrt(np.sum((v / (t + a)) ** 2))  # noqa: E731
    return float(brentq(f, 0, np.linalg.norm(v) * (1 + 1e-12), xtol=1e-300, rtol=1e-14, maxiter=5000))


@pytest.mark.parametrize("decades", [0, 1, 3, 8])
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_norm_root(dtype, rtol, decades):
    rng = np.random.default_rng(0)
    for size in (1, 2, 5, 65):
        shape = (3, 20, size)
        v = torch.tensor(rng.standard_normal(shape) * 10 ** rng.uniform(-decades, decades, shape), dtype=dtype)
        a = torch.tensor(10 ** rng.uniform(-decades, decades, shape) * 0.3, dtype=dtype)
        t = norm_root(v, a, by_input((20, size)))
        for place in np.ndindex(3, 20):
            vv, aa = v[place].double().numpy(), a[place].double().numpy()
            root, found = length(vv, aa), t[place].item()
            np.testing.assert_allclose(
                vv * found / (found + aa), vv * root / (root + aa), rtol=0, atol=rtol * abs(vv).max()
            )
            if np.sum((vv / aa) ** 2) > 2:  # away from the threshold the root itself is well conditioned
                assert found == pytest.approx(root, rel=2 * rtol)


def test_ragged_groups_equal_their_rows():
    """Two rows of one variable are one long group."""
    rng = np.random.default_rng(0)
    v, a = torch.tensor(rng.standard_normal((1, 3, 4))), torch.tensor(rng.uniform(0.1, 2, (1, 3, 4)))
    t = norm_root(v, a, by_variable((3, 4), [1, 0, 1], ["a", "b"]))
    assert t[0, 0].item() == pytest.approx(length(v[0, 1].numpy(), a[0, 1].numpy()), rel=1e-12)
    both = [x[0, [0, 2]].flatten().numpy() for x in (v, a)]
    assert t[0, 1].item() == pytest.approx(length(*both), rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_exactly_at_the_threshold(dtype):
    groups = by_input((1, 2))
    v = torch.tensor([[[3.0, 4.0]]], dtype=dtype)
    assert norm_root(v, torch.full_like(v, 5.0), groups).item() == 0.0
    assert norm_root(v, torch.full_like(v, 4.99), groups).item() == pytest.approx(0.01, rel=1e-4)
    assert norm_root(v, torch.full_like(v, 5.01), groups).item() == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_hostile_numbers(dtype):
    groups = by_input((1, 2))

    def root(v: list[float], a: list[float]) -> float:
        return norm_root(torch.tensor([[v]], dtype=dtype), torch.tensor([[a]], dtype=dtype), groups).item()

    assert root([0, 0], [0, 0]) == 0
    assert root([0, 0], [1, 0]) == 0
    assert root([0, 2], [0, 1]) == pytest.approx(1)
    assert root([3, 4], [0, 0]) == pytest.approx(5)
    assert root([1e25, 1e25], [1, 1]) == pytest.approx(2**0.5 * 1e25, rel=1e-5)  # squares overflow float32
    assert root([3e-25, 4e-25], [1e-26, 1e-26]) == pytest.approx(4.9e-25, rel=1e-5)  # and underflow
    assert root([1, 1], [float("inf"), 1e30]) == 0
    assert np.isnan(root([float("nan"), 1], [1, 1]))
    slow = root([1e-3, 1e3], [1e-9, 1001])  # one entry lives alone, the other is nearly at its threshold
    assert slow == pytest.approx(length(np.array([1e-3, 1e3]), np.array([1e-9, 1001])), rel=1e-4)


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_soft_root(dtype, rtol):
    rng = np.random.default_rng(0)
    c = torch.tensor(rng.standard_normal((3, 4, 7)) * 10 ** rng.uniform(-3, 3, (3, 4, 1)), dtype=dtype)
    weight = torch.tensor(rng.uniform(0, 2, (3, 4)), dtype=dtype)
    for mix in (0.0, 0.1, 0.5, 0.9, 1.0):
        lam = soft_root(c, mix, weight, by_input((4, 7)))
        for place in np.ndindex(3, 4):
            size, b = np.abs(c[place].double().numpy()), weight[place].item()
            f = lambda x: np.linalg.norm(np.maximum(size - mix * x, 0)) - b * x  # noqa: B023, E731
            assert lam[place].item() == pytest.approx(brentq(f, 0, 1e9, xtol=1e-300, rtol=1e-14), rel=rtol)


def test_soft_root_at_the_edges():
    groups, c = by_input((3, 2)), torch.tensor([[[0.0, 0.0], [1.0, -3.0], [3.0, 4.0]]])
    zero = torch.zeros(1, 3)
    assert soft_root(c, 0.5, zero, groups).tolist() == [[0.0, 6.0, 8.0]]  # no group part: L1 alone
    assert soft_root(c, 0.0, zero, groups).tolist() == [[0.0, float("inf"), float("inf")]]  # free groups
    assert soft_root(c, 0.0, zero + 2, groups)[0, 2].item() == pytest.approx(2.5)
