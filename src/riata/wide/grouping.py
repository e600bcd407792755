"""Grouping: which columns of a wide table are one variable, without an index as long as the table."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from riata.errors import InputError
from riata.groups import Groups, by_variable
from riata.penalties import L1, ElasticNet, GroupLasso, Penalty

__all__ = ["Grouping", "entering", "entering_groups", "per_lam"]


@dataclass(frozen=True, eq=False)
class Grouping:
    """The first ``len(head)`` columns belong to the groups ``head`` (ascending from 0); every other is its own.

    Parameters
    ----------
    head : Tensor of int64, (c,)
        Group of each of the first columns; no gaps.
    columns : int
        Number of all columns.

    Examples
    --------
    >>> g = Grouping(torch.tensor([0, 1, 1]), 5)
    >>> len(g), g.columns_of(torch.tensor([1, 2]))
    (4, tensor([1, 2, 3]))
    """

    head: Tensor
    columns: int

    def __post_init__(self) -> None:
        if len(self.head) and not torch.equal(self.head.unique(), torch.arange(int(self.head.max()) + 1)):
            raise InputError("groups of the first columns have gaps; expected 0, 1, 2, ... each at least once")

    @property
    def several(self) -> int:
        """Number of groups among the first columns."""
        return int(self.head.max()) + 1 if len(self.head) else 0

    def __len__(self) -> int:
        """Return the number of groups."""
        return self.several + self.columns - len(self.head)

    def columns_of(self, groups: Tensor) -> Tensor:
        """Return the columns of ascending groups (m,), ascending."""
        first = torch.isin(self.head, groups).nonzero().squeeze(1)
        return torch.cat([first, groups[groups >= self.several] - self.several + len(self.head)])

    def groups_of(self, columns: Tensor) -> Tensor:
        """Return the group of each column (m,)."""
        own = columns - len(self.head) + self.several
        if not len(self.head):
            return own
        return torch.where(columns < len(self.head), self.head[columns.clamp(max=len(self.head) - 1)], own)

    def first(self, column: int) -> int:
        """Return the group of a column; after the last one the number of groups."""
        if column >= len(self.head):
            return column - len(self.head) + self.several
        return int(self.head[column])

    def between(self, a: int, b: int) -> Grouping:
        """Return the grouping of the columns a..b, which are whole groups."""
        head = self.head[a:b]
        return Grouping(head - (int(head[0]) if len(head) else 0), b - a)

    def only(self, columns: Tensor) -> Grouping:
        """Return the grouping of some ascending columns, which are whole groups."""
        head = self.head[columns[columns < len(self.head)]]
        return Grouping(head.unique(return_inverse=True)[1], len(columns))

    def local(self, columns: Tensor, width: int) -> Groups:
        """Return the groups of a first layer (m, width) over some whole groups' columns."""
        of = self.groups_of(columns)
        here, index = of.unique(return_inverse=True)
        return by_variable((len(columns), width), index, tuple(map(str, here.tolist())))


def entering(penalty: Penalty, rows: Tensor, grouping: Grouping) -> Tensor:
    """Return the smallest lam at which each group's zero is stationary: gradients (m, w) of all columns -> groups.

    Group lasso: ``||G_g|| / sqrt(size)``. L1: ``max |G_g|``. Elastic net: the same over its share of L1. The largest
    of them is the penalty's ``lam_max``.

    Raises
    ------
    InputError
        For another penalty.

    Examples
    --------
    >>> entering(GroupLasso(), torch.tensor([[3.0, 4.0], [0.0, 1.0]]), Grouping(torch.zeros(0).long(), 2))
    tensor([5., 1.])
    """
    head, count = grouping.head, grouping.several
    first, rest = rows[: len(head)], rows[len(head) :]
    if isinstance(penalty, GroupLasso):
        sums = rows.new_zeros(count).index_add_(0, head, first.square().sum(1))
        size = torch.bincount(head, minlength=count).to(rows.dtype)
        return torch.cat([(sums / size).sqrt(), rest.square().sum(1).sqrt()])
    largest = rows.new_zeros(count).scatter_reduce(0, head, first.abs().amax(1), "amax")
    return torch.cat([largest, rest.abs().amax(1)]) / per_lam(penalty)


def entering_groups(penalty: Penalty, rows: Tensor, groups: Groups) -> Tensor:
    """Return :func:`entering` of the groups of a first layer: gradients (m, w) -> (G,)."""
    if isinstance(penalty, GroupLasso):
        return groups.norms(rows[None])[0] / groups.weight.to(rows.dtype)
    return groups.largest(rows.abs()[None])[0] / per_lam(penalty)


def per_lam(penalty: Penalty) -> float:
    """Return how much of the gradient one unit of lam takes up.

    Raises
    ------
    InputError
        If the penalty has no path of exact zeros here.
    """
    match penalty:
        case GroupLasso() | L1():
            return 1.0
        case ElasticNet():
            share = float(penalty.lam1(torch.ones(1, dtype=torch.float64)))
            if share > 0:
                return share
    raise InputError(f"penalty {penalty.name} has no sparse path over columns; expected group_lasso, l1 or elastic_net")
