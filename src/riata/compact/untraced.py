"""A module that cannot be traced: only the inputs of the layers that alone read its input may go."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

__all__ = ["first_inputs"]


class _Readers(TorchFunctionMode):
    """Count how often a function gets the very tensor ``x``."""

    def __init__(self, x: Tensor):
        super().__init__()
        self.x, self.count = x, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function; attributes such as the shape do not count."""
        given = [*args, *(kwargs or {}).values()]
        if any(a is self.x for a in given) and getattr(func, "__name__", "") not in ("__get__", "size", "dim"):
            self.count += 1
        return func(*args, **(kwargs or {}))


def first_inputs(module: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """Return, per Linear layer that reads the input, the mask (d,) of inputs that any of them has a weight for.

    Empty where it is not safe: something else reads the input, a layer is shared or hooked, or the axis is not the
    features' one. What a run on other rows would do differently cannot be seen.
    """
    x = inputs[0]
    names = {m: name for name, m in module.named_modules()}
    calls: list[nn.Module] = []

    def note(layer: nn.Module, args: tuple[Any, ...]) -> None:
        calls.append(layer) if args and args[0] is x else None

    plain = [m for m in names if type(m) is nn.Linear and not m._forward_hooks and not m._forward_pre_hooks]
    total: dict[nn.Module, int] = {}
    hooks = [m.register_forward_pre_hook(note) for m in plain]
    hooks += [m.register_forward_pre_hook(lambda m, _: total.update({m: total.get(m, 0) + 1})) for m in plain]
    try:
        with torch.no_grad(), _Readers(x) as readers:
            module(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
    if len(inputs) != 1 or x.ndim < 2 or not calls or readers.count != len(calls):
        return {}
    if any(total[layer] > 1 for layer in calls):
        return {}
    reads = torch.stack([(layer.get_parameter("weight") != 0).any(0).cpu() for layer in calls]).any(0)
    return {names[layer]: reads for layer in calls}
