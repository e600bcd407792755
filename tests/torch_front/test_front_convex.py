"""Linear models reach the convex solutions: scikit-learn's lasso, exact zeros, KKT residuals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso

from riata.penalties import L1, GroupLasso
from riata.torch import ProxAdam, ProxSGD, adopt, attach_prox, groups_by_input

N, D, LAM = 80, 12, 0.1
SIZES = [3, 2, 1, 4, 2]


def data():
    draw = np.random.default_rng(0)
    x = draw.standard_normal((N, D)) * np.linspace(0.5, 1.5, D)
    x[:, 1] += 0.6 * x[:, 0]
    truth = np.array([1.0, -0.8, 0, 0, 0, 0.7, 0, 0, 0, 0, 0.5, 0.4])
    return x, x @ truth + 0.3 * draw.standard_normal(N) + 2.0


DATA = tuple(torch.from_numpy(a) for a in data())


def model():
    net = torch.nn.Linear(D, 1, dtype=torch.float64)
    with torch.no_grad():
        net.weight.fill_(0.1)
        net.bias.zero_()
    return net


def backward(net):
    x, y = DATA
    net.zero_grad()
    loss = 0.5 * (net(x)[:, 0] - y).square().mean()
    loss.backward()
    return loss


def train(net, optimizer, steps, decay=True):
    """Full batches; the rate falls as a cosine, so that the ends of Adam's wandering do not show."""
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.5 * (1 + math.cos(math.pi * t / steps)))
    for _ in range(steps):
        backward(net)
        optimizer.step()
        if decay:
            schedule.step()
    backward(net)


def lasso():
    return Lasso(alpha=LAM, tol=1e-14, max_iter=1_000_000).fit(*data())


def tables(net, penalty):
    rules = {"weight": (penalty, LAM) if penalty.entrywise else (groups_by_input(net, SIZES), penalty, LAM)}
    return adopt(net, rules=rules)


MAKERS = {
    "ProxSGD": lambda net, a: ProxSGD(a.param_groups(), lr=0.3),
    "ProxSGD plain": lambda net, a: ProxSGD(a.param_groups(), lr=0.3, momentum=0.0),
    "ProxAdam group": lambda net, a: ProxAdam(a.param_groups(), lr=0.05),
    "ProxAdam entry": lambda net, a: ProxAdam(a.param_groups(), lr=0.05, metric="entry"),
    "SGD": lambda net, a: attached(torch.optim.SGD(net.parameters(), lr=0.3), a),
    "SGD momentum": lambda net, a: attached(torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9, dampening=0.9), a),
    "Adam": lambda net, a: attached(torch.optim.Adam(net.parameters(), lr=0.05, betas=(0.9, 0.99)), a),
    "Adam amsgrad": lambda net, a: attached(torch.optim.Adam(net.parameters(), lr=0.05, amsgrad=True), a),
    "AdamW": lambda net, a: attached(torch.optim.AdamW(net.parameters(), lr=0.05, weight_decay=0.0), a),
}


def attached(optimizer, adopted):
    attach_prox(optimizer, adopted)
    return optimizer


@pytest.mark.parametrize("name", ["ProxSGD", "ProxSGD plain", "SGD", "SGD momentum"])
def test_constant_rates_reach_the_lasso_to_1e_8(name):
    net = model()
    adopted = tables(net, L1())
    train(net, MAKERS[name](net, adopted), 1500, decay=False)
    exact = lasso()
    np.testing.assert_allclose(net.weight.detach().numpy()[0], exact.coef_, atol=1e-8)
    np.testing.assert_allclose(net.bias.item(), exact.intercept_, atol=1e-8)
    assert np.array_equal(net.weight.detach().numpy()[0] == 0.0, exact.coef_ == 0.0)
    assert adopted.kkt()["weight"] <= 1e-8
    assert adopted.zeros()["weight"] == (int((exact.coef_ == 0).sum()), D)
    assert 0 < adopted.zeros()["weight"][0] < D


@pytest.mark.parametrize("name", ["ProxAdam group", "ProxAdam entry", "Adam", "Adam amsgrad", "AdamW"])
def test_adams_reach_the_lasso(name):
    net = model()
    adopted = tables(net, L1())
    train(net, MAKERS[name](net, adopted), 1200)
    exact = lasso()
    np.testing.assert_allclose(net.weight.detach().numpy()[0], exact.coef_, atol=1e-8)
    assert np.array_equal(net.weight.detach().numpy()[0] == 0.0, exact.coef_ == 0.0)
    assert adopted.kkt()["weight"] <= 1e-8


@pytest.mark.parametrize("name", MAKERS)
def test_group_lasso_is_stationary_with_exact_zeros(name):
    net = model()
    adopted = tables(net, GroupLasso())
    train(net, MAKERS[name](net, adopted), 1200)
    assert adopted.kkt()["weight"] <= 1e-7
    dead, count = adopted.zeros()["weight"]
    assert count == 5 and 0 < dead < 5


def test_the_certificate_can_fail():
    net = model()
    adopted = tables(net, GroupLasso())
    backward(net)
    assert adopted.kkt()["weight"] > 0.01


def test_a_prox_after_plain_momentum_would_solve_another_problem():
    """What the refusal protects from: momentum .9 without dampening ends at the lasso of lam/10."""
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.03, momentum=0.9)
    attach_prox(torch.optim.SGD(net.parameters(), lr=0.03), tables(net, L1()))
    for _ in range(1500):
        backward(net)
        optimizer.step()
        with torch.no_grad():
            net.weight.copy_(net.weight - net.weight.clamp(-0.03 * LAM, 0.03 * LAM))
    x, y = data()
    weaker = Lasso(alpha=LAM / 10, tol=1e-14, max_iter=1_000_000).fit(x, y).coef_
    np.testing.assert_allclose(net.weight.detach().numpy()[0], weaker, atol=1e-6)
    assert np.abs(net.weight.detach().numpy()[0] - lasso().coef_).max() > 0.03
