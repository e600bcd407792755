"""Held-out scores along a path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import r2_score, roc_auc_score  # type: ignore[import-untyped,unused-ignore]

from ..engines import Loss


@dataclass(frozen=True, eq=False)
class PathScores:
    """Scores of L strengths on F held-out folds; each fold is the mean over its seeds.

    Attributes
    ----------
    valid_loss, valid_loss_se : ndarray (L,)
        Mean held-out loss per row and its standard error, sd(ddof=1) / sqrt(F).
    valid_loss_folds : ndarray (L, F)
    metric : {"auroc", "r2"}
        Higher is better; AUROC beyond two classes is the macro average of one class against the rest.
    score, score_se : ndarray (L,)
    score_folds : ndarray (L, F)
    """

    valid_loss: np.ndarray
    valid_loss_se: np.ndarray
    valid_loss_folds: np.ndarray
    metric: str
    score: np.ndarray
    score_se: np.ndarray
    score_folds: np.ndarray


def summarise(losses: np.ndarray, scores: np.ndarray, metric: str) -> PathScores:
    """Return the scores of per-fold losses and metrics, (L, F) each; folds without a metric (NaN) are left out.

    >>> summarise(np.array([[1.0, 3.0]]), np.array([[0.5, 0.7]]), "r2").valid_loss_se.round(3).tolist()
    [1.0]
    """

    def mean(a: np.ndarray) -> np.ndarray:
        known = np.isfinite(a).sum(1)
        total = np.where(np.isfinite(a), a, 0.0).sum(1)
        return np.where(known > 0, total / np.maximum(known, 1), np.nan)

    def error(a: np.ndarray) -> np.ndarray:
        known = np.isfinite(a).sum(1)
        square = np.where(np.isfinite(a), (a - mean(a)[:, None]) ** 2, 0.0).sum(1)
        return np.where(known > 1, np.sqrt(square / np.maximum(known - 1, 1) / np.maximum(known, 1)), np.nan)

    return PathScores(mean(losses), error(losses), losses, metric, mean(scores), error(scores), scores)


def held_out(loss: Loss, outputs: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return mean loss per row and metric of raw outputs (n, K) on targets (n,).

    The metric is R^2 for values, AUROC for classes: NaN where the rows hold a single class.
    """
    z, target = torch.as_tensor(outputs, dtype=torch.float64), torch.as_tensor(y, dtype=torch.float64)
    value = float(loss.value(z.unsqueeze(0), target)[0])
    if not np.isfinite(outputs).all():
        return value, float("nan")
    if loss.kind == "squared":
        return value, float(r2_score(y, outputs[:, 0])) if len(y) > 1 else float("nan")
    said = loss.predict(z).numpy()
    classes = [1] if loss.kind == "logistic" else range(said.shape[1])
    present = [c for c in classes if 0 < (y == c).sum() < len(y)]
    areas = [roc_auc_score(y == c, said[:, c]) for c in present]
    return value, float(np.mean(areas)) if areas else float("nan")
