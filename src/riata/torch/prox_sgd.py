"""Proximal SGD for torch modules, and what it shares with proximal Adam."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from riata.errors import InputError
from riata.groups import Groups
from riata.penalties.base import Penalty
from riata.torch.terms import Slot, blocks, check_options, slot_for

__all__ = ["ProxOptimizer", "ProxSGD", "Work"]

SETUP = ("penalty", "groups")
"""Options that are set-up and not state: they stay with the optimizer and out of its state_dict."""


@dataclass(frozen=True, eq=False)
class Work:
    """One parameter's step: weights, gradient and state in the working dtype, and its term."""

    w: Tensor
    grad: Tensor
    state: dict[str, Any]
    slot: Slot | None
    whole: bool
    """Whether to go over the tensor at once (accelerators) and not block by block (CPU)."""


class ProxOptimizer(torch.optim.Optimizer):
    """What both rules share: terms, masters, resuming. The rule itself is ``_update``."""

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self._slots: dict[Tensor, tuple[Any, ...]] = {}
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._slots = {}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own; see the class.

        Raises
        ------
        InputError
            If an option is out of range, or groups do not fit.
        """
        super().add_param_group(param_group)
        try:
            check_options(self.param_groups[-1])
        except InputError:
            self.param_groups.pop()
            raise

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step: descend on the loss, then the prox of every term. Return the closure's loss, if any."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            for options in self.param_groups:
                work = {p: self._work(p, options) for p in options["params"] if p.grad is not None}
                self._update(list(work.values()), options)
                for p, item in work.items():
                    if item.w.dtype != p.dtype:
                        p.copy_(item.w.view_as(p))
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return numbers and tensors only, without penalties and groups: safe for ``torch.load(weights_only=True)``."""
        saved = super().state_dict()
        for options in saved["param_groups"]:
            for name in SETUP:
                options.pop(name, None)
        return saved

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from a saved state, bit by bit; penalties and groups stay those of this optimizer."""
        setup = [{name: options[name] for name in SETUP} for options in self.param_groups]
        super().load_state_dict(dict(state_dict))
        for options, kept in zip(self.param_groups, setup, strict=True):
            options.update(kept)
        saved = chain.from_iterable(options["params"] for options in state_dict["param_groups"])
        mine = chain.from_iterable(options["params"] for options in self.param_groups)
        for key, p in zip(saved, mine, strict=True):
            if key in state_dict["state"]:  # torch casts to the parameter's dtype, which would lose the masters
                self.state[p] = {name: _copy(value, p) for name, value in state_dict["state"][key].items()}

    def _update(self, work: list[Work], options: dict[str, Any]) -> None:
        """Take the step of one parameter group."""
        raise NotImplementedError

    def _start(self, w: Tensor, slot: Slot | None) -> dict[str, Any]:
        """Return the state of one parameter before its first step."""
        raise NotImplementedError

    def _work(self, p: Tensor, options: dict[str, Any]) -> Work:
        grad = p.grad
        if grad is None or grad.layout != torch.strided or grad.is_complex():
            raise InputError("a sparse or complex gradient; expected a dense real one; use Embedding(sparse=False)")
        state = self.state[p]
        low = bool(options["master"]) and p.dtype in (torch.bfloat16, torch.float16)
        if low and "master" not in state:
            state["master"] = p.detach().float()
        w = state["master"] if low else p.detach()
        slot = self._slot(p, options, w.dtype)
        if "step" not in state:
            state.update(step=0, **self._start(w, slot))
        state["step"] += 1
        foreach = options["foreach"]
        whole = p.device.type != "cpu" if foreach is None else bool(foreach)
        shape = p.shape or (1,)
        return Work(w.view(shape) if p.ndim == 0 else w, grad.to(w.dtype).reshape(shape), state, slot, whole)

    def _slot(self, p: Tensor, options: dict[str, Any], dtype: torch.dtype) -> Slot | None:
        """Return the term of a parameter, built again when its options or its device changed."""
        metric = options.get("metric")
        seen = (options["penalty"], options["groups"], metric, p.device, dtype)
        kept = self._slots.get(p)
        if kept is None or any(a is not b and a != b for a, b in zip(kept[1:], seen, strict=True)):
            kept = (slot_for(p, options, dtype), *seen)
            self._slots[p] = kept
        slot: Slot | None = kept[0]
        return slot


class ProxSGD(ProxOptimizer):
    """Proximal SGD with momentum done right: m <- b m + (1 - b) g, w <- prox_{lr lam R}(w - lr m / (1 - b^t)).

    The dampening equals the momentum, so that the true step is lr and the prox uses the same lr. It is
    :class:`riata.updates.ProxSGD` with one member.

    Parameters
    ----------
    params : iterable of parameters or of dicts
        Dicts may carry any option below, as always in torch; ``riata.torch.adopt(module).param_groups()`` fits.
    lr : float >= 0
        Step.
    momentum : float in [0, 1)
    penalty : Penalty or None
        None leaves the parameters of this group free.
    lam : float >= 0
        Strength; it may be changed between steps, as lr may.
    groups : Groups, or dict of parameter to Groups
        Which entries live or die together; L1, L2 and elastic net need none.
    weight_decay : float >= 0
        Decoupled decay, w <- (1 - lr weight_decay) w before the step, as in AdamW. It is not ridge: for that
        use ``penalty=L2()``.
    master : bool
        Keep float32 weights and state for bfloat16 and float16 parameters; the parameter is their rounded copy.
    foreach : bool or None
        Whole tensors and ``torch._foreach`` calls; None: on accelerators. On the CPU blocks are faster.

    Raises
    ------
    InputError
        If an option is out of range, groups do not fit, or a gradient is sparse or complex.

    References
    ----------
    Parikh & Boyd 2014, *Proximal Algorithms*, section 4.2, eq. (4.6).

    Examples
    --------
    >>> from riata.penalties import L1
    >>> w = torch.nn.Parameter(torch.tensor([3.0, 0.1]))
    >>> optimizer = ProxSGD([w], lr=1.0, momentum=0.0, penalty=L1(), lam=0.5)
    >>> w.grad = torch.zeros(2)
    >>> optimizer.step()
    >>> w.tolist()
    [2.5, 0.0]
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        momentum: float = 0.9,
        *,
        penalty: Penalty | None = None,
        lam: float = 0.0,
        groups: Groups | Mapping[Tensor, Groups] | None = None,
        weight_decay: float = 0.0,
        master: bool = False,
        foreach: bool | None = None,
    ) -> None:
        shared = {"penalty": penalty, "lam": lam, "groups": groups, "weight_decay": weight_decay}
        super().__init__(params, {"lr": lr, "momentum": momentum, **shared, "master": master, "foreach": foreach})

    def _start(self, w: Tensor, slot: Slot | None) -> dict[str, Any]:
        return {"m": torch.zeros_like(w)}

    def _update(self, work: list[Work], options: dict[str, Any]) -> None:
        together = [item for item in work if item.whole]
        if together:
            moments = [item.state["m"].view_as(item.w) for item in together]
            torch._foreach_lerp_(moments, [item.grad for item in together], 1 - options["momentum"])
        for item in work:
            self._one(item, options)

    def _one(self, item: Work, options: dict[str, Any]) -> None:
        w, slot, lr, lam, momentum = item.w, item.slot, float(options["lr"]), float(options["lam"]), options["momentum"]
        m, rate = item.state["m"].view_as(w), lr / (1 - momentum ** item.state["step"])
        total = None if slot is None else slot.squares_wanted(w.dtype)
        step = w.new_full((1,) * w.ndim, lr)
        for rows in blocks(w, item.whole):
            part, moment = w[rows], m[rows]
            if not item.whole:
                moment.lerp_(item.grad[rows], 1 - momentum)
            if options["weight_decay"]:
                part.mul_(1 - lr * options["weight_decay"])
            part.add_(moment, alpha=-rate)
            if slot is not None:
                slot.part_(part, rows, step, lam, total)
        if slot is not None:
            slot.finish_(w, w.new_full((1,), lr) if total is None else w.new_full((1, 1), lr), lam, total)


def _copy(value: Any, p: Tensor) -> Any:
    return value.detach().to(p.device, copy=True) if isinstance(value, Tensor) else value
