"""Cache: gradients of all columns from a few stored directions, with a bound on what they miss.

For orthonormal Q (n, k) and ``C = X'Q``, any D has ``X'D = C Q'D + X'R`` with ``R = D - Q Q'D``. As every column has
length at most sqrt(n), a row of ``X'R`` is at most ``sqrt(n) ||R||_2``. Nothing about D is assumed: it may come from
any tail. A pass over the columns is needed only when that bound is too large.
"""

from __future__ import annotations

import math
from itertools import chain

import torch
from torch import Tensor

from riata.genome import Columns
from riata.genome.passes import blocks, in_order
from riata.penalties import GroupLasso, Penalty
from riata.wide.asks import Asking, Dot, centred, leading
from riata.wide.grouping import Grouping, entering, per_lam

__all__ = ["Cache"]

BLOCK = 32768
"""Columns that are scored at a time."""
NEAR = 0.1
"""Largest part of the groups that is looked at one by one; above it all of them are."""
MISSED = 0.05
"""Part of lam that the stored directions may miss; what is then in doubt is computed exactly."""


class Cache:
    """Directions of one set of rows, shared by every penalty and strength that is fitted on them, also side by side.

    Attributes
    ----------
    passes, right : int
        Passes over the columns, and right-hand sides in all of them.
    """

    def __init__(self, columns: Columns, grouping: Grouping):
        self.columns, self.grouping = columns, grouping
        self.q = torch.zeros(columns.n, 0, dtype=torch.float64)
        self.pending: list[Tensor] = []
        self._room = torch.zeros(0, columns.p)
        self.error = torch.zeros(0, dtype=torch.float64)
        self.anchors: dict[tuple[Penalty, int], tuple[Tensor, Tensor, float]] = {}
        self.passes = self.right = 0

    def learn(self, slopes: list[Tensor], lams: list[float], penalty: Penalty, missed: float = MISSED) -> Asking[None]:
        """Ask for the directions that are missing to represent some D (n, w), each beside its strength.

        What paths that run side by side have asked for, and what is answered in the same pass, is not asked again.
        """
        scaled = torch.cat([centred(d) / (lam * per_lam(penalty)) for d, lam in zip(slopes, lams, strict=True)], 1)
        more = leading(scaled, torch.cat([self.q, *self.pending], 1), missed / self.root).float()
        if not more.shape[1] and not self.pending:
            return
        asked = more.double()
        self.pending.append(asked)
        product = yield Dot(self.columns, more)
        self.pending = [other for other in self.pending if other is not asked]
        self.passes += 1
        self.right += more.shape[1]
        if more.shape[1]:
            self._keep(product)
            self.q = torch.cat([self.q, asked], 1)
            self.error = torch.cat([self.error, self.columns.bound(more).double()])

    @property
    def products(self) -> Tensor:
        """The directions times the columns, C transposed: (k, p) float32."""
        return self._room[: self.q.shape[1]]

    def _keep(self, product: Tensor) -> None:
        """Put the products of the columns with further directions (p, m) below the others."""
        k, wanted = self.q.shape[1], self.q.shape[1] + product.shape[1]
        if wanted > len(self._room):  # half as much again, in eights, so that few passes copy
            room = self._room.new_empty(8 * math.ceil(max(wanted, 1.5 * k) / 8), product.shape[0])
            room[:k] = self.products
            self._room = room
        for row, column in zip(self._room[k:wanted], product.T, strict=True):  # one at a time: four times as fast
            row.copy_(column)

    def scores(self, slope: Tensor, penalty: Penalty, start: int = 0, least: float = 0.0) -> tuple[Tensor, float]:
        """Return every group's entering lam (columns from ``start``) and how far any of them can be off.

        Of groups that are below ``least`` for certain an upper bound is returned instead, itself at most ``least``:
        from D to D' no score grows by more than ``sqrt(n) ||D' - D||_2``, so most groups need no look at all.
        """
        d = centred(slope)
        key = (penalty, start)
        if key in self.anchors:
            before, scores, missed = self.anchors[key]
            grown = scores + (missed + self.root * _size(d - before) / per_lam(penalty))
            near = (grown > least).nonzero().squeeze(1)
            if len(near) <= NEAR * len(scores):
                inner, off = self._inner(d, rotate=isinstance(penalty, GroupLasso))
                grown[near] = self._some(inner, penalty, start, near)
                return grown, off / per_lam(penalty)
        by_norm = isinstance(penalty, GroupLasso)
        inner, off = self._inner(d, rotate=by_norm)
        if by_norm or not least:
            scores = self._all(inner, penalty, start)
        else:  # an entry is at most the norm of its row, which a rotation to few columns leaves as it is
            short, more = self._inner(d, rotate=True)
            scores = self._all(short, penalty, start, by_norm=True) + more / per_lam(penalty)
            near = (scores > least).nonzero().squeeze(1)
            scores[near] = self._some(inner, penalty, start, near)
        self.anchors[key] = (d, scores, off / per_lam(penalty))
        return scores.clone(), off / per_lam(penalty)

    @property
    def root(self) -> float:
        """Length of a column, sqrt(n)."""
        return math.sqrt(self.columns.n)

    def _inner(self, d: Tensor, *, rotate: bool) -> tuple[Tensor, float]:
        """Return T so that the rows of ``C T`` are the gradients, and the bound on what it misses.

        With ``rotate`` they are so up to a rotation of each row, in as few columns as matter.
        """
        inner = self.q.T @ d
        missed = self.root * _size(d - self.q @ inner)
        missed += float((self.error[:, None] * inner.abs()).sum(0).norm())
        if rotate:
            left, size, _ = torch.linalg.svd(inner, full_matrices=False)
            keep = max(1, int((size * self.root > 0.02 * missed).sum()))
            missed += float(size[keep]) * self.root if keep < len(size) else 0.0
            inner = left[:, :keep] * size[:keep]
        return inner.float(), missed

    def _all(self, inner: Tensor, penalty: Penalty, start: int, *, by_norm: bool = False) -> Tensor:
        """Return the scores of all groups from column ``start`` on, or as if each row were its norm alone."""
        head, products = min(max(len(self.grouping.head), start), self.columns.p), self.products

        def scored(part: slice) -> Tensor:
            rows = (inner.T @ products[:, part]).T  # several times as fast as the product the other way round
            rows = rows.square().sum(1, keepdim=True).sqrt() if by_norm else rows
            return entering(penalty, rows, self.grouping.between(part.start, part.stop))

        parts = chain([slice(start, head)] if start < head else [], blocks(head, self.columns.p, BLOCK))
        return torch.cat([torch.zeros(0), *in_order(scored, parts, self.columns.threads)])

    def _some(self, inner: Tensor, penalty: Penalty, start: int, near: Tensor) -> Tensor:
        """Return the scores of some groups, numbered from that of column ``start``."""
        groups = near + self.grouping.first(start)
        columns = self.grouping.columns_of(groups)
        rows = (inner.T @ self.products.index_select(1, columns)).T
        return entering(penalty, rows, self.grouping.only(columns))


def _size(rest: Tensor) -> float:
    """Return the largest singular value of rest (n, w)."""
    return float(torch.linalg.eigvalsh(rest.T @ rest)[-1].clamp(min=0).sqrt()) if rest.shape[1] else 0.0
