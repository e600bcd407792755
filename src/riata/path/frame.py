"""The rows of a path: folds, and columns scaled by the training rows of each fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold  # type: ignore[import-untyped,unused-ignore]

from ..data.say import refuse
from .inputs import Inputs
from .options import PathOptions


def read_lams(lams: Any) -> np.ndarray | None:
    """Return the strengths asked for, descending and distinct, or None."""
    if lams is None:
        return None
    try:
        found = np.unique(np.atleast_1d(np.asarray(lams, dtype=np.float64)))[::-1]
    except (TypeError, ValueError):
        raise refuse(f"lams is {lams!r}; expected numbers >= 0; pass e.g. [0.1, 0.01]") from None
    if found.ndim != 1 or len(found) == 0 or not np.isfinite(found).all() or (found < 0).any():
        raise refuse("lams holds something else than finite numbers >= 0; pass e.g. [0.1, 0.01]")
    return found.copy()


@dataclass(frozen=True, eq=False)
class Frame:
    """The rows as the models read them: inputs (B, n, d), a block a fold and the last for all rows, and the folds."""

    x: np.ndarray
    fold_of: np.ndarray
    centre: np.ndarray
    scale: np.ndarray


def prepare(inputs: Inputs, options: PathOptions) -> Frame:
    """Draw the folds and scale the columns, by the training rows of each fold."""
    x, d = inputs.x, inputs.x.shape[1]
    fold_of = draw_folds(inputs, options)
    if not options.standardize:
        return Frame(x[None], fold_of, np.zeros(d), np.ones(d))
    blocks = []
    for f in [*range(options.folds), -1]:
        rows = fold_of != f if f >= 0 else np.ones(len(x), dtype=bool)
        centre, scale = x[rows].mean(0), x[rows].std(0)
        scale = np.where(scale > 1e-12 * np.abs(x[rows]).max(0), scale, 1.0)
        blocks.append((x - centre) / scale)
    return Frame(np.stack(blocks), fold_of, centre, scale)


def draw_folds(inputs: Inputs, options: PathOptions) -> np.ndarray:
    """Return the fold of every row, stratified by class; empty without folds."""
    n, k = len(inputs.y), options.folds
    if k == 0:
        return np.zeros(0, dtype=np.int64)
    if k > n:
        raise refuse(f"{k} folds for {n} rows; expected at most {n}; use folds={min(5, n)}")
    if inputs.task == "classification":
        least = int(np.bincount(inputs.y.astype(int)).min())
        if least < k:
            raise refuse(f"a class has {least} rows, fewer than the {k} folds; use folds={least}, or merge classes")
        splits = StratifiedKFold(k, shuffle=True, random_state=options.seed).split(inputs.x, inputs.y)
    else:
        splits = KFold(k, shuffle=True, random_state=options.seed).split(inputs.x)
    fold_of = np.empty(n, dtype=np.int64)
    for f, (_, held) in enumerate(splits):
        fold_of[held] = f
    return fold_of
