"""Joined: several matrices over the same rows side by side as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from riata.errors import InputError, one_line
from riata.genome.columns import Columns, checked_ids
from riata.genome.lockstep import dots, grams, takes

__all__ = ["Joined"]


@dataclass(frozen=True, eq=False)
class Beside:
    """The stores of joined columns: each piece goes to its own."""

    count: int

    def takes(self, columns: Joined, rows: Sequence[Tensor]) -> list[Joined]:
        """Return the columns on each of these rows: one pass over each piece."""
        sides = [takes(piece, rows) for piece in columns.pieces]
        return [Joined(tuple(pieces), columns.names, self) for pieces in zip(*sides, strict=True)]

    def dots(self, parts: Sequence[tuple[Joined, Tensor]]) -> list[Tensor]:
        """Return each part's ``dot``: one pass over each piece."""
        flat = [(piece, right) for columns, right in parts for piece in columns.pieces]
        outs = dots(flat)
        return [torch.cat(outs[a : a + self.count]) for a in range(0, len(outs), self.count)]

    def grams(self, parts: Sequence[tuple[Joined, Tensor]], within: slice) -> list[Tensor]:
        """Return each part's gram: the sum of those of its pieces."""
        first, start = parts[0][0], 0
        outs = [torch.zeros(right.shape, dtype=torch.float64) for _, right in parts]
        for place, piece in enumerate(first.pieces):
            part = slice(max(0, within.start - start), max(0, min(piece.p, within.stop - start)))
            start += piece.p
            if part.start < part.stop:
                sides = [(columns.pieces[place], right) for columns, right in parts]
                outs = [out + more for out, more in zip(outs, grams(sides, part), strict=True)]
        return outs


@dataclass(frozen=True, eq=False)
class Joined:
    """Columns of several matrices over the same rows, one after another; make one with :meth:`of`."""

    pieces: tuple[Columns, ...]
    names: Sequence[str]
    store: Beside

    @classmethod
    def of(cls, pieces: Sequence[Columns]) -> Joined:
        """Return these matrices side by side.

        Raises
        ------
        InputError
            If there are none, they have other numbers of rows, or a name occurs in two of them.

        Examples
        --------
        >>> import numpy as np
        >>> from riata.genome.dense import Dense
        >>> age, snps = Dense.of(np.array([[40.0], [60.0]]), ["age"]), Dense.of(np.array([[0, 1], [2, 1]]))
        >>> both = Joined.of([age, snps])
        >>> both.names, both.columns(torch.tensor([2, 0, 1])).tolist()
        (('age', 'x0', 'x1'), [[0.0, -1.0, -1.0], [0.0, 1.0, 1.0]])
        """
        rows = sorted({piece.n for piece in pieces})
        if len(rows) != 1:
            raise InputError(f"matrices of {rows} rows side by side; expected one number: take the same rows of each")
        names = tuple(name for piece in pieces for name in piece.names)
        if len(set(names)) < len(names):
            twice = next(name for name, count in Counter(names).items() if count > 1)
            raise InputError(
                f"{one_line(twice, 80)} is a column of two matrices side by side; expected unique names: rename one"
            )
        return cls(tuple(pieces), names, Beside(len(pieces)))

    @property
    def n(self) -> int:
        """Number of rows in use."""
        return self.pieces[0].n

    @property
    def p(self) -> int:
        """Number of columns of all matrices."""
        return sum(piece.p for piece in self.pieces)

    @property
    def mean(self) -> Tensor:
        """Mean of each column, (p,) float64."""
        return torch.cat([piece.mean for piece in self.pieces])

    @property
    def scale(self) -> Tensor:
        """Standard deviation of each column, (p,) float64."""
        return torch.cat([piece.scale for piece in self.pieces])

    @property
    def missing(self) -> Tensor:
        """Number of missing cells of each column, (p,) int64."""
        return torch.cat([piece.missing for piece in self.pieces])

    @property
    def threads(self) -> int:
        """Largest number of threads of a pass."""
        return max(piece.threads for piece in self.pieces)

    def dot(self, right: Tensor) -> Tensor:
        """Return ``x_g' right`` for every column: (n, k) -> (p, k), in the dtype of ``right``."""
        return torch.cat([piece.dot(right) for piece in self.pieces])

    def bound(self, right: Tensor) -> Tensor:
        """Return the largest bound of the matrices: (n, k) -> (k,) float64."""
        return torch.stack([piece.bound(right) for piece in self.pieces]).amax(0)

    def columns(self, ids: Tensor) -> Tensor:
        """Return the standardised columns: ids (m,) -> (n, m) float32."""
        return self._gather(ids, lambda piece, some: piece.columns(some))

    def raw(self, ids: Tensor) -> Tensor:
        """Return the stored numbers, NaN where missing: ids (m,) -> (n, m) float32."""
        return self._gather(ids, lambda piece, some: piece.raw(some))

    def take(self, rows: Tensor) -> Joined:
        """Return the same matrices on these rows (ids among the rows in use, repeats allowed)."""
        return Joined(tuple(piece.take(rows) for piece in self.pieces), self.names, self.store)

    def like(self, other: Columns) -> Joined:
        """Return the same rows standardised by the means and scales of another take of the same matrices."""
        if not isinstance(other, Joined) or len(other.pieces) != len(self.pieces):
            raise InputError(
                f"columns like {type(other).__name__}; expected a take of the same {len(self.pieces)} matrices"
            )
        return replace(self, pieces=tuple(a.like(b) for a, b in zip(self.pieces, other.pieces, strict=True)))

    def _gather(self, ids: Tensor, read: Callable[[Columns, Tensor], Tensor]) -> Tensor:
        ids = checked_ids(ids, self.p)
        out, start = torch.empty(self.n, len(ids)), 0
        for piece in self.pieces:
            here = ((ids >= start) & (ids < start + piece.p)).nonzero().squeeze(1)
            if len(here):
                out[:, here] = read(piece, ids[here] - start)
            start += piece.p
        return out
