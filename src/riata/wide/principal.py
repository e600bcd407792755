"""Principal: the leading directions among the rows of very many columns, a few passes for several sets of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from riata.errors import InputError
from riata.genome import Columns, grams

__all__ = ["Principal", "principal", "principals", "project", "projections"]

EXTRA = 8
"""Directions that are carried along and left out at the end (oversampling)."""
PASSES = 4
"""Products with ``X X'``; each multiplies the ratio of two directions by that of their squared singular values."""
LEAST = 1e-3
"""Singular values below this share of the largest are 0: products are exact to 1e-6, and values are their roots."""


@dataclass(frozen=True, eq=False)
class Principal:
    """Leading left singular vectors ``left`` (n, k) and ``values`` (k,) of a standardised matrix, float64.

    Each vector's entry of the largest size is positive. Directions that are not there have the value 0.
    """

    left: Tensor
    values: Tensor

    @property
    def scores(self) -> Tensor:
        """Principal scores ``U S`` of the rows, (n, k)."""
        return self.left * self.values


def principal(columns: Columns, k: int, seed: int, passes: int = PASSES) -> Principal:
    """Return the k leading left singular vectors and values of ``X``, the standardised columns.

    Examples
    --------
    >>> import numpy as np
    >>> from riata.genome import Dense
    >>> x = Dense.of(np.random.default_rng(0).normal(size=(30, 200)))
    >>> found = principal(x, 2, seed=0, passes=60)
    >>> exact = torch.linalg.svdvals(x.columns(torch.arange(200)).double())
    >>> bool(((found.values - exact[:2]) / exact[:2]).abs().max() < 1e-5)
    True
    """
    return principals([columns], k, seed, passes)[0]


def principals(parts: Sequence[Columns], k: int, seed: int, passes: int = PASSES) -> list[Principal]:
    """Return :func:`principal` of several columns, such as the training rows of every fold, in shared passes.

    Block subspace iteration on ``X X'``: ``Q <- orth(X X' Q)`` from k + 8 random directions, then the eigenvectors of
    ``Q' X X' Q``. One pass is one product ``X X' Q``; p enters nowhere else.

    Parameters
    ----------
    parts : sequence of Columns
    k : int
        At least 1 and at most the rows of every part.
    seed : int
        Fixes the random directions.
    passes : int
        At least 1.

    Raises
    ------
    InputError
        If k or passes is out of range.

    References
    ----------
    Halko, Martinsson & Tropp 2011, SIAM Review 53(2), algorithm 4.4 (the basis) and 5.1 (the values from it).
    """
    least = min(part.n for part in parts)
    if not 1 <= k <= least or passes < 1:
        raise InputError(f"{k} directions in {passes} passes; expected 1 to {least} directions and at least 1 pass")
    bases = [_directions(part.n, k, seed) for part in parts]
    products = bases
    for turn in range(passes):
        if turn:
            bases = [torch.linalg.qr(product).Q for product in products]
        products = grams(list(zip(parts, bases, strict=True)))
    return [_leading(basis, product, k) for basis, product in zip(bases, products, strict=True)]


def project(everyone: Columns, rows: Tensor, found: Principal) -> Tensor:
    """Return the scores of all rows on the directions of some of them, (n, k): :func:`projections` of one."""
    return projections(everyone, [(rows, everyone.take(rows), found)])[0]


def projections(everyone: Columns, parts: Sequence[tuple[Tensor, Columns, Principal]]) -> list[Tensor]:
    """Return the scores of all rows on the directions of each part, in one shared pass: (n, k) float64 each.

    A row's scores are ``z' V`` with ``V = X' U / s``: X the part's rows and z the row, both standardised by the means
    and scales of the part's rows alone. That is ``Z (Z' R)`` with Z all rows standardised so and ``R = U / s`` in the
    part's rows and 0 in all others. A missing cell counts as the part's mean. The part's own rows get ``U S`` back.

    Parameters
    ----------
    everyone : Columns
    parts : sequence of (rows, columns, found)
        ``rows`` (m,) among those of ``everyone``, ``columns`` what ``everyone.take(rows)`` returned, ``found`` their
        principal directions.
    """
    jobs = []
    for rows, columns, found in parts:
        real = found.values > 0
        right = torch.where(real, found.left / torch.where(real, found.values, 1.0), 0.0)
        padded = right.new_zeros(everyone.n, right.shape[1]).index_add_(0, rows, right)
        jobs.append((everyone.like(columns), padded))
    return grams(jobs)


def _directions(n: int, k: int, seed: int) -> Tensor:
    """Return random orthonormal directions, (n, min(k + 8, n))."""
    draw = torch.Generator().manual_seed(seed)
    random = torch.randn(n, min(k + EXTRA, n), generator=draw, dtype=torch.float64)
    basis: Tensor = torch.linalg.qr(random).Q
    return basis


def _leading(basis: Tensor, product: Tensor, k: int) -> Principal:
    """Return what a basis Q and ``X X' Q`` say of the k leading directions."""
    small = basis.T @ product
    squares, vectors = torch.linalg.eigh((small + small.T) / 2)
    left = basis @ vectors.flip(1)[:, :k]
    top = left.gather(0, left.abs().argmax(0, keepdim=True))
    values = squares.flip(0)[:k].clamp(min=0).sqrt()
    values = torch.where(values > LEAST * values[:1], values, 0.0)
    return Principal(left * torch.where(top < 0, -1.0, 1.0), values)
