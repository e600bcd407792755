"""PLINK .bed: two bits a genotype, memory-mapped, multiplied in exact whole numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from riata.errors import InputError
from riata.genome.columns import checked_ids, checked_right, checked_rows, inverse
from riata.genome.plink import beside, map_bed, read_bim, read_fam

__all__ = ["Bed", "exact_product", "float_product", "open_bed", "wholes"]

TOP = 127 * 128 - 64
"""Largest whole number that two int8 digits hold as ``128 high + low`` with ``|low| <= 64``."""

BLOCK = 400_000
"""Packed bytes in a block: with its unpacked planes it stays in a processor's cache (measured: 200,000 to 800,000)."""

Product = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Bed:
    """The variants of a .bed as columns; make one with :func:`open_bed`.

    A cell counts the copies of allele 1, the first allele in the .bim (bed-reader's ``count_A1=True``):
    bits 00 are 2, 10 are 1, 11 are 0, and 01 is a missing call. ``store`` (p, ceil(people / 4)) is the mapped file.
    """

    store: NDArray[np.uint8]
    people: int
    names: Sequence[str]
    mean: Tensor
    scale: Tensor
    missing: Tensor
    index: Tensor | None
    product: Product

    @property
    def n(self) -> int:
        """Number of rows in use."""
        return self.people if self.index is None else len(self.index)

    @property
    def p(self) -> int:
        """Number of variants."""
        return len(self.store)

    def dot(self, right: Tensor) -> Tensor:
        """Return ``x_g' right`` for every variant: (n, k) -> (p, k), in the dtype of ``right``.

        With ``right ~ q s`` in whole numbers q: ``((raw'q) - mean (sum q - gone'q)) s / scale``, where missing calls
        are 0 in raw and 1 in gone. All sums of whole numbers are exact.
        """
        right = checked_right(right, self.n)
        q, step = wholes(self._spread(right.double()))
        total = q.sum(0).double()
        inv = inverse(self.scale)
        out = right.new_empty(self.p, right.shape[1])
        for part, planes, gone in self._blocks():
            sums = self._sums(planes, q).double()
            left = total - self._gone(part, gone, q).double()
            out[part] = (sums - self.mean[part, None] * left).mul_(step).mul_(inv[part, None]).to(right.dtype)
        return out

    def bound(self, right: Tensor) -> Tensor:
        """Return how far :meth:`dot` can be from exact arithmetic: (n, k) -> (k,) float64.

        ``sqrt(n) (‖r - q s‖ + 4 eps ‖r‖) + 16 eps_64 max(1 / scale) ‖q s‖_1`` with r the right-hand side, q s its fixed
        point: Cauchy and Schwarz with ``‖x_g‖ = sqrt(n)``, then rounding to the dtype of r and in float64.
        """
        right = checked_right(right, self.n)
        wide = self._spread(right.double())
        q, step = wholes(wide)
        fixed = q.double() * step
        error: Tensor = torch.linalg.vector_norm(wide - fixed, dim=0)
        rounding: Tensor = 4 * torch.finfo(right.dtype).eps * torch.linalg.vector_norm(wide, dim=0)
        tiny = 16 * torch.finfo(torch.float64).eps * inverse(self.scale).max() * fixed.abs().sum(0)
        return math.sqrt(self.n) * (error + rounding) + tiny

    def columns(self, ids: Tensor) -> Tensor:
        """Return the standardised variants: ids (m,) -> (n, m) float32."""
        ids = checked_ids(ids, self.p)
        packed = self.store[ids.numpy()]
        codes = np.stack([(packed >> shift) & 3 for shift in (0, 2, 4, 6)], axis=2).reshape(
            len(ids), 4 * packed.shape[1]
        )
        raw = torch.from_numpy(np.array([2, -1, 1, 0], np.int8)[codes[:, : self.people]])
        raw = raw if self.index is None else raw[:, self.index]
        out = (raw - self.mean[ids, None].float()) * inverse(self.scale)[ids, None].float()
        return torch.where(raw < 0, 0.0, out).T

    def take(self, rows: Tensor) -> Bed:
        """Return the same file on these rows (ids among the rows in use, repeats allowed); one pass, no copy.

        Raises
        ------
        InputError
            If a row is taken more than 16,192 times.
        """
        rows = checked_rows(rows, self.n)
        return replace(self, index=rows if self.index is None else self.index[rows])._measured()

    def _measured(self) -> Bed:
        """Return the same columns with means and scales from exact counts over the rows in use."""
        counts = self._spread(torch.ones(self.n, 1, dtype=torch.float64)).long()
        if int(counts.max()) > TOP:
            raise InputError(f"a row is taken {int(counts.max())} times; expected at most {TOP}: take it less often")
        first, second, missing = (torch.empty(self.p, dtype=torch.int64) for _ in range(3))
        for part, planes, gone in self._blocks():
            first[part] = self._sums(planes, counts).squeeze(1)
            second[part] = first[part] + 2 * self._sums(planes >> 1, counts).squeeze(1)
            missing[part] = self._sums(_planes(gone), counts).squeeze(1) if bool(gone.any()) else 0
        present = (self.n - missing).clamp(min=1)
        spread = (present * second - first * first).double()  # exact, so 0 means a single value
        scale = (spread / present / self.n).sqrt()
        return replace(self, mean=first.double() / present, scale=scale, missing=missing)

    def _spread(self, right: Tensor) -> Tensor:
        """Add up the rows in use on the people of the file: (n, k) -> (people, k) float64."""
        if self.index is None:
            return right
        return right.new_zeros(self.people, right.shape[1]).index_add_(0, self.index, right)

    def _sums(self, planes: Tensor, q: Tensor) -> Tensor:
        """Return exact ``planes q`` for whole numbers |q| <= TOP: (m, 4 width), (people, k) -> (m, k) int64."""
        high = (q + 64) >> 7
        digits = torch.cat([high, q - 128 * high], 1).to(torch.int8)
        sums = self.product(planes, _arranged(digits, planes.shape[1] // 4)).long()
        k = q.shape[1]
        return 128 * sums[:, :k] + sums[:, k : 2 * k]

    def _gone(self, part: slice, gone: Tensor, q: Tensor) -> Tensor:
        """Return the sum of q over each variant's missing calls: (m, k) int64."""
        out = q.new_zeros(len(gone), q.shape[1])
        holes = (self.missing[part] > 0).nonzero().squeeze(1)
        if len(holes):
            out[holes] = self._sums(_planes(gone[holes]), q)
        return out

    def _blocks(self) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """Yield blocks of variants as int8 planes (m, 4 width), row 4 b + s at place s width + b.

        The planes hold the copies of allele 1, 0 if missing; the words beside them, still packed, 1 if missing.
        """
        width = self.store.shape[1]
        wide = -(-width // 8) * 8
        step = max(16, BLOCK // wide)
        for a in range(0, self.p, step):
            part = slice(a, min(a + step, self.p))
            packed = np.full((part.stop - a, wide), 0xFF, np.uint8)
            packed[:, :width] = self.store[part]
            word = torch.from_numpy(packed.view(np.int64))
            low, high = word & _FIELD, (word >> 1) & _FIELD
            none = ~low & _FIELD  # low bit 0: one or two copies
            yield part, _planes(((none & ~high) << 1) | (none & high)), low & ~high


_FIELD = 0x5555555555555555
"""The low bit of every two bits."""


def open_bed(path: Path | str) -> Bed:
    """Return the variants of a PLINK set (.bed, .bim and .fam beside each other) as columns; one pass.

    Parameters
    ----------
    path : path
        Any of the three files, or their name without an ending.

    Raises
    ------
    InputError
        If a file is missing, the .bed is no variant-major .bed, or its size does not fit the other two.
    """
    variants, samples, file = read_bim(beside(path, ".bim")), read_fam(beside(path, ".fam")), beside(path, ".bed")
    store = map_bed(file, len(variants), -(-len(samples) // 4))
    empty = torch.empty(0)
    product = exact_product if _multiplies_exactly(len(samples)) else float_product
    bed = Bed(store, len(samples), variants.names, empty, empty, empty, None, product)
    return bed._measured()


def wholes(right: Tensor) -> tuple[Tensor, Tensor]:
    """Return q and s with ``right ~ q s``: (n, k) -> int64 (n, k), |q| <= 16192, and float64 (k,).

    ``s_k = max_i |r_ik| / 16192``, so an entry is off by at most ``s_k / 2``.

    Examples
    --------
    >>> q, s = wholes(torch.tensor([[1.0], [-0.5]], dtype=torch.float64))
    >>> q.T
    tensor([[16192, -8096]])
    """
    step = right.abs().amax(0).clamp(min=1e-290) / TOP
    return (right / step).round().clamp(-TOP, TOP).long(), step


def exact_product(left: Tensor, right: Tensor) -> Tensor:
    """Return ``left right`` of int8 matrices in int32: (m, n), (n, k) -> (m, k)."""
    product: Tensor = torch._int_mm(left, right)  # private; open_bed tests it on every start
    return product


def float_product(left: Tensor, right: Tensor) -> Tensor:
    """Return the same product by way of floats, for left in 0, 1, 2 and n below 2^45.

    float32 holds a sum of 65,535 such products exactly; longer ones are added in float64.
    """
    dtype = torch.float32 if left.shape[1] * 2 * 128 < 2**24 else torch.float64
    step = 256
    parts = [left[a : a + step].to(dtype) @ right.to(dtype) for a in range(0, len(left), step)]
    return torch.cat(parts)


def _multiplies_exactly(people: int, product: Product = exact_product) -> bool:
    """Whether ``torch._int_mm`` can be trusted here: extremes and random digits against int64."""
    if people * 2 * 128 >= 2**31:
        return False
    draw = torch.Generator().manual_seed(0)
    left = torch.randint(0, 3, (33, 736), generator=draw).to(torch.int8)
    right = torch.randint(-128, 128, (736, 16), generator=draw).to(torch.int8)
    left[0], right[:, 0], right[:, 1] = 2, 127, -128
    try:
        return torch.equal(product(left, right).long(), left.long() @ right.long())
    except RuntimeError:
        return False


def _arranged(digits: Tensor, wide: int) -> Tensor:
    """Return digits (people, k) in the order of the planes: (4 wide, k rounded up to 16) int8."""
    people, k = digits.shape
    flat = digits.new_zeros(4 * wide, -(-k // 16) * 16)
    flat[:people, :k] = digits
    return flat.view(wide, 4, -1).transpose(0, 1).reshape(4 * wide, -1)


def _planes(word: Tensor) -> Tensor:
    """Return every two bits of words (m, wide / 8) as an int8: (m, 4 wide)."""
    out = word.new_empty(len(word), 4, word.shape[1])
    for place in range(4):
        torch.bitwise_and(word >> (2 * place), 0x0303030303030303, out=out[:, place])
    return out.view(torch.int8).view(len(word), -1)
