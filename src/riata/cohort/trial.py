"""A trial: one view, penalty and strength on one fold, judged on rows it was not fitted on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..engines import Loss
from ..results import Population

__all__ = ["Judge", "Trial", "Trials", "judged"]


@dataclass(frozen=True, eq=False)
class Trial:
    """What one fit said.

    Attributes
    ----------
    view, penalty : str
    fold : int
    step : int
        Place of the strength on its path.
    lam, relaxed : float
        The selecting strength, and the share of it that was used to fit again; 1 is the path itself.
    valid_loss, train_loss : float
        Mean data loss per row.
    said : ndarray (test rows, classes or 1)
        Predictions for the rows that score: probabilities, or values in the table's units.
    clinical, genetic : int
        Variables kept.
    kkt : float
        Largest KKT residual inside and outside the working set, over lam.
    iterations : int
    """

    view: str
    penalty: str
    fold: int
    step: int
    lam: float
    relaxed: float
    valid_loss: float
    train_loss: float
    said: np.ndarray
    clinical: int
    genetic: int
    kkt: float
    iterations: int


@dataclass(frozen=True)
class Trials(Population):
    """All trials of a comparison, as a population without networks of its own."""

    trials: tuple[Trial, ...] = ()

    def columns(self) -> dict[str, Sequence[object]]:
        """Return a row per trial (``results.parquet``)."""
        names = (
            "view", "penalty", "lam", "relaxed", "fold", "valid_loss", "train_loss", "clinical", "genetic", "kkt",
            "iterations",
        )  # fmt: skip
        return {name: [getattr(t, name) for t in self.trials] for name in names}


@dataclass(frozen=True, eq=False)
class Judge:
    """Rows that train, tune and score, the outcome of all, and how outputs become predictions."""

    loss: Loss
    y: Tensor
    train: Tensor
    valid: Tensor
    test: Tensor
    y_centre: float
    y_scale: float

    def mean(self, outputs: Tensor, rows: Tensor) -> float:
        """Return the mean loss of outputs (n, K) on some rows; infinity where it is not finite."""
        value = float(self.loss.value(outputs[None, rows].double(), self.y[rows].double())[0])
        return value if np.isfinite(value) else float("inf")

    def predictions(self, outputs: Tensor, rows: Tensor) -> np.ndarray:
        """Return probabilities (rows, classes) or values (rows, 1)."""
        z = torch.nan_to_num(outputs[rows]).double() * self.y_scale + self.y_centre
        found: np.ndarray = self.loss.predict(z).numpy()
        return found


def judged(outputs: Tensor, judge: Judge) -> tuple[float, float, np.ndarray]:
    """Return validation loss, training loss and the predictions for the rows that score."""
    return judge.mean(outputs, judge.valid), judge.mean(outputs, judge.train), judge.predictions(outputs, judge.test)
