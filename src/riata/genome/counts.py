"""Counts: columns of small whole numbers, multiplied exactly by int8 products, wherever their cells are stored."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self

import torch
from torch import Tensor

from riata.errors import InputError
from riata.genome import exact
from riata.genome.columns import Columns, checked_ids, checked_right, checked_rows, inverse
from riata.genome.digits import TOP, Product, wholes

__all__ = ["Block", "Cells", "Counts"]


class Block(Protocol):
    """Cells of some columns, unpacked: int8 (m, places), and which of them are missing."""

    @property
    def cells(self) -> Tensor:
        """Cells (m, places) int8; the missing ones have the store's code ``hole``."""

    def holes(self) -> Tensor:
        """Return the ids in the block of the columns with a missing cell."""

    def gone(self, ids: Tensor) -> Tensor:
        """Return 1 where a cell is missing, for these columns of the block: (h, places) int8."""


class Cells(ABC):
    """Where the cells are: ``value = base + sign cell``; several takes of it are served by one pass."""

    people: int
    p: int
    product: Product
    base: ClassVar[int] = 0
    sign: ClassVar[int] = 1

    @property
    @abstractmethod
    def hole(self) -> int:
        """Code of a missing cell."""

    @property
    @abstractmethod
    def places(self) -> int:
        """Length of an unpacked column."""

    @property
    @abstractmethod
    def step(self) -> int:
        """Columns in a block."""

    @abstractmethod
    def blocks(self, part: slice) -> exact.Blocks:
        """Yield the blocks of a part, each valid until the next."""

    @abstractmethod
    def squares(self, cells: Tensor) -> list[tuple[int, Tensor]]:
        """Return factors and int8 matrices whose weighted sum is the square of the cells."""

    @abstractmethod
    def arranged(self, digits: Tensor) -> Tensor:
        """Return right-hand sides (people, k) in the order of the places, k rounded up to 16: (places, k)."""

    def sides(self, digits: Tensor) -> Tensor:
        """Return right-hand sides (people, k) int8 as :meth:`sums` and :meth:`powers` take them."""
        return self.arranged(digits)

    def sums(self, part: slice, right: Tensor, holed: Tensor) -> exact.Sums:
        """Return the sums of digits over the cells of a part and over its missing ones, each (m, >= k) or None for 0.

        ``holed`` (m,) is true for the columns that may have missing cells.
        """
        return exact.sums(self, part, right, holed)

    def powers(self, part: slice, right: Tensor, holed: Tensor | None) -> exact.Powers:
        """Return the sums of digits over cells, squares of cells and missing cells; by default any may be missing."""
        return exact.powers(self, part, right, holed)

    @abstractmethod
    def ordered(self, rows: Tensor) -> Tensor:
        """Return sums (k, places) in the order of the people: (people, k)."""

    @abstractmethod
    def read(self, ids: Tensor) -> Tensor:
        """Return values, NaN where missing: ids (m,) -> (m, people) float32."""

    def takes(self, columns: Counts, rows: Sequence[Tensor]) -> list[Counts]:
        """Return the columns on each of these rows, measured in one pass."""
        return columns.measured([columns.rows(each) for each in rows])

    def dots(self, parts: Sequence[tuple[Counts, Tensor]]) -> list[Tensor]:
        """Return each part's ``dot``, in one pass."""
        return exact.dots(self, parts)

    def grams(self, parts: Sequence[tuple[Counts, Tensor]], within: slice) -> list[Tensor]:
        """Return each part's sum of ``x_g (x_g' right)`` over these columns, in one pass."""
        return exact.grams(self, parts, within)


@dataclass(frozen=True, eq=False)
class Counts:
    """Columns of small whole numbers on some rows of a store."""

    store: Cells
    names: Sequence[str]
    mean: Tensor
    scale: Tensor
    missing: Tensor
    index: Tensor | None
    threads: int

    @property
    def n(self) -> int:
        """Number of rows in use."""
        return self.store.people if self.index is None else len(self.index)

    @property
    def p(self) -> int:
        """Number of columns."""
        return self.store.p

    def dot(self, right: Tensor) -> Tensor:
        """Return ``x_g' right`` for every column: (n, k) -> (p, k), in the dtype of ``right``.

        With ``right ~ q s`` in whole numbers q: ``((raw'q) - mean (sum q - gone'q)) s / scale``, where missing cells
        are 0 in raw and 1 in gone. All sums of whole numbers are exact.
        """
        return exact.dots(self.store, [(self, right)])[0]

    def bound(self, right: Tensor) -> Tensor:
        """Return how far :meth:`dot` can be from exact arithmetic: (n, k) -> (k,) float64.

        ``sqrt(n) (‖r - q s‖ + 4 eps ‖r‖) + 16 eps_64 max(1 / scale) ‖q s‖_1`` with r the right-hand side, q s its fixed
        point: Cauchy and Schwarz with ``‖x_g‖ = sqrt(n)``, then rounding to the dtype of r and in float64.
        """
        right = checked_right(right, self.n)
        wide = self.spread(right.double())
        q, step = wholes(wide)
        fixed = q.double() * step
        error: Tensor = torch.linalg.vector_norm(wide - fixed, dim=0)
        rounding: Tensor = 4 * torch.finfo(right.dtype).eps * torch.linalg.vector_norm(wide, dim=0)
        size = max(1.0, float(self.mean.abs().max()))
        tiny = 16 * torch.finfo(torch.float64).eps * size * inverse(self.scale).max() * fixed.abs().sum(0)
        return math.sqrt(self.n) * (error + rounding) + tiny

    def raw(self, ids: Tensor) -> Tensor:
        """Return the stored numbers, NaN where missing: ids (m,) -> (n, m) float32."""
        values = self.store.read(checked_ids(ids, self.p))
        return (values if self.index is None else values[:, self.index]).T

    def columns(self, ids: Tensor) -> Tensor:
        """Return the standardised columns: ids (m,) -> (n, m) float32."""
        ids = checked_ids(ids, self.p)
        return ((self.raw(ids) - self.mean[ids].float()) * inverse(self.scale[ids]).float()).nan_to_num_(nan=0.0)

    def take(self, rows: Tensor) -> Self:
        """Return the same store on these rows (ids among the rows in use, repeats allowed); one pass, no copy.

        Raises
        ------
        InputError
            If a row is taken more than 16,192 times.
        """
        return self.measured([self.rows(rows)])[0]

    def like(self, other: Columns) -> Self:
        """Return the same rows standardised by the means and scales of another take of the same matrix."""
        return replace(self, mean=other.mean, scale=other.scale)

    def rows(self, rows: Tensor) -> Tensor:
        """Return rows in use as rows of the store."""
        rows = checked_rows(rows, self.n)
        return rows if self.index is None else self.index[rows]

    def spread(self, right: Tensor) -> Tensor:
        """Add up the rows in use on the people of the store: (n, k) -> (people, k)."""
        if self.index is None:
            return right
        return right.new_zeros(self.store.people, right.shape[1]).index_add_(0, self.index, right)

    def measured(self, indices: Sequence[Tensor | None]) -> list[Self]:
        """Return the same store on each of these rows of it, with means and scales from exact counts; one pass."""
        people = self.store.people
        every = torch.arange(people)
        weights = [torch.bincount(every if index is None else index, minlength=people) for index in indices]
        most = max((int(weight.max()) for weight in weights), default=0)
        if most > TOP:
            raise InputError(f"a row is taken {most} times; expected at most {TOP}: take it less often")
        known = self.missing if len(self.missing) else None
        moments = exact.moments(self.store, weights, known, self.threads)
        return [
            replace(self, index=index, mean=mean, scale=scale, missing=missing)
            for index, (mean, scale, missing) in zip(indices, moments, strict=True)
        ]
