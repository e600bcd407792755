"""Sparse group lasso: few groups, and few weights inside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from riata.errors import InputError
from riata.groups import Groups
from riata.penalties.base import entry_step, per_member
from riata.penalties.group_lasso import group_direction, group_prox, scales
from riata.penalties.l1 import entry_distance, soft
from riata.penalties.roots import soft_root

__all__ = ["SparseGroupLasso"]


@dataclass(frozen=True)
class SparseGroupLasso:
    """Sparse group lasso, ``lam (mix ||w||_1 + (1 - mix) sum_g weight_g ||w_g||_2)``.

    Simon, Friedman, Hastie & Tibshirani 2013, section 2.

    Parameters
    ----------
    mix : float in [0, 1]
        Share of L1: 0 is the group lasso, 1 is L1.

    Raises
    ------
    InputError
        If mix is out of range.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> w, lam = torch.tensor([[[4.0, 5.0, 0.5], [1.0, 1.0, 1.0]]]), torch.tensor([2.0])
    >>> SparseGroupLasso(mix=0.5).prox(w, torch.ones(1), lam, by_input((2, 3)))
    tensor([[[2.4000, 3.2000, 0.0000],
             [0.0000, 0.0000, 0.0000]]])
    """

    mix: float = 0.5
    name: ClassVar[str] = "sparse_group_lasso"
    sparse: ClassVar[bool] = True
    entrywise: ClassVar[bool] = False
    needs_constant_step: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.mix <= 1:
            raise InputError(f"sparse_group_lasso mix {self.mix}; expected 0 (group lasso) to 1 (L1); try mix=0.5")

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``lam (mix sum_i |w_i| + (1 - mix) sum_g weight_g ||w_g||)``, (M,)."""
        grouped = (self._scale(lam, w, groups) * groups.norms(w)).sum(1)
        return self.mix * lam.to(w.dtype) * w.abs().flatten(1).sum(1) + grouped

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the group prox of the soft threshold ``S(w, step mix lam)``, in the same metric.

        This order is exact, the reverse is not (Simon et al. 2013, section 3).
        """
        thinned = soft(w, entry_step(step, w, groups) * (self.mix * per_member(lam, w)))
        return group_prox(thinned, step, self._scale(lam, w, groups), groups)

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the distance of -grad to the subdifferential, (M, G) (Simon et al. 2013).

        A live group: the entrywise distance of ``grad + lam2 w_g/||w_g||`` to ``lam1 d|w_i|``. A dead one:
        ``(||S(grad_g, lam1)|| - lam2)_+``, with lam1 = mix lam and lam2 = (1 - mix) lam weight_g.
        """
        scale, threshold = self._scale(lam, w, groups), self.mix * per_member(lam, w)
        direction, alive = group_direction(w, groups)
        pulled = groups.norms(entry_distance(w, grad + groups.spread(scale) * direction, threshold))
        left = groups.norms(soft(grad, threshold)) - scale
        return torch.where(alive, pulled, left.clamp(min=0))

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return the smallest lam with ``||S(grad_g, mix lam)|| <= (1 - mix) weight_g lam`` for all g.

        Exact, by :func:`riata.penalties.roots.soft_root`; (M,).
        """
        weight = (1 - self.mix) * groups.weight.to(grad.dtype)
        return soft_root(grad, self.mix, weight.expand(len(grad), -1), groups).amax(1)

    def _scale(self, lam: Tensor, w: Tensor, groups: Groups) -> Tensor:
        return scales((1 - self.mix) * lam, w, groups)
