"""The graph of a network with the shapes it has for an example, and the layers that may not be touched."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule, Interpreter, Node, Tracer

from riata.compact.walk import Walk
from riata.errors import InputError

__all__ = ["example_inputs", "start", "trace"]


class _Shapes(Interpreter):
    """Run a graph and note the shape of every tensor."""

    def run_node(self, n: Node) -> Any:
        """Run one node."""
        out = super().run_node(n)
        if isinstance(out, Tensor):
            n.meta["shape"] = tuple(out.shape)
            n.meta["real"] = out.is_floating_point()
        return out


def trace(module: nn.Module, inputs: tuple[Tensor, ...]) -> Graph:
    """Return the graph of ``module`` for some inputs; arguments beyond them take their defaults.

    Raises
    ------
    Exception
        Whatever torch.fx finds: control flow that depends on numbers, for the most part.
    """
    names = list(inspect.signature(module.forward).parameters.values())
    named = [p for p in names if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    later = {p.name: p.default for p in named[len(inputs) :] if p.default is not p.empty}
    graph = Tracer().trace(module, concrete_args=later or None)
    with torch.no_grad():
        _Shapes(GraphModule(module, graph)).run(*inputs)
    return graph


def start(module: nn.Module, graph: Graph) -> Walk:
    """Return a walk that knows which layers are called twice, share parameters, have hooks or are read directly."""
    modules = dict(module.named_modules())
    names = {id(m): name for name, m in modules.items()}
    whole: dict[str, str] = {}
    owners = Counter(id(p) for m in modules.values() for p in m._parameters.values() if p is not None)
    calls = Counter(id(modules[str(n.target)]) for n in graph.nodes if n.op == "call_module")
    read = {str(n.target) for n in graph.nodes if n.op == "get_attr"}
    fetched = {id(p) for name, p in module.named_parameters(remove_duplicate=False) if name in read}
    for name, layer in modules.items():
        inside = list(layer.parameters())
        if layer._forward_hooks or layer._forward_pre_hooks:
            whole[name] = "it has hooks"
        elif calls[id(layer)] > 1 and inside:
            whole[name] = "it is called more than once"
        elif any(owners[id(p)] > 1 for p in inside):
            whole[name] = "it shares a parameter with another layer"
        elif any(id(p) in fetched for p in inside):
            whole[name] = "its parameters are also read directly"
    return Walk(modules, {names[id(modules[k])]: v for k, v in whole.items()} | whole)


def example_inputs(module: nn.Module, example: Any) -> tuple[Tensor, ...]:
    """Return the example as a tuple of tensors; two rows of zeros for a network that starts with a Linear.

    Raises
    ------
    InputError
        If there is no example and the first layer does not tell the shape.
    """
    if example is None:
        first = next((m for m in module.modules() if not list(m.children())), None)
        if not isinstance(first, nn.Linear):
            kind = type(first).__name__
            raise InputError(f"no example for a network that starts with {kind}; pass example=a batch of its inputs")
        return (first.weight.new_zeros(2, first.in_features),)
    inputs = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    if not inputs or not all(isinstance(x, Tensor) for x in inputs):
        kinds = ", ".join(type(x).__name__ for x in inputs) or "nothing"
        raise InputError(f"example is {kinds}; expected a tensor, or a tuple of tensors, one for each input")
    if any(x.ndim < 1 for x in inputs):
        raise InputError("an example without axes; expected a batch; pass tensors whose first axis is the rows")
    return inputs
