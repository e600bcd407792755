"""LSTM and GRU: input columns that no gate reads, and hidden units that nothing reads or that stay at 0."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node

from riata.compact.axes import Axis, Use
from riata.compact.layers import blank
from riata.compact.walk import Build, Keep, State, Walk, positions, shape

__all__ = ["recurrent"]

CANDIDATE = 2
"""Place of the candidate gate: LSTM keeps (input, forget, candidate, output), GRU (reset, update, candidate)."""


def recurrent(walk: Walk, node: Node, layer: Any) -> State:
    """Return the states of an LSTM or GRU: ``(rows, last)``, for the LSTM ``(rows, (last, cell))``.

    Hidden units can only go from one layer in one direction that starts at 0; else only input columns can.
    """
    source = walk.axis(node.args[0], -1)
    free = not (layer.num_layers > 1 or layer.bidirectional or layer.proj_size) and len(node.all_input_nodes) == 1
    for other in node.all_input_nodes:
        if other is not node.args[0]:
            walk.pin(walk.state(other))
    fixed = torch.full((layer.input_size,), torch.nan, dtype=torch.float64) if source is None else source.value
    fixed = fixed if layer.bias else torch.where(fixed == 0, fixed, torch.nan)
    if not free:
        walk.notes[f"{node.target} ({type(layer).__name__}): its hidden units are kept; only its inputs can go"] = None
        axis = None
        needed = torch.stack([_reads(layer, f"weight_ih_l0{end}") for end in _ends(layer)]).any(0).any(0)
        if source is not None:
            walk.pinned.append(source.slots[needed & fixed.isnan()])
    else:
        axis = _units(walk, layer, source, fixed, len(shape(node.all_input_nodes[0])) - 1)

    def make(keep: Keep) -> nn.Module | None:
        units = torch.ones(layer.hidden_size, dtype=torch.bool) if axis is None else keep(axis)
        columns = torch.ones(layer.input_size, dtype=torch.bool) if source is None else keep(source)
        if bool(units.all()) and bool(columns.all()):
            return None
        return _thin(layer, units, columns, fixed)

    walk.builds.append(Build(str(node.target), "hidden units", axis, make))
    return (axis, (axis, axis)) if isinstance(layer, nn.LSTM) else (axis, axis)


def _units(walk: Walk, layer: Any, source: Axis | None, fixed: Tensor, dim: int) -> Axis:
    """Return the hidden units; one whose candidate gate has no weight and no bias stays at 0."""
    read, back = _reads(layer, "weight_ih_l0"), _reads(layer, "weight_hh_l0")
    idle = ~(_gate(layer, "weight_ih_l0") != 0).any(1) & ~(_gate(layer, "weight_hh_l0") != 0).any(1)
    if layer.bias:
        idle &= (_gate(layer, "bias_ih_l0") == 0) & (_gate(layer, "bias_hh_l0") == 0)
    out = walk.fresh(dim, torch.where(idle, 0.0, torch.nan).double())
    walk.uses.append(Use(out.slots, out.slots, back & ~idle))
    if source is not None:
        walk.uses.append(Use(source.slots, out.slots, read & fixed.isnan()))
    return out


def _thin(layer: Any, units: Tensor, columns: Tensor, fixed: Tensor) -> nn.Module:
    """Return the layer with some hidden units and input columns; constants go into the first layer's bias."""
    options = {"num_layers": layer.num_layers, "bias": layer.bias, "batch_first": layer.batch_first,
               "dropout": layer.dropout, "bidirectional": layer.bidirectional}  # fmt: skip
    if layer.proj_size:
        options["proj_size"] = layer.proj_size
    sizes = (int(columns.sum()), int(units.sum()))
    first = layer.weight_ih_l0
    new: Any = blank(type(layer), first, *sizes, **options)
    for name, old in layer.named_parameters():
        gates = len(old) // layer.hidden_size
        rows = units.repeat(gates) if len(old) == gates * layer.hidden_size and not bool(units.all()) else None
        part = old.detach() if rows is None else old.detach()[positions(rows, old.device)]
        if name.startswith("weight_ih_l0"):
            part = part[:, positions(columns, old.device)]
        elif name.startswith("weight_hh") and rows is not None:
            part = part[:, positions(units, old.device)]
        elif name.startswith("bias_ih_l0"):
            weight = getattr(layer, name.replace("bias", "weight")).detach().double().cpu()
            moved = (weight[:, ~columns] @ fixed.nan_to_num()[~columns])[slice(None) if rows is None else rows]
            part = (part.double().cpu() + moved).to(old)
        setattr(new, name, nn.Parameter(part.clone(), requires_grad=old.requires_grad))
    new.flatten_parameters()
    return new.train(layer.training)  # type: ignore[no-any-return]


def _ends(layer: Any) -> tuple[str, ...]:
    return ("", "_reverse") if layer.bidirectional else ("",)


def _reads(layer: Any, name: str) -> Tensor:
    """Return, (H, I), whether any gate of a unit has a weight that is not 0."""
    weight = getattr(layer, name).detach().cpu()
    found: Tensor = (weight.view(-1, layer.hidden_size, weight.shape[1]) != 0).any(0)
    return found


def _gate(layer: Any, name: str) -> Tensor:
    """Return the candidate gate's rows of a parameter."""
    weight: Tensor = getattr(layer, name).detach().cpu()
    return weight[CANDIDATE * layer.hidden_size : (CANDIDATE + 1) * layer.hidden_size]
