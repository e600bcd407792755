"""The selector keeps what the path's own weights keep, at the strength of one standard error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoCV
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

import riata
from riata.errors import InputError
from riata.sklearn import RegularizedMLPRegressor, RiataSelector


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(120, 8)), columns=list("abcdefgh"))


@pytest.fixture
def y(frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(2 * frame["b"] - frame["e"] + np.random.default_rng(1).normal(size=120))


def test_the_strength_is_lam_1se_of_the_path(frame: pd.DataFrame, y: np.ndarray) -> None:
    chosen = RiataSelector("l1", hidden=(), random_state=0).fit(frame, y)
    assert chosen.lam_ == chosen.path_.lam_1se > chosen.path_.lam_min
    kept = chosen.path_.kept(chosen.lam_)
    assert [f"x{j + 1}" for j in chosen.get_support(indices=True)] == kept
    assert chosen.get_feature_names_out().tolist() == ["b", "e"]
    theirs = LassoCV(alphas=chosen.path_.lams).fit((frame - frame.mean()) / frame.std(ddof=0), y)
    assert 0.2 < chosen.path_.lam_min / theirs.alpha_ < 5


def test_a_given_strength(frame: pd.DataFrame, y: np.ndarray) -> None:
    chosen = RiataSelector(lam=0.3, hidden=()).fit(frame, y)
    same = RegularizedMLPRegressor(lam=0.3, hidden=()).fit(frame, y)
    np.testing.assert_array_equal(chosen.get_support(), same.kept_)
    np.testing.assert_allclose(chosen.norms_, same.norms_, atol=1e-8)
    assert not hasattr(chosen, "path_")


def test_a_network_is_finished_and_selects(frame: pd.DataFrame) -> None:
    y = np.abs(frame["c"]) + frame["a"]
    chosen = RiataSelector(lam=0.05, hidden=(8,), epochs=60, random_state=0).fit(frame, y)
    assert chosen.kkt_ <= 1e-3
    assert chosen.get_feature_names_out().tolist() == ["a", "c"]
    assert RiataSelector(lam=0.1, hidden=()).fit(frame, y).get_feature_names_out().tolist() == ["a"]
    with pytest.warns(ConvergenceWarning, match="tol 1e-09"):
        clone(chosen).set_params(tol=1e-9, epochs=5).fit(frame[:40], y[:40])


def test_the_threshold_counts_the_networks_of_the_folds(frame: pd.DataFrame, y: np.ndarray) -> None:
    loose = RiataSelector("l1", 0.12, hidden=(), threshold=0.2, random_state=0).fit(frame, y)
    strict = clone(loose).set_params(threshold=1.0).fit(frame, y)
    np.testing.assert_array_equal(loose.shares_, strict.shares_)
    np.testing.assert_allclose(loose.shares_ * 5, np.round(loose.shares_ * 5), atol=1e-12)
    assert loose.get_support().sum() > strict.get_support().sum() >= 2
    np.testing.assert_array_equal(strict.get_support(), strict.shares_ == 1)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_frames_out(output: str, frame: pd.DataFrame, y: np.ndarray) -> None:
    out = RiataSelector(lam=0.3, hidden=()).set_output(transform=output).fit_transform(frame, y)
    assert list(out.columns) == ["b", "e"]
    np.testing.assert_array_equal(np.asarray(out), frame[["b", "e"]].to_numpy())


def test_classes_few_rows_and_a_pipeline(frame: pd.DataFrame, y: np.ndarray) -> None:
    label = np.where(y > np.sort(y)[-4], "rare", "usual")
    chosen = RiataSelector(hidden=(), path_length=5, random_state=0).fit(frame, label)
    assert chosen.path_.scores is not None
    assert chosen.path_.scores.valid_loss_folds.shape == (5, 3)
    flow = make_pipeline(RiataSelector(hidden=(), path_length=8, random_state=0), RegularizedMLPRegressor(hidden=()))
    assert cross_val_score(flow, frame, y, cv=3).mean() > 0.7


def test_defaults(frame: pd.DataFrame, y: np.ndarray) -> None:
    chosen = RiataSelector(random_state=0).fit(frame, y)
    assert {"b", "e"} <= set(chosen.get_feature_names_out())
    assert chosen.lam_ in chosen.path_.lams
    assert chosen.transform(frame).shape == (120, chosen.get_support().sum())
    assert isinstance(chosen.path_, type(riata.fit_path(frame, y, hidden=(), folds=0, lams=[1.0])))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"penalty": "l2"}, "l2 keeps every column"),
        ({"lam": "1se"}, "lam is '1se'"),
        ({"lam": -1.0}, "lam is -1.0"),
        ({"folds": 0}, "folds is 0"),
        ({"folds": 1}, "folds is 1"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"tol": 0}, "tol is 0"),
        ({"task": "ranking"}, "task is 'ranking'"),
    ],
)
def test_parameters_are_refused(options: dict[str, Any], said: str, frame: pd.DataFrame, y: np.ndarray) -> None:
    with pytest.raises(InputError, match=said):
        RiataSelector(**options).fit(frame, y)
