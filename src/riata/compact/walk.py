"""What is known while walking over a traced network: axes, who reads what, and what cannot be touched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node

from riata.compact.axes import Axis, Slots, Use

__all__ = ["Build", "Keep", "State", "Walk", "positions"]

State = Axis | tuple[Any, ...] | None
"""An axis, a tuple of states for an operation with several outputs, or None: nothing may be removed."""

Keep = Callable[[Axis], Tensor]
"""Says which indices of an axis stay, bool (C,)."""


@dataclass(frozen=True, eq=False)
class Build:
    """How to make the smaller version of one layer: ``make`` returns None where nothing changes."""

    target: str
    what: str
    axis: Axis | None
    make: Callable[[Keep], nn.Module | None]


@dataclass
class Walk:
    """The state of a walk.

    Attributes
    ----------
    modules : dict
        The layers by name.
    whole : dict
        Layers that may not be touched, with the reason.
    states : dict
        Of every node.
    """

    modules: dict[str, nn.Module]
    whole: dict[str, str]
    slots: Slots = field(default_factory=Slots)
    states: dict[Node, State] = field(default_factory=dict)
    axes: list[Axis] = field(default_factory=list)
    inputs: dict[Node, Axis] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    pinned: list[Tensor] = field(default_factory=list)
    builds: list[Build] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    views: dict[Node, Axis] = field(default_factory=dict)

    def fresh(self, dim: int, value: Tensor) -> Axis:
        """Return an axis of new slots that hold ``value``, (C,)."""
        axis = Axis(dim, self.slots.fresh(len(value)), value)
        self.axes.append(axis)
        return axis

    def pin(self, state: State) -> None:
        """Keep all that ``state`` stands for."""
        if isinstance(state, Axis):
            self.pinned.append(state.slots)
        elif state is not None:
            for part in state:
                self.pin(part)

    def state(self, arg: Any) -> State:
        """Return the state of an argument: None for a number."""
        return self.states.get(arg) if isinstance(arg, Node) else None

    def axis(self, arg: Any, dim: int) -> Axis | None:
        """Return the axis of an argument if it lies at ``dim`` (negative from the end); else pin and return None."""
        state = self.state(arg)
        if isinstance(state, Axis) and state.dim == dim % len(shape(arg)):
            return state
        self.pin(state)
        return None

    def barrier(self, node: Node, why: str = "") -> State:
        """Keep all inputs of ``node`` whole, say so where that may have cost something, and return None."""
        seen = False
        for source in node.all_input_nodes:
            seen = seen or self.states.get(source) is not None
            self.pin(self.states.get(source))
        if seen and node.op != "output":
            name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
            kind = type(self.modules[name]).__name__ if node.op == "call_module" else "operation"
            self.notes[f"{name} ({kind}): {why or 'not known here'}; what it reads and returns is kept whole"] = None
        return None


def shape(node: Node) -> tuple[int, ...]:
    """Return the shape that a node had for the example; () where it is no tensor."""
    found: tuple[int, ...] = node.meta.get("shape", ())
    return found


def positions(mask: Tensor, device: torch.device) -> Tensor:
    """Return the indices where ``mask`` is true, on a device."""
    return mask.nonzero().flatten().to(device)
