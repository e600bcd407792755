"""PLINK .bed: two bits a genotype, memory-mapped, multiplied in exact whole numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from riata.genome.columns import checked_threads
from riata.genome.counts import Cells, Counts
from riata.genome.digits import Product, product_for
from riata.genome.exact import Powers, Sums
from riata.genome.kernel import CELLS, HOLES, SQUARES, Kernel, chosen
from riata.genome.memory import require
from riata.genome.passes import blocks, through
from riata.genome.plink import beside, map_bed, read_bim, read_fam
from riata.genome.whole import Plain, Whole

__all__ = ["Bed", "Packed", "open_bed"]

BLOCK = 800_000
"""Packed bytes in a block: with its unpacked planes it stays in a processor's cache (measured: 400,000 to 800,000)."""

FIELD = 0x5555555555555555
"""The low bit of every two bits."""

COUNTS = np.array([2, -1, 1, 0], np.int8)[(np.arange(256)[:, None] >> np.array([0, 2, 4, 6])) & 3].view(np.int32)[:, 0]
"""Copies of allele 1 of the four people of a byte (bits 00, 01, 10 and 11; -1 is missing), as one word."""


class Bed(Counts):
    """The variants of a .bed as columns; make one with :func:`open_bed`.

    A cell counts the copies of allele 1, the first allele in the .bim (bed-reader's ``count_A1=True``):
    bits 00 are 2, 10 are 1, 11 are 0, and 01 is a missing call.
    """

    store: Packed

    def resident(self) -> Whole:
        """Return the same columns with every call unpacked in memory as int8, -1 where missing: faster passes.

        Raises
        ------
        ResourceError
            If that is more than 70% of the memory that is available.
        """
        store = self.store
        require(store.p * store.people, f"{store.file} unpacked", "use the .bed as it is")
        cells = np.empty((store.p, store.people), np.int8)

        def unpack(part: slice) -> None:
            packed = store.calls[part]
            words = np.take(COUNTS, packed, out=np.empty(packed.shape, np.int32), mode="clip")  # a byte is in range
            cells[part] = words.view(np.int8)[:, : store.people]

        through(unpack, blocks(0, store.p, store.step), self.threads)
        plain = Plain.of(cells, -1)
        return Whole(plain, self.names, self.mean, self.scale, self.missing, self.index, self.threads)


@dataclass(frozen=True, eq=False)
class Packed(Cells):
    """The mapped calls of a .bed, (p, ceil(people / 4)); pickled as the file's path, never as its bytes.

    A cell is the sum of its two bits, which is 2 minus the copies of allele 1, and 1 where the call is missing.
    """

    file: Path
    p: int
    people: int
    calls: NDArray[np.uint8] = field(repr=False)
    product: Product
    base: ClassVar[int] = 2
    sign: ClassVar[int] = -1

    @staticmethod
    def of(file: Path, p: int, people: int) -> Packed:
        """Return the calls of a file whose size must fit; a compiled kernel multiplies them where there is one."""
        kernel = chosen(people)
        calls, product = map_bed(file, p, -(-people // 4)), product_for(people, 2)
        if kernel is None:
            return Packed(file, p, people, calls, product)
        return Compiled(file, p, people, calls, product, kernel)

    def __reduce__(self) -> tuple[Any, ...]:
        return Packed.of, (self.file.resolve(), self.p, self.people)

    @property
    def route(self) -> str:
        """What multiplies: ``torch``, or ``kernel`` and its version."""
        return "torch"

    @property
    def hole(self) -> int:
        """Code of a missing call."""
        return 1

    @property
    def wide(self) -> int:
        """Bytes of a variant, padded to whole words."""
        return -(-self.people // 32) * 8

    @property
    def places(self) -> int:
        """Length of an unpacked variant."""
        return 4 * self.wide

    @property
    def step(self) -> int:
        """Variants in a block."""
        return max(16, BLOCK // self.wide)

    def blocks(self, part: slice) -> Iterator[tuple[slice, _Planes]]:
        """Yield int8 planes (m, 4 wide) with person 4 b + s at place s wide + b; the buffers are used again."""
        width, step = self.calls.shape[1], self.step
        packed = np.full((min(step, part.stop - part.start), self.wide), 0xFF, np.uint8)
        words = torch.from_numpy(packed.view(np.int64))
        low, high = torch.empty_like(words), torch.empty_like(words)
        out = words.new_empty(len(words), 4, words.shape[1])
        for a in range(part.start, part.stop, step):
            place = slice(a, min(a + step, part.stop))
            m = place.stop - a
            packed[:m, :width] = self.calls[place]
            torch.bitwise_right_shift(words[:m], 1, out=low[:m])
            torch.bitwise_and(words[:m], FIELD, out=high[:m])
            sums = low[:m].bitwise_and_(FIELD).add_(high[:m])
            yield place, _Planes(_unpack(sums, high[:m], out[:m]), words[:m])

    def squares(self, cells: Tensor) -> list[tuple[int, Tensor]]:
        """Return the squares of the cells."""
        return [(1, cells * cells)]

    def arranged(self, digits: Tensor) -> Tensor:
        """Return right-hand sides (people, k) in the order of the planes: (4 wide, k rounded up to 16) int8."""
        people, k = digits.shape
        flat = digits.new_zeros(self.places, -(-k // 16) * 16)
        flat[:people, :k] = digits
        return flat.view(self.wide, 4, -1).transpose(0, 1).reshape(self.places, -1)

    def ordered(self, rows: Tensor) -> Tensor:
        """Return sums (k, 4 wide) in the order of the people: (people, k)."""
        return rows.view(-1, 4, self.wide).permute(2, 1, 0).reshape(self.places, -1)[: self.people]

    def read(self, ids: Tensor) -> Tensor:
        """Return copies of allele 1, NaN where missing: ids (m,) -> (m, people) float32."""
        counts = COUNTS[self.calls[ids.numpy()]].view(np.int8).reshape(len(ids), 4 * self.calls.shape[1])
        values = torch.from_numpy(counts[:, : self.people]).float()
        return values.masked_fill_(values < 0, torch.nan)


@dataclass(frozen=True, eq=False)
class Compiled(Packed):
    """The same calls, multiplied by compiled code as they lie: the same sums, so the same bits."""

    kernel: Kernel

    @property
    def route(self) -> str:
        """What multiplies."""
        return f"kernel {self.kernel.version}"

    def sides(self, digits: Tensor) -> Tensor:
        """Return right-hand sides in the kernel's order."""
        return self.kernel.arranged(digits)

    def sums(self, part: slice, right: Tensor, holed: Tensor) -> Sums:
        """Return the sums of a part, by one call."""
        if not bool(holed.any()):
            return self.kernel.sums(self.calls[part], right, (CELLS,))[0], None
        found, gone = self.kernel.sums(self.calls[part], right, (CELLS, HOLES))
        return found, gone

    def powers(self, part: slice, right: Tensor, holed: Tensor | None) -> Powers:
        """Return the three sums of a part, by one call."""
        if holed is not None and not bool(holed.any()):
            first, second = self.kernel.sums(self.calls[part], right, (CELLS, SQUARES))
            return first, second, None
        first, second, gone = self.kernel.sums(self.calls[part], right, (CELLS, SQUARES, HOLES))
        return first, second, gone


@dataclass(frozen=True, eq=False)
class _Planes:
    """A block of variants: cells (m, 4 wide) int8 and the words they came from."""

    cells: Tensor
    words: Tensor

    def holes(self) -> Tensor:
        """Return the ids in the block of the variants with a missing call."""
        return (self.words & ~(self.words >> 1) & FIELD).any(1).nonzero().squeeze(1)

    def gone(self, ids: Tensor) -> Tensor:
        """Return 1 where a call is missing, for these variants of the block: (h, 4 wide) int8."""
        words = self.words[ids]
        missing = words & ~(words >> 1) & FIELD
        return _unpack(missing, torch.empty_like(missing), missing.new_empty(len(ids), 4, words.shape[1]))


def open_bed(path: Path | str, *, threads: int = 1) -> Bed:
    """Return the variants of a PLINK set (.bed, .bim and .fam beside each other) as columns; one pass.

    Parameters
    ----------
    path : path
        Any of the three files, or their name without an ending.
    threads : int
        Threads of every pass, at least 1; the results are the same bits for any number.

    Raises
    ------
    InputError
        If a file is missing, the .bed is no variant-major .bed, or its size does not fit the other two.
    """
    variants, samples = read_bim(beside(path, ".bim")), read_fam(beside(path, ".fam"))
    store = Packed.of(beside(path, ".bed"), len(variants), len(samples))
    empty = torch.empty(0)
    return Bed(store, variants.names, empty, empty, empty, None, checked_threads(threads)).measured([None])[0]


def _unpack(fields: Tensor, shifted: Tensor, out: Tensor) -> Tensor:
    """Return every two bits of words (m, wide / 8) as an int8: (m, 4 wide), in ``out`` (m, 4, wide / 8)."""
    torch.bitwise_and(fields, 0x0303030303030303, out=out[:, 0])
    for place in range(1, 4):
        torch.bitwise_right_shift(fields, 2 * place, out=shifted)
        torch.bitwise_and(shifted, 0x0303030303030303, out=out[:, place])
    return out.view(torch.int8).view(len(out), -1)
