"""Zou & Hastie's prostate table (2005, table 1), where the data are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import riata
from riata.path.result import PathResult

HOME = Path(os.environ.get("RIATA_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FILE = HOME / "esl" / "Prostate_Cancer.txt"
COLUMNS = ["lcavol", "lweight", "age", "lbph", "svi", "lcp", "gleason", "pgg45"]

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="no prostate table: set RIATA_DATA to the data folder")
Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def rows() -> Split:
    """Training and test rows, standardized by the training rows; lweight of subject 32 as the paper had it."""
    import polars as pl

    table = pl.read_csv(FILE)
    X, y = table.select(COLUMNS).to_numpy().astype(float), table["lpsa"].to_numpy()
    X[31, 1] = 6.10758
    train = table["train"].to_numpy() == "T"
    X = (X - X[train].mean(0)) / X[train].std(0)
    return X[train], y[train], X[~train], y[~train]


def mse(path: PathResult, lam: float, rows: Split) -> float:
    return float(np.mean((path.predict(rows[2], lam) - rows[3]) ** 2))


def at_share(rows: Split, penalty: object, share: float) -> tuple[PathResult, float]:
    """Return a path and its strength whose ||w||_1 is a share of that without an L1 part."""
    full = np.abs(riata.fit_path(rows[0], rows[1], penalty, (), [1e-9], folds=0).weights(1e-9)).sum()
    low, high = 1e-9, 2.0
    for _ in range(60):
        lam = float(np.sqrt(low * high))
        path = riata.fit_path(rows[0], rows[1], penalty, (), [lam], folds=0)
        size = np.abs(path.weights(lam)).sum() / full
        low, high = (lam, high) if size > share else (low, lam)
    return path, lam


def test_least_squares_and_ridge(rows: Split) -> None:
    ols = riata.fit_path(rows[0], rows[1], riata.NoPenalty(), (), folds=0)
    assert mse(ols, 0.0, rows) == pytest.approx(0.586, abs=5e-4)
    ridge = riata.fit_path(rows[0], rows[1], riata.L2(), (), [1.0], folds=0)
    assert mse(ridge, 1.0, rows) == pytest.approx(0.566, abs=5e-4)


def test_lasso(rows: Split) -> None:
    path, lam = at_share(rows, riata.L1(), 0.39)
    assert mse(path, lam, rows) == pytest.approx(0.499, abs=3e-3)
    assert path.kept(lam) == ["x1", "x2", "x4", "x5", "x8"]


def test_naive_and_corrected_elastic_net(rows: Split) -> None:
    naive = riata.fit_path(rows[0], rows[1], riata.ElasticNet(lam2=1.0), (), [1e-9], folds=0)
    assert mse(naive, 1e-9, rows) == pytest.approx(0.566, abs=5e-4)
    path, lam = at_share(rows, riata.ElasticNet(lam2=1000.0), 0.26)
    w, b = path.corrected(lam)
    assert float(np.mean((rows[2] @ w[:, 0] + b[0] - rows[3]) ** 2)) == pytest.approx(0.381, abs=1.5e-3)
    assert path.kept(lam) == ["x1", "x2", "x5", "x6", "x8"]
