"""The axis of a tensor along which indices may be removed, and which indices of which tensors go together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Axis", "Slots", "Use"]


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a tensor: its features, channels or hidden units.

    Attributes
    ----------
    dim : int
        Position of the axis, 0 is the batch.
    slots : Tensor of int64, (C,)
        What each index stands for; equal slots live or die together.
    value : Tensor of float64, (C,)
        The constant that the index always holds, NaN where it varies.
    """

    dim: int
    slots: Tensor
    value: Tensor


@dataclass(frozen=True, eq=False)
class Use:
    """A layer that reads the slots ``source`` (I,) into ``target`` (O,) through ``reads``, bool (O, I)."""

    source: Tensor
    target: Tensor
    reads: Tensor


class Slots:
    """Slot numbers, and a union-find over them for tensors whose indices are added or multiplied.

    Examples
    --------
    >>> slots = Slots()
    >>> a, b = slots.fresh(2), slots.fresh(2)
    >>> slots.unite(a, b)
    >>> slots.find(b)
    tensor([0, 1])
    """

    def __init__(self) -> None:
        self._parent: list[int] = []

    def __len__(self) -> int:
        """Return how many slots were given out."""
        return len(self._parent)

    def fresh(self, count: int) -> Tensor:
        """Return ``count`` new slots."""
        start = len(self._parent)
        self._parent.extend(range(start, start + count))
        return torch.arange(start, start + count)

    def unite(self, a: Tensor, b: Tensor) -> None:
        """Make ``a[i]`` and ``b[i]`` live or die together."""
        for i, j in zip(a.tolist(), b.tolist(), strict=True):
            first, second = sorted((self._root(i), self._root(j)))
            self._parent[second] = first

    def find(self, slots: Tensor) -> Tensor:
        """Return the representative of each slot."""
        return torch.tensor([self._root(i) for i in slots.tolist()], dtype=torch.int64)

    def _root(self, i: int) -> int:
        parent = self._parent
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i
