"""Dense: any numpy or memory-mapped matrix as columns, standardised block by block."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from riata.errors import InputError
from riata.genome.columns import Columns, checked_ids, checked_right, checked_rows, checked_threads, inverse
from riata.genome.mapped import Mapped, home, travelling
from riata.genome.passes import blocks, in_order, through

__all__ = ["Dense", "Matrix"]


@dataclass(frozen=True, eq=False)
class Dense:
    """Columns of a matrix in memory or in a memory-mapped file; make one with :meth:`of`.

    Blocks are gathered from the store and standardised in float64 before they are cast and multiplied; no more than
    about its ``block_bytes`` are in use at a time in each thread.
    """

    store: Matrix
    names: Sequence[str]
    mean: Tensor
    scale: Tensor
    missing: Tensor
    index: Tensor | None
    threads: int

    @classmethod
    def of(
        cls,
        matrix: NDArray[Any],
        names: Sequence[str] | None = None,
        *,
        variables_first: bool = False,
        absent: float | None = None,
        block_bytes: int = 64_000_000,
        threads: int = 1,
    ) -> Dense:
        """Return a matrix of numbers as columns; one pass for the means and scales.

        Parameters
        ----------
        matrix : ndarray or memmap, (n, p), or (p, n) with ``variables_first``
            Whole numbers or floats; never copied. NaN is missing.
        names : sequence of str, length p, optional
            Without them x0, x1, ...
        absent : float, optional
            A value that also means missing, such as -127 or -1 in int8.
        block_bytes : int
            About how much a block may use; at least one column is read.
        threads : int
            Threads of every pass, at least 1; the results are the same bits for any number.

        Raises
        ------
        InputError
            If it is not such a matrix, the names do not fit, or a cell is infinite.

        Examples
        --------
        >>> x = Dense.of(np.array([[0, 5], [1, 5], [2, 5]], np.int8))
        >>> x.dot(torch.tensor([[0.0], [0.0], [1.0]])).T
        tensor([[1.2247, 0.0000]])
        """
        if matrix.ndim != 2 or 0 in matrix.shape or matrix.dtype.kind not in "iuf":
            raise InputError(f"a matrix of {matrix.dtype}, {matrix.shape}; expected rows and columns of real numbers")
        view = matrix if variables_first else matrix.T
        p = len(view)
        labels = tuple(names) if names is not None else tuple(f"x{i}" for i in range(p))
        if len(labels) != p:
            raise InputError(f"{len(labels)} names for {p} columns; expected one name per column")
        store, empty = Matrix(view, absent, block_bytes), torch.empty(0)
        return cls(store, labels, empty, empty, empty, None, checked_threads(threads)).measured([None])[0]

    @property
    def n(self) -> int:
        """Number of rows in use."""
        return self.store.people if self.index is None else len(self.index)

    @property
    def p(self) -> int:
        """Number of columns."""
        return len(self.store.cells)

    def dot(self, right: Tensor) -> Tensor:
        """Return ``x_g' right`` for every column: (n, k) -> (p, k), in the dtype of ``right``."""
        return self.store.dots([(self, right)])[0]

    def bound(self, right: Tensor) -> Tensor:
        """Return the rounding bound of :meth:`dot`: (n, k) -> (k,) float64.

        ``(n + 8) sqrt(n) ‖right_k‖ (eps + 4 eps_64 max_g (|mean_g| / scale_g + 1))``, eps that of ``right``: products
        by Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., equation 3.5, with ``‖x_g‖ = sqrt(n)``;
        the second part is the rounding of means and scales, which are float64.
        """
        right = checked_right(right, self.n)
        far = (self.mean.abs() * inverse(self.scale)).max() + 1
        eps = torch.finfo(right.dtype).eps + 4 * torch.finfo(torch.float64).eps * far
        length: Tensor = torch.linalg.vector_norm(right.double(), dim=0)
        return (self.n + 8) * math.sqrt(self.n) * eps * length

    def raw(self, ids: Tensor) -> Tensor:
        """Return the stored numbers, NaN where missing: ids (m,) -> (n, m) float32."""
        ids = checked_ids(ids, self.p)
        out = torch.empty(self.n, len(ids))
        for part in self.store.parts(slice(0, len(ids))):
            out[:, part] = self._rows(self.store.block(ids[part])).T.float()
        return out

    def columns(self, ids: Tensor) -> Tensor:
        """Return the standardised columns: ids (m,) -> (n, m) float32."""
        ids = checked_ids(ids, self.p)
        out = torch.empty(self.n, len(ids))
        for part in self.store.parts(slice(0, len(ids))):
            out[:, part] = self.standard(ids[part], self.store.block(ids[part])).T
        return out

    def take(self, rows: Tensor) -> Dense:
        """Return the same matrix on these rows (ids among the rows in use, repeats allowed); one pass."""
        return self.store.takes(self, [rows])[0]

    def like(self, other: Columns) -> Dense:
        """Return the same rows standardised by the means and scales of another take of the same matrix."""
        return replace(self, mean=other.mean, scale=other.scale)

    def standard(self, part: slice | Tensor, block: Tensor) -> Tensor:
        """Return columns of a block of the store on the rows in use, standardised: (m, people) -> (m, n) float64."""
        raw = (self._rows(block) - self.mean[part, None]).mul_(inverse(self.scale[part, None]))
        return raw.nan_to_num_(nan=0.0)

    def _rows(self, block: Tensor) -> Tensor:
        return block if self.index is None else block[:, self.index]

    def measured(self, indices: Sequence[Tensor | None]) -> list[Dense]:
        """Return the same matrix on each of these rows of the store, with its means and scales; one pass."""
        p = self.p
        outs = [
            replace(self, index=index, mean=torch.empty(p, dtype=torch.float64), missing=torch.empty(p).long(),
                    scale=torch.empty(p, dtype=torch.float64))
            for index in indices
        ]  # fmt: skip

        def measure(part: slice) -> None:
            block = self.store.block(part)
            for out in outs:
                out.mean[part], out.scale[part], out.missing[part] = _moments(out._rows(block))

        through(measure, self.store.parts(slice(0, p)), self.threads)
        return outs


@dataclass(frozen=True, eq=False)
class Matrix:
    """The cells of dense columns, (p, people), a view of what was given; a mapped one is pickled as path and place."""

    cells: NDArray[Any]
    absent: float | None
    block_bytes: int

    @classmethod
    def of(cls, cells: NDArray[Any] | Mapped, absent: float | None, block_bytes: int) -> Matrix:
        """Return the cells of a matrix or of a file that travelled."""
        return cls(home(cells), absent, block_bytes)

    def __reduce__(self) -> tuple[Any, ...]:
        return Matrix.of, (travelling(self.cells), self.absent, self.block_bytes)

    @property
    def people(self) -> int:
        """Number of rows of the matrix."""
        return int(self.cells.shape[1])

    def parts(self, within: slice) -> Iterator[slice]:
        """Yield blocks of columns."""
        return blocks(within.start, within.stop, max(1, self.block_bytes // (32 * self.people)))

    def block(self, part: slice | Tensor) -> Tensor:
        """Return some columns in float64, NaN where missing: (m, people)."""
        cells = self.cells[part if isinstance(part, slice) else part.numpy()]
        raw = torch.from_numpy(np.array(cells, dtype=np.float64, order="C"))
        return raw if self.absent is None else raw.masked_fill_(raw == self.absent, torch.nan)

    def takes(self, columns: Dense, rows: Sequence[Tensor]) -> list[Dense]:
        """Return the columns on each of these rows, measured in one pass."""
        checked = [checked_rows(each, columns.n) for each in rows]
        return columns.measured([each if columns.index is None else columns.index[each] for each in checked])

    def dots(self, parts: Sequence[tuple[Dense, Tensor]]) -> list[Tensor]:
        """Return each part's ``dot``, in one pass."""
        rights = [checked_right(right, columns.n) for columns, right in parts]
        outs = [right.new_empty(len(self.cells), right.shape[1]) for right in rights]

        def multiply(part: slice) -> None:
            block = self.block(part)
            for (columns, _), right, out in zip(parts, rights, outs, strict=True):
                out[part] = columns.standard(part, block).to(right.dtype) @ right

        through(multiply, self.parts(slice(0, len(self.cells))), max(columns.threads for columns, _ in parts))
        return outs

    def grams(self, parts: Sequence[tuple[Dense, Tensor]], within: slice) -> list[Tensor]:
        """Return each part's sum of ``x_g (x_g' right)`` over these columns: float32 blocks, float64 sums."""
        rights = [checked_right(right, columns.n).float() for columns, right in parts]
        outs = [torch.zeros(right.shape, dtype=torch.float64) for right in rights]

        def multiply(part: slice) -> list[Tensor]:
            block, sums = self.block(part), []
            for (columns, _), right in zip(parts, rights, strict=True):
                x = columns.standard(part, block).float()
                sums.append(x.T @ (x @ right))
            return sums

        for sums in in_order(multiply, self.parts(within), max(columns.threads for columns, _ in parts)):
            for out, more in zip(outs, sums, strict=True):
                out += more
        return outs


def _moments(raw: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, scale and number of missing cells of each row of a block (m, n), NaN where missing."""
    gone = raw.isnan()
    if bool(raw.isinf().any()):
        raise InputError("a column has infinite cells; expected numbers, NaN where missing: clean the matrix")
    count = (~gone).sum(1)
    mean = raw.nansum(1) / count.clamp(min=1)
    centred = (raw - mean[:, None]).nan_to_num_(nan=0.0)
    scale = (centred.square().sum(1) / raw.shape[1]).sqrt()
    least = raw.masked_fill(gone, torch.inf).amin(1)
    single = (count == 0) | (least == raw.masked_fill(gone, -torch.inf).amax(1))
    return mean, torch.where(single, 0.0, scale), gone.sum(1)
