"""Early stopping for any loop: what is watched, how long to wait, and the best weights back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from riata.errors import InputError

__all__ = ["EarlyStopping"]

MODES = ("min", "max")
REMEMBERED = ("best", "best_epoch", "epoch", "waited", "diverged", "kept_model", "kept_optimizer")


@dataclass(eq=False)
class EarlyStopping:
    """Stop when a quantity has not improved for ``patience`` epochs, and give the best weights back.

    An epoch improves if its value beats the best one by more than ``min_delta`` (times ``|best|`` if relative). A NaN
    never improves: it counts as an epoch without improvement, or stops at once with ``stop_on_nan``. Zeros come back
    as exactly the zeros of the best epoch. Early stopping is no part of an objective: the residual at the stopped
    weights says how far they are from stationary.

    Parameters
    ----------
    patience : int >= 1
        Epochs without improvement, in a row, after which :attr:`stop` is true.
    mode : {"min", "max"}
        Whether smaller or larger is better.
    min_delta : float >= 0
        Least improvement that counts.
    relative : bool
        Whether ``min_delta`` is a share of the best value instead of an amount.
    monitor : str or None
        Key to look up when :meth:`update` is given a dictionary of metrics.
    stop_on_nan : bool
        Whether the first NaN stops.

    Attributes
    ----------
    best : float or None
        Best value so far; None before the first that is not NaN.
    best_epoch, epoch : int
        Number of the best and of the latest epoch, from 0; -1 before there is one.
    waited : int
        Epochs since the last improvement.

    Raises
    ------
    InputError
        If an option is out of range.

    Examples
    --------
    >>> model = nn.Linear(2, 1)
    >>> stopping = EarlyStopping(patience=2, monitor="loss")
    >>> for loss in [0.9, 0.5, 0.7, float("nan"), 0.1]:
    ...     # ... train an epoch, measure the loss on held-out rows ...
    ...     improved = stopping.update({"loss": loss}, model)
    ...     if stopping.stop:
    ...         break
    >>> stopping.best, stopping.best_epoch, stopping.epoch
    (0.5, 1, 3)
    >>> stopping.restore(model)
    """

    patience: int = 10
    mode: str = "min"
    min_delta: float = 0.0
    relative: bool = False
    monitor: str | None = None
    stop_on_nan: bool = False
    best: float | None = field(default=None, init=False)
    best_epoch: int = field(default=-1, init=False)
    epoch: int = field(default=-1, init=False)
    waited: int = field(default=0, init=False)
    diverged: bool = field(default=False, init=False, repr=False)
    kept_model: dict[str, Any] | None = field(default=None, init=False, repr=False)
    kept_optimizer: dict[str, Any] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.patience, bool) or not isinstance(self.patience, int) or self.patience < 1:
            raise InputError(f"patience {self.patience!r}; expected a whole number >= 1; try patience=10")
        if self.mode not in MODES:
            raise InputError(f"mode {self.mode!r}; expected min (a loss) or max (an accuracy); pass one of these")
        if not 0 <= self.min_delta < math.inf:
            raise InputError(f"min_delta {self.min_delta}; expected a finite number >= 0; try min_delta=0.0")

    @property
    def stop(self) -> bool:
        """Whether to stop now."""
        return self.waited >= self.patience or (self.stop_on_nan and self.diverged)

    def update(
        self,
        value: float | Tensor | Mapping[str, float | Tensor],
        model: nn.Module | None = None,
        optimizer: torch.optim.Optimizer | None = None,
    ) -> bool:
        """Take the value of one more epoch, return whether it improved, and keep a copy of what is passed if it did.

        Parameters
        ----------
        value : float, Tensor of one number, or a mapping of metrics
            What is watched; of a mapping the entry ``monitor``.
        model, optimizer : optional
            Whose state is copied on an improvement; the optimizer's is needed only to train on from there.

        Raises
        ------
        InputError
            If there is no such metric, or it is not one number.
        """
        number = self._number(value)
        self.epoch += 1
        self.diverged = self.diverged or math.isnan(number)
        if not self._improves(number):
            self.waited += 1
            return False
        self.best, self.best_epoch, self.waited = number, self.epoch, 0
        self.kept_model = None if model is None else deepcopy(model.state_dict())
        self.kept_optimizer = None if optimizer is None else deepcopy(optimizer.state_dict())
        return True

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Put the state of the best epoch back, in place.

        Raises
        ------
        InputError
            If :meth:`update` never kept it.
        """
        for what, kept, wanted in (
            ("model", self.kept_model, True),
            ("optimizer", self.kept_optimizer, optimizer is not None),
        ):
            if wanted and kept is None:
                raise InputError(f"no {what} to restore; expected one from an epoch that improved; pass it to update()")
        model.load_state_dict(self.kept_model or {})
        if optimizer is not None:
            optimizer.load_state_dict(deepcopy(self.kept_optimizer or {}))

    def state_dict(self) -> dict[str, Any]:
        """Return everything that changes, copied, for ``torch.save``; options are the constructor's."""
        return {name: deepcopy(getattr(self, name)) for name in REMEMBERED}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state_dict`.

        Raises
        ------
        InputError
            If it is not one.
        """
        if set(state) != set(REMEMBERED):
            raise InputError(f"state with {', '.join(sorted(state))}; expected {', '.join(REMEMBERED)}; save it again")
        for name in REMEMBERED:
            setattr(self, name, deepcopy(state[name]))

    def _number(self, value: float | Tensor | Mapping[str, float | Tensor]) -> float:
        if isinstance(value, Mapping):
            if self.monitor is None or self.monitor not in value:
                found = ", ".join(map(str, value))
                raise InputError(f"monitor {self.monitor!r} among {found}; expected one of these; set monitor= to it")
            value = value[self.monitor]
        if isinstance(value, Tensor) and value.numel() != 1:
            raise InputError(f"a value of shape {tuple(value.shape)}; expected one number; pass its mean")
        return float(value)

    def _improves(self, number: float) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        best = math.inf if self.best is None else sign * self.best
        least = 0.0 if math.isinf(best) else self.min_delta * (abs(best) if self.relative else 1.0)
        return sign * number < best - least
