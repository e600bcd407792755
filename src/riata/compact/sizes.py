"""How large a module is and how long it takes: parameters, multiply-adds, milliseconds."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["Size", "count_parameters", "measure", "multiply_adds"]


@dataclass(frozen=True)
class Size:
    """Parameters, multiply-adds of the example's rows, and the median milliseconds of a run."""

    parameters: int
    multiply_adds: int
    milliseconds: float


def measure(module: nn.Module, example: Tensor | tuple[Tensor, ...], runs: int = 30) -> Size:
    """Return the size of a module on an example, in evaluation mode; the module is left in the mode it had.

    The time is the median of ``runs`` runs after three that warm up.

    Examples
    --------
    >>> size = measure(nn.Linear(3, 2), torch.zeros(5, 3), runs=3)
    >>> size.parameters, size.multiply_adds
    (8, 30)
    """
    inputs = example if isinstance(example, tuple) else (example,)
    modes = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.inference_mode():
            seconds = [_seconds(module, inputs) for _ in range(runs + 3)][3:]
        return Size(count_parameters(module), multiply_adds(module, inputs), 1000 * statistics.median(seconds))
    finally:
        for part, training in modes.items():
            part.training = training


def count_parameters(module: nn.Module) -> int:
    """Return the number of entries of all parameters."""
    return sum(p.numel() for p in module.parameters())


def multiply_adds(module: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Return the multiply-adds of all products of matrices, convolutions, attention and recurrent layers.

    Fused attention is switched off meanwhile, since its products cannot be counted.
    """
    recurrent: list[int] = []

    def count(layer: Any, args: tuple[Any, ...], out: Any) -> None:
        steps = out[0].numel() // out[0].shape[-1]
        recurrent.append(steps * sum(w.numel() for n, w in layer.named_parameters() if n.startswith("weight")))

    layers = [m for m in module.modules() if isinstance(m, (nn.LSTM, nn.GRU)) and not m._forward_hooks]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for hook in hooks:
            hook.remove()
    flops: int = counter.get_total_flops()
    return flops // 2 + sum(recurrent)


def _seconds(module: nn.Module, inputs: tuple[Tensor, ...]) -> float:
    device = inputs[0].device
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    began = time.perf_counter()
    module(*inputs)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began
