"""Operations that keep each index apart: activations, pooling, sums and products of two tensors."""

from __future__ import annotations

import copy
import math
import operator
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn import functional as F

from riata.compact.axes import Axis
from riata.compact.walk import State, Walk, shape

__all__ = ["ACTIVATIONS", "BINARY", "FUNCTIONS", "POOLS", "POOL_FUNCTIONS", "activation", "binary", "function", "pool"]

ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.GELU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.Softplus,
    nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Mish, nn.LogSigmoid, nn.Softsign, nn.Identity, nn.Dropout,
    nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
)  # fmt: skip
FUNCTIONS: tuple[Any, ...] = (
    torch.relu, F.relu, F.relu6, F.gelu, torch.tanh, F.tanh, torch.sigmoid, F.sigmoid, F.silu, F.leaky_relu, F.elu,
    F.selu, F.softplus, F.hardtanh, F.hardswish, F.mish, F.softsign, operator.neg, torch.neg, F.dropout, F.dropout2d,
    "relu", "tanh", "sigmoid", "neg", "contiguous", "clone", "float", "double",
)  # fmt: skip
POOLS: dict[Any, int] = {
    nn.MaxPool1d: 1, nn.MaxPool2d: 2, nn.MaxPool3d: 3, nn.AvgPool1d: 1, nn.AvgPool2d: 2, nn.AvgPool3d: 3,
    nn.AdaptiveAvgPool1d: 1, nn.AdaptiveAvgPool2d: 2, nn.AdaptiveAvgPool3d: 3,
    nn.AdaptiveMaxPool1d: 1, nn.AdaptiveMaxPool2d: 2, nn.AdaptiveMaxPool3d: 3,
}  # fmt: skip
POOL_FUNCTIONS: tuple[Any, ...] = (
    F.max_pool1d, F.max_pool2d, F.avg_pool1d, F.avg_pool2d, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d,
    F.adaptive_max_pool1d, F.adaptive_max_pool2d, torch.max_pool1d, torch.max_pool2d,
)  # fmt: skip
BINARY: dict[Any, str] = {
    operator.add: "add", operator.iadd: "add", torch.add: "add", "add": "add", "add_": "add",
    operator.sub: "sub", operator.isub: "sub", torch.sub: "sub", "sub": "sub", "sub_": "sub",
    operator.mul: "mul", operator.imul: "mul", torch.mul: "mul", "mul": "mul", "mul_": "mul",
    operator.truediv: "div", operator.itruediv: "div", torch.div: "div", "div": "div", "div_": "div",
}  # fmt: skip
_INPLACE = (operator.iadd, operator.isub, operator.imul, operator.itruediv, "add_", "sub_", "mul_", "div_")
_SAME_MEMORY: tuple[Any, ...] = (
    nn.Identity, nn.Flatten, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, torch.flatten, operator.getitem,
    "flatten", "view", "reshape", "contiguous", F.dropout, F.dropout2d, torch.transpose, "transpose", "permute",
    "float", "double", "squeeze", "unsqueeze", torch.squeeze, torch.unsqueeze,
)  # fmt: skip


def activation(walk: Walk, node: Node, layer: Any) -> State:
    """Return f(x) index by index; f of a constant is a constant. Dropout is the identity in evaluation."""
    source = walk.state(node.args[0])
    if not isinstance(source, Axis):
        return None
    if getattr(layer, "inplace", False) and not _alone(walk, node.args[0]):
        return walk.barrier(node, "it overwrites a tensor that is read elsewhere")
    new = copy.deepcopy(layer).eval().double()
    with torch.no_grad():
        return _mapped(source, new(source.value.clone()))


def function(walk: Walk, node: Node) -> State:
    """Return f(x) of a function or method, see :func:`activation`."""
    source = walk.state(node.args[0])
    if not isinstance(source, Axis):
        return None
    if any(isinstance(a, Node) for a in (*node.args[1:], *node.kwargs.values())):
        return walk.barrier(node)
    if node.kwargs.get("inplace") and not _alone(walk, node.args[0]):
        return walk.barrier(node, "it overwrites a tensor that is read elsewhere")
    if node.target in (F.dropout, F.dropout2d):
        is_random = len(node.args) > 1 or node.kwargs.get("training", True)
        return walk.barrier(node, "it draws in evaluation too") if is_random else source
    if node.target in ("contiguous", "clone", "float", "double"):
        return source
    call = getattr(torch.Tensor, node.target) if isinstance(node.target, str) else node.target
    rest: Any = node.args[1:]
    with torch.no_grad():
        return _mapped(source, call(source.value.clone(), *rest, **node.kwargs))


def pool(walk: Walk, node: Node, spatial: int, layer: Any = None) -> State:
    """Return the channels of a pooling layer; a constant stays, unless zeros are averaged in at the border."""
    indices = node.kwargs.get("return_indices") if layer is None else getattr(layer, "return_indices", False)
    if indices or len(shape(node)) != spatial + 2:
        return walk.barrier(node, "indices or rows without a batch axis")
    source = walk.axis(node.args[0], 1)
    if source is None:
        return None
    name = type(layer).__name__ if layer is not None else str(getattr(node.target, "__name__", node.target))
    average = name.lower().replace("_", "").startswith("avgpool")
    if layer is None:
        plain = len(node.args) <= 3 and not node.kwargs.get("padding") and not node.kwargs.get("divisor_override")
    else:
        unpadded = getattr(layer, "padding", 0) in (0, (0,), (0, 0), (0, 0, 0))
        plain = unpadded and getattr(layer, "divisor_override", None) is None
    value = source.value if plain or not average else torch.where(source.value == 0, 0.0, torch.nan)
    return Axis(1, source.slots, value)


def binary(walk: Walk, node: Node) -> State:
    """Return x + y, x - y, x y or x / y: an index goes only where it can go from both."""
    if node.kwargs or len(node.args) != 2:
        return walk.barrier(node)
    if node.target in _INPLACE and isinstance(node.args[0], Node) and not _alone(walk, node.args[0]):
        return walk.barrier(node, "it overwrites a tensor that is read elsewhere")
    call = getattr(torch, BINARY[node.target])
    left, right = (walk.state(a) if isinstance(a, Node) else a for a in node.args)
    if isinstance(left, Axis) and isinstance(right, Axis):
        same = len(shape(node.args[0])) == len(shape(node.args[1])) and left.dim == right.dim  # type: ignore[arg-type]
        if not same or len(left.slots) != len(right.slots):
            return walk.barrier(node, "shapes that are broadcast")
        walk.slots.unite(left.slots, right.slots)
        return Axis(left.dim, left.slots, _known(call, left.value, right.value))
    axis, number = (left, right) if isinstance(left, Axis) else (right, left)
    if not isinstance(axis, Axis) or not isinstance(number, (int, float)) or not math.isfinite(number):
        for arg in node.args:
            walk.pin(walk.state(arg))
        return None
    value = call(axis.value, number) if axis is left else call(torch.full_like(axis.value, number), axis.value)
    return Axis(axis.dim, axis.slots, value)


def _mapped(source: Axis, value: Tensor) -> Axis:
    """Return the axis with new constants; what varied still does."""
    return Axis(source.dim, source.slots, torch.where(source.value.isnan(), torch.nan, value))


def _known(call: Any, left: Tensor, right: Tensor) -> Tensor:
    """Return ``call(left, right)``; 0 times anything is 0."""
    value: Tensor = call(left, right)
    return torch.where((left == 0) | (right == 0), 0.0, value) if call is torch.mul else value


def _alone(walk: Walk, source: Any) -> bool:
    """Return whether nothing else reads the memory of ``source``."""
    if not isinstance(source, Node) or len(source.users) > 1 or source.op in ("placeholder", "get_attr"):
        return False
    kind: Any = type(walk.modules[str(source.target)]) if source.op == "call_module" else source.target
    return kind not in _SAME_MEMORY or _alone(walk, source.args[0])
