"""Each prox, residual and lam_max against formulas and solvers written by others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from skglm.utils.prox_funcs import BST, ST_vec
from sklearn.linear_model import ElasticNet as SklearnElasticNet
from sklearn.linear_model import Lasso

from riata.groups import by_input, from_index
from riata.penalties import L1, L2, ElasticNet, GroupLasso, Penalty, SparseGroupLasso
from riata.testing import case

ONE = torch.ones(1, dtype=torch.float64)


def rows(seed: int = 0, shape: tuple[int, ...] = (1, 6, 4)) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


def test_l1_equals_skglm():
    w = rows()
    ours = L1().prox(w, 0.7 * ONE, 0.5 * ONE, by_input((6, 4)))
    np.testing.assert_array_equal(ours.numpy().ravel(), ST_vec(w.numpy().ravel(), 0.35))


def test_group_lasso_equals_skglm():
    w = rows()
    ours = GroupLasso().prox(w, 0.7 * ONE, 2.0 * ONE, by_input((6, 4)))
    theirs = np.array([BST(row, 1.4) for row in w[0].numpy()])
    np.testing.assert_allclose(ours[0].numpy(), theirs, rtol=1e-14)
    assert (theirs == 0).all(1).any() and (theirs != 0).any()


@pytest.mark.parametrize("penalty", [ElasticNet(alpha=0.3), ElasticNet(lam2=0.8)], ids=repr)
def test_elastic_net_in_the_metric(penalty):
    w, h, lam = rows().numpy(), rows(1).abs().numpy() + 0.1, 0.6 * ONE
    l1, l2 = penalty.lam1(lam).item(), penalty.lam2_of(lam).item()
    ours = penalty.prox(torch.tensor(w), torch.tensor(1 / h), lam, by_input((6, 4)))
    expected = np.sign(w) * np.maximum(np.abs(h * w) - l1, 0) / (h + l2)
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-14)


def test_elastic_net_spellings():
    w, lam, groups = rows(), 0.6 * ONE, by_input((6, 4))
    l1, square = w.abs().sum().item(), w.square().sum().item()
    assert ElasticNet(alpha=0.3).value(w, lam, groups).item() == pytest.approx(0.6 * (0.7 * l1 + 0.3 * square))
    assert ElasticNet(lam2=0.8).value(w, lam, groups).item() == pytest.approx(0.6 * l1 + 0.4 * square)
    assert ElasticNet() == ElasticNet(alpha=0.5)
    for edge, plain, scale in ((0.0, L1(), 1.0), (1.0, L2(), 2.0)):
        ours = ElasticNet(alpha=edge).prox(w, ONE, lam, groups)
        torch.testing.assert_close(ours, plain.prox(w, ONE, scale * lam, groups), rtol=1e-15, atol=0)
    assert ElasticNet(alpha=1.0).lam_max(w, groups).item() == float("inf")


def test_options_change_the_fit():
    problem = case("variables", "entry")
    for first, second in (
        (ElasticNet(alpha=0.2), ElasticNet(alpha=0.4)),
        (ElasticNet(lam2=0.2), ElasticNet(lam2=0.4)),
        (SparseGroupLasso(mix=0.2), SparseGroupLasso(mix=0.4)),
    ):
        assert not torch.allclose(problem.prox(first), problem.prox(second))


def test_size_one_groups_are_l1():
    for form in ("member", "group", "entry"):
        problem = case("entries", form)
        lasso = problem.prox(L1())
        for penalty in (GroupLasso(), SparseGroupLasso(mix=0.3)):
            torch.testing.assert_close(problem.prox(penalty), lasso, rtol=1e-12, atol=1e-14)
            residual = [p.residual(lasso, problem.grad, problem.lam, problem.groups) for p in (penalty, L1())]
            torch.testing.assert_close(*residual, rtol=1e-12, atol=1e-14)
            top = [p.lam_max(problem.grad, problem.groups) for p in (penalty, L1())]
            torch.testing.assert_close(*top, rtol=1e-12, atol=0)


def test_sparse_group_lasso_edges_are_its_parts():
    for grouping in ("inputs", "weighted", "scattered"):
        problem = case(grouping, "entry")
        for mix, part in ((0.0, GroupLasso()), (1.0, L1())):
            torch.testing.assert_close(
                problem.prox(SparseGroupLasso(mix=mix)), problem.prox(part), rtol=1e-12, atol=1e-14
            )


def dual_prox(v: np.ndarray, step: np.ndarray, l1: float, l2: float) -> np.ndarray:
    """Minimize over subgradients by SLSQP: x = v - step (p + q), |p_i| <= l1, ||q|| <= l2."""
    n = len(v)
    cost = lambda u: 0.5 * np.sum(step * (u[:n] + u[n:] - v / step) ** 2)  # noqa: E731
    slope = lambda u: np.tile(step * (u[:n] + u[n:] - v / step), 2)  # noqa: E731
    ball = {
        "type": "ineq",
        "fun": lambda u: l2**2 - u[n:] @ u[n:],
        "jac": lambda u: np.r_[np.zeros(n), -2 * u[n:]],
    }
    bounds = [(-l1, l1)] * n + [(-l2, l2)] * n
    found = minimize(
        cost, np.zeros(2 * n), (), "SLSQP", slope, bounds=bounds, constraints=ball, options={"ftol": 1e-15}
    )
    return v - step * (found.x[:n] + found.x[n:])


@pytest.mark.parametrize("mix", [0.0, 0.5])
def test_group_prox_equals_a_constrained_dual(mix):
    rng = np.random.default_rng(0)
    w, step = torch.tensor(rng.standard_normal((1, 8, 3))), torch.tensor(rng.uniform(0.1, 2, (1, 8, 3)))
    penalty: Penalty = SparseGroupLasso(mix=mix)
    groups = from_index((8, 3), range(8), axis=0, weight=rng.uniform(0.5, 2, 8))
    ours = penalty.prox(w, step, 0.6 * ONE, groups)[0].numpy()
    for g in range(8):
        l2 = 0.6 * (1 - mix) * groups.weight[g].item()
        expected = dual_prox(w[0, g].numpy(), step[0, g].numpy(), 0.6 * mix, l2)
        np.testing.assert_allclose(ours[g], expected, atol=2e-6)
    assert (ours == 0).all(1).any() and (ours != 0).all(1).any()


def solve(x: np.ndarray, y: np.ndarray, penalty: Penalty, lam: float, diagonal: bool, groups) -> torch.Tensor:
    """Proximal gradient on half the mean squared error, with one step or a diagonal metric."""
    a, b, n = torch.tensor(x), torch.tensor(y), len(y)
    gram = a.T @ a / n
    bound = torch.linalg.eigvalsh(gram)[-1]
    step = 1 / gram.abs().sum(1)[None, :, None] if diagonal else 1 / bound[None]
    w, strength = torch.zeros(1, a.shape[1], 1, dtype=a.dtype), lam * ONE
    for _ in range(4000):
        grad = (gram @ w[0] - (a.T @ b / n)[:, None])[None]
        if penalty.residual(w, grad, strength, groups).max() < 1e-12:
            break
        w = penalty.prox(w - step * grad, step, strength, groups)
    return w[0, :, 0]


@pytest.mark.parametrize("diagonal", [False, True])
def test_least_squares_equals_sklearn(diagonal):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 8)) * rng.uniform(0.5, 2, 8)
    y = x @ np.array([2, -1, 0.5, 0, 0, 0, 0, 0]) + 0.5 * rng.standard_normal(60)
    groups = by_input((8, 1))
    theirs = Lasso(alpha=0.1, fit_intercept=False, tol=1e-14, max_iter=10**6).fit(x, y).coef_
    np.testing.assert_allclose(solve(x, y, L1(), 0.1, diagonal, groups), theirs, atol=1e-8)
    s, r = 0.2, 0.6  # scikit-learn's alpha and l1_ratio, as the docstring converts them
    theirs = SklearnElasticNet(alpha=s, l1_ratio=r, fit_intercept=False, tol=1e-14, max_iter=10**6).fit(x, y).coef_
    ours = solve(x, y, ElasticNet(alpha=(1 - r) / (1 + r)), s * (1 + r) / 2, diagonal, groups)
    np.testing.assert_allclose(ours, theirs, atol=1e-8)
    np.testing.assert_allclose(solve(x, y, ElasticNet(lam2=s * (1 - r)), s * r, diagonal, groups), theirs, atol=1e-8)


def test_group_lasso_optimum_does_not_depend_on_the_metric():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((60, 8)) * rng.uniform(0.5, 2, 8)
    y = x[:, :3] @ np.array([2.0, -1.0, 0.5]) + 0.5 * rng.standard_normal(60)
    groups = from_index((8, 1), [0, 1, 0, 2, 3, 1, 2, 3], axis=0)
    for penalty in (GroupLasso(), SparseGroupLasso(mix=0.3)):
        plain, metric = (solve(x, y, penalty, 0.3, diagonal, groups) for diagonal in (False, True))
        torch.testing.assert_close(plain, metric, rtol=0, atol=1e-10)
        assert torch.equal(plain == 0, metric == 0) and 0 < int((plain == 0).sum()) < 8
