"""L1 (lasso), and the soft threshold that solves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from riata.groups import Groups
from riata.penalties.base import entry_step, per_member

__all__ = ["L1", "entry_distance", "soft"]


@dataclass(frozen=True)
class L1:
    """Lasso, ``lam ||w||_1``: scikit-learn's ``Lasso(alpha=lam)`` for half the mean squared error.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> w = torch.tensor([[[3.0], [-0.5]]])
    >>> L1().prox(w, torch.ones(1), torch.ones(1), by_input((2, 1))).flatten()
    tensor([2., 0.])
    """

    name: ClassVar[str] = "l1"
    sparse: ClassVar[bool] = True
    entrywise: ClassVar[bool] = True
    needs_constant_step: ClassVar[bool] = False

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``lam sum_i |w_i|``, (M,)."""
        return lam.to(w.dtype) * w.abs().flatten(1).sum(1)

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``S(w_i, lam / h_i) = S(w_i, step_i lam)`` (Parikh & Boyd 2014, section 6.5.2)."""
        return soft(w, entry_step(step, w, groups) * per_member(lam, w))

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the norm over each group of :func:`entry_distance`, (M, G)."""
        return groups.norms(entry_distance(w, grad, per_member(lam, w)))

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return ``max_i |grad_i|``, (M,)."""
        return grad.abs().flatten(1).amax(1)


@torch.no_grad()
def soft(v: Tensor, threshold: Tensor) -> Tensor:
    """Return the soft threshold ``S(v, t) = sign(v) max(|v| - t, 0)``, exactly 0 where |v| <= t.

    Written as v minus its projection on [-t, t], the Moreau decomposition: two passes over v. No gradient
    flows through it.

    Examples
    --------
    >>> soft(torch.tensor([-3.0, 1.0, 0.5]), torch.tensor(1.0))
    tensor([-2.,  0.,  0.])
    """
    inside = -threshold
    if inside.shape == v.shape:
        torch.clamp(v, inside, threshold, out=inside)
    else:
        inside = v.clamp(inside, threshold)
    return torch.sub(v, inside, out=inside)


def entry_distance(w: Tensor, smooth: Tensor, threshold: Tensor) -> Tensor:
    """Return, per entry and with a sign, the distance of ``-smooth`` to ``threshold * d|w|``.

    ``smooth_i + t sign(w_i)`` where w_i is not 0, ``S(smooth_i, t)`` where it is.
    """
    return torch.where(w == 0, soft(smooth, threshold), smooth + threshold * w.sign())
