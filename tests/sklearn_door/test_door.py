"""The estimators inside scikit-learn: labels, frames, searches, pipelines, pickles, and refusals in words."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import riata
from riata.errors import InputError
from riata.sklearn import RegularizedMLPClassifier, RegularizedMLPRegressor, RiataSelector

QUICK: dict[str, Any] = {"hidden": (4,), "epochs": 10, "random_state": 0}


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(90, 4)), columns=["age", "dose", "height", "noise"])


@pytest.fixture
def label(frame: pd.DataFrame) -> np.ndarray:
    score = frame["age"] + 2 * frame["dose"]
    return np.array(["ill", "unsure", "well"])[np.digitize(score, [-1, 1])]


def test_string_labels_and_frames(frame: pd.DataFrame, label: np.ndarray) -> None:
    model = RegularizedMLPClassifier(lam=0.02, hidden=(16,), random_state=0).fit(frame, label)
    assert model.classes_.tolist() == ["ill", "unsure", "well"]
    assert model.feature_names_in_.tolist() == list(frame.columns)
    assert model.n_features_in_ == 4
    assert model.first_layer_.shape == (4, 16 + 3)
    assert model.score(frame, label) > 0.8
    shares = model.predict_proba(frame)
    np.testing.assert_allclose(shares.sum(1), 1)
    np.testing.assert_array_equal(model.classes_[shares.argmax(1)], model.predict(frame))
    same = clone(model).fit(pl.from_pandas(frame), label)
    assert same.feature_names_in_.tolist() == list(frame.columns)
    np.testing.assert_array_equal(same.predict_proba(pl.from_pandas(frame)), shares)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_categories_are_refused_in_words(kind: Any, frame: pd.DataFrame, label: np.ndarray) -> None:
    table = kind({"age": frame["age"].to_numpy(), "city": ["Bonn", "Lyon", "Turin"] * 30})
    with pytest.raises(InputError, match=r"'city'.*expected numbers.*ColumnTransformer.*riata\.choose"):
        RegularizedMLPClassifier(**QUICK).fit(table, label)
    with pytest.raises(InputError, match="'city'"):
        RiataSelector(**QUICK).fit(table, label)


def test_categories_of_numbers_and_texts_in_arrays_are_refused(frame: pd.DataFrame, label: np.ndarray) -> None:
    with pytest.raises(InputError, match="'age'"):
        RegularizedMLPClassifier(**QUICK).fit(frame.assign(age=pd.Categorical([1, 2, 3] * 30)), label)
    with pytest.raises(InputError, match="X holds texts"):
        RegularizedMLPClassifier(**QUICK).fit(np.array([["a", "1"], ["b", "2"]] * 45), label)


def test_grid_search_in_a_pipeline(frame: pd.DataFrame) -> None:
    y = frame["age"] - frame["dose"]
    flow = make_pipeline(StandardScaler(), RegularizedMLPRegressor("l1", hidden=(), standardize=False))
    search = GridSearchCV(flow, {"regularizedmlpregressor__lam": [0.5, 0.01]}, cv=3, n_jobs=2).fit(frame, y)
    assert search.best_params_ == {"regularizedmlpregressor__lam": 0.01}
    assert search.best_score_ > 0.99


def test_jobs_do_not_change_the_fit(frame: pd.DataFrame, label: np.ndarray) -> None:
    models = [RegularizedMLPClassifier(lam=lam, **QUICK) for lam in (0.0, 0.1)]
    here = [clone(m).fit(frame, label).first_layer_ for m in models]
    there = Parallel(n_jobs=2)(delayed(clone(m).fit)(frame, label) for m in models)
    for a, b in zip(here, there, strict=True):
        np.testing.assert_array_equal(a, b.first_layer_)


def test_pickle_and_cross_validation(frame: pd.DataFrame, label: np.ndarray) -> None:
    model = RegularizedMLPClassifier(**QUICK).fit(frame, label)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert cross_val_predict(model, frame, label, cv=3, method="predict_proba").shape == (90, 3)


def test_kept_columns_through_select_from_model(frame: pd.DataFrame) -> None:
    y = 3 * frame["age"]
    model = RegularizedMLPRegressor("l1", 0.5, hidden=())
    chosen = SelectFromModel(model, importance_getter="norms_", threshold=1e-12).fit(frame, y)
    assert chosen.get_feature_names_out().tolist() == ["age"]


def test_groups_live_and_die_together(frame: pd.DataFrame) -> None:
    y = 3 * frame["age"]
    kept = [
        RegularizedMLPRegressor(lam=0.5, hidden=(), groups=groups).fit(frame, y).kept_.tolist()
        for groups in (None, ["a", "b", "a", "b"], [[0, 3], [1, 2]])
    ]
    assert kept == [[True, False, False, False], [True, False, True, False], [True, False, False, True]]


def test_classes_of_partial_fit(frame: pd.DataFrame, label: np.ndarray) -> None:
    model = RegularizedMLPClassifier(**QUICK).partial_fit(frame[:5], label[:5], classes=["ill", "unsure", "well"])
    with pytest.raises(InputError, match="first call"):
        model.partial_fit(frame, label, classes=["ill", "well"])
    with pytest.raises(InputError, match="'dead'"):
        model.partial_fit(frame, np.where(label == "ill", "dead", label))
    with pytest.raises(InputError, match="classes="):
        RegularizedMLPClassifier(**QUICK).partial_fit(frame, label)


def test_rows_of_weight_zero_are_not_there(frame: pd.DataFrame, label: np.ndarray) -> None:
    weight = (label != "unsure").astype(float)
    model = RegularizedMLPClassifier(**QUICK).fit(frame, label, weight)
    assert model.classes_.tolist() == ["ill", "well"]
    with pytest.raises(InputError, match="one class"):
        RegularizedMLPClassifier(**QUICK).fit(frame, label, (label == "ill").astype(float))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"penalty": "lasso"}, "unknown penalty 'lasso'"),
        ({"penalty": 3}, "penalty is 3"),
        ({"lam": -1}, "lam is -1"),
        ({"lam": "auto"}, "lam is 'auto'"),
        ({"hidden": 64}, "hidden is 64"),
        ({"hidden": (0,)}, "hidden is"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": 0.2, "hidden": ()}, "dropout without hidden layers"),
        ({"validation_fraction": 0.9}, "validation_fraction is 0.9"),
        ({"epochs": 0}, "epochs is 0"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"groups": ["a"]}, "groups has 1 labels"),
        ({"form": "free"}, "form is 'free'"),
        ({"device": "tpu"}, "device is 'tpu'"),
    ],
)
def test_parameters_are_refused_in_one_line(options: dict[str, Any], said: str, frame: pd.DataFrame) -> None:
    with pytest.raises(riata.InputError, match=said) as error:
        RegularizedMLPRegressor(**options).fit(frame, frame["age"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("weight", [-np.ones(90), np.zeros(90), np.ones(89)])
def test_weights_are_refused(weight: np.ndarray, frame: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="sample_weight"):
        RegularizedMLPRegressor(**QUICK).fit(frame, frame["age"], weight)
