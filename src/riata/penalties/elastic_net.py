"""Elastic net: L1 and ridge together, in both of its spellings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from riata.errors import InputError
from riata.groups import Groups
from riata.penalties.base import entry_step, per_member
from riata.penalties.l1 import entry_distance, soft

__all__ = ["ElasticNet"]


@dataclass(frozen=True)
class ElasticNet:
    """Elastic net, ``lam1 ||w||_1 + lam2/2 ||w||_2^2``, in one of two spellings.

    ``ElasticNet(alpha=a)`` is ``lam ((1 - a) ||w||_1 + a ||w||_2^2)`` (Zou & Hastie 2005, section 2.1):
    lam1 = (1 - a) lam and lam2 = 2 a lam. a = 0 is L1 and a = 1 is ridge (then nothing is sparse).
    ``ElasticNet(lam2=l)`` is ``lam ||w||_1 + l/2 ||w||_2^2``: lam1 = lam, lam2 fixed along the path.

    Careful: scikit-learn's ``l1_ratio`` runs the other way and its ridge carries a 1/2,
    ``s (r ||w||_1 + (1 - r)/2 ||w||_2^2)``; so lam = s (1 + r)/2 and a = (1 - r)/(1 + r).

    Parameters
    ----------
    alpha : float in [0, 1], optional
        Share of the ridge; 0.5 if neither is given.
    lam2 : float >= 0, optional
        Absolute strength of the ridge.

    Raises
    ------
    InputError
        If both are given, or one is out of range.

    Examples
    --------
    >>> lam = torch.tensor([2.0])
    >>> ElasticNet(alpha=0.25).lam1(lam), ElasticNet(alpha=0.25).lam2_of(lam)
    (tensor([1.5000]), tensor([1.]))
    >>> ElasticNet(lam2=0.1).lam1(lam), ElasticNet(lam2=0.1).lam2_of(lam)
    (tensor([2.]), tensor([0.1000]))
    """

    alpha: float | None = None
    lam2: float | None = None
    name: ClassVar[str] = "elastic_net"
    sparse: ClassVar[bool] = True
    entrywise: ClassVar[bool] = True
    needs_constant_step: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.alpha is not None and self.lam2 is not None:
            raise InputError("elastic_net with both alpha and lam2; expected one spelling; drop alpha= or lam2=")
        if self.alpha is None and self.lam2 is None:
            object.__setattr__(self, "alpha", 0.5)
        if self.alpha is not None and not 0 <= self.alpha <= 1:
            raise InputError(f"elastic_net alpha {self.alpha}; expected 0 (L1) to 1 (ridge); try alpha=0.5")
        if self.lam2 is not None and not 0 <= self.lam2 < float("inf"):
            raise InputError(f"elastic_net lam2 {self.lam2}; expected a finite number >= 0; try lam2=0.01")

    def lam1(self, lam: Tensor) -> Tensor:
        """Return the factor of ``||w||_1``: ``(1 - alpha) lam``, or lam itself."""
        return lam if self.alpha is None else (1 - self.alpha) * lam

    def lam2_of(self, lam: Tensor) -> Tensor:
        """Return the factor of ``||w||_2^2 / 2``: ``2 alpha lam``, or the fixed lam2."""
        if self.alpha is not None:
            return 2 * self.alpha * lam
        return torch.full_like(lam, 0.0 if self.lam2 is None else self.lam2)

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``lam1 sum_i |w_i| + lam2/2 sum_i w_i^2``, (M,)."""
        lam = lam.to(w.dtype)
        linear, square = w.abs().flatten(1).sum(1), w.square().flatten(1).sum(1)
        return self.lam1(lam) * linear + self.lam2_of(lam) / 2 * square

    @torch.no_grad()
    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``S(h w, lam1)/(h + lam2) = S(w, step lam1)/(1 + step lam2)`` (Parikh & Boyd, 6.5.3)."""
        metric, lam = entry_step(step, w, groups), per_member(lam, w)
        return soft(w, metric * self.lam1(lam)).div_(1 + metric * self.lam2_of(lam))

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the norm per group of the distance of ``-(grad + lam2 w)`` to ``lam1 d|w|``, (M, G)."""
        lam = per_member(lam, w)
        return groups.norms(entry_distance(w, grad + self.lam2_of(lam) * w, self.lam1(lam)))

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return ``max_i |grad_i| / (1 - alpha)``, (M,); infinity for pure ridge with a gradient."""
        largest = grad.abs().flatten(1).amax(1)
        share = self.lam1(torch.ones_like(largest))
        return torch.where(largest == 0, 0.0, largest / share)
