"""Scores of predictions that come block by block: counts and sums of a fixed size, whatever the number of rows."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..data.roles import addressed
from ..results import Interval

BINS, REACH = 65_536, 16.0
"""Bins of the logit of a probability, from -16 to 16; one of the edges is 0, where two classes are told apart."""
DRAWS = 400
PARTS = 256
"""Random parts of the rows over which sums are kept, so that an interval can be drawn."""
WIDE = 1.959964


class Scores(Protocol):
    """Takes in (targets, predictions, row numbers) and gives every metric with its 95% interval."""

    def add(self, y: np.ndarray, said: np.ndarray, rows: np.ndarray) -> None:
        """Take in some rows."""
        ...

    def intervals(self, seed: int) -> dict[str, Interval]:
        """Return every metric of the task."""
        ...

    @property
    def error(self) -> float:
        """How far the AUROC can be from that of the unbinned predictions, at most."""
        ...


def scores_for(task: str, classes: int) -> Scores:
    """Return the scores of a task."""
    return Binned(classes) if task == "classification" else Summed()


class Binned:
    """Classification: one class against the rest in bins of its logit; two classes have one such table.

    AUROC and average precision are those of the binned predictions, ties counted half; their intervals are a Poisson
    bootstrap of the counts. Accuracy and log loss are exact, with normal intervals.

    References
    ----------
    Hanley & McNeil 1982, section 2 (AUROC as a share of pairs); Efron & Tibshirani 1993, section 13.3; the Poisson
    weights: Chamandy et al. 2012, *Estimating uncertainty for massive data streams*, section 3.

    Examples
    --------
    >>> scores = Binned(2)
    >>> p = np.array([0.1, 0.4, 0.35, 0.8])
    >>> scores.add(np.array([0, 0, 1, 1]), np.column_stack([1 - p, p]), np.arange(4))
    >>> scores.intervals(0)["auroc"].mean
    0.75
    """

    def __init__(self, classes: int) -> None:
        self.which = [1] if classes == 2 else list(range(classes))
        self.counts = np.zeros((len(self.which), 2, BINS), dtype=np.int64)
        self.rows = self.right = 0
        self.loss = np.zeros(2)

    def add(self, y: np.ndarray, said: np.ndarray, rows: np.ndarray) -> None:
        """Take in class codes (b,) and probabilities (b, classes)."""
        code = y.astype(np.int64)
        self.rows += len(code)
        self.right += int((said.argmax(1) == code).sum())
        loss = -np.log(np.clip(said[np.arange(len(code)), code], 1e-15, 1.0))
        self.loss += loss.sum(), np.square(loss).sum()
        for i, k in enumerate(self.which):
            p = np.clip(said[:, k], 1e-15, 1 - 1e-15)
            at = np.clip(((np.log(p) - np.log1p(-p)) + REACH) * (BINS / (2 * REACH)), 0, BINS - 1).astype(np.int64)
            for truth in (0, 1):
                self.counts[i, truth] += np.bincount(at[(code == k) == bool(truth)], minlength=BINS)

    def intervals(self, seed: int) -> dict[str, Interval]:
        """Return AUROC, accuracy, average precision (macro beyond two classes) and log loss."""
        rng, n = np.random.default_rng([seed, 71]), max(1, self.rows)
        filled = self.counts[:, :, self.counts.any(axis=(0, 1))]
        drawn = np.array([self._ranks(rng.poisson(filled)) for _ in range(DRAWS)])
        auroc, precision = self._ranks(filled)
        low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0) if np.isfinite(auroc) else np.full((2, 2), np.nan)
        share, loss = self.right / n, float(self.loss[0] / n)
        error = WIDE * np.sqrt(share * (1 - share) / n)
        spread = WIDE * float(np.sqrt(max(0.0, self.loss[1] / n - loss**2) / n))
        return {
            "auroc": Interval(auroc, float(low[0]), float(high[0])),
            "accuracy": Interval(share, max(0.0, share - error), min(1.0, share + error)),
            "average_precision": Interval(precision, float(low[1]), float(high[1])),
            "log_loss": Interval(loss, max(0.0, loss - spread), loss + spread),
        }

    def _ranks(self, counts: np.ndarray) -> tuple[float, float]:
        """Return the mean AUROC and average precision over the classes that occur and are not all rows."""
        found = [ranks(c) for c in counts if c[0].sum() and c[1].sum()]
        return (
            (float(np.mean([f[0] for f in found])), float(np.mean([f[1] for f in found]))) if found else (np.nan,) * 2
        )

    @property
    def error(self) -> float:
        """Half the share of the (positive, negative) pairs that fall into one bin."""
        share = [float((c[0] / c[0].sum()) @ (c[1] / c[1].sum())) for c in self.counts if c[0].sum() and c[1].sum()]
        return max(share, default=0.0) / 2


def ranks(counts: np.ndarray) -> tuple[float, float]:
    """Return AUROC and average precision of counts (2, bins) of negatives and positives, the bins ascending.

    >>> ranks(np.array([[1, 1, 0], [0, 1, 1]]))
    (0.875, 0.8333333333333333)
    """
    negative, positive = counts.astype(np.float64)
    below = np.cumsum(negative) - negative / 2
    auroc = float(positive @ below / (positive.sum() * negative.sum()))
    above = np.cumsum(positive[::-1])
    all_above = above + np.cumsum(negative[::-1])
    precision = np.divide(above, all_above, out=np.zeros_like(above), where=all_above > 0)
    return auroc, float(positive[::-1] @ precision / positive.sum())


class Summed:
    """Regression: sums over 256 random parts of the rows; the intervals are a bootstrap of the parts.

    Examples
    --------
    >>> scores = Summed()
    >>> scores.add(np.array([1.0, 2.0]), np.array([[1.0], [3.0]]), np.arange(2))
    >>> scores.intervals(0)["mae"].mean
    0.5
    """

    error = 0.0

    def __init__(self) -> None:
        self.sums = np.zeros((PARTS, 5))
        self._from = float("nan")

    def add(self, y: np.ndarray, said: np.ndarray, rows: np.ndarray) -> None:
        """Take in values (b,) and predictions (b, 1)."""
        if len(y) and np.isnan(self._from):
            self._from = float(y[0])
        part = (addressed(rows, 0, "parts") * PARTS).astype(np.int64)
        off, away = said[:, 0] - y, y - self._from
        for j, value in enumerate((np.ones_like(off), off**2, np.abs(off), away, away**2)):
            self.sums[:, j] += np.bincount(part, value, minlength=PARTS)

    def intervals(self, seed: int) -> dict[str, Interval]:
        """Return R2, root mean squared and mean absolute error."""
        rng, used = np.random.default_rng([seed, 72]), self.sums[self.sums[:, 0] > 0]
        point = _of_sums(used.sum(0))
        drawn = np.array([_of_sums(used[rng.integers(0, len(used), len(used))].sum(0)) for _ in range(DRAWS)])
        low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
        return {m: Interval(point[i], float(low[i]), float(high[i])) for i, m in enumerate(("r2", "rmse", "mae"))}


def _of_sums(sums: np.ndarray) -> tuple[float, float, float]:
    n, square, absolute, away, away2 = (float(s) for s in sums)
    total = away2 - away**2 / n
    r2 = 1 - square / total if total > 0 else float("nan")
    return r2, float(np.sqrt(square / n)), absolute / n
