"""Which slots live: those that an output reads, directly or through layers with a weight that is not zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node

from riata.compact.axes import Axis
from riata.compact.rules import visit
from riata.compact.walk import Keep, Walk, shape

__all__ = ["analyse", "kept_by"]

_SECOND = (
    nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d,
)  # fmt: skip


def analyse(walk: Walk, graph: Graph) -> None:
    """Visit every node in order, constants first known at the inputs, uses recorded on the way."""
    for node in graph.nodes:
        if node.op == "placeholder":
            size = shape(node)
            if len(size) < 2 or not node.meta.get("real"):
                continue
            dim = _feature_dim(walk, node, len(size))
            axis = walk.fresh(dim, torch.full((size[dim],), torch.nan, dtype=torch.float64))
            walk.inputs[node] = axis
            walk.states[node] = axis
        else:
            walk.states[node] = visit(walk, node)


def kept_by(walk: Walk) -> Keep:
    """Return which indices of an axis stay: the least set that is closed under "an output reads it".

    A slot lives if something that may not change reads it, or a layer with a living output and a weight that is not
    zero, unless it holds a constant that the layer's bias can take. One index of every axis stays in any case,
    so that no tensor is empty, except for inputs that only Linear layers read.
    """
    table = walk.slots.find(torch.arange(len(walk.slots)))
    live = torch.zeros(len(walk.slots), dtype=torch.bool)
    for slots in walk.pinned:
        live[table[slots]] = True
    uses = [(table[use.source], table[use.target], use.reads) for use in reversed(walk.uses)]
    may_empty = [axis for node, axis in walk.inputs.items() if _only_linear(walk, node)]
    firm = [table[axis.slots] for axis in walk.axes if axis not in may_empty and len(axis.slots)]
    while True:
        _spread(live, uses)
        bare = [slots for slots in firm if not bool(live[slots].any())]
        if not bare:
            break
        live[bare[0][0]] = True

    def keep(axis: Axis) -> Tensor:
        return live[table[axis.slots]]

    return keep


def _spread(live: Tensor, uses: list[tuple[Tensor, Tensor, Tensor]]) -> None:
    """Mark what living outputs read, until nothing changes."""
    before = -1
    while before != int(live.sum()):
        before = int(live.sum())
        for source, target, reads in uses:
            live[source[reads[live[target]].any(0)]] = True


def _feature_dim(walk: Walk, node: Node, size: int) -> int:
    """Return the axis of an input's features: the last of (n, d) and (n, T, d), the channels of images and curves."""
    if size != 3:
        return 1
    queue, seen = list(node.users), set()
    while queue:
        user = queue.pop(0)
        if user in seen:
            continue
        seen.add(user)
        if user.op == "call_module":
            kind = type(walk.modules[str(user.target)])
            if kind in _SECOND:
                return 1
            if kind in (nn.Linear, nn.LSTM, nn.GRU, nn.MultiheadAttention):
                return 2
        queue += list(user.users)
    return 2


def _only_linear(walk: Walk, node: Node) -> bool:
    kinds = [type(walk.modules[str(u.target)]) if u.op == "call_module" else None for u in node.users]
    return all(kind is nn.Linear for kind in kinds)
