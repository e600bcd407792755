"""Scores of predictions, higher is better for the metric that compares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.metrics import average_precision_score, r2_score, roc_auc_score

METRIC = {"classification": "auroc", "regression": "r2"}
METRICS = {
    "classification": ("auroc", "accuracy", "average_precision", "log_loss"),
    "regression": ("r2", "rmse", "mae"),
}


def score(task: str, y: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    """Return every metric of a task.

    Parameters
    ----------
    task : {"classification", "regression"}
    y : ndarray (n,)
        Class codes or values.
    prediction : ndarray (n, classes) or (n, 1)
        Probabilities, or values.

    Notes
    -----
    Beyond two classes AUROC and average precision are macro averages of one class against the rest, over the classes
    that occur among the rows and are not all of them. Rows of a single class have no AUROC: NaN.

    Examples
    --------
    >>> score("regression", np.array([1.0, 2.0]), np.array([[1.0], [3.0]]))["mae"]
    0.5
    """
    if task == "regression":
        error = prediction[:, 0] - y
        return {
            "r2": float(r2_score(y, prediction[:, 0])),
            "rmse": float(np.sqrt(np.mean(error**2))),
            "mae": float(np.mean(np.abs(error))),
        }
    y = y.astype(int)
    classes = [1] if prediction.shape[1] == 2 else range(prediction.shape[1])
    present = [c for c in classes if 0 < (y == c).sum() < len(y)]
    nan = float("nan")
    p_true = np.clip(prediction[np.arange(len(y)), y], 1e-15, 1.0)
    return {
        "auroc": float(np.mean([roc_auc_score(y == c, prediction[:, c]) for c in present])) if present else nan,
        "accuracy": float((prediction.argmax(1) == y).mean()),
        "average_precision": float(np.mean([average_precision_score(y == c, prediction[:, c]) for c in present]))
        if present
        else nan,
        "log_loss": float(-np.log(p_true).mean()),
    }


def constant_prediction(task: str, y_train: np.ndarray, classes: int, rows: int) -> np.ndarray:
    """Return what the best constant says for ``rows`` rows: class shares, or the mean."""
    if task == "regression":
        return np.full((rows, 1), y_train.mean())
    shares = np.bincount(y_train.astype(int), minlength=classes) / len(y_train)
    return np.tile(shares, (rows, 1))


def bootstrap(
    task: str, y: np.ndarray, prediction: np.ndarray, seed: int, subject: np.ndarray | None = None, draws: int = 1000
) -> dict[str, tuple[float, float]]:
    """Return the 95% percentile interval of every metric over rows, or whole subjects, drawn with replacement.

    References
    ----------
    Efron & Tibshirani 1993, *An Introduction to the Bootstrap*, section 13.3.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[float]] = {m: [] for m in METRICS[task]}
    units = [np.array([i]) for i in range(len(y))] if subject is None else []
    if subject is not None:
        units = [np.flatnonzero(subject == s) for s in np.unique(subject)]
    for _ in range(draws):
        rows = np.concatenate([units[i] for i in rng.integers(0, len(units), len(units))])
        for name, value in score(task, y[rows], prediction[rows]).items():
            found[name].append(value)
    return {m: tuple(np.nanquantile(v, [0.025, 0.975]).tolist()) for m, v in found.items()}


def means(per_fold: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the mean over folds of every metric, ignoring folds where it does not exist."""
    return {m: float(np.nanmean(v)) for m, v in per_fold.items()}
