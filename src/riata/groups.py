"""Groups: which entries of a parameter live or die together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from riata.errors import InputError

__all__ = ["Groups", "by_input", "by_neuron", "by_variable", "entries", "from_index"]


@dataclass(frozen=True, eq=False)
class Groups:
    """A partition of a parameter's entries into G groups, with a weight and a name each.

    Parameters
    ----------
    shape : tuple of int
        Shape of the parameter without the member axis; members come first, so ``w`` is (M, *shape).
    axis : int or None
        The axis of ``shape`` whose entries are grouped (the others are inside the group); None groups
        single entries of the flattened parameter.
    index : Tensor of int64, (shape[axis],) or (prod(shape),)
        Group id, 0..G-1, of each entry of the axis. Ids may be shuffled and groups uneven, none empty.
    weight : Tensor, (G,)
        Multiplies the norm of each group in a group penalty; finite, >= 0 (0 leaves the group free).
    names : tuple of str, length G
        Name of each group.

    Raises
    ------
    InputError
        If the pieces do not fit together.

    Notes
    -----
    Results are the same bits whatever the device's thread count and whoever else is in the batch: sums run
    in index order on the CPU and by sorted segments elsewhere, never by atomic additions.

    Examples
    --------
    >>> groups = by_variable((3, 2), [0, 1, 1], ["age", "city"])
    >>> groups.norms(torch.tensor([[[3.0, 4.0], [0.0, 0.0], [0.0, 2.0]]]))
    tensor([[5., 2.]])
    >>> groups.spread(torch.tensor([[1.0, 7.0]])).squeeze(-1)
    tensor([[1., 7., 7.]])
    """

    shape: tuple[int, ...]
    axis: int | None
    index: Tensor
    weight: Tensor
    names: tuple[str, ...]
    single: bool = field(init=False, repr=False)
    """Whether group i is exactly entry i of the axis, so that nothing needs gathering."""
    _order: Tensor = field(init=False, repr=False)
    _offsets: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _check(self)
        count = len(self.names)
        index = self.index
        sizes = torch.bincount(index, minlength=count)
        is_single = len(index) == count and bool((index == torch.arange(count, device=index.device)).all())
        derived = {
            "single": is_single,
            "_order": torch.argsort(index, stable=True),
            "_offsets": torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """Return the number of groups, G."""
        return len(self.names)

    @property
    def size(self) -> Tensor:
        """Number of entries of the axis in each group, (G,)."""
        return self._offsets.diff()

    def norms(self, w: Tensor) -> Tensor:
        """Return the Euclidean norm of each group: (M, *shape) -> (M, G).

        ``norms_g = sqrt(sum_{i in g} w_i^2)``; where it is 0 its derivative is taken as 0.
        """
        if self.single:
            inner = self._inner()
            return torch.linalg.vector_norm(w, dim=inner) if inner else self._flat(w).abs()
        total = self.sums(w * w)
        positive = total > 0
        return torch.where(positive, torch.where(positive, total, 1.0).sqrt(), total)

    def sums(self, a: Tensor) -> Tensor:
        """Return the sum over each group, a new tensor: (M, *shape) -> (M, G)."""
        inner = self._inner()
        rows = a.sum(inner) if inner else self._flat(a).clone()
        if self.single:
            return rows
        if rows.device.type == "cpu":
            return rows.new_zeros(len(rows), len(self)).index_add(1, self.index, rows)
        return self._segment_sums(rows)

    def largest(self, a: Tensor) -> Tensor:
        """Return the largest entry of each group, a new tensor: (M, *shape) -> (M, G)."""
        inner = self._inner()
        rows = a.amax(inner) if inner else self._flat(a).clone()
        if self.single:
            return rows
        out = rows.new_zeros(len(rows), len(self))
        return out.scatter_reduce(1, self.index.expand_as(rows), rows, "amax", include_self=False)

    def spread(self, a: Tensor) -> Tensor:
        """Give each entry the value of its group: (M, G) -> a shape that broadcasts to (M, *shape)."""
        rows = a if self.single else a.index_select(1, self.index)
        if self.axis is None:
            return rows.reshape(-1, *self.shape)
        after = len(self.shape) - self.axis - 1
        return rows.reshape(len(a), *(1,) * self.axis, -1, *(1,) * after)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Groups:
        """Return the same groups with ``index`` and ``weight`` on a device and ``weight`` in a dtype."""
        return replace(self, index=self.index.to(device=device), weight=self.weight.to(device=device, dtype=dtype))

    def _inner(self) -> tuple[int, ...]:
        """Axes of (M, *shape) that lie inside a group."""
        if self.axis is None:
            return ()
        return tuple(i + 1 for i in range(len(self.shape)) if i != self.axis)

    def _flat(self, a: Tensor) -> Tensor:
        return a.reshape(len(a), -1)

    def _segment_sums(self, rows: Tensor) -> Tensor:
        """Sum by sorted segments, (M, entries) -> (M, G): for devices where index_add is atomic."""
        ordered = rows.index_select(1, self._order).T.contiguous()
        return torch.segment_reduce(ordered, "sum", offsets=self._offsets, axis=0, unsafe=True).T


def by_input(shape: Sequence[int], axis: int = 0, names: Sequence[str] | None = None) -> Groups:
    """Make one group of each entry of an axis: each input of the first layer, with weight 1.

    The built-in network keeps inputs on axis 0. torch's ``Linear.weight`` is (out, in): use ``axis=1``,
    as for the input channels of a convolution, whose weight is (out, in, height, width).

    Examples
    --------
    >>> by_input((3, 2)).norms(torch.ones(1, 3, 2)).shape
    torch.Size([1, 3])
    """
    size = _axis_length(shape, axis)
    return _build(shape, axis, torch.arange(size), torch.ones(size, dtype=torch.float64), names)


def by_neuron(shape: Sequence[int], axis: int = 1, names: Sequence[str] | None = None) -> Groups:
    """Make one group of each neuron (or filter): each entry of the output axis, with weight 1.

    The built-in network keeps neurons on axis 1; torch's ``Linear.weight`` and convolutions on axis 0.

    Examples
    --------
    >>> len(by_neuron((3, 2)))
    2
    """
    return by_input(shape, axis, names)


def by_variable(shape: Sequence[int], index: Sequence[int] | Tensor, names: Sequence[str], axis: int = 0) -> Groups:
    """Keep the columns of one variable together: one-hot levels, missing indicators, splines.

    The weight is the square root of the variable's number of columns, relative to a single column
    (Yuan & Lin 2006, eq. 2.1 with K_j = p_j I).

    Parameters
    ----------
    shape : sequence of int
        Shape of the parameter without the member axis.
    index : sequence of int, (shape[axis],)
        Variable, 0..G-1, of each column.
    names : sequence of str, (G,)
        Name of each variable.
    axis : int
        Axis of the inputs.

    Examples
    --------
    >>> by_variable((3, 4), [0, 1, 1], ["age", "city"]).weight
    tensor([1.0000, 1.4142], dtype=torch.float64)
    """
    return from_index(shape, index, axis=axis, names=names)


def entries(shape: Sequence[int]) -> Groups:
    """Make every entry its own group, with weight 1: the group lasso is then L1.

    Examples
    --------
    >>> len(entries((3, 4)))
    12
    """
    size = torch.Size(shape).numel()
    return _build(shape, None, torch.arange(size), torch.ones(size, dtype=torch.float64), None)


def from_index(
    shape: Sequence[int],
    index: Sequence[int] | Tensor,
    axis: int | None = None,
    weight: Sequence[float] | Tensor | None = None,
    names: Sequence[str] | None = None,
) -> Groups:
    """Make groups from a group id per entry (``axis=None``) or per entry of one axis.

    Parameters
    ----------
    shape : sequence of int
        Shape of the parameter without the member axis.
    index : int tensor
        Group ids 0..G-1: of shape ``shape`` or flattened if ``axis`` is None, else (shape[axis],).
    axis : int or None
        The grouped axis.
    weight : (G,) or None
        Weight of each group; by default the square root of the number of ids in the group.
    names : (G,) or None
        Names; by default the ids.

    Examples
    --------
    >>> from_index((2, 2), [[0, 1], [1, 1]]).sums(torch.ones(1, 2, 2))
    tensor([[1., 3.]])
    """
    if axis is not None:
        _axis_length(shape, axis)
    ids = _whole(index)
    roots = torch.bincount(ids).to(torch.float64).sqrt()
    return _build(shape, axis, ids, roots if weight is None else torch.as_tensor(weight), names)


def _whole(index: Sequence[int] | Tensor) -> Tensor:
    ids = torch.as_tensor(index).flatten()
    whole = not (ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool)
    if not whole or not ids.numel() or bool(ids.min() < 0):
        raise InputError("group ids that are not whole numbers >= 0; expected 0..G-1; pass a list of ints")
    return ids.to(torch.int64)


def _axis_length(shape: Sequence[int], axis: int) -> int:
    if not 0 <= axis < len(shape):
        raise InputError(
            f"axis {axis} for a parameter of shape {tuple(shape)}; expected 0..{len(shape) - 1}; pass axis=0"
        )
    return int(shape[axis])


def _build(
    shape: Sequence[int], axis: int | None, index: Tensor, weight: Tensor, names: Sequence[str] | None
) -> Groups:
    count = len(weight) if weight.ndim else 1
    labels = tuple(str(i) for i in range(count)) if names is None else tuple(str(n) for n in names)
    return Groups(tuple(int(s) for s in shape), axis, index, weight, labels)


def _check(groups: Groups) -> None:
    shape, axis, index, weight = groups.shape, groups.axis, groups.index, groups.weight
    count = len(groups.names)
    if not shape or min(shape) < 1:
        raise InputError(f"parameter shape {shape}; expected axes of length >= 1; pass e.g. (20, 65)")
    length = torch.Size(shape).numel() if axis is None else _axis_length(shape, axis)
    if index.shape != (length,) or index.dtype != torch.int64:
        raise InputError(
            f"index of shape {tuple(index.shape)}, {index.dtype}; expected ({length},) torch.int64 for "
            f"shape {shape}, axis {axis}; pass one group id per entry"
        )
    sizes = torch.bincount(index) if bool(index.min() >= 0) else index.new_zeros(0)
    if len(sizes) != count or not bool((sizes > 0).all()):
        found = torch.unique(index).tolist()
        shown = ", ".join(map(str, found[:8])) + (", ..." if len(found) > 8 else "")
        raise InputError(f"group ids {shown} for {count} names; expected each of 0..{count - 1}; renumber the ids")
    if weight.shape != (count,) or not weight.is_floating_point():
        raise InputError(
            f"weight of shape {tuple(weight.shape)}, {weight.dtype}; expected ({count},) floats, one a group"
        )
    if not bool((torch.isfinite(weight) & (weight >= 0)).all()):
        raise InputError("a negative or non-finite group weight; expected finite numbers >= 0; check it")
