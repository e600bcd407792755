"""Operations that move the axis: flatten, reshape, concatenate, transpose, slice, mean over other axes."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.fx import Node

from riata.compact.axes import Axis
from riata.compact.walk import State, Walk, shape

__all__ = ["concatenate", "flatten", "item", "mean", "permute", "reshape", "squeeze", "transpose", "unsqueeze"]


def flatten(walk: Walk, node: Node, start: Any = 0, end: Any = -1) -> State:
    """Return the flattened axis: each channel stands for all its places."""
    source, before = walk.state(node.args[0]), shape(node.args[0])  # type: ignore[arg-type]
    if not isinstance(source, Axis):
        return None
    first, last = start % len(before), end % len(before)
    if first == 0 and last > 0:
        return walk.barrier(node, "it flattens the batch axis")
    if not first <= source.dim <= last:
        dim = source.dim if source.dim < first else source.dim - (last - first)
        return Axis(dim, source.slots, source.value)
    ones = [1] * (last - first + 1)
    ones[source.dim - first] = -1
    size = before[first : last + 1]
    slots = source.slots.view(ones).expand(size).reshape(-1)
    return Axis(first, slots, source.value.view(ones).expand(size).reshape(-1))


def reshape(walk: Walk, node: Node) -> State:
    """Return ``x.view(n, -1)`` as the flatten that it is; a size written as a number makes a new graph necessary."""
    source = node.args[0]
    before, after = shape(source), shape(node)  # type: ignore[arg-type]
    sizes = node.args[1:]
    sizes = tuple(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes
    whole = before and after == (before[0], math.prod(before[1:])) and len(sizes) == 2
    if not isinstance(walk.state(source), Axis) or not whole:
        return walk.barrier(node, "a reshape other than a flatten")
    out = flatten(walk, node, 1)
    if sizes[1] != -1 and isinstance(out, Axis):
        walk.views[node] = out
    return out


def concatenate(walk: Walk, node: Node) -> State:
    """Return the axes one after the other, or tied where another axis is joined."""
    parts = node.args[0] if node.args else node.kwargs.get("tensors")
    dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", node.kwargs.get("axis", 0))
    if not isinstance(parts, (tuple, list)) or not isinstance(dim, int) or not all(isinstance(p, Node) for p in parts):
        return walk.barrier(node)
    dim %= len(shape(node))
    states = [walk.state(part) for part in parts]
    known = [state for state in states if isinstance(state, Axis)]
    if not known or any(axis.dim != known[0].dim for axis in known):
        return walk.barrier(node)
    if known[0].dim != dim:
        return _joined(walk, node, known, len(states))
    found = []
    for part, state in zip(parts, states, strict=True):
        if not isinstance(state, Axis):
            size = shape(part)[dim]
            state = Axis(dim, walk.slots.fresh(size), torch.full((size,), torch.nan, dtype=torch.float64))
            walk.pin(state)
        found.append(state)
    return Axis(dim, torch.cat([a.slots for a in found]), torch.cat([a.value for a in found]))


def _joined(walk: Walk, node: Node, known: list[Axis], count: int) -> State:
    if len(known) < count:
        return walk.barrier(node)
    value = known[0].value
    for other in known[1:]:
        walk.slots.unite(known[0].slots, other.slots)
        value = torch.where(value == other.value, value, torch.nan)
    return Axis(known[0].dim, known[0].slots, value)


def item(walk: Walk, node: Node) -> State:
    """Return an output of several, or a slice of a tensor that leaves the axis whole."""
    source, index = walk.state(node.args[0]), node.args[1]
    if isinstance(source, tuple):
        return source[index] if isinstance(index, int) else walk.barrier(node)
    if source is None:
        return None
    parts = index if isinstance(index, tuple) else (index,)
    if any(not isinstance(p, (int, slice)) or isinstance(p, bool) for p in parts):
        return walk.barrier(node)
    at = parts[source.dim] if source.dim < len(parts) else slice(None)
    if at != slice(None):
        return walk.barrier(node, "a slice of the features")
    return Axis(source.dim - sum(isinstance(p, int) for p in parts[: source.dim]), source.slots, source.value)


def transpose(walk: Walk, node: Node) -> State:
    """Return the axis where ``transpose(a, b)`` puts it."""
    source, dims = walk.state(node.args[0]), node.args[1:]
    if not isinstance(source, Axis) or len(dims) != 2:
        return walk.barrier(node)
    order = list(range(len(shape(node))))
    a, b = dims
    order[a], order[b] = order[b], order[a]  # type: ignore[index]
    return _moved(source, order)


def permute(walk: Walk, node: Node) -> State:
    """Return the axis where ``permute(*dims)`` puts it."""
    source, dims = walk.state(node.args[0]), node.args[1:]
    dims = tuple(dims[0]) if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    if not isinstance(source, Axis) or node.kwargs:
        return walk.barrier(node)
    return _moved(source, [d % len(dims) for d in dims if isinstance(d, int)])


def _moved(source: Axis, order: list[int]) -> Axis:
    return Axis(order.index(source.dim), source.slots, source.value)


def mean(walk: Walk, node: Node) -> State:
    """Return the axis after a mean over other axes: a constant stays."""
    source = walk.state(node.args[0])
    dims = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    kept = node.args[2] if len(node.args) > 2 else node.kwargs.get("keepdim", False)
    dims = (dims,) if isinstance(dims, int) else dims
    if not isinstance(source, Axis) or not isinstance(dims, (tuple, list)):
        return walk.barrier(node, "it mixes the features")
    size = len(shape(node.args[0]))  # type: ignore[arg-type]
    over = {d % size for d in dims if isinstance(d, int)}
    if source.dim in over:
        return walk.barrier(node, "it mixes the features")
    return Axis(source.dim if kept else source.dim - sum(d < source.dim for d in over), source.slots, source.value)


def squeeze(walk: Walk, node: Node) -> State:
    """Return the axis after ``squeeze(dim)`` of another axis."""
    return _resized(walk, node, -1)


def unsqueeze(walk: Walk, node: Node) -> State:
    """Return the axis after ``unsqueeze(dim)``."""
    return _resized(walk, node, 1)


def _resized(walk: Walk, node: Node, step: int) -> State:
    source = walk.state(node.args[0])
    dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    before, after = len(shape(node.args[0])), len(shape(node))  # type: ignore[arg-type]
    if not isinstance(source, Axis) or not isinstance(dim, int):
        return walk.barrier(node)
    at = dim % max(before, after)
    if after == before or (step < 0 and at == source.dim):
        return source if at != source.dim else walk.barrier(node)
    earlier = at < source.dim if step < 0 else at <= source.dim
    return Axis(source.dim + step * earlier, source.slots, source.value)
