"""What compacting hands back: the smaller module, the inputs it reads, and what went."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from riata.errors import InputError

__all__ = ["Compacted", "Report", "Selected"]


@dataclass(frozen=True)
class Report:
    """Sizes before and after, and what was left whole.

    Attributes
    ----------
    parameters, multiply_adds : (int, int)
        Before and after; multiply-adds are of the example's rows.
    difference : float
        Largest difference of the outputs on the example and on random rows like it, over their largest size.
    sizes : dict
        Neurons, channels, heads or hidden units of each layer before and after, where some went.
    whole : tuple of str
        One sentence for each operation that could not be looked into.
    """

    parameters: tuple[int, int]
    multiply_adds: tuple[int, int]
    difference: float
    sizes: dict[str, tuple[str, int, int]]
    whole: tuple[str, ...]

    def __str__(self) -> str:
        """Return the report as text, a line for each fact."""
        lines = [
            f"parameters {self.parameters[0]:,} -> {self.parameters[1]:,}",
            f"multiply-adds {self.multiply_adds[0]:,} -> {self.multiply_adds[1]:,}",
            f"largest difference of the outputs {self.difference:.1e} of their size",
            *(f"{name}: {what} {old} -> {new}" for name, (what, old, new) in self.sizes.items()),
            *self.whole,
        ]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Compacted:
    """A smaller module with the outputs of the one it came from, in evaluation mode.

    Attributes
    ----------
    module : Module
        Takes the kept inputs only.
    kept : tuple of tuples of int
        For each input tensor, the kept indices of ``axes``'s axis.
    axes : tuple of int
        The axis of the features of each input tensor.
    removed : dict
        For each layer, the indices of the neurons, channels, heads or hidden units that went.
    report : Report
    names : tuple of str
        Names of the features of the first input, all of them; () if none were given.
    """

    module: nn.Module
    kept: tuple[tuple[int, ...], ...]
    axes: tuple[int, ...]
    removed: dict[str, tuple[int, ...]]
    report: Report
    names: tuple[str, ...] = field(default=())

    @property
    def kept_inputs(self) -> tuple[int, ...] | tuple[str, ...]:
        """Kept features of the first input: names if there are any, else indices."""
        return tuple(self.names[i] for i in self.kept[0]) if self.names else self.kept[0]

    def select(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the kept features of full inputs."""
        parts = zip(inputs, self.kept, self.axes, strict=True)
        return tuple(
            x.index_select(dim, torch.tensor(kept, dtype=torch.int64, device=x.device)) for x, kept, dim in parts
        )

    def full(self) -> Selected:
        """Return a module that takes full inputs, selects the kept features, and then runs the smaller module."""
        return Selected(self.module, self.kept, self.axes)


class Selected(nn.Module):
    """Select features first: what a dropped one holds, NaN included, never reaches the module.

    Examples
    --------
    >>> Selected(nn.Identity(), ((0, 2),), (1,))(torch.tensor([[1.0, torch.nan, 3.0]]))
    tensor([[1., 3.]])
    """

    def __init__(self, module: nn.Module, kept: tuple[tuple[int, ...], ...], axes: tuple[int, ...]):
        super().__init__()
        self.module, self.axes = module, axes
        place = next((p.device for p in module.parameters()), None)
        for i, part in enumerate(kept):
            self.register_buffer(f"kept{i}", torch.tensor(part, dtype=torch.int64, device=place))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the module's outputs on the kept features of full inputs."""
        if len(inputs) != len(self.axes):
            raise InputError(f"{len(inputs)} inputs for a module of {len(self.axes)}; pass them all, in order")
        parts = [
            x.index_select(dim, self.get_buffer(f"kept{i}"))
            for i, (x, dim) in enumerate(zip(inputs, self.axes, strict=True))
        ]
        out: Tensor = self.module(*parts)
        return out
