"""Exact passes over a store of small whole numbers: moments, dots and grams of several row subsets at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from riata.genome.columns import checked_right, inverse
from riata.genome.digits import combined, split, wholes
from riata.genome.passes import blocks, in_order, through

if TYPE_CHECKING:
    from riata.genome.counts import Block, Cells, Counts

    Blocks = Iterator[tuple[slice, Block]]

__all__ = ["Powers", "Sums", "dots", "grams", "moments", "powers", "sums"]

FINE = 3
"""Digits of a gram: its two fixed points are then off by 2.4e-7 of the largest entry each."""

SUMS = 1 << 20
"""Sums of digits that are kept before they are standardised."""

Moments = tuple[Tensor, Tensor, Tensor]
Sums = tuple[Tensor, Tensor | None]
Powers = tuple[Tensor, Tensor, Tensor | None]


def sums(cells: Cells, part: slice, right: Tensor, holed: Tensor) -> Sums:
    """Return the sums of digits over the cells of a part and over the missing ones, (m, >= k), from unpacked blocks."""
    found, gone = [], None
    for place, block in cells.blocks(part):
        found.append(cells.product(block.cells, right))
        holes = holed[place.start - part.start : place.stop - part.start].nonzero().squeeze(1)
        if len(holes):
            gone = found[0].new_zeros(len(holed), right.shape[1]) if gone is None else gone
            gone[place.start - part.start + holes] = cells.product(block.gone(holes), right)
    return torch.cat(found), gone


def powers(cells: Cells, part: slice, right: Tensor, holed: Tensor | None) -> Powers:
    """Return the sums of digits over cells, their squares and missing cells, (m, >= k) int64, from unpacked blocks."""
    m = part.stop - part.start
    first, second, gone = (torch.zeros(m, right.shape[1], dtype=torch.int64) for _ in range(3))
    for place, block in cells.blocks(part):
        at = slice(place.start - part.start, place.stop - part.start)
        first[at] = cells.product(block.cells, right)
        for factor, square in cells.squares(block.cells):
            second[at].add_(cells.product(square, right), alpha=factor)
        holes = block.holes() if holed is None else holed[at].nonzero().squeeze(1)
        if len(holes):
            gone[at.start + holes] = cells.product(block.gone(holes), right).long()
    return first, second, gone


def moments(cells: Cells, weights: Sequence[Tensor], known: Tensor | None, threads: int) -> list[Moments]:
    """Return mean, scale and number of missing cells of every column for each weighting (people,) of the rows.

    ``known`` (p,) is 0 where no row has a missing cell.
    """
    k, p = len(weights), cells.p
    q = torch.stack(list(weights), 1)
    digits = 1 if int(q.max()) <= 127 else 2
    right = cells.sides(split(q, digits))
    first, second, missing = (torch.zeros(p, k, dtype=torch.int64) for _ in range(3))

    def measure(part: slice) -> None:
        found = cells.powers(part, right, None if known is None else known[part] > 0)
        for out, each in zip((first, second, missing), found, strict=True):
            if each is not None:
                out[part] = combined(each, k, digits)

    through(measure, blocks(0, p, 8 * cells.step), threads)
    n = q.sum(0)
    first -= cells.hole * missing
    second -= cells.hole**2 * missing
    present = n - missing
    spread = (present * second - first * first).double()  # exact, so 0 means a single value
    total = (cells.base * present + cells.sign * first).double()
    mean, scale = total / present.clamp(min=1), (spread / present.clamp(min=1) / n).sqrt()
    return [(mean[:, i].contiguous(), scale[:, i].contiguous(), missing[:, i].contiguous()) for i in range(k)]


class _Sides:
    """Right-hand sides of several parts, spread on the people of the store: means and scales beside each column."""

    def __init__(
        self, cells: Cells, parts: Sequence[tuple[Counts, Tensor]], digits: int, arrange: Callable[[Tensor], Tensor]
    ) -> None:
        self.cells, self.digits = cells, digits
        self.rights = [checked_right(right, part.n) for part, right in parts]
        self.parts = [part for part, _ in parts]
        wide = [part.spread(right.double()) for part, right in zip(self.parts, self.rights, strict=True)]
        q, self.step = wholes(torch.cat(wide, 1), digits)
        self.total = q.sum(0)
        self.k = q.shape[1]
        self.right = arrange(split(q, digits))
        self.threads = max(part.threads for part in self.parts)
        bounds = torch.tensor([0, *(right.shape[1] for right in self.rights)]).cumsum(0).tolist()
        self.places = [slice(a, b) for a, b in pairwise(bounds)]
        self.holed = torch.stack([part.missing for part in self.parts]).amax(0) > 0

    def whole(self, sums: Tensor) -> Tensor:
        """Return sums of right-hand sides from sums of their digits: (m, >= digits k) -> (m, k) int64."""
        return combined(sums, self.k, self.digits)

    def sums(self, left: Tensor) -> Tensor:
        """Return ``left q``: int8 (m, places) -> (m, k) int64."""
        return self.whole(self.cells.product(left, self.right))

    def holes(self, place: slice) -> Tensor:
        """Return the ids in the block of the columns with a missing cell in any part."""
        return self.holed[place].nonzero().squeeze(1)

    def products(self, place: slice, sums: Tensor, gone: Tensor | None) -> list[Tensor]:
        """Return each part's ``x_g' right``, float64, from exact sums over cells and over missing cells (m, k)."""
        kept = (self.total if gone is None else self.total - gone).double()
        if gone is not None:
            sums = sums - self.cells.hole * gone
        raw = sums.double()
        out = []
        for part, columns in zip(self.parts, self.places, strict=True):
            left = (self.cells.base - part.mean[place, None]) * (kept[columns] if gone is None else kept[:, columns])
            unit = inverse(part.scale[place])[:, None] * self.step[columns]
            out.append(left.add_(raw[:, columns], alpha=self.cells.sign).mul_(unit))
        return out


def dots(cells: Cells, parts: Sequence[tuple[Counts, Tensor]]) -> list[Tensor]:
    """Return each part's ``x_g' right`` for every column, (n, k) -> (p, k) in the dtype of right; one pass for all."""
    sides = _Sides(cells, parts, 2, cells.sides)
    outs = [right.new_empty(cells.p, right.shape[1]) for right in sides.rights]
    if sides.k == 0:
        return outs

    def multiply(part: slice) -> None:
        found, lost = cells.sums(part, sides.right, sides.holed[part])
        gone = None if lost is None else sides.whole(lost)
        for out, product in zip(outs, sides.products(part, sides.whole(found), gone), strict=True):
            out[part] = product

    through(multiply, blocks(0, cells.p, _several(cells, sides.k)), sides.threads)
    return outs


def grams(cells: Cells, parts: Sequence[tuple[Counts, Tensor]], within: slice) -> list[Tensor]:
    """Return each part's ``sum_g x_g (x_g' right)`` over ``within``, (n, k) -> (n, k) float64; one pass for all.

    ``sum_g v_g (base - mean_g) + sign cell_g'v - gone_g'(base + sign hole - mean) v`` with ``v = x_g' right / scale``.
    Right-hand sides and, in each block, v are fixed points of three digits: relative error about 1e-6.
    """
    sides = _Sides(cells, parts, FINE, cells.arranged)
    out = torch.zeros(sides.k, cells.places, dtype=torch.float64)
    if sides.k:
        for part in in_order(
            lambda place: _gram(sides, place), blocks(within.start, within.stop, 2 * cells.step), sides.threads
        ):
            out += part
    rows = cells.ordered(out)
    both = zip(sides.parts, sides.places, strict=True)
    return [rows[:, k] if part.index is None else rows[part.index][:, k] for part, k in both]


def _gram(sides: _Sides, part: slice) -> Tensor:
    """Return the sum over a few blocks: (k, places) float64, in the order of the places."""
    cells = sides.cells
    out = torch.zeros(sides.k, cells.places, dtype=torch.float64)
    for place, block in cells.blocks(part):
        holes = sides.holes(place)
        masks = block.gone(holes) if len(holes) else None
        sums, gone = sides.sums(block.cells), None
        if masks is not None:
            gone = torch.zeros_like(sums)
            gone[holes] = sides.sums(masks)
        products = sides.products(place, sums, gone)
        v = torch.cat([t * inverse(x.scale[place])[:, None] for x, t in zip(sides.parts, products, strict=True)], 1)
        far = torch.cat(
            [(cells.base - x.mean[place])[:, None].expand_as(t) for x, t in zip(sides.parts, products, strict=True)], 1
        )
        q, step = wholes(v, FINE)
        v = q.double().mul_(step)  # the same in every term, or a large mean would carry the difference
        out += (far * v).sum(0)[:, None]
        out.add_(_turned(cells, block.cells, q, step), alpha=cells.sign)
        if masks is not None:
            out -= _turned(cells, masks, *wholes(((cells.sign * cells.hole + far) * v)[holes], FINE))
    return out


def _turned(cells: Cells, left: Tensor, q: Tensor, step: Tensor) -> Tensor:
    """Return ``left' q s`` for a fixed point: int8 (m, places), (m, k), (k,) -> (k, places) float64."""
    k = q.shape[1]
    sums = cells.product(split(q, FINE).T.contiguous(), left)
    whole = sums[:k].double()
    for place in range(1, FINE):
        whole = whole.mul_(128).add_(sums[place * k : (place + 1) * k])
    return whole.mul_(step[:, None])


def _several(cells: Cells, k: int) -> int:
    """Return how many columns are multiplied before they are standardised: some blocks."""
    return cells.step * max(1, min(8, SUMS // (k * cells.step)))
