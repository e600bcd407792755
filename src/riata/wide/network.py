"""The network of a wide table: a linear skip and one hidden layer over the working set, unpenalised columns beside it.

``f(x, c) = c' free + x' S + act(x' W + b1)' out`` with ``first = [W | S]``, row by row one variable, as in
:class:`riata.engines.NetworkSpec` with one hidden layer; ``c`` are whitened unpenalised columns with the constant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from riata.engines import Loss, NetworkSpec, initial

__all__ = ["Weights", "forward", "gradient", "null_weights", "slopes"]


@dataclass(frozen=True, eq=False)
class Weights:
    """Parameters: first (m, h + K), free (q + 1, K), b1 (h,), out (h, K); without a hidden layer h = 0."""

    first: Tensor
    free: Tensor
    b1: Tensor
    out: Tensor

    @property
    def hidden(self) -> int:
        """Number of hidden units."""
        return len(self.b1)

    def with_first(self, first: Tensor) -> Weights:
        """Return the same parameters with another first layer."""
        return replace(self, first=first)

    def to(self, dtype: torch.dtype) -> Weights:
        """Return the parameters in a dtype."""
        return Weights(*(w.to(dtype) for w in (self.first, self.free, self.b1, self.out)))


def null_weights(spec: NetworkSpec, seed: int, free: int, dtype: torch.dtype = torch.float32) -> Weights:
    """Return the parameters without any input: a random tail as :func:`riata.engines.initial` draws it, free at 0.

    ``spec`` is one hidden layer or none; ``free`` is the number of unpenalised columns with the constant.
    """
    start = initial(NetworkSpec(1, spec.outputs, spec.hidden, spec.activation), seed, dtype=dtype)
    nothing = torch.zeros(0, spec.outputs, dtype=dtype)
    return Weights(
        torch.zeros(0, spec.first_width, dtype=dtype),
        torch.zeros(free, spec.outputs, dtype=dtype),
        start.get("b1", nothing[:, 0]),
        start.get("out", nothing),
    )


def slopes(name: str, z: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``act(z)`` and ``act'(z)``.

    >>> slopes("tanh", torch.zeros(1))
    (tensor([0.]), tensor([1.]))
    """
    if name == "tanh":
        t = torch.tanh(z)
        return t, 1 - t * t
    if name == "relu":
        return torch.relu(z), (z > 0).to(z.dtype)
    if name == "silu":
        s = torch.sigmoid(z)
        return z * s, s * (1 + z * (1 - s))
    return z, torch.ones_like(z)


def forward(x: Tensor, c: Tensor, w: Weights, activation: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return the outputs (n, K), the hidden activations and their slopes (n, h): x (n, m), c (n, q + 1)."""
    h = w.hidden
    z = x @ w.first
    f = c @ w.free + z[:, h:]
    if not h:
        return f, z[:, :0], z[:, :0]
    a, slope = slopes(activation, z[:, :h] + w.b1)
    return f + a @ w.out, a, slope


@dataclass(frozen=True, eq=False)
class Gradient:
    """Gradients of the mean loss: ``into`` (n, h + K) = dL/dZ for Z = x first, and that of every other parameter."""

    into: Tensor
    free: Tensor
    b1: Tensor
    out: Tensor


def gradient(x: Tensor, c: Tensor, y: Tensor, w: Weights, loss: Loss, activation: str) -> Gradient:
    """Return the gradient at w; that of the first layer is ``x' into``, for any column x."""
    f, a, slope = forward(x, c, w, activation)
    r = loss.gradient(f[None], y)[0]
    inner = (r @ w.out.T) * slope
    return Gradient(torch.cat([inner, r], 1), c.T @ r, inner.sum(0), a.T @ r)
