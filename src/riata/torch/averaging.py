"""Averaged weights (EMA, SWA) that keep exact zeros."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from riata.errors import InputError

__all__ = ["Averaged"]


class Averaged:
    """A running average of a model's weights, and a copy of it with the model's exact zeros put back.

    With ``decay`` the exponential average ``avg <- decay avg + (1 - decay) w`` (EMA); without it the equal average of
    all updates (SWA, Izmailov et al. 2018, section 3). It is kept by :class:`torch.optim.swa_utils.AveragedModel`.

    An average is not sparse: a weight that was alive once stays a little alive. **Policy**: what is exactly 0 in the
    model now is exactly 0 in the result; what is alive now takes its average, zeros of its past included. The average
    itself is never masked, so a weight that comes back finds its history. Masked weights are no stationary point:
    judge them on held-out rows. Buffers are copied from the model; with batch norm run
    :func:`torch.optim.swa_utils.update_bn` on the result.

    Parameters
    ----------
    model : nn.Module
        The model that is trained.
    decay : float in [0, 1), optional
        Share of the past in each update; None for the equal average.
    masked : str
        Pattern of the parameters whose zeros are put back, as ``"first.*"``.

    Raises
    ------
    InputError
        If decay is out of range or the pattern fits no parameter.

    Examples
    --------
    >>> model = nn.Linear(2, 1, bias=False)
    >>> average = Averaged(model, decay=0.5)
    >>> for weights in ([4.0, 8.0], [2.0, 0.0]):
    ...     with torch.no_grad():
    ...         _ = model.weight.copy_(torch.tensor([weights]))
    ...     average.update(model)
    >>> average.average.module.weight.tolist(), average.sparse(model).weight.tolist()
    ([[3.0, 4.0]], [[3.0, 0.0]])
    """

    def __init__(self, model: nn.Module, decay: float | None = None, masked: str = "*") -> None:
        if decay is not None and not 0 <= decay < 1:
            raise InputError(f"decay {decay}; expected 0 to below 1, or None for the equal average; try decay=0.999")
        names = [name for name, _ in model.named_parameters()]
        if not any(fnmatchcase(name, masked) for name in names):
            raise InputError(f"masked {masked!r} fits no parameter; expected a pattern for {', '.join(names)}; try '*'")
        rule = None if decay is None else get_ema_multi_avg_fn(decay)
        self.average = AveragedModel(model, multi_avg_fn=rule)
        self.masked = masked

    def update(self, model: nn.Module) -> None:
        """Take the model's weights into the average: after an optimizer's step (EMA) or an epoch (SWA)."""
        self.average.update_parameters(model)

    def sparse(self, model: nn.Module) -> nn.Module:
        """Return a copy of the averaged model with the zeros of ``model`` put back.

        Raises
        ------
        InputError
            If ``model`` has other parameters than the average.
        """
        copy: nn.Module = deepcopy(self.average.module)
        self._put_back(model, copy)
        return copy

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Write the average into the model's own parameters, its exact zeros kept: at the end of training."""
        for now, averaged, masked in self._pairs(model, self.average.module):
            now.copy_(_with_zeros(averaged.to(now), now) if masked else averaged)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the average."""
        state: dict[str, Any] = self.average.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`."""
        self.average.load_state_dict(state)

    @torch.no_grad()
    def _put_back(self, model: nn.Module, target: nn.Module) -> None:
        for now, averaged, masked in self._pairs(model, target):
            if masked:
                averaged.copy_(_with_zeros(averaged, now.to(averaged)))

    def _pairs(self, model: nn.Module, averaged: nn.Module) -> Iterator[tuple[Tensor, Tensor, bool]]:
        ours, theirs = dict(averaged.named_parameters()), dict(model.named_parameters())
        if {n: w.shape for n, w in ours.items()} != {n: w.shape for n, w in theirs.items()}:
            odd = sorted(set(ours) ^ set(theirs)) or sorted(n for n in ours if ours[n].shape != theirs[n].shape)
            raise InputError(
                f"another model than the averaged one ({', '.join(odd[:4])}); pass the model it was made of"
            )
        for name, weights in ours.items():
            yield theirs[name], weights, fnmatchcase(name, self.masked)


def _with_zeros(averaged: Tensor, now: Tensor) -> Tensor:
    return torch.where(now == 0, torch.zeros_like(averaged), averaged)
