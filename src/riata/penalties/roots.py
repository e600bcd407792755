"""The two one-dimensional roots behind the group penalties, one per group, all at once."""

from __future__ import annotations

import torch
from torch import Tensor

from riata.groups import Groups

__all__ = ["norm_root", "soft_root"]

MAX_ITERATIONS = 100
"""A guard, not a setting: both Newton iterations are monotone and usually need 3 to 6."""


@torch.no_grad()
def norm_root(v: Tensor, a: Tensor, groups: Groups) -> Tensor:
    """Return, per group, the root t of ``f(t) = sum_i (v_i/(t + a_i))^2 = 1``, or 0 if ``f(0) <= 1``.

    With a_i = lam/h_i this is the length ``t = ||x_g||`` of the group prox in the metric diag(h), where
    the equation reads ``sum_i (h_i v_i/(h_i t + lam))^2 = 1`` (Deleu & Bengio 2021).

    Parameters
    ----------
    v : Tensor, (M, *shape)
        The point.
    a : Tensor, (M, *shape), >= 0
        Threshold of each entry, step times lam times the group's weight.
    groups : Groups
        The G groups.

    Returns
    -------
    Tensor, (M, G)
        The root, to rounding; NaN where the group holds a NaN.

    Notes
    -----
    Newton on ``psi(t) = f(t)^(-1/2)``, which is concave and increasing (a power mean of the
    ``(t + a_i)/|v_i|``): from the left of the root it moves right and never passes it, so no bracketing
    is needed. It starts from the lower bound ``max_i (|v_i| - a_i)_+``, where every ratio is at most 1
    and nothing can overflow. A group stops by its own test and then stays put, so its result does not
    depend on the others. ``f(0) <= 1`` is taken up to 4 units of rounding.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> norm_root(torch.tensor([[[3.0, 4.0]]]), torch.ones(1, 1, 2), by_input((1, 2)))
    tensor([[4.]])
    """
    info = torch.finfo(v.dtype)
    tolerance, flat = info.eps**0.5 / 4, 1 + 4 * info.eps
    ratio, below = v.abs().sub_(a), torch.empty_like(v)
    start = groups.largest(ratio).clamp_(min=0)
    t, moving, dead = start, ~torch.isnan(start), start == 0
    for iteration in range(MAX_ITERATIONS):
        torch.add(a, groups.spread(t.clamp(min=info.tiny)), out=below)
        torch.div(v, below, out=ratio).square_()
        f = groups.sums(ratio)
        slope = groups.sums(ratio.div_(below))
        if iteration == 0:
            dead = dead & (f <= flat)
        gain = torch.where(f > flat, f * (f.sqrt() - 1) / slope, 0.0)
        moving = moving & (gain > 0)
        t = torch.where(moving, t + gain, t)
        moving = moving & (gain > tolerance * t)
        if not bool(moving.any()):
            break
    return torch.where(dead, 0.0, t)


@torch.no_grad()
def soft_root(c: Tensor, threshold: float, weight: Tensor, groups: Groups) -> Tensor:
    """Return, per group, the smallest lam with ``||S(c_g, lam threshold)|| <= lam weight_g``.

    Solved for theta = 1/lam: ``F(theta) = ||S(theta c_g, threshold)||`` is convex and increasing, so Newton
    on ``F = weight_g`` from the right, ``theta = (threshold + weight_g)/max|c_g|``, comes down to the
    root without passing it (Simon et al. 2013 give the condition).

    Parameters
    ----------
    c : Tensor, (M, *shape)
        A gradient.
    threshold : float >= 0
        Share of L1.
    weight : Tensor, (M, G), >= 0
        Share of the norm, times the weight of the group.
    groups : Groups
        The G groups.

    Returns
    -------
    Tensor, (M, G)
        0 where c_g = 0; infinity where threshold = weight_g = 0 and c_g is not 0.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> soft_root(torch.tensor([[[3.0, 4.0]]]), 0.0, torch.ones(1, 1), by_input((1, 2)))
    tensor([[5.]])
    """
    size = c.abs()
    largest = groups.largest(size)
    empty = largest == 0
    unit = size / groups.spread(torch.where(empty, 1.0, largest))
    theta = threshold + weight
    for _ in range(MAX_ITERATIONS):
        left = (groups.spread(theta) * unit - threshold).clamp_(min=0)
        norm = groups.norms(left)
        slope = groups.sums(left * unit)
        loss = torch.where(slope > 0, (norm - weight) * norm / slope, 0.0)
        moved = (loss > torch.finfo(c.dtype).eps * theta) & (theta - loss < theta)
        theta = torch.where(moved, theta - loss, theta)
        if not bool(moved.any()):
            break
    return torch.where(empty, 0.0, largest / theta)
