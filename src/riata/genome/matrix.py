"""Matrices of numbers as columns, from memory or from what numpy saved: which cells are missing is one rule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riata.errors import InputError, one_line
from riata.genome.columns import Columns
from riata.genome.dense import Dense
from riata.genome.passes import blocks
from riata.genome.whole import Whole

__all__ = ["MISSING", "Below", "columns_of", "missing_in"]

MISSING = (-1, -9, -127, -128)
"""Whole numbers that mean a missing cell, where no other number is below 0."""
CELLS = 8_000_000
"""Cells that are looked at together."""


def columns_of(
    matrix: NDArray[Any],
    names: Sequence[str] | None = None,
    *,
    label: str = "the matrix",
    absent: int | None = None,
    threads: int = 1,
) -> Columns:
    """Return a matrix, rows people and columns variables, as columns: int8 is multiplied exactly, others as floats.

    Parameters
    ----------
    matrix : ndarray or memmap, (n, p)
        Whole numbers or floats; never copied as a whole. NaN is missing.
    names : sequence of str, length p, optional
        Without them x0, x1, ...
    label : str
        What to call it in messages.
    absent : int, optional
        A value that means missing too; without it :func:`missing_in` looks for one.
    threads : int
        Threads of every pass, at least 1.

    Raises
    ------
    InputError
        If it is no such matrix, the names do not fit, or numbers below 0 are not one that means missing.

    Examples
    --------
    >>> x = columns_of(np.array([[0, 1], [2, -9], [1, 1]], np.int16))
    >>> x.mean.tolist(), x.missing.tolist()
    ([1.0, 1.0], [0, 1])
    """
    if absent is None:
        absent = missing_in(matrix, label)
    if matrix.dtype == np.int8 and matrix.ndim == 2 and matrix.size:
        return Whole.of(matrix.T, names, absent=MISSING[0] if absent is None else absent, threads=threads)
    return Dense.of(matrix, names, absent=absent, threads=threads)


def missing_in(matrix: NDArray[Any], label: str = "the matrix") -> int | None:
    """Return the only number below 0 of a matrix of whole numbers: it means missing; None where there is none.

    Floats have NaN for it and may be below 0, so nothing is looked for. One pass over the matrix, in blocks.

    Raises
    ------
    InputError
        If it is not -1, -9, -127 or -128, or if there are several.

    Examples
    --------
    >>> missing_in(np.array([[0, 2], [-9, 1]])), missing_in(np.array([[0, 2]])), missing_in(np.array([[-0.5]]))
    (-9, None, None)
    """
    if matrix.dtype.kind != "i" or matrix.ndim != 2 or not matrix.size:
        return None
    rows, below = matrix if abs(matrix.strides[0]) >= abs(matrix.strides[1]) else matrix.T, Below()
    for part in blocks(0, len(rows), max(1, CELLS // rows.shape[1])):
        below.see(rows[part])
    return below.meaning(label)


@dataclass
class Below:
    """The numbers below 0 that were seen in a matrix of whole numbers; NaN is none."""

    low: float = 0
    high: float = -math.inf

    def see(self, block: NDArray[Any]) -> None:
        """Take in a block of it."""
        found = block[block < 0]
        if found.size:
            self.low, self.high = min(self.low, float(found.min())), max(self.high, float(found.max()))

    def meaning(self, label: str) -> int | None:
        """Return the number that means missing; None where nothing is below 0. See :func:`missing_in`."""
        if self.low < 0 and (self.low != self.high or self.low not in MISSING):
            said = f"{one_line(label, 100)}: whole numbers down to {self.low:.0f}; expected 0 or more"
            raise InputError(f"{said}, and -1 for a missing cell: save floats where numbers may be below 0")
        return int(self.low) or None
