"""Where a streamed training stands after a pass, also as bytes, from which a resumed run goes on bit by bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from ..engines import Params
from ..updates import State

LOSSES = "losses"


@dataclass
class Standing:
    """The weights of M networks, the best ones so far, the moments of the update, and every loss that was measured.

    Attributes
    ----------
    params, best : dict of str to Tensor (M, ...)
    state : dict
        See :class:`riata.updates.Update`.
    least : Tensor (M,)
        The least validation loss of each network.
    won_at : Tensor (M,) of int64
        The pass after which it had that loss; 0 is the start.
    finite : Tensor (M,) of bool
    losses : list of list of float
        Validation losses at the start and after every pass.
    """

    params: Params
    best: Params
    state: State
    least: Tensor
    won_at: Tensor
    finite: Tensor
    losses: list[list[float]]

    @classmethod
    def begun(cls, params: Params, state: State, loss: Tensor) -> Standing:
        """Return the standing before the first pass."""
        best = {name: w.clone() for name, w in params.items()}
        never = torch.zeros(len(loss), dtype=torch.int64, device=loss.device)
        return cls(params, best, state, loss.clone(), never, torch.isfinite(loss), [loss.tolist()])

    @property
    def passes(self) -> int:
        """Number of passes that were made."""
        return len(self.losses) - 1

    def judge(self, loss: Tensor, min_delta: float) -> None:
        """Take in the validation losses (M,) after a pass, and the weights where they are the least by a share."""
        self.losses.append(loss.tolist())
        self.finite &= torch.isfinite(loss)
        won = (loss < self.least - min_delta * self.least.abs()).nonzero().flatten()
        self.least[won], self.won_at[won] = loss[won], self.passes
        for name, w in self.params.items():
            self.best[name][won] = w[won]

    def pack(self) -> bytes:
        """Return all of it as safetensors bytes."""
        numbers = {place: torch.as_tensor(holder[key]).contiguous() for place, holder, key in _leaves(self._parts())}
        return save({**numbers, LOSSES: torch.tensor(self.losses, dtype=torch.float64)})

    def unpack(self, content: bytes) -> bool:
        """Go on from what was packed; False, and nothing is changed, where it is not of such a training."""
        try:
            found = load(content)
        except SafetensorError:
            return False
        leaves, losses = list(_leaves(self._parts())), found.pop(LOSSES, torch.zeros(0))
        wanted = {place: _kind(torch.as_tensor(holder[key])) for place, holder, key in leaves}
        if {place: _kind(value) for place, value in found.items()} != wanted:
            return False
        if losses.dtype != torch.float64 or losses.dim() != 2 or losses.shape[1] != len(self.least) or not len(losses):
            return False
        for place, holder, key in leaves:
            if isinstance(holder[key], Tensor):
                holder[key].copy_(found[place])
            else:
                holder[key] = found[place].item()
        self.losses = losses.tolist()
        return True

    def _parts(self) -> dict[str, Any]:
        judged = {"least": self.least, "won_at": self.won_at, "finite": self.finite}
        return {"params": self.params, "best": self.best, "state": self.state, "judged": judged}


def passes_in(content: bytes) -> int:
    """Return how many passes were made when this was packed; 0 where it cannot be read."""
    try:
        return max(0, len(load(content)[LOSSES]) - 1)
    except (SafetensorError, KeyError):
        return 0


def _leaves(tree: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield the place of every value in nested dictionaries, what holds it, and its key there."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{place}{key}/")
        else:
            yield place + key, tree, key


def _kind(value: Tensor) -> tuple[torch.Size, torch.dtype]:
    return value.shape, value.dtype
