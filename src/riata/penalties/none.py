"""No penalty: the network as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from riata.groups import Groups

__all__ = ["NoPenalty"]


@dataclass(frozen=True)
class NoPenalty:
    """The zero function, so that "no regularization" is a member like any other.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> NoPenalty().prox(torch.ones(1, 2, 1), torch.ones(1), torch.ones(1), by_input((2, 1))).flatten()
    tensor([1., 1.])
    """

    name: ClassVar[str] = "none"
    sparse: ClassVar[bool] = False
    entrywise: ClassVar[bool] = True
    needs_constant_step: ClassVar[bool] = False

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return 0 for each member, (M,)."""
        return w.new_zeros(len(w))

    @torch.no_grad()
    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return a copy of ``w``: the prox of the zero function is the identity."""
        return w.clone()

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``||grad_g||``, (M, G): the subdifferential is {0}."""
        return groups.norms(grad)

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return infinity, (M,): no amount of nothing makes w = 0 stationary."""
        return grad.new_full((len(grad),), torch.inf)
