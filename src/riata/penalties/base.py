"""What a penalty is, and the few reshapes that all of them share."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from riata.errors import InputError
from riata.groups import Groups

__all__ = ["Penalty", "entry_step", "group_step", "per_member"]


@runtime_checkable
class Penalty(Protocol):
    """The shape of a cost, never its amount: pure functions of (M, *shape) tensors, members first.

    Attributes
    ----------
    name : str
        Name in :data:`riata.penalties.NAMES`.
    sparse : bool
        Whether some lam sets weights to exactly zero.
    entrywise : bool
        Whether the penalty is a sum over single entries, so that groups only label its residual.
    needs_constant_step : bool
        Whether :meth:`prox` is exact only for a step that is the same for all entries of a group. False
        means that a step per entry (a diagonal metric) is solved exactly too.
    """

    @property
    def name(self) -> str:
        """Return the name in :data:`riata.penalties.NAMES`."""
        ...

    @property
    def sparse(self) -> bool:
        """Return whether some lam gives exact zeros."""
        ...

    @property
    def entrywise(self) -> bool:
        """Return whether the cost is a sum over single entries."""
        ...

    @property
    def needs_constant_step(self) -> bool:
        """Return whether the prox wants one step a group."""
        ...

    def value(self, w: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the cost of each member: w (M, *shape), lam (M,) >= 0 -> (M,)."""
        ...

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return ``argmin_x 1/2 sum_i (x_i - w_i)^2 / step_i + value(x)``, (M, *shape), a new tensor.

        ``step`` (> 0) is (M,), (M, G), or of w's shape: the diagonal metric h = 1/step. What is zero is
        exactly zero. A NaN stays a NaN: a member that diverged is not hidden. It is a step, not a
        loss: no gradient flows through it.
        """
        ...

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        """Return the distance of -grad to the subdifferential of value at w, per group: (M, G)."""
        ...

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        """Return the smallest lam for which w = 0, with gradient ``grad`` there, is stationary: (M,)."""
        ...


def per_member(a: Tensor, like: Tensor) -> Tensor:
    """Reshape (M,) to broadcast along the members of ``like``, in its dtype.

    Examples
    --------
    >>> import torch
    >>> per_member(torch.ones(4), torch.ones(4, 3, 2)).shape
    torch.Size([4, 1, 1])
    """
    return a.to(like.dtype).reshape(-1, *(1,) * (like.ndim - 1))


def group_step(step: Tensor, w: Tensor, groups: Groups) -> Tensor | None:
    """Return the step of each group, (M, 1) or (M, G), or None if ``step`` has an entry per weight.

    Raises
    ------
    InputError
        If ``step`` has none of the three shapes.
    """
    if step.shape == w.shape:
        return None
    if step.ndim == 1 and len(step) == len(w):
        return step[:, None].to(w.dtype)
    if step.shape == (len(w), len(groups)):
        return step.to(w.dtype)
    members, count = len(w), len(groups)
    raise InputError(
        f"step of shape {tuple(step.shape)}; expected ({members},), ({members}, {count}) or {tuple(w.shape)}"
        "; pass one step per member, group or weight"
    )


def entry_step(step: Tensor, w: Tensor, groups: Groups) -> Tensor:
    """Return ``step``, in any of its three shapes, broadcastable to ``w``."""
    by_group = group_step(step, w, groups)
    if by_group is None:
        return step.to(w.dtype)
    return per_member(by_group, w) if by_group.shape[1] == 1 else groups.spread(by_group)
