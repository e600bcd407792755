"""Ridge: shrinks every weight, zeroes none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from riata.groups import Groups
from riata.penalties.base import entry_step, per_member

__all__ = ["L2"]


@dataclass(frozen=True)
class L2:
    """Ridge, ``lam/2 ||w||_2^2``: the unit of torch's SGD ``weight_decay``; Keras' ``L2(l)`` is lam = 2 l.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> w = torch.tensor([[[3.0], [4.0]]])
    >>> L2().value(w, torch.ones(1), by_input((2, 1)))
    tensor([12.5000])
    """

    name: ClassVar[str] = "l2"
    sparse: ClassVar[bool] = False
    entrywise: ClassVar[bool] = True
    needs_constant_step: ClassVar[bool] = False

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``lam/2 sum_i w_i^2``, (M,)."""
        return lam.to(w.dtype) / 2 * w.square().flatten(1).sum(1)

    @torch.no_grad()
    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``h w / (h + lam) = w / (1 + step lam)`` (Parikh & Boyd 2014, section 6.1.1)."""
        return w / (1 + entry_step(step, w, groups) * per_member(lam, w))

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``||(grad + lam w)_g||``, (M, G): ridge is smooth, its subdifferential is {lam w}."""
        return groups.norms(grad + per_member(lam, w) * w)

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return infinity, (M,): ridge has no slope at 0, so it holds no weight there."""
        return grad.new_full((len(grad),), torch.inf)
