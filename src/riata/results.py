"""What a trained population leaves behind: one row per network, numpy only. The waist of the package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class MemberResult:
    """One trained network.

    Attributes
    ----------
    penalty, lam, dropout, split, fold, seed
        What was asked for.
    valid_loss, train_loss : float
        Mean data loss per row on the rows that stop and tune, and on the training rows.
    test_outputs : ndarray (rows, K)
        Raw outputs (values or logits, before any link) on the split's test rows; empty where there are none.
    norms : ndarray (G,)
        Norm of every variable's first-layer weights; 0.0 where the variable is out.
    weights_kept : int
        First-layer weights that are not 0.0.
    best_epoch, epochs : int
    kkt : float
        Residual of the stationarity conditions on the training rows, at the weights kept.
    status : str
        ``ok``, ``diverged`` or ``not converged``.
    """

    penalty: str
    lam: float
    dropout: float
    split: int
    fold: int
    seed: int
    valid_loss: float
    train_loss: float
    test_outputs: np.ndarray
    norms: np.ndarray
    weights_kept: int
    best_epoch: int
    epochs: int
    kkt: float
    status: str

    @property
    def usable(self) -> bool:
        """Whether the network may be compared: it did not diverge."""
        return self.status != "diverged"

    @property
    def kept(self) -> int:
        """Number of variables whose norm is not 0.0."""
        return int(np.count_nonzero(self.norms))


@dataclass(frozen=True)
class Population:
    """All members of a design, in the design's order."""

    members: tuple[MemberResult, ...]
    seconds: float = 0.0

    def failed(self) -> int:
        """Return how many members diverged."""
        return sum(m.status == "diverged" for m in self.members)

    def select(self, **facts: object) -> list[MemberResult]:
        """Return the members whose attributes equal ``facts``."""
        return [m for m in self.members if all(getattr(m, k) == v for k, v in facts.items())]

    def columns(self) -> dict[str, Sequence[object]]:
        """Return the population as a table of plain columns (``results.parquet``)."""
        names = (
            "penalty", "lam", "dropout", "fold", "seed", "valid_loss", "train_loss", "kept", "weights_kept",
            "best_epoch", "epochs", "kkt", "status",
        )  # fmt: skip
        return {name: [getattr(m, name) for m in self.members] for name in names}


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95% interval.

    >>> Interval(0.71, 0.69, 0.73).as_dict()
    {'mean': 0.71, 'low': 0.69, 'high': 0.73}
    """

    mean: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Return plain numbers for JSON."""
        return {"mean": float(self.mean), "low": float(self.low), "high": float(self.high)}


@dataclass(frozen=True)
class CandidateScores:
    """One candidate's scores on the outer folds, the strength tuned inside each fold.

    ``per_fold[metric]`` is (repeats * folds,); ``chosen`` holds (lam, dropout) of each fold; ``kept`` and
    ``weights_kept`` are means over the networks that were used.
    """

    name: str
    per_fold: Mapping[str, np.ndarray]
    chosen: Sequence[tuple[float, float]] = field(default_factory=tuple)
    kept: float = float("nan")
    weights_kept: float = float("nan")
