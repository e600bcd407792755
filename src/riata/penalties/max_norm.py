"""Bounded norm: a projection, as a penalty that is 0 inside and infinite outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from riata.groups import Groups
from riata.penalties.base import group_step

__all__ = ["MaxNorm"]


@dataclass(frozen=True)
class MaxNorm:
    """Keep the norm of every group at or below ``bound``: the indicator of {w: ||w_g|| <= bound}.

    Its prox is the projection w_g min(1, bound/||w_g||) (Parikh & Boyd 2014, section 6.5.1), exact for a step that is
    constant on the group; lam plays no part.

    Examples
    --------
    >>> from riata.groups import by_neuron
    >>> w = torch.tensor([[[3.0, 0.1], [4.0, 0.2]]])
    >>> MaxNorm().prox(w, torch.ones(1), torch.ones(1), by_neuron((2, 2)))
    tensor([[[0.6000, 0.1000],
             [0.8000, 0.2000]]])
    """

    bound: float = 1.0

    name: ClassVar[str] = "max_norm"
    sparse: ClassVar[bool] = False
    entrywise: ClassVar[bool] = False
    needs_constant_step: ClassVar[bool] = True

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return 0 where every group is within its bound (to rounding), infinity elsewhere, (M,)."""
        over = (groups.norms(w) > self.bound * (1 + 1e-5)).any(1)
        return torch.where(over, torch.inf, 0.0).to(w.dtype)

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the projection; ``step`` is (M,) or (M, G)."""
        if step.ndim > 1:
            group_step(step, w, groups)
        norm = groups.sums(w * w).sqrt_()
        return w * groups.spread((self.bound / norm).clamp_(max=1.0))

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the distance of -grad to the normal cone, (M, G).

        Inside the ball ||grad_g||; on the sphere the part of -grad that does not point outwards.
        """
        norm = groups.norms(w)
        on = norm >= self.bound * (1 - 1e-5)
        unit = w / groups.spread(torch.where(norm == 0, 1.0, norm))
        outward = groups.sums(-grad * unit).clamp(min=0)
        tangent = groups.norms(grad + groups.spread(outward) * unit)
        return torch.where(on, tangent, groups.norms(grad))

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return infinity: no strength of a bound makes the weights zero, (M,)."""
        return torch.full_like(groups.norms(grad)[:, 0], torch.inf)
