"""Which columns are kept: a path over the folds, and how the networks of the folds agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..path.fit import fit_path
from ..path.frame import draw_folds
from ..path.inputs import read_inputs
from ..path.options import PathOptions
from ..path.result import PathResult
from ..penalties import Penalty


@dataclass(frozen=True, eq=False)
class Search:
    """What is searched: inputs x (n, d), the target as it was given, the penalty, groups and options."""

    x: np.ndarray
    target: np.ndarray
    penalty: Penalty
    groups: Any
    options: PathOptions

    def path(self) -> PathResult:
        """Return the path of the penalty on the folds and on all rows; nothing is stopped early."""
        return self._fit(self.options.folds, None)

    def at(self, lam: float) -> PathResult:
        """Return the fit on all rows at one strength, a network's finished to ``options.tol``."""
        return self._fit(0, [lam])

    def shares(self, lam: float) -> np.ndarray:
        """Return the share of the networks of the folds, fitted at ``lam``, that keep each column, (d,)."""
        o = self.options
        fold_of = draw_folds(read_inputs(self.x, self.target, o.task, self.groups), o)
        kept = []
        for fold in range(o.folds):
            rows = fold_of != fold
            for seed in range(o.seeds):
                part = replace(self, x=self.x[rows], target=self.target[rows], options=replace(o, seed=o.seed + seed))
                kept.append(alive(part.at(lam).weights(lam)))
        return np.asarray(np.mean(kept, axis=0))

    def _fit(self, folds: int, lams: list[float] | None) -> PathResult:
        o = self.options
        return fit_path(
            self.x, self.target, self.penalty, o.hidden, lams, folds, o.seeds, task=o.task, groups=self.groups,
            standardize=o.standardize, path_length=o.path_length, tol=o.tol if lams and o.hidden else None,
            early_stopping=False, epochs=o.epochs, batch_size=o.batch_size, form=o.form, lr=o.lr, seed=o.seed,
            device=o.device,
        )  # fmt: skip


def alive(weights: np.ndarray) -> np.ndarray:
    """Return which rows (d,) of first-layer weights (d, width) hold one that is not 0.0.

    >>> alive(np.array([[0.0, 0.0], [0.0, 1.0]]))
    array([False,  True])
    """
    return np.asarray((weights != 0).any(1))


def make_search(x: np.ndarray, target: np.ndarray, penalty: Penalty, groups: Any, options: PathOptions) -> Search:
    """Return a search whose task is settled and whose folds are no more than the rows of the rarest class."""
    inputs = read_inputs(x, target, options.task, groups)
    most = len(x) if inputs.task == "regression" else int(np.bincount(inputs.y.astype(int)).min())
    return Search(x, target, penalty, groups, replace(options, task=inputs.task, folds=min(options.folds, most)))
