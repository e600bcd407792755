"""Group lasso: a whole group lives or dies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from riata.groups import Groups
from riata.penalties.base import group_step
from riata.penalties.roots import norm_root

__all__ = ["GroupLasso", "group_direction", "group_prox"]


@dataclass(frozen=True)
class GroupLasso:
    """Group lasso, ``lam sum_g weight_g ||w_g||_2`` (Yuan & Lin 2006, eq. 2.1).

    Examples
    --------
    >>> from riata.groups import by_input
    >>> w, lam = torch.tensor([[[3.0, 4.0], [0.1, 0.2]]]), torch.tensor([2.5])
    >>> GroupLasso().prox(w, torch.ones(1), lam, by_input((2, 2)))
    tensor([[[1.5000, 2.0000],
             [0.0000, 0.0000]]])
    """

    name: ClassVar[str] = "group_lasso"
    sparse: ClassVar[bool] = True
    entrywise: ClassVar[bool] = False
    needs_constant_step: ClassVar[bool] = False

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``lam sum_g weight_g ||w_g||``, (M,)."""
        return (scales(lam, w, groups) * groups.norms(w)).sum(1)

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the group soft threshold, see :func:`group_prox`."""
        return group_prox(w, step, scales(lam, w, groups), groups)

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the distance of -grad to the subdifferential, (M, G).

        ``||grad_g + lam weight_g w_g/||w_g|| ||`` for a live group, ``(||grad_g|| - lam weight_g)_+`` for a
        dead one (Yuan & Lin 2006, eqs. 2.2-2.3).
        """
        scale = scales(lam, w, groups)
        direction, alive = group_direction(w, groups)
        pulled = groups.norms(grad + groups.spread(scale) * direction)
        return torch.where(alive, pulled, (groups.norms(grad) - scale).clamp(min=0))

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return ``max_g ||grad_g|| / weight_g``, (M,); infinity if a group of weight 0 has a gradient."""
        norm = groups.norms(grad)
        return torch.where(norm == 0, 0.0, norm / groups.weight.to(norm.dtype)).amax(1)


def scales(lam: Tensor, w: Tensor, groups: Groups) -> Tensor:
    """Return ``lam weight_g``, (M, G), in the dtype of ``w``."""
    return lam.to(w.dtype)[:, None] * groups.weight.to(w.dtype)


def group_direction(w: Tensor, groups: Groups) -> tuple[Tensor, Tensor]:
    """Return ``w_g / ||w_g||`` (0 for a dead group), (M, *shape), and which groups are alive, (M, G).

    Tiny groups are scaled by their largest entry first, so no square underflows.
    """
    largest = groups.largest(w.abs())
    alive = largest != 0
    unit = w / groups.spread(torch.where(alive, largest, 1.0))
    return unit / groups.spread(torch.where(alive, groups.norms(unit), 1.0)), alive


@torch.no_grad()
def group_prox(w: Tensor, step: Tensor, scale: Tensor, groups: Groups) -> Tensor:
    """Return ``argmin_x 1/2 sum_i (x_i - w_i)^2/step_i + sum_g scale_g ||x_g||``.

    A step that is constant on each group has the closed form ``(1 - step scale_g/||w_g||)_+ w_g`` (Yuan &
    Lin 2006; Parikh & Boyd 2014, section 6.5.1). A step per entry makes the metric h = 1/step diagonal: the
    group is 0 iff ``||h w||_g <= scale_g``, else ``x_i = w_i t/(t + scale_g step_i)`` with t = ||x_g||, the
    root found by :func:`riata.penalties.roots.norm_root` (Deleu & Bengio 2021). Both are exact.
    No gradient flows through it.

    Parameters
    ----------
    w : Tensor, (M, *shape)
        The point.
    step : Tensor, (M,), (M, G) or (M, *shape)
        Step lengths, > 0.
    scale : Tensor, (M, G)
        lam times the weight of each group, >= 0.
    groups : Groups
        The G groups.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> w, step = torch.tensor([[[3.0, 4.0]]]), torch.tensor([[[1.0, 2.0]]])
    >>> x = group_prox(w, step, torch.ones(1, 1), by_input((1, 2)))
    >>> torch.allclose((w - x) / step, x / x.norm())
    True
    """
    by_group = group_step(step, w, groups)
    if by_group is not None:
        norm, threshold = groups.norms(w), by_group * scale
        ratio = threshold / torch.where(norm == 0, 1.0, norm)
        kept = torch.where((norm == 0) & (threshold > 0), 0.0, (1 - ratio).clamp(min=0))
        return w * groups.spread(kept)
    threshold = step.to(w.dtype) * groups.spread(scale)
    length = norm_root(w, threshold, groups)
    length = groups.spread(torch.where(scale == 0, 1.0, length))
    tiny = torch.finfo(w.dtype).tiny
    return torch.div(length, threshold.add_(length.clamp(min=tiny)), out=threshold).mul_(w)
