"""Linear paths against scikit-learn, skglm and a certificate written again in numpy."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge

import riata

KINDS = (
    ["l1"] * 25 + ["elastic_net"] * 15 + ["l2"] * 5 + ["group"] * 20 + ["sparse_group"] * 10
    + ["logistic_l1"] * 15 + ["logistic_l2"] * 5 + ["logistic_group"] * 5
)  # fmt: skip


@dataclass
class Truth:
    """A random problem: inputs, target, groups, and which column each column is a copy of."""

    X: np.ndarray
    y: np.ndarray
    group: np.ndarray
    copy_of: np.ndarray
    share: float


def problem(seed: int) -> Truth:
    """Draw n > p or n < p, copied columns, uneven one-hot groups, columns on one scale or on many."""
    rng = np.random.default_rng(seed)
    n, p = [(90, 18), (35, 60), (60, 30)][seed % 3]
    X = rng.normal(size=(n, p)) @ (np.eye(p) + 0.4 * rng.normal(size=(p, p)) / np.sqrt(p))
    codes = rng.choice(4, size=n, p=[0.55, 0.25, 0.12, 0.08])
    X[:, :4] = codes[:, None] == np.arange(4)
    copy_of = np.arange(p)
    if seed % 4 == 1:
        X[:, -2:], copy_of[-2:] = X[:, 4:6], [4, 5]
    truth = np.where(rng.random(p) < 0.25, rng.normal(size=p), 0.0)
    signal = X @ truth
    if seed % 2:
        X = X * np.exp(rng.normal(size=p))[copy_of]
    y = signal + 0.5 * rng.normal(size=n) + 3.0
    sizes = rng.integers(1, 6, size=p)
    group = np.minimum(np.r_[[0] * 4, 1 + np.repeat(np.arange(p), sizes)[: p - 4]], p)
    return Truth(X, y, group, copy_of, [0.5, 0.1, 0.02][(seed // 3) % 3])


def penalty_of(kind: str) -> Any:
    """Return Riata's penalty of a kind."""
    return {
        "l1": riata.L1(), "elastic_net": riata.ElasticNet(lam2=0.05), "l2": riata.L2(), "group": riata.GroupLasso(),
        "sparse_group": riata.SparseGroupLasso(mix=0.4), "logistic_l1": riata.L1(), "logistic_l2": riata.L2(),
        "logistic_group": riata.GroupLasso(),
    }[kind]  # fmt: skip


def parts(kind: str, lam: float) -> tuple[float, float, float]:
    """Return the factors of ||w||_1, ||w||^2 / 2 and of the weighted group norms."""
    return {
        "l1": (lam, 0, 0), "logistic_l1": (lam, 0, 0), "elastic_net": (lam, 0.05, 0), "l2": (0, lam, 0),
        "logistic_l2": (0, lam, 0), "group": (0, 0, lam), "logistic_group": (0, 0, lam),
        "sparse_group": (0.4 * lam, 0, 0.6 * lam),
    }[kind]  # fmt: skip


def objective(t: Truth, kind: str, lam: float, w: np.ndarray, b: float) -> float:
    """Return mean loss + penalty."""
    z = t.X @ w + b
    loss = np.mean(np.logaddexp(0, z) - t.y * z) if kind.startswith("log") else 0.5 * np.mean((t.y - z) ** 2)
    l1, l2, lg = parts(kind, lam)
    norms = [np.sqrt((t.group == g).sum()) * np.linalg.norm(w[t.group == g]) for g in np.unique(t.group)]
    return float(loss + l1 * np.abs(w).sum() + l2 / 2 * w @ w + lg * np.sum(norms))


def gradient(t: Truth, kind: str, w: np.ndarray, b: float) -> tuple[np.ndarray, float]:
    """Return the gradient of the mean loss in w and in the intercept."""
    z = t.X @ w + b
    r = (expit(z) if kind.startswith("log") else z) - t.y
    return t.X.T @ r / len(t.y), float(r.mean())


def kkt(t: Truth, kind: str, lam: float, w: np.ndarray, b: float) -> float:
    """Return the distance of 0 to the subdifferential, the largest over the groups."""
    g, g0 = gradient(t, kind, w, b)
    l1, l2, lg = parts(kind, lam)
    g = g + l2 * w
    worst = abs(g0)
    for k in np.unique(t.group):
        m = t.group == k
        v, h, s = w[m], g[m], lg * np.sqrt(m.sum())
        if np.any(v):
            h = h + s * v / np.linalg.norm(v)
            off = np.where(v != 0, h + l1 * np.sign(v), np.maximum(np.abs(h) - l1, 0))
            worst = max(worst, float(np.linalg.norm(off)))
        else:
            worst = max(worst, float(np.linalg.norm(np.maximum(np.abs(h) - l1, 0)) - s))
    return worst


def reference(t: Truth, kind: str, lam: float) -> tuple[np.ndarray, float] | None:
    """Return another package's weights and intercept, or None where there is none."""
    n = len(t.y)
    fine: dict[str, Any] = {"tol": 1e-15, "max_iter": 200_000}
    if kind == "l1":
        model = Lasso(alpha=lam, **fine)
    elif kind == "elastic_net":
        model = ElasticNet(alpha=lam + 0.05, l1_ratio=lam / (lam + 0.05), **fine)
    elif kind == "l2":
        model = Ridge(alpha=n * lam, solver="svd")
    elif kind == "logistic_l1":
        model = LogisticRegression(C=1 / (n * lam), l1_ratio=1.0, solver="saga", tol=1e-10, max_iter=3000)
    elif kind == "logistic_l2":
        model = LogisticRegression(C=1 / (n * lam), l1_ratio=0.0, solver="newton-cholesky", tol=1e-12)
    else:
        return group_reference(t, lam) if kind == "group" else None
    model.fit(t.X, t.y)
    return np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])


def group_reference(t: Truth, lam: float) -> tuple[np.ndarray, float]:
    """Return skglm's group lasso."""
    from skglm import GroupLasso

    members = [np.flatnonzero(t.group == g).tolist() for g in np.unique(t.group)]
    weights = np.sqrt([len(m) for m in members])
    model = GroupLasso(groups=members, alpha=lam, weights=weights, tol=1e-12, max_iter=1000, max_epochs=100_000)
    model.fit(np.asfortranarray(t.X), t.y)
    return model.coef_, float(model.intercept_)


def support(w: np.ndarray, t: Truth) -> set[int]:
    """Return the live columns, a copy counting as its original."""
    return {int(t.copy_of[j]) for j in np.flatnonzero(w)}


@pytest.mark.parametrize("seed", range(100))
def test_a_random_problem_is_solved_to_rounding(seed: int) -> None:
    kind, t = KINDS[seed], problem(seed)
    if kind.startswith("log"):
        t.y = (t.y > np.median(t.y)).astype(float)
    start = float(np.log(t.y.mean() / (1 - t.y.mean()))) if kind.startswith("log") else float(t.y.mean())
    scale = max(np.linalg.norm(gradient(t, kind, np.zeros(t.X.shape[1]), start)[0][t.group == g]) for g in t.group)
    task = "classification" if kind.startswith("log") else "regression"
    groups = list(t.group)
    top = 1.0 if kind.endswith("l2") else riata.fit_path(
        t.X, t.y, penalty_of(kind), (), folds=0, groups=groups, task=task, path_length=1
    ).lams[0]  # fmt: skip
    lam = float(t.share * top)
    path = riata.fit_path(t.X, t.y, penalty_of(kind), (), [lam], folds=0, groups=groups, task=task)
    w, b = path.weights(lam)[:, 0], float(path.intercept(lam)[0])
    ours = objective(t, kind, lam, w, b)
    assert path.status(lam) == "ok"
    assert kkt(t, kind, lam, w, b) <= 1e-8 * scale
    assert path.kkt(lam) <= 1e-8 * scale
    assert path.objective(lam) == pytest.approx(ours, rel=1e-10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = reference(t, kind, lam)
    if other is None:
        return
    theirs = objective(t, kind, lam, *other)
    assert ours <= theirs * (1 + 1e-8)
    if kind != "logistic_l1":  # saga stops early on raw columns: our certificate stands alone there
        assert theirs <= ours * (1 + 1e-8)
        if kind.endswith("l2"):
            np.testing.assert_allclose(w, other[0], rtol=1e-5, atol=1e-7)
        else:
            assert support(w, t) == support(np.where(np.abs(other[0]) > 1e-7 * np.abs(w).max(), other[0], 0), t)


@pytest.mark.parametrize("penalty", [riata.L1(), riata.GroupLasso(), riata.SparseGroupLasso(mix=0.3)])
def test_nothing_is_left_at_lam_max_and_something_just_below(penalty: Any) -> None:
    t = problem(7)
    top = riata.fit_path(t.X, t.y, penalty, (), folds=0, groups=list(t.group)).lams[0]
    path = riata.fit_path(t.X, t.y, penalty, (), [top * (1 + 1e-6), 0.99 * top], folds=0, groups=list(t.group))
    assert not path.weights(path.lams[0]).any()
    assert path.weights(path.lams[1]).any()


@pytest.mark.parametrize("kind", ["l1", "group", "logistic_l1", "logistic_group"])
def test_lam_max_is_the_gradient_without_inputs(kind: str) -> None:
    t = problem(4)
    if kind.startswith("log"):
        t.y = (t.y > 3).astype(float)
    p = t.y.mean()
    g, _ = gradient(t, kind, np.zeros(t.X.shape[1]), np.log(p / (1 - p)) if kind.startswith("log") else p)
    sizes = [(t.group == k).sum() for k in range(t.group.max() + 1)]
    grouped = max(np.linalg.norm(g[t.group == k]) / np.sqrt(s) for k, s in enumerate(sizes) if s)
    path = riata.fit_path(t.X, t.y, penalty_of(kind), (), folds=0, groups=list(t.group))
    assert path.lams[0] == pytest.approx(grouped if kind.endswith("group") else np.abs(g).max(), rel=1e-6)


@pytest.mark.parametrize("kind", ["l1", "group", "l2", "logistic_l1"])
def test_a_fold_as_row_weights_is_a_fit_on_the_subset(kind: str) -> None:
    t = problem(6)
    if kind.startswith("log"):
        t.y = (t.y > 3).astype(float)
    lams = [0.1, 0.02]
    groups = list(t.group)
    path = riata.fit_path(t.X, t.y, penalty_of(kind), (), lams, folds=3, groups=groups, task="auto", seed=2)
    from riata.path.frame import prepare
    from riata.path.inputs import read_inputs
    from riata.path.options import PathOptions

    options = PathOptions(
        (), 3, 1, "auto", False, 5, None, 0.0, "auto", "auto", True, None, None, None, "bounded", 1e-3, "auto", 0.01,
        2, 1, "auto",
    )  # fmt: skip
    fold_of = prepare(read_inputs(t.X, t.y, groups=groups), options).fold_of
    assert path.scores is not None
    for f in range(3):
        inside, out = fold_of != f, fold_of == f
        alone = riata.fit_path(
            t.X[inside], t.y[inside], penalty_of(kind), (), lams, folds=0, groups=groups, task=path.task
        )
        for i, lam in enumerate(path.lams):
            z = alone.outputs(t.X[out], lam)[:, 0]
            y = t.y[out]
            loss = np.mean(np.logaddexp(0, z) - y * z) if kind.startswith("log") else 0.5 * np.mean((z - y) ** 2)
            assert path.scores.valid_loss_folds[i, f] == pytest.approx(loss, rel=1e-6)


def test_three_classes_are_stationary() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(90, 12)) * np.exp(rng.normal(size=12))
    z = X[:, :3] / X[:, :3].std(0) * 1.5
    y = np.array(["a", "b", "c"])[(z + rng.gumbel(size=z.shape)).argmax(1)]
    for penalty in (riata.L1(), riata.GroupLasso(), riata.L2(), riata.SparseGroupLasso()):
        path = riata.fit_path(X, y, penalty, (), folds=3, path_length=6)
        assert path.weights(path.lams[-1]).shape == (12, 3)
        assert set(path.fits.status) == {"ok"}
        assert path.fits.kkt.max() <= 1e-8 * np.abs(X).max()
        assert path.predict(X, path.lams[-1]).shape == (90, 3)
        assert path.scores is not None
        assert path.scores.score.max() > 0.65


def test_wide_ridge_equals_ridge_in_the_row_space() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(25, 300)), rng.normal(size=25)
    path = riata.fit_path(X, y, riata.L2(), (), [0.3], folds=0)
    other = Ridge(alpha=25 * 0.3, solver="svd", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(path.weights(0.3)[:, 0], other.coef_, atol=1e-9)
    assert path.intercept(0.3)[0] == pytest.approx(other.intercept_)
    Z = (X - X.mean(0)) / X.std(0)
    scaled = riata.fit_path(X, y, riata.L2(), (), [0.3], folds=3, standardize=True)
    np.testing.assert_allclose(
        scaled.weights(0.3)[:, 0], Ridge(alpha=25 * 0.3, solver="svd").fit(Z, y).coef_, atol=1e-9
    )
    assert scaled.status(0.3) == "ok"


def test_a_wide_table_is_solved_on_few_columns() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 400)) + rng.normal(size=(40, 1))
    y = (X[:, 0] - X[:, 1] + 0.5 * rng.normal(size=40) > 0).astype(float)
    for penalty in (riata.L1(), riata.GroupLasso(), riata.SparseGroupLasso()):
        path = riata.fit_path(X, y, penalty, (), folds=2, path_length=8, groups=[j // 2 for j in range(400)])
        assert set(path.fits.status) == {"ok"}
        assert path.fits.kkt.max() <= 1e-8 * 2 * path.lams[0]
        assert 0 < len(path.kept(path.lams[-1])) < 120


def test_no_penalty_is_least_squares() -> None:
    t = problem(0)
    X, copies = t.X[:, 1:], t.X[:, 1:]
    path = riata.fit_path(X, t.y, riata.NoPenalty(), (), folds=0)
    assert path.lams.tolist() == [0.0]
    one = np.c_[copies, np.ones(len(X))]
    np.testing.assert_allclose(path.weights(0)[:, 0], np.linalg.lstsq(one, t.y, rcond=None)[0][:-1], atol=1e-7)


def test_correction_turns_about_the_means() -> None:
    t = problem(3)
    path = riata.fit_path(t.X, t.y, riata.ElasticNet(lam2=0.5), (), folds=0, standardize=True)
    lam = path.lams[8]
    w, b = path.corrected(lam)
    np.testing.assert_allclose(w, 1.5 * path.weights(lam))
    Z = (t.X - path.centre) / path.scale
    assert float((Z @ w + b).mean()) == pytest.approx(t.y.mean())
    with pytest.raises(riata.InputError, match="standardize=True"):
        raw = riata.fit_path(t.X * 9, t.y, riata.ElasticNet(lam2=0.5), (), folds=0, path_length=3)
        raw.corrected(raw.lams[1])
    with pytest.raises(riata.InputError, match="ElasticNet"):
        plain = riata.fit_path(t.X, t.y, riata.L1(), (), folds=0, path_length=3)
        plain.corrected(plain.lams[1])
