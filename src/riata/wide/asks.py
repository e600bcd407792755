"""Asks: what a fit wants of all columns, so that fits that run side by side share one pass over the file."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from riata.genome import Columns, dots, grams

__all__ = ["Ask", "Asking", "Dot", "Gram", "centred", "leading", "one", "run"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Dot:
    """Asks for ``x_g' right`` of every column: (n, r) -> (p, r)."""

    columns: Columns
    right: Tensor


@dataclass(frozen=True, eq=False)
class Gram:
    """Asks for ``sum_{g >= start} x_g (x_g' right)``: (n, r) -> (n, r)."""

    columns: Columns
    right: Tensor
    start: int = 0


Ask = Dot | Gram
Asking = Generator[Ask, Tensor, T]
"""A fit that yields what it wants to know and ends with its result."""


def run(fits: Sequence[Asking[T]]) -> list[T]:
    """Run fits side by side to their ends: whatever they ask at the same time is answered in one pass.

    A fit's result does not depend on which others run beside it.
    """
    results: dict[int, T] = {}
    asked: dict[int, Ask] = {}

    def advance(i: int, answer: Tensor | None) -> None:
        try:
            asked[i] = next(fits[i]) if answer is None else fits[i].send(answer)
        except StopIteration as end:
            asked.pop(i, None)
            results[i] = end.value

    for i in range(len(fits)):
        advance(i, None)
    while asked:
        for i, answer in _answers(dict(asked)).items():
            advance(i, answer)
    return [results[i] for i in range(len(fits))]


def _answers(asked: dict[int, Ask]) -> dict[int, Tensor]:
    """Return the answers to all asks: one pass for the products, one for each kind of Gram product."""
    found: dict[int, Tensor] = {}
    plain = {i: a for i, a in asked.items() if isinstance(a, Dot)}
    if plain:
        found |= zip(plain, dots([(a.columns, a.right) for a in plain.values()]), strict=True)
    squares = {i: a for i, a in asked.items() if isinstance(a, Gram)}
    for start in sorted({a.start for a in squares.values()}):
        here = {i: a for i, a in squares.items() if a.start == start}
        parts = [(a.columns, a.right) for a in here.values()]
        found |= zip(here, grams(parts, slice(start, None)), strict=True)
    return found


def one(fit: Asking[T]) -> T:
    """Run a single fit."""
    return run([fit])[0]


def centred(right: Tensor) -> Tensor:
    """Return right-hand sides in float64 with mean 0: what is constant over rows no standardised column sees."""
    wide = right.double()
    return wide - wide.mean(0, keepdim=True)


def leading(given: Tensor, q: Tensor, least: float, most: int | None = None) -> Tensor:
    """Return directions (n, r), orthonormal and orthogonal to q (n, k), that hold what q misses of the given (n, w).

    What they leave has no singular value above ``least``, unless more than ``most`` were needed: then the largest are
    returned. Projections are taken twice: once leaves, relative to a small rest, much of q in it.
    """
    rest = given - q @ (q.T @ given)
    rest = rest - q @ (q.T @ rest)
    values, vectors = torch.linalg.eigh(rest.T @ rest)
    keep = values.clamp(min=0).sqrt() > least
    if not bool(keep.any()):
        return rest[:, :0]
    found: Tensor = torch.linalg.qr(rest @ (vectors[:, keep] if most is None else vectors[:, keep][:, -most:]))[0]
    for _ in range(2):
        found = torch.linalg.qr(found - q @ (q.T @ found))[0]
    return found
