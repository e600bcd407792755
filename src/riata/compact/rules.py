"""Which rule each operation has; one that has none keeps what it touches whole."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.fx import Node

from riata.compact import shapes
from riata.compact.attention import attention
from riata.compact.layers import batch_norm, convolution, embedding, linear
from riata.compact.passing import (
    ACTIVATIONS,
    BINARY,
    FUNCTIONS,
    POOL_FUNCTIONS,
    POOLS,
    activation,
    binary,
    function,
    pool,
)
from riata.compact.recurrent import recurrent
from riata.compact.walk import State, Walk, shape

__all__ = ["visit"]

_LAYERS: dict[type[nn.Module], Callable[[Walk, Node, Any], State]] = {
    nn.Linear: linear,
    nn.Conv1d: convolution,
    nn.Conv2d: convolution,
    nn.Conv3d: convolution,
    nn.BatchNorm1d: batch_norm,
    nn.BatchNorm2d: batch_norm,
    nn.BatchNorm3d: batch_norm,
    nn.Embedding: embedding,
    nn.LSTM: recurrent,
    nn.GRU: recurrent,
    nn.MultiheadAttention: attention,
    **dict.fromkeys(ACTIVATIONS, activation),
}
_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.InstanceNorm1d, nn.InstanceNorm2d)
_OPERATIONS: dict[Any, Callable[[Walk, Node], State]] = {
    **dict.fromkeys(FUNCTIONS, function),
    **dict.fromkeys(BINARY, binary),
    torch.cat: shapes.concatenate,
    torch.concat: shapes.concatenate,
    operator.getitem: shapes.item,
    "view": shapes.reshape,
    "reshape": shapes.reshape,
    torch.transpose: shapes.transpose,
    "transpose": shapes.transpose,
    torch.permute: shapes.permute,
    "permute": shapes.permute,
    torch.mean: shapes.mean,
    "mean": shapes.mean,
    torch.squeeze: shapes.squeeze,
    "squeeze": shapes.squeeze,
    torch.unsqueeze: shapes.unsqueeze,
    "unsqueeze": shapes.unsqueeze,
}


def visit(walk: Walk, node: Node) -> State:
    """Return the state of a node by the rule of its operation."""
    if node.op == "call_module":
        return _layer(walk, node)
    if node.op == "output" or not node.all_input_nodes or not node.args:
        return walk.barrier(node)
    if node.target in (torch.flatten, "flatten"):
        ends = {"start": node.kwargs.get("start_dim", 0), "end": node.kwargs.get("end_dim", -1)}
        ends |= dict(zip(("start", "end"), node.args[1:], strict=False))
        return shapes.flatten(walk, node, **ends)
    if node.target in POOL_FUNCTIONS:
        return pool(walk, node, len(shape(node)) - 2)
    if _harmless(walk, node):
        return None
    rule = _OPERATIONS.get(node.target)
    return walk.barrier(node) if rule is None else rule(walk, node)


def _layer(walk: Walk, node: Node) -> State:
    name, layer = str(node.target), walk.modules[str(node.target)]
    if name in walk.whole:
        return walk.barrier(node, walk.whole[name])
    kind = type(layer)
    if kind is nn.Flatten:
        return shapes.flatten(walk, node, layer.start_dim, layer.end_dim)
    if kind in POOLS:
        return pool(walk, node, POOLS[kind], layer)
    if kind in _NORMS:
        return walk.barrier(node, "a norm over the features mixes all of them, so that none can go")
    rule = _LAYERS.get(kind)
    recurs = kind in (nn.LSTM, nn.GRU, nn.MultiheadAttention)
    if rule is None or not node.args or (len(node.args) > 1 and not recurs):
        return walk.barrier(node)
    return rule(walk, node, layer)


def _harmless(walk: Walk, node: Node) -> bool:
    """Return whether a node only asks for the number of rows, or works on such a number."""
    if node.target == "size" and node.args[1:] == (0,):
        return True
    if node.target is getattr and node.args[1] == "shape":
        return all(u.target is operator.getitem and u.args[1] == 0 for u in node.users)
    return not node.meta.get("shape") and not any(s.meta.get("shape") for s in node.all_input_nodes)
