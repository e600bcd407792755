"""SCAD: L1 near zero, a fading slope further out, no cost for more size beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from riata.errors import InputError
from riata.groups import Groups
from riata.penalties.base import entry_step, per_member
from riata.penalties.group_lasso import GroupLasso, scales
from riata.penalties.l1 import L1, soft
from riata.penalties.mcp import constant_step, scale_groups, settled

__all__ = ["SCAD", "GroupSCAD", "scad_prox", "scad_slope", "scad_value"]


@dataclass(frozen=True)
class SCAD:
    """Smoothly clipped absolute deviation on single weights, ``sum_i p(|w_i|)`` (Fan & Li 2001, eq. 2.7).

    ``p(t) = lam t`` up to lam, ``(2 a lam t - t^2 - lam^2) / (2 (a - 1))`` up to a lam, then flat at
    ``(a + 1) lam^2/2``. Not convex: a fit is a stationary point that depends on where it starts. With Adam
    take ``eps > lr/(a - 1)``, for the reason that :class:`riata.penalties.mcp.MCP` gives.

    Parameters
    ----------
    a : float > 1
        Where the cost is flat, in units of lam; 3.7 is Fan and Li's. With a step of 1 they need a > 2.

    Raises
    ------
    InputError
        If a is out of range.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> w = torch.tensor([[[-9.0], [3.0], [1.5], [0.5]]])
    >>> SCAD(a=4.0).prox(w, torch.ones(1), torch.ones(1), by_input((4, 1))).flatten()
    tensor([-9.0000,  2.5000,  0.5000,  0.0000])
    """

    a: float = 3.7
    name: ClassVar[str] = "scad"
    sparse: ClassVar[bool] = True
    entrywise: ClassVar[bool] = True
    needs_constant_step: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_a(self.name, self.a)

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``sum_i p(|w_i|)``, (M,)."""
        return scad_value(w.abs(), per_member(lam, w), self.a).flatten(1).sum(1)

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the global minimiser for each entry, see :func:`scad_prox`."""
        return scad_prox(w, entry_step(step, w, groups), per_member(lam, w), self.a)

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the norm per group of ``grad_i + p'(|w_i|) sign(w_i)``, or of ``S(grad_i, lam)`` at 0, (M, G)."""
        lam = per_member(lam, w)
        pull = scad_slope(w.abs(), lam, self.a) * w.sign()
        return groups.norms(torch.where(w == 0, soft(grad, lam), grad + pull))

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return ``max_i |grad_i|``, (M,): the slope at 0 is that of L1."""
        return L1().lam_max(grad, groups)


@dataclass(frozen=True)
class GroupSCAD:
    """SCAD on the norm of each group, ``sum_g p(||w_g||)`` with lam times the group's weight in p.

    Breheny & Huang 2015, section 2. The prox wants a step that is constant on each group.

    Parameters
    ----------
    a : float > 1
        As for :class:`SCAD`.

    Raises
    ------
    InputError
        If a is out of range.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> w = torch.tensor([[[6.0, 8.0], [0.6, 0.8]]])
    >>> GroupSCAD().prox(w, torch.ones(1), torch.ones(1), by_input((2, 2)))
    tensor([[[6., 8.],
             [0., 0.]]])
    """

    a: float = 3.7
    name: ClassVar[str] = "group_scad"
    sparse: ClassVar[bool] = True
    entrywise: ClassVar[bool] = False
    needs_constant_step: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_a(self.name, self.a)

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``sum_g p(||w_g||)``, (M,)."""
        return scad_value(groups.norms(w), scales(lam, w, groups), self.a).sum(1)

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``w_g`` scaled to the global minimiser of its norm; ``step`` is (M,) or (M, G)."""
        length, scale = constant_step(self.name, step, w, groups), scales(lam, w, groups)
        return scale_groups(w, lambda norm: scad_prox(norm, length, scale, self.a), scale, groups)

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the distance of -grad to the subdifferential, see :func:`riata.penalties.mcp.settled`, (M, G)."""
        scale = scales(lam, w, groups)
        return settled(w, grad, scale, scad_slope(groups.norms(w), scale, self.a), groups)

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return ``max_g ||grad_g|| / weight_g``, (M,); infinity if a group of weight 0 has a gradient."""
        return GroupLasso().lam_max(grad, groups)


def scad_value(size: Tensor, lam: Tensor, a: float) -> Tensor:
    """Return ``lam t``, ``(2 a lam t - t^2 - lam^2)/(2 (a - 1))`` from lam on, ``(a + 1) lam^2/2`` from a lam on."""
    fading = lam * size - (size - lam).clamp(min=0).square() / (2 * (a - 1))
    return torch.where(size >= a * lam, (a + 1) * lam.square() / 2, fading)


def scad_slope(size: Tensor, lam: Tensor, a: float) -> Tensor:
    """Return ``p'(t) = min(lam, (a lam - t)_+/(a - 1))`` (Fan & Li 2001, eq. 2.7), at t = 0 from the right."""
    return torch.minimum((a * lam - size).clamp(min=0) / (a - 1), lam)


@torch.no_grad()
def scad_prox(v: Tensor, step: Tensor, lam: Tensor, a: float) -> Tensor:
    """Return the global minimiser of ``1/2 (x - v)^2/step + p(|x|)``, entry by entry.

    With step < a - 1: ``S(v, step lam)`` up to ``|v| = (1 + step) lam``,
    ``S(v, a step lam/(a - 1)) / (1 - step/(a - 1))`` up to a lam, beyond it v (Fan & Li 2001, eq. 2.8, has step = 1).
    With step >= a - 1 the middle is concave, so only ``S(v, step lam)`` and v can win; their costs cross at
    ``|v| = lam (a + 1 + step)/2`` or, from step = a + 1 on where the former is 0, at ``lam sqrt((a + 1) step)``.
    Of two equal minima it takes the smaller. No gradient flows through it.

    Examples
    --------
    >>> v = torch.tensor([2.0, 3.1, 3.3, 4.0])
    >>> scad_prox(v, torch.tensor(2.5), torch.tensor(1.0), a=3.0)
    tensor([0.0000, 0.6000, 3.3000, 4.0000])
    """
    size, curved = v.abs(), step < a - 1
    near = soft(v, step * lam)
    middle = soft(v, step * lam * (a / (a - 1))) / torch.where(curved, 1 - step / (a - 1), 1.0)
    inside = torch.where(curved & (size > (1 + step) * lam), middle.clamp(-size, size), near)
    crossing = torch.where(step < a + 1, (a + 1 + step) / 2, ((a + 1) * step).sqrt())
    edge = lam * torch.where(curved, a, crossing)
    return torch.where(size <= edge, inside, v)


def check_a(name: str, a: float) -> None:
    """Refuse an a that is not a finite number > 1."""
    if not 1 < a < float("inf"):
        raise InputError(f"{name} a {a}; expected a finite number > 1, larger than 1 + the step; try a=3.7")
