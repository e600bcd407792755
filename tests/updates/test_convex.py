"""On convex problems the updates reach the solution of scikit-learn or of a plain reference solver."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.linear_model import ElasticNet as SklearnElasticNet
from sklearn.linear_model import Lasso

from riata.engines import BatchedEngine, Loss, NetworkSpec
from riata.groups import by_variable
from riata.penalties import L1, ElasticNet, GroupLasso, SparseGroupLasso
from riata.updates import ProxAdam, ProxSGD, Term

N, D = 80, 12
INDEX = [0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4]
LAMS = [0.3, 0.1, 0.03, 0.01]
SPEC, LOSS = NetworkSpec(D, 1, ()), Loss("squared", 1)
GROUPS = by_variable((D, 1), INDEX, list("abcde"))
UPDATES = {
    "adam group": (ProxAdam(metric="group"), 0.05),
    "adam entry": (ProxAdam(metric="entry"), 0.05),
    "sgd": (ProxSGD(), 0.3),
    "sgd plain": (ProxSGD(momentum=0.0), 0.3),
}


def data():
    draw = np.random.default_rng(0)
    x = draw.standard_normal((N, D)) * np.linspace(0.5, 1.5, D)
    x[:, 1] += 0.6 * x[:, 0]
    truth = np.array([1.0, -0.8, 0, 0, 0, 0.7, 0, 0, 0, 0, 0.5, 0.4])
    return x, x @ truth + 0.3 * draw.standard_normal(N) + 2.0


def train(update, lr, penalty, lams, steps=1000):
    """Full batches and a cosine down to zero."""
    x, y = (torch.from_numpy(a) for a in data())
    lam = torch.tensor(lams, dtype=torch.float64)
    terms = {"first": Term(penalty, lam, GROUPS)}
    params = {k: torch.zeros(len(lams), *s, dtype=torch.float64) for k, s in SPEC.shapes().items()}
    state, engine = update.init(params, terms), BatchedEngine(SPEC, LOSS)
    for step in range(steps):
        _, grads = engine.grads(params, x, y)
        share = 0.5 * (1 + math.cos(math.pi * step / steps))
        update.step(params, grads, state, torch.full_like(lam, lr * share), terms)
    return params["first"][..., 0].numpy(), params["b_out"][:, 0].numpy()


def objective(penalty, w, b, lam):
    x, y = data()
    cost = penalty.value(torch.from_numpy(w).reshape(1, D, 1), torch.tensor([lam], dtype=torch.float64), GROUPS)
    return 0.5 * np.mean((x @ w + b - y) ** 2) + float(cost)


@cache
def reference(penalty, lam, steps=2000):
    """Proximal gradient with the exact step, long: independent of updates and engines."""
    x, y = data()
    centre, mean = x - x.mean(0), y - y.mean()
    step = N / np.linalg.norm(centre, 2) ** 2
    w, strength = torch.zeros(1, D, 1, dtype=torch.float64), torch.tensor([lam], dtype=torch.float64)
    xs, ys, length = torch.from_numpy(centre), torch.from_numpy(mean)[:, None], torch.tensor([step])
    for _ in range(steps):
        new = penalty.prox(w - step * (xs.T @ (xs @ w[0] - ys)) / N, length, strength, GROUPS)
        if torch.equal(new, w):
            break
        w = new
    solution = w[0, :, 0].numpy()
    return solution, y.mean() - x.mean(0) @ solution


def sklearn_solution(penalty, lam):
    if isinstance(penalty, L1):
        model = Lasso(alpha=lam, tol=1e-12, max_iter=100000)
    else:
        lam1, lam2 = (1 - penalty.alpha) * lam, 2 * penalty.alpha * lam
        model = SklearnElasticNet(alpha=lam1 + lam2, l1_ratio=lam1 / (lam1 + lam2), tol=1e-12, max_iter=100000)
    model.fit(*data())
    return model.coef_, model.intercept_


@pytest.mark.parametrize("rule", UPDATES)
@pytest.mark.parametrize("penalty", [L1(), ElasticNet(alpha=0.3), GroupLasso(), SparseGroupLasso(mix=0.4)], ids=repr)
def test_reaches_the_solution(penalty, rule):
    weights, intercepts = train(*UPDATES[rule], penalty, LAMS)
    for w, b, lam in zip(weights, intercepts, LAMS, strict=True):
        closed = isinstance(penalty, L1 | ElasticNet)
        best, level = sklearn_solution(penalty, lam) if closed else reference(penalty, lam)
        gap = objective(penalty, w, b, lam) - objective(penalty, best, level, lam)
        assert -1e-9 < gap <= 1e-6, (lam, gap)
        assert np.array_equal(w == 0.0, best == 0.0), (lam, w, best)
    assert 0 < np.count_nonzero(weights[0]) < np.count_nonzero(weights[-1]), "the path must mean something"


def test_reference_is_scikit_learns():
    for lam in LAMS:
        np.testing.assert_allclose(reference(L1(), lam)[0], sklearn_solution(L1(), lam)[0], atol=1e-7)


class ThresholdAfterMomentum(ProxSGD):
    """The classic mistake: torch's momentum (true step lr/(1 - b)), then a prox with lr."""

    def step(self, params, grads, state, lr, terms):
        for name, w in params.items():
            m = state["m"][name].mul_(self.momentum).add_(grads[name])
            w.sub_(m * lr.reshape(-1, *[1] * (w.dim() - 1)))
            if name in terms:
                t = terms[name]
                w.copy_(t.penalty.prox(w, lr, t.lam, t.groups))


def test_threshold_after_momentum_solves_another_problem():
    lam = 0.1
    wrong = train(ThresholdAfterMomentum(), 0.03, L1(), [lam], steps=2000)[0][0]
    right = train(ProxSGD(), 0.3, L1(), [lam], steps=2000)[0][0]
    solution, weaker = sklearn_solution(L1(), lam)[0], sklearn_solution(L1(), lam / 10)[0]
    np.testing.assert_allclose(right, solution, atol=1e-5)
    np.testing.assert_allclose(wrong, weaker, atol=1e-5)
    assert np.abs(wrong - solution).max() > 0.03


class ThresholdAfterAdam(ProxAdam):
    """The other classic mistake: Adam's step, then a prox with the plain rate."""

    def step(self, params, grads, state, lr, terms):
        super().step(params, grads, state, lr, {})
        for name, t in terms.items():
            params[name].copy_(t.penalty.prox(params[name], lr, t.lam, t.groups))


def test_threshold_after_adam_solves_no_problem():
    lam = 0.1
    wrong, level = (a[0] for a in train(ThresholdAfterAdam(metric="entry"), 0.05, L1(), [lam]))
    right = train(ProxAdam(metric="entry"), 0.05, L1(), [lam])[0][0]
    best, intercept = sklearn_solution(L1(), lam)
    gap = objective(L1(), wrong, level, lam) - objective(L1(), best, intercept, lam)
    assert gap > 1e-3
    assert np.array_equal(right == 0, best == 0) and not np.array_equal(wrong == 0, best == 0)


def test_averaged_step_under_a_group_prox_is_not_the_solution():
    """Adam's step per weight with one averaged step in the prox ends above the optimum; ProxAdam does not."""

    class AveragedStep(GroupLasso):
        def prox(self, w, step, lam, groups):
            return super().prox(w, step.reshape(len(step), -1).mean(1), lam, groups)

    lam = 0.1
    best, level = reference(GroupLasso(), lam)
    low = objective(GroupLasso(), best, level, lam)
    gaps = []
    for penalty in (AveragedStep(), GroupLasso()):
        w, b = (a[0] for a in train(ProxAdam(metric="entry"), 0.05, penalty, [lam]))
        gaps.append(objective(GroupLasso(), w, b, lam) - low)
    assert gaps[0] > 1e-4 and gaps[1] <= 1e-6, gaps
