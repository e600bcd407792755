"""What genome.py compares with: the same columns, multiplied the obvious way, as blocks of float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from riata.genome import Whole
from riata.genome.columns import inverse
from riata.genome.passes import blocks, through
from riata.genome.whole import Plain

FLOATS = 256
"""Columns that are cast to float32 at a time."""


class FloatCells(Plain):
    """The obvious way: a block of int8 cells becomes float32 and is multiplied; nothing else differs."""

    def dots(self, parts: Sequence[tuple[Any, Tensor]]) -> list[Tensor]:
        """Return each part's ``(cells' right - mean sum(right)) / scale`` with float32 products."""
        whole = torch.from_numpy(self.cells)
        wide = [columns.spread(right.float()) for columns, right in parts]
        outs = [right.new_empty(self.p, right.shape[1]) for right in wide]

        def multiply(part: slice) -> None:
            raw = whole[part].float()
            for (columns, _), right, out in zip(parts, wide, outs, strict=True):
                mean = columns.mean[part, None].float()
                x = raw if not bool(columns.missing[part].any()) else torch.where(raw == self.absent, mean, raw)
                out[part] = (x @ right - mean * right.sum(0)) * inverse(columns.scale[part, None]).float()

        through(multiply, blocks(0, self.p, FLOATS), parts[0][0].threads)
        return outs


class FloatBlocks(Whole):
    """Columns over :class:`FloatCells`."""

    def dot(self, right: Tensor) -> Tensor:
        """Return ``x_g' right`` for every column: (n, k) -> (p, k) float32."""
        return self.store.dots([(self, right)])[0]

    def bound(self, right: Tensor) -> Tensor:
        """Return ``8 n eps ||r||``: eight times the usual growth of float32 sums, far below the proven bound."""
        length: Tensor = torch.linalg.vector_norm(right.double(), dim=0)
        return 8 * self.n * torch.finfo(torch.float32).eps * length
