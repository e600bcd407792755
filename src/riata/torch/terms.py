"""Terms of a torch optimizer: the penalty of each parameter, in place and in few passes over memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from riata.errors import InputError
from riata.groups import Groups, by_input
from riata.penalties.base import Penalty
from riata.penalties.group_lasso import GroupLasso
from riata.penalties.max_norm import MaxNorm

__all__ = ["Slot", "blocks", "check_options", "find_groups", "part_of", "slot_for"]

BLOCK = 1 << 18
"""Entries of a block on the CPU: what is read is used again while it is still in the cache."""


@dataclass(frozen=True, eq=False)
class Slot:
    """One penalty on one parameter, with its groups where the numbers are.

    Parameters
    ----------
    penalty : Penalty
    groups : Groups
        Groups of the parameter, shape (*shape), on its device.
    by_entry : bool
        Whether the step may have an entry per weight (the "entry" metric).

    Examples
    --------
    >>> slot = Slot(GroupLasso(), by_input((2, 3), axis=1), by_entry=False)
    >>> total = slot.zeros(torch.float32)
    >>> slot.add_squares(total, torch.ones(2, 3), slice(0, 2))
    >>> slot.lines.sums(total)
    tensor([[2., 2., 2.]])
    """

    penalty: Penalty
    groups: Groups
    by_entry: bool
    lines: Groups = field(init=False, repr=False)
    """The same groups over the entries of the axis alone, so that sums need one number each."""
    share: Tensor = field(init=False, repr=False)
    """One over the number of weights in each group, (1, G)."""

    def __post_init__(self) -> None:
        groups = self.groups
        count = len(groups.index)
        inside = groups.size * (math.prod(groups.shape) // count)
        lines = Groups((count,), 0, groups.index, groups.weight, groups.names)
        object.__setattr__(self, "lines", lines)
        object.__setattr__(self, "share", inside.to(groups.weight.dtype).reciprocal()[None])

    def zeros(self, dtype: torch.dtype) -> Tensor:
        """Return a zero for each entry of the axis, (1, entries)."""
        return self.groups.weight.new_zeros(1, len(self.groups.index), dtype=dtype)

    def add_squares(self, total: Tensor, part: Tensor, rows: slice) -> None:
        """Add the squares of ``part``, the rows ``rows`` of the parameter, to ``total`` (1, entries)."""
        axis = self.groups.axis
        if axis is None:
            total.view(self.groups.shape)[rows] += part * part
        elif axis == 0:
            norm = torch.linalg.vector_norm(part, dim=tuple(range(1, part.ndim))) if part.ndim > 1 else part
            total[0, rows].addcmul_(norm, norm)
        else:
            total[0] += (part * part).sum(tuple(i for i in range(part.ndim) if i != axis))

    def spread(self, a: Tensor) -> Tensor:
        """Give each entry the value of its group: (1, G) -> what broadcasts to the parameter."""
        return self.groups.spread(a)[0]

    @property
    def scales(self) -> bool:
        """Whether the prox multiplies each group by a number that depends on its norm alone."""
        return isinstance(self.penalty, GroupLasso | MaxNorm)

    def squares_wanted(self, dtype: torch.dtype) -> Tensor | None:
        """Return where the squares of the weights are to be summed for :meth:`finish_`, if they are."""
        return self.zeros(dtype) if self.scales and not self.by_entry else None

    def part_(self, part: Tensor, rows: slice, step: Tensor, lam: float, total: Tensor | None) -> None:
        """Do with some rows what can be done at once: an entrywise prox, or the squares of a group's norm.

        ``step`` broadcasts to the rows.
        """
        if self.penalty.entrywise:
            metric = step.expand_as(part)[None]
            part.copy_(self.penalty.prox(part[None], metric, self._strength(part, lam), self.groups)[0])
        elif total is not None:
            self.add_squares(total, part, rows)

    def finish_(self, w: Tensor, step: Tensor, lam: float, total: Tensor | None) -> None:
        """Apply the prox in place after :meth:`part_` has seen all rows; ``step`` is (1, G) or (1, *shape).

        The group lasso and the bounded norm multiply each group by a number; others are asked for their prox.
        """
        if self.penalty.entrywise:
            return
        if total is None:
            w.copy_(self.penalty.prox(w[None], step, self._strength(w, lam), self.groups)[0])
            return
        norm = self.lines.sums(total).sqrt_()
        if isinstance(self.penalty, MaxNorm):
            kept = (self.penalty.bound / norm).clamp_(max=1.0)
        else:
            threshold = step * (lam * self.groups.weight)
            ratio = threshold / torch.where(norm == 0, 1.0, norm)
            kept = torch.where((norm == 0) & (threshold > 0), 0.0, (1 - ratio).clamp_(min=0))
        w.mul_(self.spread(kept))

    def _strength(self, w: Tensor, lam: float) -> Tensor:
        return torch.full((1,), lam, dtype=w.dtype, device=w.device)

    def residual(self, w: Tensor, grad: Tensor, lam: float) -> Tensor:
        """Return the KKT residual of each group, (G,): 0 at a stationary point."""
        return self.penalty.residual(w[None], grad[None], self._strength(w, lam), self.groups)[0]


def blocks(w: Tensor, whole: bool) -> Iterator[slice]:
    """Cut the first axis into slices of about :data:`BLOCK` entries, or take it whole.

    >>> list(blocks(torch.empty(3, 200_000), whole=False))
    [slice(0, 1, None), slice(1, 2, None), slice(2, 3, None)]
    """
    length = len(w)
    size = length if whole else max(1, BLOCK * length // max(1, w.numel()))
    for first in range(0, length, max(1, size)):
        yield slice(first, min(first + size, length))


def part_of(spread: Tensor, rows: slice) -> Tensor:
    """Return what of a broadcastable tensor belongs to some rows.

    >>> part_of(torch.ones(1, 5), slice(2, 4)).shape, part_of(torch.ones(6, 1), slice(2, 4)).shape
    (torch.Size([1, 5]), torch.Size([2, 1]))
    """
    return spread[rows] if len(spread) > 1 else spread


def check_options(options: Mapping[str, Any]) -> None:
    """Check what one parameter group asks for.

    Raises
    ------
    InputError
        If a number is out of range or the penalty is not one.
    """
    for name in ("lr", "lam", "weight_decay", "eps"):
        value = float(options.get(name, 0.0))
        if not 0 <= value < math.inf:
            raise InputError(f"{name} {value}; expected a finite number >= 0; pass e.g. {name}=0.01")
    for value in (*options.get("betas", ()), options.get("momentum", 0.0)):
        if not 0 <= value < 1:
            raise InputError(f"a momentum or beta of {value}; expected 0 <= number < 1; pass e.g. 0.9")
    if options.get("metric", "group") not in ("group", "entry"):
        raise InputError(f"metric {options['metric']!r}; expected 'group' or 'entry'; pass metric='group'")
    penalty = options["penalty"]
    if penalty is not None and not isinstance(penalty, Penalty):
        raise InputError(f"penalty {penalty!r}; expected one of riata.penalties; pass e.g. penalty=GroupLasso()")
    for w in options["params"]:
        if w.is_complex():
            raise InputError("a complex parameter; expected real numbers; pass its real and imaginary parts")
        if penalty is not None:
            find_groups(w, penalty, options["groups"])


def find_groups(w: Tensor, penalty: Penalty, asked: Groups | Mapping[Tensor, Groups] | None) -> Groups | None:
    """Return the groups asked for one parameter, or None where single entries need none.

    Raises
    ------
    InputError
        If there are none, or they are those of another shape.
    """
    groups = asked if asked is None or isinstance(asked, Groups) else asked.get(w)
    shape = tuple(w.shape)
    if not shape:
        raise InputError("a penalised parameter without an axis; expected a weight; put it in a group of its own")
    if groups is None:
        if penalty.entrywise:
            return None
        raise InputError(
            f"{penalty.name} on a parameter of shape {shape} without groups; expected Groups; "
            "pass groups=groups_by_input(layer), or param_groups() of riata.torch.adopt(module)"
        )
    if groups.shape != shape:
        raise InputError(
            f"groups of shape {groups.shape} for a parameter of shape {shape}; expected the same shape; "
            "build the groups from this parameter"
        )
    return groups


def slot_for(w: Tensor, options: Mapping[str, Any], dtype: torch.dtype) -> Slot | None:
    """Return the term of one parameter as its options ask for it, or None."""
    penalty = options["penalty"]
    if penalty is None:
        return None
    groups = find_groups(w, penalty, options["groups"])
    grouped = groups is not None and options.get("metric", "group") == "group"
    if groups is None:
        groups = by_input(w.shape)
    by_entry = not (grouped or penalty.needs_constant_step)
    return Slot(penalty, groups.to(w.device, dtype), by_entry)
