"""Whole: an int8 matrix in memory or in a mapped file as columns, multiplied exactly without unpacking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from riata.errors import InputError
from riata.genome.columns import checked_threads
from riata.genome.counts import Cells, Counts
from riata.genome.digits import Product, product_for
from riata.genome.mapped import Mapped, home, travelling

__all__ = ["Plain", "Whole"]

BLOCK = 1_600_000
"""Cells in a block."""


class Whole(Counts):
    """Columns of small whole numbers in int8; make one with :meth:`of`."""

    @classmethod
    def of(
        cls,
        matrix: NDArray[np.int8],
        names: Sequence[str] | None = None,
        *,
        absent: int = -1,
        threads: int = 1,
    ) -> Whole:
        """Return a matrix of whole numbers as columns; one pass for the means and scales.

        Parameters
        ----------
        matrix : ndarray or memmap of int8, (p, n)
            Variables first, or the transposed view of a matrix that has rows first; never copied as a whole.
        names : sequence of str, length p, optional
            Without them x0, x1, ...
        absent : int
            The value that means missing, -128 to 127; one that does not occur if no cell is missing.
        threads : int
            Threads of every pass, at least 1; the results are the same bits for any number.

        Raises
        ------
        InputError
            If it is not such a matrix, or the names do not fit.

        Examples
        --------
        >>> x = Whole.of(np.array([[0, 1, 2], [5, -1, 5]], np.int8))
        >>> x.mean.tolist(), x.missing.tolist(), x.dot(torch.tensor([[0.0], [0.0], [1.0]])).T
        ([1.0, 5.0], [0, 1], tensor([[1.2247, 0.0000]]))
        """
        if matrix.ndim != 2 or 0 in matrix.shape or matrix.dtype != np.int8:
            raise InputError(f"a matrix of {matrix.dtype}, {matrix.shape}; expected int8, variables first: use Dense")
        if not -128 <= absent <= 127:
            raise InputError(f"absent={absent}; expected the int8 that means missing, -128 to 127")
        labels = tuple(names) if names is not None else tuple(f"x{i}" for i in range(len(matrix)))
        if len(labels) != len(matrix):
            raise InputError(f"{len(labels)} names for {len(matrix)} columns; expected one name per column")
        empty = torch.empty(0)
        whole = cls(Plain.of(matrix, absent), labels, empty, empty, empty, None, checked_threads(threads))
        return whole.measured([None])[0]


@dataclass(frozen=True, eq=False)
class Plain(Cells):
    """The int8 cells of a matrix, (p, people); a mapped one is pickled as the file's path and place."""

    cells: NDArray[np.int8] = field(repr=False)
    absent: int
    product: Product

    @classmethod
    def of(cls, cells: NDArray[np.int8] | Mapped, absent: int) -> Plain:
        """Return the cells of a matrix or of a file that travelled."""
        matrix: NDArray[np.int8] = home(cells)
        return cls(matrix, absent, product_for(matrix.shape[1], 128))

    def __reduce__(self) -> tuple[Any, ...]:
        return Plain.of, (travelling(self.cells), self.absent)

    @property
    def people(self) -> int:  # type: ignore[override]
        """Number of rows of the matrix."""
        return int(self.cells.shape[1])

    @property
    def p(self) -> int:  # type: ignore[override]
        """Number of columns."""
        return len(self.cells)

    @property
    def hole(self) -> int:
        """Value of a missing cell."""
        return self.absent

    @property
    def places(self) -> int:
        """Length of a column."""
        return self.people

    @property
    def step(self) -> int:
        """Columns in a block."""
        return max(16, BLOCK // self.people)

    def blocks(self, part: slice) -> Iterator[tuple[slice, _Values]]:
        """Yield blocks as they are stored; copied where torch cannot look at them, in the order they lie in."""
        step = self.step
        turned = self.cells.strides[0] < self.cells.strides[1]
        direct = self.cells.flags.writeable and min(self.cells.strides) == 1
        shape = (self.people, min(step, part.stop - part.start))
        buffer = np.empty((0, 0) if direct else shape if turned else shape[::-1], np.int8)
        buffer = buffer.T if turned else buffer
        for a in range(part.start, part.stop, step):
            place = slice(a, min(a + step, part.stop))
            cells = self.cells[place]
            if not direct:
                buffer[: len(cells)] = cells
                cells = buffer[: len(cells)]
            yield place, _Values(torch.from_numpy(cells), self.absent)

    def squares(self, cells: Tensor) -> list[tuple[int, Tensor]]:
        """Return the squares of the cells, as 256 high + low where int8 cannot hold them: ``128 * 128 = 256 * 64``."""
        least, most = cells.aminmax()
        if int(least) >= -11 and int(most) <= 11:
            return [(1, cells * cells)]
        square = cells.to(torch.int16).square_()
        high = (square + 128) >> 8
        return [(256, high.to(torch.int8)), (1, (square - (high << 8)).to(torch.int8))]

    def arranged(self, digits: Tensor) -> Tensor:
        """Return right-hand sides with k rounded up to 16: (people, k) int8."""
        people, k = digits.shape
        out = digits.new_zeros(people, -(-k // 16) * 16)
        out[:, :k] = digits
        return out

    def ordered(self, rows: Tensor) -> Tensor:
        """Return sums (k, people) by people: (people, k)."""
        return rows.T

    def read(self, ids: Tensor) -> Tensor:
        """Return values, NaN where missing: ids (m,) -> (m, people) float32."""
        cells = self.cells[ids.numpy()]
        return torch.from_numpy(np.where(cells == self.absent, np.float32(np.nan), cells.astype(np.float32)))


@dataclass(frozen=True, eq=False)
class _Values:
    """A block of columns: values (m, people) int8."""

    cells: Tensor
    absent: int

    def holes(self) -> Tensor:
        """Return the ids in the block of the columns with a missing cell."""
        return (self.cells == self.absent).any(1).nonzero().squeeze(1)

    def gone(self, ids: Tensor) -> Tensor:
        """Return 1 where a cell is missing, for these columns of the block: (h, people) int8."""
        return (self.cells[ids] == self.absent).to(torch.int8)
