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
from riata.genome.columns import checked_ids, checked_right, checked_rows, inverse

__all__ = ["Dense"]


@dataclass(frozen=True, eq=False)
class Dense:
    """Columns of a matrix in memory or in a memory-mapped file; make one with :meth:`of`.

    Blocks are gathered from ``matrix`` (p, n_all), a view with variables first, and standardised in float64
    before they are cast and multiplied; no more than about ``block_bytes`` are in use at a time.
    """

    matrix: NDArray[Any]
    names: Sequence[str]
    mean: Tensor
    scale: Tensor
    missing: Tensor
    index: Tensor | None
    absent: float | None
    block_bytes: int

    @classmethod
    def of(
        cls,
        matrix: NDArray[Any],
        names: Sequence[str] | None = None,
        *,
        variables_first: bool = False,
        absent: float | None = None,
        block_bytes: int = 64_000_000,
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
        empty = torch.empty(0)
        return cls(view, labels, empty, empty, empty, None, absent, block_bytes)._measured()

    @property
    def n(self) -> int:
        """Number of rows in use."""
        return self.matrix.shape[1] if self.index is None else len(self.index)

    @property
    def p(self) -> int:
        """Number of columns."""
        return len(self.matrix)

    def dot(self, right: Tensor) -> Tensor:
        """Return ``x_g' right`` for every column: (n, k) -> (p, k), in the dtype of ``right``."""
        right = checked_right(right, self.n)
        out = right.new_empty(self.p, right.shape[1])
        for part in self._parts():
            out[part] = self._standard(part).to(right.dtype) @ right
        return out

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

    def columns(self, ids: Tensor) -> Tensor:
        """Return the standardised columns: ids (m,) -> (n, m) float32."""
        ids = checked_ids(ids, self.p)
        out = torch.empty(self.n, len(ids))
        for part in self._parts(len(ids)):
            out[:, part] = self._standard(ids[part]).T
        return out

    def take(self, rows: Tensor) -> Dense:
        """Return the same matrix on these rows (ids among the rows in use, repeats allowed); one pass."""
        rows = checked_rows(rows, self.n)
        return replace(self, index=rows if self.index is None else self.index[rows])._measured()

    def _parts(self, count: int | None = None) -> Iterator[slice]:
        count = self.p if count is None else count
        step = max(1, self.block_bytes // (32 * self.matrix.shape[1]))
        return (slice(a, min(a + step, count)) for a in range(0, count, step))

    def _raw(self, part: slice | Tensor) -> Tensor:
        """Return a block in float64, NaN where missing: (m, n)."""
        block = self.matrix[part if isinstance(part, slice) else part.numpy()]
        if self.index is not None:
            block = block[:, self.index.numpy()]
        raw = torch.from_numpy(np.array(block, dtype=np.float64, order="C"))
        return raw if self.absent is None else raw.masked_fill_(raw == self.absent, torch.nan)

    def _standard(self, part: slice | Tensor) -> Tensor:
        raw = self._raw(part)
        raw.sub_(self.mean[part, None]).mul_(inverse(self.scale[part, None]))
        return raw.nan_to_num_(nan=0.0)

    def _measured(self) -> Dense:
        mean, scale = torch.empty(self.p, dtype=torch.float64), torch.empty(self.p, dtype=torch.float64)
        missing = torch.empty(self.p, dtype=torch.int64)
        for part in self._parts():
            mean[part], scale[part], missing[part] = _moments(self._raw(part))
        return replace(self, mean=mean, scale=scale, missing=missing)


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
