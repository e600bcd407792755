"""How good the verdict's predictions are, row by row: curves, calibration, residuals; rows no network has seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from ...data import Table
from ...shares import wilson
from ..prepare import Arena
from .rounded import short

MOST_POINTS = 2000
CURVE_POINTS = 200
BINS = 10
LEAST_PER_BIN = 10


def predictions_of(by_fold: Mapping[int, np.ndarray], field: Arena, seed: int) -> dict[str, Any] | None:
    """Return the figures of the out-of-fold predictions of the first repeat; None where there are none."""
    folds = range(int(field.folds.max()) + 1)
    there = [k for k in folds if k in by_fold]
    if not there:
        return None
    rows = np.concatenate([next(s.test for _, _, s in field.splits if s.fold == k) for k in there])
    said = np.concatenate([by_fold[k] for k in there])
    table: Table = field.table
    if table.task == "regression":
        return regression(table.y[rows], said[:, 0], seed)
    codes = range(len(table.classes)) if len(table.classes) > 2 else (1,)
    found = [of_class(table.classes[k], table.y[rows] == k, said[:, k]) for k in codes]
    return {"classes": [c for c in found if c is not None], "rows": len(rows)}


def regression(actual: np.ndarray, said: np.ndarray, seed: int) -> dict[str, Any]:
    """Return actual and predicted values, of a sample where there are many."""
    pick = np.arange(len(actual))
    if len(pick) > MOST_POINTS:
        pick = np.sort(np.random.default_rng([seed, 23]).choice(len(actual), MOST_POINTS, replace=False))
    return {
        "actual": short(actual[pick], 5),
        "predicted": short(said[pick], 5),
        "rows": len(pick),
        "of": len(actual),
    }


def of_class(name: str, is_class: np.ndarray, probability: np.ndarray) -> dict[str, Any] | None:
    """Return ROC, precision-recall and calibration of one class against the rest; None where one of them is empty."""
    if is_class.all() or not is_class.any():
        return None
    false, true, _ = roc_curve(is_class, probability)
    precision, recall, _ = precision_recall_curve(is_class, probability)
    return {
        "class": name,
        "share": short(is_class.mean()),
        "auroc": short(roc_auc_score(is_class, probability)),
        "average_precision": short(average_precision_score(is_class, probability)),
        "roc": thin(false, true),
        "precision_recall": thin(recall[::-1], precision[::-1]),
        "calibration": calibration(is_class, probability),
    }


def thin(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Return a curve with at most :data:`CURVE_POINTS` of its points, both ends among them."""
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return {"x": short(x[keep]), "y": short(y[keep])}


def calibration(is_class: np.ndarray, probability: np.ndarray) -> list[dict[str, Any]]:
    """Return bins of equally many rows: mean predicted probability, observed share and Wilson's 95% interval."""
    bins = max(1, min(BINS, len(probability) // LEAST_PER_BIN))
    found = []
    for part in np.array_split(np.argsort(probability, kind="stable"), bins):
        hits = int(is_class[part].sum())
        low, high = wilson(hits, len(part))
        found.append(
            {
                "predicted": short(probability[part].mean()),
                "observed": short(hits / len(part)),
                "low": short(low),
                "high": short(high),
                "rows": len(part),
            }
        )
    return found
