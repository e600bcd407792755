"""The classifier two-sample test (Lopez-Paz & Oquab 2017): what a classifier can tell apart differs.

Mean differences see one column at a time; boosted trees also see shapes, spreads and pairs of columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from riata.choice.probes.sample import some

MAX_ROWS = 1500
"""Rows of each side that the classifier sees."""
MAX_COLUMNS = 100
MIN_ROWS = 30
FOLDS = 3


def auc_error(auc: float, positives: int, negatives: int) -> float:
    """Return the standard error of an AUC (Hanley & McNeil 1982, equation 2).

    >>> round(auc_error(0.5, 100, 100), 4)
    0.0409
    """
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    top = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return float(np.sqrt(max(top, 0.0) / (positives * negatives)))


def told_apart(
    first: NDArray[np.float32], second: NDArray[np.float32], rng: np.random.Generator
) -> tuple[float | None, float | None]:
    """Return a small boosted classifier's cross-validated AUC and its one-sided lower 95% bound.

    None, None with fewer than 30 rows on a side, where no bound would say anything.
    """
    if min(len(first), len(second)) < MIN_ROWS:
        return None, None
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    columns = some(first.shape[1], MAX_COLUMNS, rng)
    parts = [rows[some(len(rows), MAX_ROWS, rng)][:, columns] for rows in (first, second)]
    X, z = np.vstack(parts), np.repeat([0, 1], [len(p) for p in parts])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    scores = []
    for train, test in folds.split(X, z):
        model = HistGradientBoostingClassifier(
            max_iter=20, max_depth=3, max_bins=63, early_stopping=False, random_state=0
        )
        scores.append(roc_auc_score(z[test], model.fit(X[train], z[train]).predict_proba(X[test])[:, 1]))
    auc = float(np.mean(scores))
    return auc, auc - float(stats.norm.isf(0.05)) * auc_error(auc, len(parts[1]), len(parts[0]))
