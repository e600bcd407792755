"""Engines: how a module is run for many parameter sets at once."""

from __future__ import annotations

from .batched import BatchedEngine
from .keys import generator
from .loop import LoopEngine, VmapEngine
from .losses import Loss, loss_for
from .network import Network, NetworkSpec, Params, initial

__all__ = [
    "BatchedEngine",
    "LoopEngine",
    "Loss",
    "Network",
    "NetworkSpec",
    "Params",
    "VmapEngine",
    "generator",
    "initial",
    "loss_for",
]
