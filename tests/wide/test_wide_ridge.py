"""Ridge over all columns by its span: equal to the ridge that has every column, on the rows and on others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from riata.engines import Loss
from riata.genome import Dense, takes
from riata.penalties import L2
from riata.wide import Start, Weights, follow_ridge, make_problem, one, run, solve

SHARES = (3.0, 0.3, 0.03)


def table(seed: int, n: int = 90, p: int = 400):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, p)) + 0.7 * draw.normal(size=(n, 1))
    x[draw.random(x.shape) < 0.02] = np.nan
    f = np.nansum(x[:, :6], 1)
    return x, (f + draw.logistic(size=n) > 0).astype(np.float32), f + draw.normal(size=n)


def test_it_is_the_logistic_ridge_of_scikit_learn():
    x, y, _ = table(0)
    columns = Dense.of(x)
    path = one(follow_ridge(make_problem(columns, torch.as_tensor(y), Loss("logistic", 1), hidden=0), SHARES, tol=1e-5))
    standard = columns.columns(torch.arange(columns.p)).double().numpy()
    for stage in path.stages:
        known = LogisticRegression(C=1 / (stage.lam * len(y)), tol=1e-10, max_iter=5000).fit(standard, y)
        first = standard.T @ stage.dual.numpy()[:, 0]
        assert np.abs(first - known.coef_[0]).max() < 2e-3 * np.abs(known.coef_).max()
        assert np.abs(stage.reach[:, 0].numpy() - standard @ known.coef_[0]).max() < 5e-3


def test_it_is_the_linear_ridge_of_scikit_learn():
    x, _, y = table(1)
    y = ((y - y.mean()) / y.std()).astype(np.float32)
    columns = Dense.of(x)
    path = one(follow_ridge(make_problem(columns, torch.as_tensor(y), Loss("squared", 1), hidden=0), SHARES, tol=1e-5))
    standard = columns.columns(torch.arange(columns.p)).double().numpy()
    for stage in path.stages:
        known = Ridge(alpha=stage.lam * len(y)).fit(standard, y)
        assert np.abs(standard.T @ stage.dual.numpy()[:, 0] - known.coef_).max() < 2e-3 * np.abs(known.coef_).max()


@pytest.mark.parametrize("loss", [Loss("logistic", 1), Loss("softmax", 3)], ids=lambda loss: loss.kind)
def test_a_network_is_the_one_with_every_column(loss):
    """The gradient of the first layer over all columns is minus lam times the first layer."""
    x, y, f = table(2)
    target = torch.as_tensor(y) if loss.outputs == 1 else torch.as_tensor(np.digitize(f, [-1.0, 1.0]))
    columns = Dense.of(x)
    problem = make_problem(columns, target, loss, hidden=5, dtype=torch.float64)
    path = one(follow_ridge(problem, SHARES, tol=1e-4))
    full = columns.columns(torch.arange(columns.p)).double()
    for stage in path.stages:
        w = stage.weights
        first = full.T @ stage.dual
        into = problem.gradient(full, Weights(first, w.free, w.b1, w.out)).into
        slope = full.T @ into
        assert float((slope + stage.lam * first).norm() / slope.norm()) < 5e-3
        assert stage.residual <= 1e-4
        assert torch.allclose(stage.reach, full @ first, atol=1e-4)  # K Q is float32


def test_held_out_rows_are_read_and_have_no_say():
    x, y, _ = table(3)
    rows = torch.arange(0, 90, 2)
    everybody = Dense.of(x)
    part = takes(everybody, [rows])[0]
    problem = make_problem(part, torch.as_tensor(y)[rows], Loss("logistic", 1), hidden=4)
    with_others = one(follow_ridge(problem, SHARES, onto=everybody.like(part), rows=rows, tol=1e-3))
    alone = one(follow_ridge(problem, SHARES, tol=1e-3))
    raw = everybody.raw(torch.arange(400)).double()
    standard = ((raw - part.mean) / part.scale).nan_to_num(nan=0.0)
    own = part.columns(torch.arange(400)).double()
    for a, b in zip(with_others.stages, alone.stages, strict=True):
        assert torch.allclose(a.reach[rows], b.reach, atol=2e-4)
        assert torch.allclose(a.reach.double(), standard @ (own.T @ a.dual), atol=2e-4)


def test_few_columns_are_solved_as_they_are():
    x, y, _ = table(4, p=12)
    columns = Dense.of(x)
    problem = make_problem(columns, torch.as_tensor(y), Loss("logistic", 1), hidden=0, dtype=torch.float64)
    path = one(follow_ridge(problem, SHARES, tol=1e-7))
    assert path.passes == 0
    standard = columns.columns(torch.arange(12)).double().numpy()
    for stage in path.stages:
        known = LogisticRegression(C=1 / (stage.lam * len(y)), tol=1e-12, max_iter=5000).fit(standard, y)
        assert np.abs(stage.reach[:, 0].numpy() - standard @ known.coef_[0]).max() < 1e-4


def test_side_by_side_is_alone():
    x, y, _ = table(5)
    columns = Dense.of(x)
    halves = [torch.arange(0, 45), torch.arange(45, 90)]

    def made():
        for rows, part in zip(halves, takes(columns, halves), strict=True):
            yield follow_ridge(make_problem(part, torch.as_tensor(y)[rows], Loss("logistic", 1), hidden=3), SHARES)

    for a, b in zip(run(list(made())), [one(f) for f in made()], strict=True):
        assert a.scale == pytest.approx(b.scale, rel=1e-6)
        for s, t in zip(a.stages, b.stages, strict=True):
            assert torch.allclose(s.reach, t.reach, atol=1e-4)


def test_an_outcome_without_a_signal_ends_at_once():
    columns = Dense.of(np.random.default_rng(0).normal(size=(40, 100)))
    problem = make_problem(columns, torch.zeros(40), Loss("squared", 1), hidden=0)
    assert one(follow_ridge(problem, SHARES)).stages == ()


def test_the_tail_is_trained_within_its_bound():
    """With ``tail`` the loss falls further, every output's weights keep a norm of at most 1, and zeros stay exact."""
    x, y, _ = table(6, p=8)
    columns = Dense.of(x)
    problem = make_problem(columns, torch.as_tensor(y), Loss("logistic", 1), hidden=6)
    ids = torch.arange(8)
    full, groups = columns.columns(ids), problem.grouping.local(ids, 7)
    start = Start(problem.start.with_first(full.new_zeros(8, 7)))
    values = []
    for tail in (False, True):
        done = solve(problem, full, start, L2(), 0.01, groups, tol=1e-4, tail=tail)
        f = problem.free @ done.weights.free
        z = full @ done.weights.first
        f = f + z[:, 6:] + torch.tanh(z[:, :6] + done.weights.b1) @ done.weights.out
        cost = 0.005 * float(done.weights.first.square().sum())
        values.append(float(problem.loss.value(f[None], problem.y)[0]) + cost)
        assert float(done.weights.out.norm(dim=0).max()) <= 1 + 1e-6
        assert torch.equal(done.weights.b1, problem.start.b1) is not tail
    assert values[1] < values[0] - 1e-4
