"""Without hidden layers the estimators are scikit-learn's own linear models, row weights included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import riata
from riata.sklearn import RegularizedMLPClassifier, RegularizedMLPRegressor


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(90, 7)) * np.array([1, 2, 0.5, 1, 3, 1, 1]) + 2
    return x, x[:, 0] - 0.7 * x[:, 1] + rng.normal(size=90)


def weights_of(n: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 4, n).astype(float)


def linear(**options: Any) -> RegularizedMLPRegressor:
    return RegularizedMLPRegressor(hidden=(), standardize=False, **options)


@pytest.mark.parametrize("lam", [0.02, 0.2, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_l1_is_the_lasso(data: tuple[np.ndarray, np.ndarray], lam: float, weighted: bool) -> None:
    x, y = data
    sample_weight = weights_of(len(y)) if weighted else None
    ours = linear(penalty="l1", lam=lam).fit(x, y, sample_weight)
    theirs = Lasso(alpha=lam, tol=1e-13, max_iter=100_000).fit(x, y, sample_weight)
    np.testing.assert_allclose(ours.first_layer_[:, 0], theirs.coef_, atol=1e-8)
    np.testing.assert_allclose(ours.intercept_[0], theirs.intercept_, atol=1e-7)
    np.testing.assert_array_equal(ours.kept_, theirs.coef_ != 0)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), atol=1e-7)
    assert ours.kkt_ < 1e-8


def test_standardized_is_a_pipeline_with_a_scaler(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    ours = RegularizedMLPRegressor("l1", 0.1, hidden=()).fit(x, y)
    theirs = make_pipeline(StandardScaler(), Lasso(alpha=0.1, tol=1e-13)).fit(x, y)
    np.testing.assert_allclose(ours.first_layer_[:, 0], theirs[1].coef_, atol=1e-8)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), atol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_two_classes_are_logistic_regression(data: tuple[np.ndarray, np.ndarray], penalty: str, weighted: bool) -> None:
    x, y = data
    label = np.where(y > y.mean(), "ill", "well")
    sample_weight = weights_of(len(y)) if weighted else np.ones(len(y))
    lam = 0.04
    ours = RegularizedMLPClassifier(penalty, lam, hidden=(), standardize=False).fit(x, label, sample_weight)
    kind = {"solver": "saga", "l1_ratio": 1.0} if penalty == "l1" else {"solver": "lbfgs", "l1_ratio": 0.0}
    theirs = LogisticRegression(C=1 / (sample_weight.sum() * lam), tol=1e-11, max_iter=100_000, random_state=0, **kind)
    theirs.fit(x, label, sample_weight)
    np.testing.assert_allclose(ours.first_layer_[:, 0], theirs.coef_[0], atol=1e-6)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-6)
    assert ours.classes_.tolist() == ["ill", "well"]


def test_three_classes_are_softmax_regression(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    label = np.digitize(y, np.quantile(y, [0.3, 0.7]))
    lam = 0.05
    ours = RegularizedMLPClassifier("l2", lam, hidden=(), standardize=False).fit(x, label)
    theirs = LogisticRegression(C=1 / (len(y) * lam), tol=1e-10, max_iter=10_000).fit(x, label)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=1e-6)
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(x))


def test_ridge_and_elastic_net(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    ridge = linear(penalty="l2", lam=0.3).fit(x, y)
    np.testing.assert_allclose(ridge.first_layer_[:, 0], Ridge(alpha=0.3 * len(y)).fit(x, y).coef_, atol=1e-7)
    s, r = 0.1, 0.7
    net = linear(penalty="elastic_net", lam=s * (1 + r) / 2, alpha=(1 - r) / (1 + r)).fit(x, y)
    theirs = ElasticNet(alpha=s, l1_ratio=r, tol=1e-13).fit(x, y)
    np.testing.assert_allclose(net.first_layer_[:, 0], theirs.coef_, atol=1e-7)


def test_a_weight_of_two_is_the_row_twice(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    weight = weights_of(len(y))
    once = linear(lam=0.1).fit(x, y, weight)
    twice = linear(lam=0.1).fit(np.repeat(x, weight.astype(int), axis=0), np.repeat(y, weight.astype(int)))
    np.testing.assert_array_equal(once.first_layer_, twice.first_layer_)
    plain = linear(lam=0.1).fit(x, y)
    assert np.abs(once.first_layer_ - plain.first_layer_).max() > 1e-3


def test_groups_and_penalties_are_those_of_a_path(data: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = data
    groups = ["a", "a", "b", "b", "b", "c", "c"]
    for penalty, own in (("group_lasso", riata.GroupLasso()), ("sparse_group_lasso", riata.SparseGroupLasso(mix=0.3))):
        ours = linear(penalty=penalty, lam=0.3, mix=0.3, groups=groups).fit(x, y)
        same = linear(penalty=own, lam=0.3, groups=groups).fit(x, y)
        path = riata.fit_path(x, y, own, (), [0.3], folds=0, groups=groups)
        np.testing.assert_allclose(ours.first_layer_, path.weights(0.3), atol=1e-8)
        np.testing.assert_array_equal(ours.first_layer_, same.first_layer_)
        assert ours.kept_.tolist() == [name in path.kept(0.3) for name in path.columns]
        assert not ours.kept_.all()
        assert ours.kept_.any()
