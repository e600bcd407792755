"""Columns: what a format must offer so that half a million variables can be trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from riata.errors import InputError

__all__ = [
    "Columns",
    "Store",
    "checked_ids",
    "checked_right",
    "checked_rows",
    "checked_threads",
    "inverse",
    "monomorphic",
]


class Store(Protocol):
    """What several takes of one matrix have in common: it serves all of them in one pass (see ``lockstep``)."""

    def takes(self, columns: Any, rows: Sequence[Tensor]) -> Sequence[Columns]:
        """Return ``columns.take`` of each of these rows."""

    def dots(self, parts: Sequence[tuple[Any, Tensor]]) -> list[Tensor]:
        """Return ``columns.dot(right)`` of each part; all of them are takes of this store."""

    def grams(self, parts: Sequence[tuple[Any, Tensor]], within: slice) -> list[Tensor]:
        """Return each part's ``sum_g x_g (x_g' right)`` over the columns ``within``, float64."""


class Columns(Protocol):
    """A matrix of n rows and p variables, used by blocks of columns and never held as floats as a whole.

    Column g stands for ``x_g = (raw_g - mean_g) / scale_g`` over the rows in use. Missing cells count as
    ``mean_g``, so they are 0. A column with one value only has ``scale_g = 0`` and stands for zeros. The length
    of every other column is ``sqrt(n)``. To add a format, write one file with one such class; ``store = None`` will do.
    """

    @property
    def n(self) -> int:
        """Number of rows in use; a row that was taken twice counts twice."""

    @property
    def p(self) -> int:
        """Number of columns."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each column, length p."""

    @property
    def mean(self) -> Tensor:
        """Mean of the present cells of each column over the rows in use, (p,) float64."""

    @property
    def scale(self) -> Tensor:
        """Standard deviation (divisor n, missing cells as the mean), (p,) float64; 0 for a single value."""

    @property
    def missing(self) -> Tensor:
        """Number of missing cells of each column in the rows in use, (p,) int64."""

    @property
    def threads(self) -> int:
        """Number of threads of a pass; the results are the same bits for any number."""

    @property
    def store(self) -> Store | None:
        """What serves several takes of the same matrix in one pass; None: each is read on its own."""

    def dot(self, right: Tensor) -> Tensor:
        """Return ``x_g' right`` for every column: (n, k) -> (p, k), in the dtype of ``right``."""

    def bound(self, right: Tensor) -> Tensor:
        """Return how far an entry of ``dot(right)`` can be from exact arithmetic: (n, k) -> (k,) float64."""

    def columns(self, ids: Tensor) -> Tensor:
        """Return the standardised columns: ids (m,) -> (n, m) float32."""

    def raw(self, ids: Tensor) -> Tensor:
        """Return the stored numbers (copies of allele 1; values), NaN where missing: ids (m,) -> (n, m) float32."""

    def like(self, other: Columns) -> Columns:
        """Return the same rows standardised by the means and scales of another take of the same matrix."""

    def take(self, rows: Tensor) -> Columns:
        """Return the same matrix on these rows (ids among the rows in use, repeats allowed); nothing is copied.

        ``mean``, ``scale`` and ``missing`` are those of the rows taken: a row taken r times has the weight r.
        """


def monomorphic(columns: Columns) -> Tensor:
    """Return the ids of the columns with a single value in the rows in use, (m,) int64; their number is its length.

    Examples
    --------
    >>> import numpy as np
    >>> from riata.genome.dense import Dense
    >>> monomorphic(Dense.of(np.array([[0, 5], [1, 5], [2, 5]], np.int8)))
    tensor([1])
    """
    return (columns.scale == 0).nonzero().squeeze(1)


def inverse(scale: Tensor) -> Tensor:
    """Return ``1 / scale``, and 0 where scale is 0.

    Examples
    --------
    >>> inverse(torch.tensor([2.0, 0.0]))
    tensor([0.5000, 0.0000])
    """
    return torch.where(scale > 0, 1 / torch.where(scale > 0, scale, 1.0), 0.0)


def checked_right(right: Tensor, n: int) -> Tensor:
    """Return right-hand sides (n, k) as they came, on the CPU.

    Raises
    ------
    InputError
        If the shape is another one, or a value is not finite, or the dtype is neither float32 nor float64.
    """
    if right.ndim != 2 or len(right) != n:
        raise InputError(f"right-hand sides of shape {tuple(right.shape)}; expected ({n}, k), one row per row in use")
    if right.dtype not in (torch.float32, torch.float64):
        raise InputError(f"right-hand sides of {right.dtype}; expected float32 or float64: call right.float()")
    if not bool(right.isfinite().all()):
        raise InputError("right-hand sides with NaN or infinity; expected finite numbers: check the gradient")
    return right.detach().cpu()


def checked_ids(ids: Tensor, p: int) -> Tensor:
    """Return column ids (m,) as int64 in 0..p-1.

    Raises
    ------
    InputError
        If they are not whole numbers in that range.
    """
    return _checked(ids, p, "column ids")


def checked_rows(rows: Tensor, n: int) -> Tensor:
    """Return row ids (m,), m >= 1, as int64 in 0..n-1.

    Raises
    ------
    InputError
        If they are not whole numbers in that range, or there are none.
    """
    if rows.numel() == 0:
        raise InputError("no rows were taken; expected at least one row id")
    return _checked(rows, n, "row ids")


def _checked(ids: Tensor, count: int, what: str) -> Tensor:
    if ids.dtype == torch.bool:
        raise InputError(f"{what} as true and false; expected numbers: pass mask.nonzero().squeeze(1)")
    if ids.ndim != 1 or ids.is_floating_point() or ids.is_complex():
        raise InputError(f"{what} of {ids.dtype} and shape {tuple(ids.shape)}; expected a row of whole numbers")
    if ids.numel() and not (int(ids.min()) >= 0 and int(ids.max()) < count):
        raise InputError(f"{what} from {int(ids.min())} to {int(ids.max())}; expected 0 to {count - 1}")
    return ids.detach().cpu().long()


def checked_threads(threads: int) -> int:
    """Return a number of threads, at least 1.

    Raises
    ------
    InputError
        If it is less.
    """
    if threads < 1:
        raise InputError(f"{threads} threads; expected at least 1: threads=1")
    return threads
