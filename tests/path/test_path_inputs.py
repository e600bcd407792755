"""What a path accepts and refuses, and what its result answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import riata
from riata.path.score import held_out, summarise


def table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, 2 * X[:, 1] - X[:, 2] + 0.5 * rng.normal(size=60)


def test_frames_arrays_and_tensors_are_the_same_table() -> None:
    X, y = table()
    names = ["age", "bmi", "sex", "dose"]
    base = riata.fit_path(X, y, riata.L1(), (), folds=3)
    for data, target in (
        (torch.as_tensor(X), torch.as_tensor(y)),
        (pd.DataFrame(X, columns=names), pd.Series(y)),
        (pl.DataFrame(X, schema=names), pl.Series(y)),
        (X.tolist(), y.tolist()),
    ):
        path = riata.fit_path(data, target, riata.L1(), (), folds=3)
        np.testing.assert_array_equal(path.weights(path.lams[5]), base.weights(base.lams[5]))
        if not isinstance(data, torch.Tensor | list):
            assert path.kept(path.lams[3]) == [names[int(k[1:]) - 1] for k in base.kept(base.lams[3])]
            np.testing.assert_array_equal(path.predict(data, path.lams[3]), base.predict(X, base.lams[3]))


def test_lam_1se_is_the_largest_within_one_standard_error() -> None:
    X, y = table()
    path = riata.fit_path(X, y, riata.L1(), (), folds=5, path_length=30)
    s = path.scores
    assert s is not None
    i = int(s.valid_loss.argmin())
    assert path.lam_min == path.lams[i]
    np.testing.assert_allclose(s.valid_loss_se, s.valid_loss_folds.std(1, ddof=1) / np.sqrt(5))
    fine = path.lams[s.valid_loss <= s.valid_loss[i] + s.valid_loss_se[i]]
    assert path.lam_1se == fine.max() >= path.lam_min
    assert s.metric == "r2"
    assert s.score.max() > 0.7


def test_scores_agree_with_scikit_learn() -> None:
    from sklearn.linear_model import Lasso
    from sklearn.metrics import r2_score
    from sklearn.model_selection import KFold

    X, y = table()
    path = riata.fit_path(X, y, riata.L1(), (), [0.1], folds=4, seed=3)
    assert path.scores is not None
    for f, (train, test) in enumerate(KFold(4, shuffle=True, random_state=3).split(X)):
        model = Lasso(alpha=0.1, tol=1e-12).fit(X[train], y[train])
        assert path.scores.score_folds[0, f] == pytest.approx(r2_score(y[test], model.predict(X[test])))


def test_standardize_belongs_to_the_training_rows() -> None:
    X, y = table()
    X = X * [1, 100, 0.01, 5] + 7
    path = riata.fit_path(X, y, riata.L1(), (), [0.1], folds=0, standardize=True)
    Z = (X - X.mean(0)) / X.std(0)
    plain = riata.fit_path(Z, y, riata.L1(), (), [0.1], folds=0)
    np.testing.assert_allclose(path.weights(0.1), plain.weights(0.1), atol=1e-9)
    np.testing.assert_allclose(path.predict(X, 0.1), plain.predict(Z, 0.1), atol=1e-8)
    raw = riata.fit_path(X, y, riata.L1(), (), [0.1], folds=0)
    assert np.abs(raw.weights(0.1) - path.weights(0.1)).max() > 0.1


def test_a_dead_column_is_not_read() -> None:
    X, y = table()
    path = riata.fit_path(X, y, riata.L1(), (), [0.6], folds=0)
    assert path.kept(0.6) == ["x2", "x3"]
    Z = X.copy()
    Z[:, 0] = 1e300
    np.testing.assert_array_equal(path.predict(Z, 0.6), path.predict(X, 0.6))


@pytest.mark.parametrize("update", ["apg", "prox_adam"])
def test_other_updates_reach_the_same_linear_model(update: str) -> None:
    X, y = table()
    exact = riata.fit_path(X, y, riata.L1(), (), [0.1], folds=0)
    other = riata.fit_path(X, y, riata.L1(), (), [0.1], folds=0, update=update, epochs=600, tol=1e-8)
    np.testing.assert_allclose(other.weights(0.1), exact.weights(0.1), atol=1e-4)


def test_a_constant_column_and_a_constant_target_are_survived() -> None:
    X, y = table()
    X[:, 0] = 3.0
    path = riata.fit_path(X, y, riata.L1(), (), folds=3, standardize=True)
    assert "x1" not in path.kept(path.lams[-1])
    assert set(path.fits.status) == {"ok"}


def test_missing_metrics_are_left_out() -> None:
    s = summarise(np.array([[1.0, 2.0, 3.0]]), np.array([[0.5, np.nan, 0.7]]), "auroc")
    assert s.score[0] == pytest.approx(0.6)
    from riata.engines import Loss

    assert np.isnan(held_out(Loss("logistic", 1), np.zeros((3, 1)), np.ones(3))[1])


BAD: list[tuple[dict[str, Any], str]] = [
    ({"folds": 1}, "folds"), ({"folds": -1}, "folds"), ({"folds": 61}, "at most 60"), ({"seeds": 0}, "seeds"),
    ({"path_length": 0}, "path_length"), ({"task": "regresion"}, "did you mean 'regression'"),
    ({"update": "adam"}, "update"), ({"update": "newton"}, "newton"), ({"dtype": "float16"}, "dtype"),
    ({"form": "free"}, "form"), ({"direction": "up"}, "direction"), ({"device": "gpu"}, "device"),
    ({"dropout": 1.0}, "dropout"), ({"hidden": (), "dropout": 0.2}, "dropout"), ({"hidden": (0,)}, "hidden"),
    ({"tol": 0}, "tol"), ({"epochs": 0}, "epochs"), ({"batch_size": 2.5}, "batch_size"), ({"patience": 0}, "patience"),
    ({"lr": 0}, "lr"), ({"upper_ridge": -1}, "upper_ridge"), ({"seed": -1}, "seed"), ({"workers": 0}, "workers"),
    ({"lams": [-1.0]}, "lams"), ({"lams": []}, "lams"), ({"lams": "high"}, "lams"), ({"lams": [np.nan]}, "lams"),
    ({"penalty": "l1"}, "penalty"), ({"groups": [[0, 1], [1, 2, 3]]}, "twice"), ({"groups": [[0, 1]]}, "in no list"),
    ({"groups": [[0, 1, 2, 3, 4]]}, "no column"), ({"groups": ["a", "b"]}, "labels"), ({"groups": {"a": 1}}, "groups"),
    ({"hidden": (), "dtype": "float32"}, "float32"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "said"), BAD, ids=lambda v: str(v)[:40])
def test_a_bad_option_is_refused_in_words(option: dict[str, Any], said: str) -> None:
    X, y = table()
    with pytest.raises(riata.InputError, match=said) as caught:
        riata.fit_path(X, y, **option)
    assert "\n" not in str(caught.value) and len(str(caught.value)) <= 300


def test_bad_tables_are_refused_in_words() -> None:
    X, y = table()
    gap = X.copy()
    gap[2, 1] = np.nan
    one_class = np.array(["a"] * 59 + ["b"])
    for args, said in (
        ((gap, y), "row 3, column x2"), ((X, y[:-1]), "59 values"), ((X[:, 0], y), "shape"),
        ((pl.DataFrame({"a": ["u", "v"] * 30}), y), "holds String"), ((X, np.ones(60)), "always 1"),
        ((X, np.r_[y[:-1], np.nan]), "blanks"), ((X, one_class), "one row"),
    ):  # fmt: skip
        with pytest.raises(riata.InputError, match=said):
            riata.fit_path(*args, hidden=())
    few = np.array(["a"] * 57 + ["b"] * 3)
    with pytest.raises(riata.InputError, match="fewer than the 5 folds"):
        riata.fit_path(X, few, hidden=())


def test_questions_without_an_answer_are_refused() -> None:
    X, y = table()
    path = riata.fit_path(X, y, riata.L1(), (), [0.5, 0.1], folds=0)
    assert path.scores is None
    with pytest.raises(riata.InputError, match="folds=0"):
        _ = path.lam_min
    with pytest.raises(riata.InputError, match="not on the path"):
        path.kept(0.2)
    with pytest.raises(riata.InputError, match="columns"):
        path.predict(X[:, :3], 0.5)
