"""The built-in network: a linear skip beside hidden layers, whose first layer is one parameter.

``first`` has shape (d, h + K): row j holds the h hidden weights and the K skip weights of input column j, so that an
input lives or dies as one row. Layers above it are either bounded (every unit's incoming weights have norm at
most ``BOUND``) or under a ridge; see docs/decisions/0002.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import InputError
from .keys import generator

Params = dict[str, Tensor]
BOUND = 1.0
ACTIVATIONS = ("relu", "silu", "tanh", "identity")


@dataclass(frozen=True)
class NetworkSpec:
    """Sizes and form of the built-in network.

    f(x) = x' S + out' act(... act(x' W + b1) ...) + b_out, with first = [W | S].

    Parameters
    ----------
    inputs, outputs : int
        Number of input columns d and of outputs K.
    hidden : tuple of int
        Widths of the hidden layers; ``()`` gives a linear model.
    activation : {"relu", "silu", "tanh", "identity"}
    form : {"bounded", "ridge"}
        ``bounded``: upper units have incoming norm <= 1. ``ridge``: ``upper_ridge``/2 ||.||^2 on the upper layers.
    skip : bool
        Whether the linear skip exists (always so for ``hidden=()``).
    upper_ridge : float
        Strength of the ridge above in the form ``ridge``; > 0.
    """

    inputs: int
    outputs: int = 1
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "relu"
    form: str = "bounded"
    skip: bool = True
    upper_ridge: float = 1e-3

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise InputError(f"activation {self.activation!r} is unknown; use one of {', '.join(ACTIVATIONS)}")
        if self.form not in ("bounded", "ridge"):
            raise InputError(f"form {self.form!r} is unknown; use bounded or ridge")
        if any(h < 1 for h in self.hidden) or self.inputs < 1 or self.outputs < 1:
            raise InputError(f"layer sizes must be at least 1, got {self.inputs}, {self.hidden}, {self.outputs}")

    @property
    def first_width(self) -> int:
        """Columns of ``first``: hidden units of the first layer plus the skip's outputs."""
        if not self.hidden:
            return self.outputs
        return self.hidden[0] + (self.outputs if self.skip else 0)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter of one member, in order."""
        shapes: dict[str, tuple[int, ...]] = {"first": (self.inputs, self.first_width)}
        if self.hidden:
            shapes["b1"] = (self.hidden[0],)
            for i, (a, b) in enumerate(zip(self.hidden, self.hidden[1:], strict=False), start=2):
                shapes[f"w{i}"], shapes[f"b{i}"] = (a, b), (b,)
            shapes["out"] = (self.hidden[-1], self.outputs)
        shapes["b_out"] = (self.outputs,)
        return shapes

    @property
    def upper(self) -> tuple[str, ...]:
        """Names of the weight matrices above the first layer."""
        if not self.hidden:
            return ()
        return (*[f"w{i}" for i in range(2, len(self.hidden) + 1)], "out")

    def count(self) -> int:
        """Return the number of weights and biases of one member."""
        return sum(math.prod(s) for s in self.shapes().values())


def initial(spec: NetworkSpec, seed: int, *, dtype: torch.dtype = torch.float32, dense: bool = True) -> Params:
    """Return one member's starting parameters, a pure function of ``spec`` and ``seed``.

    Hidden weights are He-normal; upper units start with incoming norm 1 (which both forms allow); hidden biases are
    drawn apart, since units that start alike stay alike; the skip starts at zero. With ``dense=False`` the whole
    first layer starts at zero (the sparse end of a path).
    """
    params: Params = {}
    for i, (name, shape) in enumerate(spec.shapes().items()):
        if name == "first":
            w = torch.zeros(shape, dtype=torch.float64)
            if spec.hidden and dense:
                h = spec.hidden[0]
                draw = torch.randn(spec.inputs, h, generator=generator(seed, "init", i), dtype=torch.float64)
                w[:, :h] = draw * math.sqrt(2.0 / spec.inputs)
        elif name in spec.upper:
            w = torch.randn(shape, generator=generator(seed, "init", i), dtype=torch.float64)
            w = BOUND * w / w.norm(dim=0, keepdim=True)
        elif name == "b_out":
            w = torch.zeros(shape, dtype=torch.float64)
        else:
            spread = 2 * torch.rand(shape, generator=generator(seed, "init", i), dtype=torch.float64) - 1
            w = spread * (1.0 if name == "b1" else 0.0)
        params[name] = w.to(dtype)
    return params


def activate(name: str, z: Tensor) -> Tensor:
    """Apply the activation called ``name``."""
    if name == "relu":
        return torch.relu(z)
    if name == "silu":
        return torch.nn.functional.silu(z)
    return torch.tanh(z) if name == "tanh" else z


class Network(nn.Module):
    """One member as a plain torch module, (n, d) -> (n, K).

    Examples
    --------
    >>> import torch
    >>> spec = NetworkSpec(3, hidden=(4,))
    >>> Network(spec, initial(spec, seed=0))(torch.zeros(2, 3)).shape
    torch.Size([2, 1])
    """

    def __init__(self, spec: NetworkSpec, params: Params):
        super().__init__()
        self.spec = spec
        for name, shape in spec.shapes().items():
            if tuple(params[name].shape) != shape:
                raise InputError(f"parameter {name} has shape {tuple(params[name].shape)}, expected {shape}")
            self.register_parameter(name, nn.Parameter(params[name].detach().clone()))

    def forward(self, x: Tensor, masks: list[Tensor] | None = None) -> Tensor:
        """Return the outputs; ``masks`` multiply the hidden activations (dropout, already scaled)."""
        p = dict(self.named_parameters())
        z = x @ p["first"]
        spec = self.spec
        if not spec.hidden:
            return z + p["b_out"]
        h = spec.hidden[0]
        a = activate(spec.activation, z[:, :h] + p["b1"])
        for i in range(2, len(spec.hidden) + 2):
            if masks is not None:
                a = a * masks[i - 2]
            if f"w{i}" in p:
                a = activate(spec.activation, a @ p[f"w{i}"] + p[f"b{i}"])
        out = a @ p["out"] + p["b_out"]
        return out + z[:, h:] if spec.skip else out
