"""The sparse path: equal to reference solvers, certified by brute force, and the same however it was found."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import riata
from riata.engines import Loss
from riata.errors import InputError
from riata.genome import Bed, Cohort, Dense, Joined, open_bed, simulate
from riata.penalties import L1, L2, ElasticNet, GroupLasso
from riata.wide import Cache, Grouping, certify, follow, geometric, make_problem, one, run
from riata.wide import path as path_module

SPARSE = (GroupLasso(), L1(), ElasticNet())


def table(seed: int, n: int = 120, p: int = 300, task: str = "logistic"):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, p)) + 0.5 * draw.normal(size=(n, 1))
    f = x[:, :4] @ np.array([1.5, -1.0, 0.8, 0.6])
    if task == "squared":
        y = f + draw.normal(size=n)
        return x, (y - y.mean()) / y.std()
    if task == "softmax":
        return x, np.argmax(np.c_[f, x[:, 4] * 2, -f + x[:, 5]] + draw.gumbel(size=(n, 3)), 1)
    return x, (f + draw.logistic(size=n) > 0).astype(float)


def loss_of(task: str) -> Loss:
    return Loss(task, 3 if task == "softmax" else 1)


def solved(columns, y, task, penalty, **how):
    shares = how.pop("shares", geometric(8, 0.3))
    free, grouping, tol = how.pop("free", None), how.pop("grouping", None), how.pop("tol", 1e-3)
    problem = make_problem(columns, torch.as_tensor(y), loss_of(task), free=free, grouping=grouping, **how)
    return problem, one(follow(problem, penalty, Cache(columns, problem.grouping), shares, tol=tol))


def objective(x, y, c, first, w, lam, penalty, grouping, loss, activation="tanh"):
    """Mean loss and penalty with every column written out, in float64."""
    z = x @ first
    h = len(w.b1)
    f = c @ w.free + z[:, h:] + (torch.tanh(z[:, :h] + w.b1) @ w.out if h else 0)
    groups = grouping.local(torch.arange(x.shape[1]), first.shape[1])
    cost = penalty.value(first[None], torch.tensor([lam], dtype=torch.float64), groups)
    return float(loss.value(f[None], y)[0] + cost[0])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("task", ["logistic", "squared"])
def test_a_linear_network_is_the_lasso_of_the_linear_path(seed, task):
    x, y = table(seed, n=80 + 5 * seed, p=(10, 40, 150, 400)[seed % 4], task=task)
    columns = Dense.of(x)
    _, path = solved(columns, y, task, L1(), hidden=0, dtype=torch.float64, tol=1e-6)
    lams = [s.lam for s in path.stages]
    standard = columns.columns(torch.arange(columns.p)).double().numpy()
    target = np.where(y > 0, "yes", "no") if task == "logistic" else y
    reference = riata.fit_path(standard, target, riata.L1(), hidden=(), lams=lams, folds=0, tol=1e-10)
    for i, stage in enumerate(path.stages):
        expected = reference.fits.params["first"][i][:, 0]
        found = np.zeros(columns.p)
        found[stage.columns.numpy()] = stage.weights.first[:, 0].numpy()
        assert np.abs(found - expected).max() < 2e-5 * max(1.0, np.abs(expected).max())
        clear = np.abs(expected) > 1e-4
        assert set(np.flatnonzero(clear)) <= set(stage.columns.tolist())
        assert not set(stage.columns.tolist()) - set(np.flatnonzero(expected != 0) if lams[i] < path.lam_max else [])


@pytest.mark.parametrize("seed", range(5))
def test_a_linear_network_is_the_logistic_lasso_of_skglm(seed):
    skglm = pytest.importorskip("skglm")
    x, y = table(seed, n=100, p=60)
    columns = Dense.of(x)
    _, path = solved(columns, y, "logistic", L1(), hidden=0, dtype=torch.float64, tol=1e-6, shares=(1.0, 0.6, 0.3))
    standard = columns.columns(torch.arange(columns.p)).double().numpy()
    for stage in path.stages[1:]:
        reference = skglm.SparseLogisticRegression(stage.lam, tol=1e-10, max_iter=200, max_epochs=50_000)
        reference.fit(standard, y.astype(int))
        found = np.zeros(columns.p)
        found[stage.columns.numpy()] = stage.weights.first[:, 0].numpy()
        assert np.abs(found - reference.coef_.ravel()).max() < 1e-4
        assert set(stage.columns.tolist()) == set(np.flatnonzero(reference.coef_.ravel()))


@pytest.mark.parametrize("task", ["logistic", "squared", "softmax"])
@pytest.mark.parametrize("penalty", SPARSE, ids=lambda p: p.name)
def test_every_stage_of_a_network_is_certified_by_brute_force(task, penalty):
    x, y = table(3, task=task)
    head = torch.tensor([0, 1, 1, 1, 2])
    problem, path = solved(
        Dense.of(x), y, task, penalty, hidden=6, grouping=Grouping(head, x.shape[1]), free=torch.as_tensor(x[:, 7:9])
    )
    kept = []
    for stage in path.stages:
        found = certify(problem, penalty, stage)
        assert found.outside < 1 + 4e-3 + 1e-5
        assert found.inside < 4e-3
        assert found.free < 5e-3
        assert stage.outside >= found.outside - 1e-4  # what was claimed bounds what is
        kept.append(found.kept)
        alive = (stage.weights.first != 0).any(1)
        groups = problem.grouping.groups_of(stage.columns)
        assert all(bool(alive[groups == g].any()) for g in groups.unique())
    assert kept[0] == 0 and kept[-1] > 1


def test_a_certificate_sees_a_wrong_solution():
    x, y = table(1)
    problem, path = solved(Dense.of(x), y, "logistic", GroupLasso(), hidden=4)
    good = path.stages[-1]
    wrong = type(good)(good.lam, good.columns[1:], good.weights.with_first(good.weights.first[1:]), 0.0, 0.0, 0, 0)
    assert certify(problem, GroupLasso(), good).above <= 1
    assert certify(problem, GroupLasso(), wrong).outside > 1.05


@pytest.mark.parametrize("penalty", SPARSE, ids=lambda p: p.name)
def test_the_network_is_the_one_that_plain_steps_over_all_columns_reach(penalty):
    """A float64 proximal gradient over every column, without screening, cache, working set or acceleration."""
    x, y = table(5, n=90, p=60)
    columns = Dense.of(x)
    problem, path = solved(
        columns, y, "logistic", penalty, hidden=5, dtype=torch.float64, tol=1e-7, shares=(1, 0.7, 0.5)
    )
    stage = path.stages[-1]
    full = columns.columns(torch.arange(60)).double()
    w = problem.start
    first, free = torch.zeros(60, 6, dtype=torch.float64), w.free.clone()
    groups = problem.grouping.local(torch.arange(60), 6)
    step = 1 / (0.5 * float(torch.linalg.matrix_norm(full, 2)) ** 2 / len(y) + 0.25)
    lam = torch.tensor([stage.lam], dtype=torch.float64)
    for _ in range(6000):
        g = problem.gradient(full, type(w)(first, free, w.b1, w.out))
        first = penalty.prox((first - step * full.T @ g.into)[None], torch.tensor([step]).double(), lam, groups)[0]
        free = free - g.free
    found = torch.zeros_like(first)
    found[stage.columns] = stage.weights.first
    args = (problem.y, problem.free)
    ours = objective(full, *args, found, stage.weights, stage.lam, penalty, problem.grouping, problem.loss)
    plain = objective(
        full, *args, first, type(w)(first, free, w.b1, w.out), stage.lam, penalty, problem.grouping, problem.loss
    )
    assert abs(ours - plain) < 1e-8
    assert torch.equal((found != 0).any(1), (first != 0).any(1))


def test_lam_max_is_where_the_first_variable_enters():
    x, y = table(2)
    columns = Dense.of(x)
    problem = make_problem(columns, torch.as_tensor(y), loss_of("logistic"), hidden=8)
    cache = Cache(columns, problem.grouping)
    path = one(follow(problem, GroupLasso(), cache, (1.0001, 0.999)))
    full = columns.columns(torch.arange(columns.p)).double()
    start = problem.start.to(torch.float64)
    share = float(y.mean())
    a = torch.tanh(start.b1)
    r = torch.full((len(y), 1), share, dtype=torch.float64) - torch.as_tensor(y)[:, None]
    into = torch.cat([(r @ start.out.T) * (1 - a * a), r], 1) / len(y)
    assert path.lam_max == pytest.approx(float((full.T @ into).norm(dim=1).max()), rel=1e-5)
    assert [len(s.columns) for s in path.stages] == [0, 1]


def test_rules_only_propose(monkeypatch):
    x, y = table(4, p=500)
    _, plain = solved(Dense.of(x), y, "logistic", GroupLasso(), hidden=4)
    monkeypatch.setattr(path_module, "LEAST_WORKING", 1)
    monkeypatch.setattr(path_module, "AHEAD", 1)
    _, starved = solved(Dense.of(x), y, "logistic", GroupLasso(), hidden=4)
    assert starved.violations > plain.violations
    for a, b in zip(plain.stages, starved.stages, strict=True):
        assert set(a.columns.tolist()) == set(b.columns.tolist())


def test_what_is_in_doubt_is_asked_for_more_finely(monkeypatch):
    x, y = table(4, p=500)
    _, plain = solved(Dense.of(x), y, "logistic", L1(), hidden=4)
    monkeypatch.setattr(path_module, "DOUBT", 1)
    monkeypatch.setattr("riata.wide.cache.MISSED", 0.9)  # so coarse that nearly everything is in doubt
    _, coarse = solved(Dense.of(x), y, "logistic", L1(), hidden=4)
    assert coarse.right >= plain.right - 2 and sum(s.doubtful for s in coarse.stages) < 500
    for a, b in zip(plain.stages, coarse.stages, strict=True):
        assert set(a.columns.tolist()) == set(b.columns.tolist())


def test_a_cache_that_other_paths_filled_changes_nothing():
    x, y = table(6)
    columns = Dense.of(x)
    problem = make_problem(columns, torch.as_tensor(y), loss_of("logistic"), hidden=4)
    shared = Cache(columns, problem.grouping)
    alone = one(follow(problem, L1(), Cache(columns, problem.grouping), geometric(8, 0.3)))
    for penalty in (GroupLasso(), ElasticNet()):
        one(follow(problem, penalty, shared, geometric(8, 0.3)))
    after = one(follow(problem, L1(), shared, geometric(8, 0.3)))
    assert after.right < alone.right
    for a, b in zip(alone.stages, after.stages, strict=True):
        assert set(a.columns.tolist()) == set(b.columns.tolist())
        assert torch.allclose(a.weights.free, b.weights.free, atol=1e-3)


@pytest.fixture(scope="module")
def bed(tmp_path_factory) -> Bed:
    path = tmp_path_factory.mktemp("wide") / "c"
    truth = simulate(path, Cohort(people=203, variants=900, effects=4, background=20, missing=0.02, seed=3))
    found = open_bed(path)
    object.__setattr__(found, "outcome", truth.outcome)
    return found


def test_backends_select_the_same(bed):
    y = bed.outcome
    raw = bed.raw(torch.arange(bed.p)).numpy()
    dense, whole = Dense.of(raw), bed.resident()
    paths = [solved(c, y, "logistic", GroupLasso(), hidden=5)[1] for c in (bed, dense, whole)]
    for stages in zip(*(p.stages for p in paths), strict=True):
        assert len({tuple(sorted(s.columns.tolist())) for s in stages}) == 1
    assert len(paths[0].stages[-1].columns) > 3


def test_fits_side_by_side_are_those_of_one_alone(bed):
    y = torch.as_tensor(bed.outcome)
    rows = [torch.arange(0, 203, 2), torch.arange(1, 203, 2), torch.arange(203)]
    from riata.genome import takes

    def made():
        for r, c in zip(rows, takes(bed, rows), strict=True):
            problem = make_problem(c, y[r], loss_of("logistic"), hidden=4)
            yield follow(problem, L1(), Cache(c, problem.grouping), geometric(6, 0.4))

    together, alone = run(list(made())), [one(f) for f in made()]
    for a, b in zip(together, alone, strict=True):
        assert a.lam_max == b.lam_max
        for s, t in zip(a.stages, b.stages, strict=True):
            assert torch.equal(s.columns, t.columns) and torch.equal(s.weights.first, t.weights.first)


def test_a_view_without_the_first_columns(bed):
    draw = np.random.default_rng(0)
    clinical = Dense.of(draw.normal(size=(203, 3)) + bed.outcome[:, None], ["a", "b", "c"])
    both = Joined.of([clinical, bed])
    problem = make_problem(
        both,
        torch.as_tensor(bed.outcome),
        loss_of("logistic"),
        hidden=4,
        grouping=Grouping(torch.tensor([0, 1, 1]), both.p),
    )
    cache = Cache(both, problem.grouping)
    view = one(follow(problem, GroupLasso(), cache, geometric(6, 0.4), start=3))
    alone = solved(bed, bed.outcome, "logistic", GroupLasso(), hidden=4, shares=geometric(6, 0.4))[1]
    assert view.lam_max == pytest.approx(alone.lam_max, rel=1e-5)
    for a, b in zip(view.stages, alone.stages, strict=True):
        assert set((a.columns - 3).tolist()) == set(b.columns.tolist())
    combined = one(follow(problem, GroupLasso(), cache, geometric(6, 0.4)))
    assert combined.stages[1].columns.min() < 3


def test_monomorphic_columns_never_enter():
    x, y = table(7, p=40)
    x[:, 5] = 3.0
    _, path = solved(Dense.of(x), y, "logistic", L1(), hidden=0, shares=geometric(12, 0.01))
    assert all(5 not in s.columns.tolist() for s in path.stages) and len(path.stages[-1].columns) > 10


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda c, y: make_problem(c, y[:-1], Loss("logistic", 1)), "one a row"),
        (lambda c, y: make_problem(c, y, Loss("logistic", 1), free=torch.ones(len(y), 1)), "constant or a combination"),
        (
            lambda c, y: one(
                follow(make_problem(c, y, Loss("logistic", 1)), L2(), Cache(c, Grouping(torch.zeros(0).long(), c.p)))
            ),
            "no sparse path",
        ),
        (lambda c, y: Grouping(torch.tensor([0, 2]), 5), "gaps"),
    ],
)
def test_wrong_arguments_are_refused(make, said):
    x, y = table(0)
    with pytest.raises(InputError, match=said):
        make(Dense.of(x), torch.as_tensor(y))


def test_paths_that_share_a_cache_side_by_side_select_as_alone():
    """What two paths ask for at the same time overlaps: it is stored once, and every certificate still holds."""
    x, y = table(8, p=600)
    columns = Dense.of(x)
    problem = make_problem(columns, torch.as_tensor(y), loss_of("logistic"), hidden=4)
    cache = Cache(columns, problem.grouping)
    together = run([follow(problem, penalty, cache, geometric(8, 0.3)) for penalty in SPARSE])
    gram = cache.q.T @ cache.q
    assert float((gram - torch.eye(len(gram))).abs().max()) < 1e-5
    exact = columns.columns(torch.arange(columns.p)).double().T @ cache.q
    off = (exact - cache.products.T.double()).abs().amax(0)
    assert bool((off <= cache.error + 1e-4).all()) and not cache.pending
    plain = Cache(columns, problem.grouping)
    one(follow(problem, L1(), plain, geometric(8, 0.3)))
    assert float(cache.error.max()) < 1.5 * float(plain.error.max())  # sharing does not blur
    assert sum(s.doubtful for path in together for s in path.stages) < 30
    for penalty, path in zip(SPARSE, together, strict=True):
        alone = one(follow(problem, penalty, Cache(columns, problem.grouping), geometric(8, 0.3)))
        for a, b in zip(path.stages, alone.stages, strict=True):
            assert set(a.columns.tolist()) == set(b.columns.tolist())
            found = certify(problem, penalty, a)
            assert found.outside < 1 + 4e-3 + 1e-5 and a.outside >= found.outside - 1e-4
