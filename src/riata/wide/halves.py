"""Stability selection by complementary halves, and how many false selections it lets through."""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Literal

import torch
from torch import Tensor

from riata.engines.keys import generator
from riata.errors import InputError

__all__ = ["Method", "bound", "complementary_halves", "q_for", "selected"]

Method = Literal["any", "unimodal"]
"""What is assumed of the shares of a noise variable: nothing, or that they have one mode."""
ROUNDING = 1e-9
"""How far a share may be below the threshold and still reach it."""


def bound(q: float, p: int, threshold: float, method: Method = "unimodal", *, pairs: int = 50) -> float:
    """Return how many variables are expected to be selected falsely, at most.

    ``q^2 / ((2 tau - 1) p)`` without an assumption (Meinshausen & Buhlmann 2010, theorem 1; for complementary pairs
    Shah & Samworth 2013, theorem 1). ``C(tau, B) q^2 / p`` where the share of pairs whose halves both select a
    noise variable has one mode (Shah & Samworth 2013, theorem 2 and equation 8), with

    - ``C = 1 / (2 (2 tau - 1 - 1 / (2B)))`` up to tau = 3/4,
    - ``C = 4 (1 - tau + 1 / (2B)) / (1 + 1 / B)`` above,

    for ``q / p <= 1 / sqrt(3)`` and ``tau > min(1/2 + (q/p)^2, 1/2 + 1/(2B) + 3/4 (q/p)^2)``; elsewhere, and where it
    is less, the first bound is returned. False are variables that one half selects with a probability of at most
    ``q / p``: all noise variables, if none of them is selected more often than a variable is on average.

    Parameters
    ----------
    q : float
        Expected number of variables that a half selects *anywhere* on its range of strengths: of their union.
    p : int
        Number of variables that can be selected.
    threshold : float in (1/2, 1]
        Share of the halves from which a variable is selected, tau.
    method : "unimodal" or "any"
    pairs : int
        Number of pairs of halves, B.

    Raises
    ------
    InputError
        If an argument is outside its range.

    Examples
    --------
    >>> round(bound(20, 500, 0.9, "any"), 3), round(bound(20, 500, 0.9), 3)
    (1.0, 0.345)
    """
    _checked(q, p, threshold, method, pairs)
    worst = q * q / p / (2 * threshold - 1)
    if method == "any":
        return worst
    tau = min(1.0, math.ceil(2 * pairs * threshold - ROUNDING) / (2 * pairs))  # shares are multiples of 1 / (2B)
    theta, half = q / p, 1 / (2 * pairs)
    lowest = min(0.5 + theta**2, 0.5 + half + 0.75 * theta**2)
    if theta > 1 / math.sqrt(3) or tau <= max(lowest, 0.5 + half) + ROUNDING:
        return worst
    factor = 1 / (2 * (2 * tau - 1 - half)) if tau <= 0.75 else 4 * (1 - tau + half) / (1 + 2 * half)
    return min(worst, factor * q * q / p)


def q_for(p: int, threshold: float, wanted: float, method: Method = "unimodal", *, pairs: int = 50) -> int:
    """Return the largest q whose :func:`bound` is at most ``wanted``: after so many variables a half stops.

    Raises
    ------
    InputError
        If no q from 1 on is that small, or an argument is outside its range.

    Examples
    --------
    >>> q_for(500, 0.9, 1.0, "any"), q_for(500_000, 0.75, 1.0)
    (20, 700)
    """
    if not wanted > 0:
        raise InputError(f"{wanted:g} false selections wanted at most; expected a number above 0, such as 1")
    found = bisect_right(range(1, p + 1), wanted, key=lambda q: bound(q, p, threshold, method, pairs=pairs) - ROUNDING)
    if found == 0:
        least = bound(1, p, threshold, method, pairs=pairs)
        raise InputError(
            f"at most {wanted:g} false selections among {p} variables; one variable a half already allows {least:.3g}: "
            f"raise the threshold above {threshold:g} or allow more"
        )
    return found


def complementary_halves(n: int, pairs: int = 50, strata: Tensor | None = None, seed: int = 0) -> list[Tensor]:
    """Return ``2 * pairs`` rising row tensors of floor(n / 2) rows; numbers 2b and 2b + 1 share no row.

    Each class gives as many rows to one half as to the other; the odd ones left of the classes are dealt out in turn
    (Shah & Samworth 2013, section 2). The rows of a pair depend on the seed and its number alone.

    Parameters
    ----------
    n : int, at least 2
        Number of rows.
    pairs : int, at least 1
    strata : Tensor, (n,), optional
        Class of each row; without it all are one class.
    seed : int

    Raises
    ------
    InputError
        If there are too few rows or pairs, or the classes do not fit the rows.

    Examples
    --------
    >>> first, second = complementary_halves(6, 1, torch.tensor([0, 0, 1, 1, 1, 1]))
    >>> len(first), len(second), sorted([*first.tolist(), *second.tolist()])
    (3, 3, [0, 1, 2, 3, 4, 5])
    """
    if n < 2 or pairs < 1:
        raise InputError(f"{pairs} pairs of halves of {n} rows; expected at least 1 pair and 2 rows")
    classes = torch.zeros(n, dtype=torch.int64) if strata is None else strata.detach().cpu()
    if classes.shape != (n,):
        raise InputError(f"classes of shape {tuple(classes.shape)}; expected ({n},), one per row")
    groups = [(classes == value).nonzero().squeeze(1) for value in classes.unique()]
    return [half for pair in range(pairs) for half in _pair(groups, seed, pair)]


def _pair(groups: list[Tensor], seed: int, pair: int) -> tuple[Tensor, Tensor]:
    draw = generator(seed, "halves", pair)
    mixed = [rows[torch.randperm(len(rows), generator=draw)] for rows in groups]
    odd = torch.cat([rows[len(rows) - len(rows) % 2 :] for rows in mixed])
    odd = odd[torch.randperm(len(odd), generator=draw)][: len(odd) // 2 * 2]
    first = [*(rows[: len(rows) // 2] for rows in mixed), odd[::2]]
    second = [*(rows[len(rows) // 2 : len(rows) // 2 * 2] for rows in mixed), odd[1::2]]
    return torch.cat(first).sort().values, torch.cat(second).sort().values


def selected(shares: Tensor, threshold: float) -> Tensor:
    """Return the ids whose share of the halves is at least the threshold: (p,) -> (m,), rising.

    Examples
    --------
    >>> selected(torch.tensor([0.2, 0.75, 1.0]), 0.75)
    tensor([1, 2])
    """
    return (shares.double() >= threshold - 1e-6).nonzero().squeeze(1)


def _checked(q: float, p: int, threshold: float, method: str, pairs: int) -> None:
    if not (p >= 1 and 0 <= q <= p):
        raise InputError(f"q = {q:g} of p = {p} variables; expected 0 <= q <= p, and at least one variable")
    if not 0.5 < threshold <= 1:
        raise InputError(f"a threshold of {threshold:g}; expected a share above 0.5 and up to 1, such as 0.75")
    if method not in ("any", "unimodal") or pairs < 1:
        raise InputError(f"method {method!r} with {pairs} pairs; expected 'any' or 'unimodal', and at least 1 pair")
