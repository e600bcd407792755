"""L2-SP: ridge towards pre-trained weights instead of towards zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from riata.errors import InputError
from riata.groups import Groups
from riata.penalties.base import entry_step, per_member
from riata.penalties.group_lasso import GroupLasso, group_prox, scales

__all__ = ["L2SP", "GroupLassoL2SP"]


@dataclass(frozen=True, eq=False)
class L2SP:
    """Ridge towards a starting point, ``lam/2 ||w - w0||_2^2`` (Li, Grandvalet & Davoine 2018, section 3).

    For the copied parameters of a pre-trained network; the new ones take ridge, :class:`riata.penalties.L2`. It gives
    no exact zeros, and ``lam_max`` is infinite: no strength of a pull to w0 leaves w at 0. Each entry has a w0 of its
    own, so it is not ``entrywise``: an optimizer must not cut the parameter into blocks, and wants groups, which only
    label the residual.

    **To drop inputs**, do not put it on the parameter that selects them: an input whose weights are pulled to w0 comes
    back. Use :class:`GroupLassoL2SP`, and set w0 to 0 for the groups that are candidates to be dropped.

    Parameters
    ----------
    start : Tensor, (*shape)
        w0, shared by all members. A copy is kept, so training the weights it came from does not move it.

    Raises
    ------
    InputError
        If start is not a tensor of finite floats or, later, has another shape than the weights.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> penalty, lam = L2SP(torch.tensor([[1.0], [0.0]])), torch.tensor([3.0])
    >>> penalty.prox(torch.tensor([[[5.0], [4.0]]]), torch.ones(1), lam, by_input((2, 1))).flatten()
    tensor([2., 1.])
    """

    start: Tensor = field(repr=False)
    name: ClassVar[str] = "l2_sp"
    sparse: ClassVar[bool] = False
    entrywise: ClassVar[bool] = False
    needs_constant_step: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", checked_start(self.name, self.start))

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``lam/2 sum_i (w_i - w0_i)^2``, (M,)."""
        return lam.to(w.dtype) / 2 * (w - start_like(self.start, w)).square().flatten(1).sum(1)

    @torch.no_grad()
    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``(w + step lam w0)/(1 + step lam)``: ridge's prox, with w0 as the origin."""
        return pulled(w, self.start, entry_step(step, w, groups) * per_member(lam, w))

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``||(grad + lam (w - w0))_g||``, (M, G)."""
        return groups.norms(grad + per_member(lam, w) * (w - start_like(self.start, w)))

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return infinity, (M,), as for ridge: no strength holds a weight at 0."""
        return grad.new_full((len(grad),), torch.inf)


@dataclass(frozen=True, eq=False)
class GroupLassoL2SP:
    """Group lasso and L2-SP at once, ``lam sum_g weight_g ||w_g|| + alpha/2 ||w - w0||_2^2``.

    Whole groups die against the pull of w0: a group is 0 iff ``||grad_g - alpha w0_g|| <= lam weight_g``. Where w0 is
    0 the pull is plain ridge; set it to 0 for groups that are candidates to be dropped. alpha stays fixed along a path.

    Parameters
    ----------
    start : Tensor, (*shape)
        w0, shared by all members; a copy is kept.
    alpha : float >= 0
        Strength of the pull; 0 is the group lasso.

    Raises
    ------
    InputError
        If alpha is out of range, or start as for :class:`L2SP`.

    Examples
    --------
    >>> from riata.groups import by_input
    >>> penalty = GroupLassoL2SP(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), alpha=1.0)
    >>> w, lam = torch.tensor([[[3.0, 4.0], [3.0, 4.0]]]), torch.tensor([5.0])
    >>> penalty.prox(w, torch.ones(1), lam, by_input((2, 2)))
    tensor([[[1.5000, 2.0000],
             [0.0000, 0.0000]]])
    """

    start: Tensor = field(repr=False)
    alpha: float = 0.01
    name: ClassVar[str] = "group_lasso_l2_sp"
    sparse: ClassVar[bool] = True
    entrywise: ClassVar[bool] = False
    needs_constant_step: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", checked_start(self.name, self.start))
        if not 0 <= self.alpha < float("inf"):
            raise InputError(f"{self.name} alpha {self.alpha}; expected a finite number >= 0; try alpha=0.01")

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``lam sum_g weight_g ||w_g|| + alpha/2 sum_i (w_i - w0_i)^2``, (M,)."""
        away = (w - start_like(self.start, w)).square().flatten(1).sum(1)
        return GroupLasso().value(w, lam, groups) + self.alpha / 2 * away

    @torch.no_grad()
    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the group prox of a shifted point with a shorter step; exact for every form of the step.

        ``1/2 (x - w)^2/s + alpha/2 (x - w0)^2 = 1/2 (x - u)^2/s' + const`` with ``u = (w + s alpha w0)/(1 + s alpha)``
        and ``s' = s/(1 + s alpha)``, so the group lasso's prox at u with the step s' solves it.
        """
        shifted = pulled(w, self.start, entry_step(step, w, groups) * self.alpha)
        return group_prox(shifted, step / (1 + step * self.alpha), scales(lam, w, groups), groups)

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the group lasso's residual with the gradient ``grad + alpha (w - w0)``, (M, G)."""
        pull = self.alpha * (w - start_like(self.start, w))
        return GroupLasso().residual(w, grad + pull, lam, groups)

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return ``max_g ||grad_g - alpha w0_g|| / weight_g``, (M,)."""
        return GroupLasso().lam_max(grad - self.alpha * start_like(self.start, grad), groups)


def pulled(w: Tensor, start: Tensor, strength: Tensor) -> Tensor:
    """Return ``(w + t w0)/(1 + t)``, as a step from w to w0: exactly w at t = 0, and exactly w0 at w = w0."""
    return torch.lerp(w, start_like(start, w).expand_as(w), (strength / (1 + strength)).expand_as(w))


def start_like(start: Tensor, w: Tensor) -> Tensor:
    """Return w0, (*shape), on the device and in the dtype of w, (M, *shape).

    Raises
    ------
    InputError
        If the shapes do not fit.
    """
    if start.shape != w.shape[1:]:
        raise InputError(
            f"start of shape {tuple(start.shape)} for weights of shape {tuple(w.shape)}; expected {tuple(w.shape[1:])}"
            ", without the member axis; pass the weights this parameter was copied from"
        )
    return start.to(device=w.device, dtype=w.dtype)


def checked_start(name: str, start: Tensor) -> Tensor:
    """Return a copy of w0 without a gradient, or refuse it."""
    if not isinstance(start, Tensor) or not start.is_floating_point() or not bool(torch.isfinite(start).all()):
        raise InputError(f"{name} with a start that is not a tensor of finite floats; pass start=pretrained.weight")
    return start.detach().clone()
