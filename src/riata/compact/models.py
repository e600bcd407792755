"""The model that ``riata choose`` hands back, on its kept columns only."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from riata.compact.reduce import compact
from riata.compact.result import Compacted
from riata.engines import NetworkSpec, Params
from riata.model import Model

__all__ = ["Mean", "SkipNetwork", "compact_model", "plain"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh, "identity": nn.Identity}


class SkipNetwork(nn.Module):
    """Layers and a linear skip beside them: ``layers(x) + skip(x)``."""

    def __init__(self, layers: nn.Sequential, skip: nn.Linear):
        super().__init__()
        self.layers, self.skip = layers, skip

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs, (n, K)."""
        out: Tensor = self.layers(x) + self.skip(x)
        return out


class Mean(nn.Module):
    """The mean of the outputs of some networks, written as a sum so that a trace can follow it."""

    def __init__(self, networks: list[nn.Module]):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean outputs, (n, K)."""
        first, *others = self.networks
        total: Tensor = first(x)
        for network in others:
            total = total + network(x)
        return total / (1 + len(others))


def compact_model(model: Model) -> Compacted:
    """Return the networks of a model as plain torch layers on the kept encoded columns.

    The outputs are those of :meth:`riata.model.Model.module`: before the target's centre and scale, and before the
    probabilities. ``kept_inputs`` names the encoded columns, such as ``"age"`` and ``"sex=male"``.

    Raises
    ------
    InputError
        If the outputs would differ.
    """
    return compact(plain(model), names=model.encoder.layout.columns)


@torch.random.fork_rng(devices=[])
def plain(model: Model) -> Mean:
    """Return the networks of a model as plain torch layers on all encoded columns."""
    count = len(model.params["first"])
    members = [{name: w[i] for name, w in model.params.items()} for i in range(count)]
    return Mean([_member(model.spec, member) for member in members]).eval()


def _member(spec: NetworkSpec, p: Params) -> nn.Module:
    if not spec.hidden:
        return _linear(p["first"], p["b_out"])
    width = spec.hidden[0]
    layers: list[nn.Module] = [_linear(p["first"][:, :width], p["b1"]), _ACTIVATIONS[spec.activation]()]
    for i in range(2, len(spec.hidden) + 1):
        layers += [_linear(p[f"w{i}"], p[f"b{i}"]), _ACTIVATIONS[spec.activation]()]
    body = nn.Sequential(*layers, _linear(p["out"], p["b_out"]))
    return SkipNetwork(body, _linear(p["first"][:, width:], None)) if spec.skip else body


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Return ``x @ weight + bias``, the weight (inputs, outputs) as the built-in network has it."""
    rows, columns = weight.shape
    layer = nn.Linear(rows, columns, bias=bias is not None, device=weight.device, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight.T)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer
