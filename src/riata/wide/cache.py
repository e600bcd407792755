"""Cache: gradients of all columns from a few stored directions, with a bound on what they miss.

For orthonormal Q (n, k) and ``C = X'Q``, any D has ``X'D = C Q'D + X'R`` with ``R = D - Q Q'D``. As every column has
length at most sqrt(n), a row of ``X'R`` is at most ``sqrt(n) ||R||_2``. Nothing about D is assumed: it may come from any
tail. A pass over the columns is needed only when that bound is too large.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from riata.genome import Columns
from riata.penalties import GroupLasso, Penalty
from riata.wide.asks import Asking, Dot, centred, leading
from riata.wide.grouping import Grouping, entering, per_lam

__all__ = ["Cache"]

BLOCK = 16384
"""Columns that are scored at a time."""
MISSED = 0.05
"""Part of lam that the stored directions may miss; what is then in doubt is computed exactly."""


class Cache:
    """Directions of one set of rows, shared by every penalty and strength that is fitted on them.

    Attributes
    ----------
    passes, right : int
        Passes over the columns, and right-hand sides in all of them.
    """

    def __init__(self, columns: Columns, grouping: Grouping, missed: float = MISSED):
        self.columns, self.grouping, self.missed = columns, grouping, missed
        self.q = torch.zeros(columns.n, 0, dtype=torch.float64)
        self.products: list[Tensor] = []
        self.error = torch.zeros(0, dtype=torch.float64)
        self.passes = self.right = 0

    def learn(self, slopes: list[Tensor], lams: list[float], penalty: Penalty) -> Asking[None]:
        """Ask for the directions that are missing to represent some D (n, w), each beside its strength."""
        scaled = torch.cat([centred(d) / (lam * per_lam(penalty)) for d, lam in zip(slopes, lams, strict=True)], 1)
        rest = scaled - self.q @ (self.q.T @ scaled)
        rest = rest - self.q @ (self.q.T @ rest)
        more = leading(rest, self.missed / math.sqrt(self.columns.n))
        if not more.shape[1]:
            return
        more = more.float()
        product = yield Dot(self.columns, more)
        self.q = torch.cat([self.q, more.double()], 1)
        self.error = torch.cat([self.error, self.columns.bound(more).double()])
        self.products.append(product)
        self.passes += 1
        self.right += more.shape[1]

    def scores(self, slope: Tensor, penalty: Penalty, start: int = 0) -> tuple[Tensor, float]:
        """Return every group's entering lam (columns from ``start``) and how far any of them can be off."""
        d = centred(slope)
        inner = self.q.T @ d
        rest = d - self.q @ inner
        root = math.sqrt(self.columns.n)
        missed = float(torch.linalg.matrix_norm(rest, 2)) * root if d.shape[1] else 0.0
        missed += float((self.error[:, None] * inner.abs()).sum(0).norm())
        if isinstance(penalty, GroupLasso):
            left, size, _ = torch.linalg.svd(inner, full_matrices=False)
            keep = max(1, int((size * root > 0.02 * missed).sum()))
            missed += float(size[keep]) * root if keep < len(size) else 0.0
            inner = left[:, :keep] * size[:keep]
        return self._scores(inner.float(), penalty, start), missed / per_lam(penalty)

    def _scores(self, inner: Tensor, penalty: Penalty, start: int) -> Tensor:
        widths = [p.shape[1] for p in self.products]
        parts = inner.split(widths) if widths else []
        head = max(len(self.grouping.head), start)
        edges = sorted({start, head, *range(head, self.columns.p, BLOCK), self.columns.p})
        found = []
        for a, b in zip(edges, edges[1:], strict=False):
            rows = torch.zeros(b - a, inner.shape[1])
            for product, part in zip(self.products, parts, strict=True):
                rows.addmm_(product[a:b], part)
            found.append(entering(penalty, rows, self.grouping, a))
        return torch.cat(found) if found else torch.zeros(0)
