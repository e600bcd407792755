"""The rows an estimator is fitted on: plain numbers, equal rows as one, and columns on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import torch
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from ..data.say import listed, refuse
from ..engines import generator
from ..population.train import Rows

FLAT = 1e-12
"""Spread of a column, relative to its largest entry, below which it has one value."""
ENCODE = "encode them with sklearn.compose.ColumnTransformer, or use riata.choose"


@dataclass(frozen=True, eq=False)
class Table:
    """Distinct rows: inputs x (n, d), targets y (n,) and weights (n,) of mean 1; None where all weigh the same."""

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None

    def take(self, which: np.ndarray) -> Table:
        """Return some of the rows."""
        return Table(self.x[which], self.y[which], None if self.weight is None else even(self.weight[which]))

    def rows(self, device: str, dtype: torch.dtype) -> Rows:
        """Return the rows as tensors."""
        x, y = (torch.as_tensor(a).to(device, dtype) for a in (self.x, self.y))
        return Rows(x, y, None if self.weight is None else torch.as_tensor(self.weight).to(device, dtype))


@dataclass(frozen=True, eq=False)
class Scaling:
    """What is taken off the columns and what they are divided by, (d,); ``flat`` columns have one value and read 0."""

    centre: np.ndarray
    scale: np.ndarray
    flat: np.ndarray
    y_centre: float = 0.0
    y_scale: float = 1.0

    def inputs(self, x: np.ndarray) -> np.ndarray:
        """Return inputs (n, d) on the scale of the fit."""
        return np.where(self.flat, 0.0, (x - self.centre) / self.scale)

    def table(self, table: Table) -> Table:
        """Return rows on the scale of the fit."""
        return Table(self.inputs(table.x), (table.y - self.y_centre) / self.y_scale, table.weight)


def read_columns(estimator: Any, X: Any, reset: bool, y: Any = "no_validation", **checks: Any) -> Any:
    """Return X (n, d) float64, with y a pair, by scikit-learn's own checks; refuse texts and categories in words."""
    refuse_categories(X)
    try:
        return validate_data(estimator, X, y, reset=reset, dtype=np.float64, **checks)
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
    raise refuse(f"X holds texts; expected columns of numbers; {ENCODE}")


def refuse_categories(X: Any) -> None:
    """Raise InputError where a frame has columns of texts, categories or dates."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return
    plain = (nw.Boolean, nw.Object)
    other = [name for name, kind in frame.schema.items() if not kind.is_numeric() and kind not in plain]
    if other:
        kinds = "texts, categories or dates"
        raise refuse(f"columns {listed(other)} of X hold {kinds}; expected numbers; {ENCODE}")


def read_weight(sample_weight: Any, rows: int) -> np.ndarray:
    """Return the weight of every row, (n,): ones where none are given.

    >>> read_weight(None, 2)
    array([1., 1.])
    """
    if sample_weight is None:
        return np.ones(rows)
    weight = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weight.shape != (rows,):
        raise refuse(f"sample_weight has shape {weight.shape}; expected ({rows},); pass one number a row")
    if (weight < 0).any() or not weight.sum() > 0:
        raise refuse("sample_weight has negative numbers, or only zeros; expected weights >= 0; correct them")
    return np.asarray(weight)


def even(weight: np.ndarray) -> np.ndarray | None:
    """Return weights of mean 1, or None where they are all the same.

    >>> even(np.array([1.0, 3.0])), even(np.array([2.0, 2.0]))
    (array([0.5, 1.5]), None)
    """
    return None if (weight == weight[0]).all() else weight / weight.mean()


def distinct(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Table:
    """Return equal rows as one with the sum of their weights, in an order that their values fix; none of weight 0.

    So a weight of 2 is the row twice, and the order in which rows arrive does not matter.

    >>> table = distinct(np.array([[1.0], [2.0], [1.0]]), np.zeros(3), np.ones(3))
    >>> table.x.ravel(), table.weight
    (array([2., 1.]), array([0.66666667, 1.33333333]))
    """
    there = weight > 0
    both = np.ascontiguousarray(np.column_stack([x[there], y[there]])) + 0.0
    keys = both.view(np.dtype((np.void, both.dtype.itemsize * both.shape[1]))).ravel()
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return Table(both[first, :-1].copy(), both[first, -1].copy(), even(np.bincount(which, weight[there])))


def hold_out(table: Table, share: float, seed: int, by_class: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that train and those held out, about ``share`` of them, drawn evenly over the classes.

    A class keeps at least one training row; where ``share`` of the rows is less than one, none is held out.
    """
    n = len(table.y)
    count = round(share * n)
    order = torch.randperm(n, generator=generator(seed, "held out")).numpy()
    if by_class:
        order = order[np.argsort(table.y[order], kind="stable")]
    held = order[((np.arange(count) + 0.5) * n / max(count, 1)).astype(int)]
    if by_class:
        sizes = np.bincount(table.y.astype(int))
        held = held[sizes[table.y[held].astype(int)] > 1]
    train = np.ones(n, dtype=bool)
    train[held] = False
    return np.flatnonzero(train), np.sort(held)


def read_scaling(table: Table, columns: bool, target: bool) -> Scaling:
    """Return mean and standard deviation of the columns, and of the target, or what leaves them alone."""
    d = table.x.shape[1]
    centre, scale, flat = np.zeros(d), np.ones(d), np.zeros(d, dtype=bool)
    if columns:
        centre = np.average(table.x, axis=0, weights=table.weight)
        scale = np.sqrt(np.average((table.x - centre) ** 2, axis=0, weights=table.weight))
        flat = ~(scale > FLAT * np.abs(table.x).max(0))
        scale = np.where(flat, 1.0, scale)
    if not target:
        return Scaling(centre, scale, flat)
    mean = float(np.average(table.y, weights=table.weight))
    spread = float(np.sqrt(np.average((table.y - mean) ** 2, weights=table.weight)))
    return Scaling(centre, scale, flat, mean, spread if spread > FLAT * np.abs(table.y).max() else 1.0)
