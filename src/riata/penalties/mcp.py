"""MCP: L1 at zero that fades to no cost at all, so that large weights are not shrunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from riata.errors import InputError
from riata.groups import Groups
from riata.penalties.base import entry_step, group_step, per_member
from riata.penalties.group_lasso import GroupLasso, group_direction, scales
from riata.penalties.l1 import L1, soft

__all__ = ["MCP", "GroupMCP", "constant_step", "mcp_prox", "mcp_slope", "mcp_value", "scale_groups", "settled"]


@dataclass(frozen=True)
class MCP:
    """Minimax concave penalty on single weights, ``sum_i p(|w_i|)`` (Zhang 2010, section 2).

    ``p(t) = lam t - t^2/(2 gamma)`` up to ``t = gamma lam``, then flat at ``gamma lam^2/2``. Not convex: a fit is
    a stationary point that depends on where it starts, and residual 0 certifies no more than that.

    From step = gamma on the prox is a hard threshold, which can drop what a shorter step keeps. A weight that is not
    shrunk ends with gradient 0, where Adam's step grows towards ``lr/eps``: give it ``eps > lr/gamma``, or use SGD.

    Parameters
    ----------
    gamma : float > 0
        How slowly the cost fades; towards infinity it is L1. 3 is the usual value (Breheny & Huang 2011).

    Raises
    ------
    InputError
        If gamma is out of range.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> w = torch.tensor([[[-9.0], [2.0], [0.5]]])
    >>> MCP(gamma=3.0).prox(w, torch.ones(1), torch.ones(1), by_input((3, 1))).flatten()
    tensor([-9.0000,  1.5000,  0.0000])
    """

    gamma: float = 3.0
    name: ClassVar[str] = "mcp"
    sparse: ClassVar[bool] = True
    entrywise: ClassVar[bool] = True
    needs_constant_step: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_gamma(self.name, self.gamma)

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``sum_i p(|w_i|)``, (M,)."""
        return mcp_value(w.abs(), per_member(lam, w), self.gamma).flatten(1).sum(1)

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the global minimiser for each entry, see :func:`mcp_prox`."""
        return mcp_prox(w, entry_step(step, w, groups), per_member(lam, w), self.gamma)

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the norm per group of ``grad_i + p'(|w_i|) sign(w_i)``, or of ``S(grad_i, lam)`` at 0, (M, G)."""
        lam = per_member(lam, w)
        pull = mcp_slope(w.abs(), lam, self.gamma) * w.sign()
        return groups.norms(torch.where(w == 0, soft(grad, lam), grad + pull))

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return ``max_i |grad_i|``, (M,): the slope at 0 is that of L1.

        A step of gamma or more is a hard threshold, which leaves 0 for ``lam < |grad_i| sqrt(step/gamma)``.
        """
        return L1().lam_max(grad, groups)


@dataclass(frozen=True)
class GroupMCP:
    """MCP on the norm of each group, ``sum_g p(||w_g||)`` with lam times the group's weight in p.

    The group version of Breheny & Huang 2015 (section 2): groups that survive are hardly shrunk. The prox wants a
    step that is constant on each group.

    Parameters
    ----------
    gamma : float > 0
        As for :class:`MCP`.

    Raises
    ------
    InputError
        If gamma is out of range.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> w = torch.tensor([[[6.0, 8.0], [0.6, 0.8]]])
    >>> GroupMCP().prox(w, torch.ones(1), torch.ones(1), by_input((2, 2)))
    tensor([[[6., 8.],
             [0., 0.]]])
    """

    gamma: float = 3.0
    name: ClassVar[str] = "group_mcp"
    sparse: ClassVar[bool] = True
    entrywise: ClassVar[bool] = False
    needs_constant_step: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_gamma(self.name, self.gamma)

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``sum_g p(||w_g||)``, (M,)."""
        return mcp_value(groups.norms(w), scales(lam, w, groups), self.gamma).sum(1)

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``w_g`` scaled to the global minimiser of its norm; ``step`` is (M,) or (M, G)."""
        length, scale = constant_step(self.name, step, w, groups), scales(lam, w, groups)
        return scale_groups(w, lambda norm: mcp_prox(norm, length, scale, self.gamma), scale, groups)

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the distance of -grad to the subdifferential, see :func:`settled`, (M, G)."""
        scale = scales(lam, w, groups)
        return settled(w, grad, scale, mcp_slope(groups.norms(w), scale, self.gamma), groups)

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return ``max_g ||grad_g|| / weight_g``, (M,); infinity if a group of weight 0 has a gradient."""
        return GroupLasso().lam_max(grad, groups)


def mcp_value(size: Tensor, lam: Tensor, gamma: float) -> Tensor:
    """Return ``p(t) = lam t - t^2/(2 gamma)``, from ``t = gamma lam`` on ``gamma lam^2/2``."""
    rising = lam * size - size.square() / (2 * gamma)
    return torch.where(size >= gamma * lam, gamma * lam.square() / 2, rising)


def mcp_slope(size: Tensor, lam: Tensor, gamma: float) -> Tensor:
    """Return ``p'(t) = (lam - t/gamma)_+``, at t = 0 from the right."""
    return (lam - size / gamma).clamp(min=0)


@torch.no_grad()
def mcp_prox(v: Tensor, step: Tensor, lam: Tensor, gamma: float) -> Tensor:
    """Return the global minimiser of ``1/2 (x - v)^2/step + p(|x|)``, entry by entry.

    With step < gamma the firm threshold: ``S(v, step lam)/(1 - step/gamma)`` up to ``|v| = gamma lam``, beyond it v
    (Breheny & Huang 2011, section 2, has step = 1). With step >= gamma the problem is concave between 0 and the flat
    part, so only 0 and v can win: a hard threshold at ``lam sqrt(gamma step)``. Of two equal minima it takes 0.
    No gradient flows through it.

    Examples
    --------
    >>> v = torch.tensor([1.0, 2.0, 2.1, 4.0])
    >>> mcp_prox(v, torch.tensor(4.0), torch.tensor(1.0), gamma=1.0)
    tensor([0.0000, 0.0000, 2.1000, 4.0000])
    """
    size, curved = v.abs(), step < gamma
    firm = soft(v, step * lam) / torch.where(curved, 1 - step / gamma, 1.0)
    inside = torch.where(curved, firm.clamp(-size, size), 0.0)
    edge = lam * torch.where(curved, gamma, (gamma * step).sqrt())
    return torch.where(size <= edge, inside, v)


def constant_step(name: str, step: Tensor, w: Tensor, groups: Groups) -> Tensor:
    """Return the step of each group, (M, 1) or (M, G).

    Raises
    ------
    InputError
        If the step has an entry per weight and groups have more than one.
    """
    by_group = group_step(step, w, groups)
    if by_group is not None:
        return by_group
    if len(groups) == w[0].numel():
        return groups.sums(step.to(w.dtype))
    raise InputError(
        f"a step per weight for {name}; expected one that is constant on each group, of shape ({len(w)},) or "
        f"({len(w)}, {len(groups)}); in ProxAdam use metric='group'"
    )


@torch.no_grad()
def scale_groups(w: Tensor, shrink: Callable[[Tensor], Tensor], scale: Tensor, groups: Groups) -> Tensor:
    """Return ``w_g shrink(||w_g||)/||w_g||``: what moves the norm of a group and keeps its direction.

    ``argmin_x 1/2 ||x - v||^2/step + p(||x||)`` lies along v, because for a given length nothing is closer to v.

    Parameters
    ----------
    w : Tensor, (M, *shape)
        The point.
    shrink : (M, G) -> (M, G)
        The new norms; 0 makes a group exactly zero, an unchanged norm leaves its bits alone.
    scale : Tensor, (M, G)
        lam times the weight of each group: where it is 0, a group too small to be squared stays.
    groups : Groups
        The G groups.
    """
    norm = groups.norms(w)
    new = shrink(norm)
    kept = torch.where(new == norm, 1.0, new / torch.where(norm == 0, 1.0, norm))
    return w * groups.spread(torch.where((norm == 0) & (scale > 0), 0.0, kept))


def settled(w: Tensor, grad: Tensor, scale: Tensor, slope: Tensor, groups: Groups) -> Tensor:
    """Return the distance of -grad to the subdifferential of ``sum_g p_g(||w_g||)``, (M, G).

    ``||grad_g + p'(||w_g||) w_g/||w_g|| ||`` for a live group, ``(||grad_g|| - scale_g)_+`` for a dead one.

    Parameters
    ----------
    w, grad : Tensor, (M, *shape)
        The point and the gradient of the loss there.
    scale, slope : Tensor, (M, G)
        Slope of p at 0, from the right, and at the norm of the group.
    groups : Groups
        The G groups.
    """
    direction, alive = group_direction(w, groups)
    pulled = groups.norms(grad + groups.spread(slope) * direction)
    return torch.where(alive, pulled, (groups.norms(grad) - scale).clamp(min=0))


def check_gamma(name: str, gamma: float) -> None:
    """Refuse a gamma that is not a finite number > 0."""
    if not 0 < gamma < float("inf"):
        raise InputError(f"{name} gamma {gamma}; expected a finite number > 0, larger than the step; try gamma=3.0")
