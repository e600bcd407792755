"""Attach a prox to a user's own torch optimizer, where its true step is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from riata.errors import InputError
from riata.torch.adopt import Adopted
from riata.torch.prox_sgd import ProxOptimizer
from riata.torch.terms import Slot, check_options, slot_for

__all__ = ["attach_prox"]

Terms = Adopted | Iterable[Mapping[str, Any]]


def attach_prox(optimizer: torch.optim.Optimizer, terms: Terms) -> RemovableHandle:
    """Add the prox of every term after each step of a plain SGD, Adam or AdamW.

    The prox needs the true step of each weight. It is lr for SGD without momentum, or with dampening equal to the
    momentum; for Adam it is lr / (c1 (sqrt(v / c2) + eps)) per weight, from the optimizer's own state, and a group
    penalty is solved exactly in that diagonal metric. Ridge by ``weight_decay`` of SGD and Adam adds to the loss;
    AdamW's decoupled decay moves the solution. A step that was skipped gets no prox.

    Parameters
    ----------
    optimizer : torch.optim.SGD, Adam or AdamW
    terms : Adopted, or dicts with params, penalty, lam and, for group penalties, groups
        As :meth:`riata.torch.Adopted.param_groups` returns them.

    Returns
    -------
    RemovableHandle
        ``handle.remove()`` takes the prox away again.

    Raises
    ------
    InputError
        If the true step is not known: another optimizer, momentum without equal dampening, Nesterov, maximize; or if
        a penalised parameter is not the optimizer's. Options are read again at every step.

    References
    ----------
    Deleu & Bengio 2021, *Structured sparsity inducing adaptive optimizers*, section 3.2.

    Examples
    --------
    >>> from riata.penalties import L1
    >>> w = torch.nn.Parameter(torch.tensor([3.0, 0.1]))
    >>> optimizer = torch.optim.SGD([w], lr=1.0)
    >>> handle = attach_prox(optimizer, [{"params": [w], "penalty": L1(), "lam": 0.5}])
    >>> w.grad = torch.zeros(2)
    >>> optimizer.step()
    >>> w.tolist()
    [2.5, 0.0]
    """
    _refuse_unknown(optimizer)
    wanted: dict[Tensor, dict[str, Any]] = {}
    for term in terms.param_groups() if isinstance(terms, Adopted) else terms:
        options = {"penalty": None, "lam": 0.0, "groups": None, "metric": "entry", **term}
        params = options["params"]
        options["params"] = [params] if isinstance(params, Tensor) else list(params)
        check_options(options)
        if options["penalty"] is not None:
            wanted.update(dict.fromkeys(options["params"], options))
    _check_terms(optimizer, wanted)
    slots: dict[Tensor, Slot] = {}

    def after_step(_: torch.optim.Optimizer, __: tuple[Any, ...], ___: dict[str, Any]) -> None:
        if _was_skipped(optimizer):
            return
        with torch.no_grad():
            for group in optimizer.param_groups:
                for p in group["params"]:
                    if p in wanted and p.grad is not None:
                        _prox(optimizer, group, p, wanted[p], slots)

    return optimizer.register_step_post_hook(after_step)


def _prox(
    optimizer: torch.optim.Optimizer, group: dict[str, Any], p: Tensor, term: dict[str, Any], slots: dict[Tensor, Slot]
) -> None:
    """Apply the prox of one parameter, in float32 at least."""
    _refuse_options(optimizer, group)
    low = p.dtype in (torch.bfloat16, torch.float16)
    w = p.detach().float() if low else p.detach()
    slot = slots.get(p)
    if slot is None or slot.groups.weight.device != p.device or slot.groups.weight.dtype != w.dtype:
        slot = slot_for(p, term, w.dtype)
        if slot is None:
            return
        slots[p] = slot
    lam, whole = float(term["lam"]), slice(0, len(w))
    if isinstance(optimizer, torch.optim.SGD):
        length = w.new_full((1, 1), float(group["lr"]))
        total = slot.zeros(w.dtype) if slot.scales else None
        slot.part_(w, whole, length.view((1,) * w.ndim), lam, total)
        slot.finish_(w, length[0] if total is None else length, lam, total)
    else:
        step = _adam_step(optimizer.state[p], group, w.dtype)
        slot.part_(w, whole, step, lam, None)
        slot.finish_(w, step[None], lam, None)
    if low:
        p.copy_(w)


def _adam_step(state: dict[str, Any], group: dict[str, Any], dtype: torch.dtype) -> Tensor:
    """Return Adam's true step of each weight, from the state it has just used."""
    t, (beta1, beta2) = float(state["step"]), (float(beta) for beta in group["betas"])
    v: Tensor = state["max_exp_avg_sq"] if group["amsgrad"] else state["exp_avg_sq"]
    c1, c2 = 1 - beta1**t, 1 - beta2**t
    below = v.to(dtype).sqrt().mul_(c1 * c2**-0.5).add_(c1 * group["eps"])
    return below.reciprocal_().mul_(float(group["lr"]))


def _was_skipped(optimizer: torch.optim.Optimizer) -> bool:
    """Whether a gradient scaler told a fused optimizer, from inside its step, to leave the weights alone."""
    found = vars(optimizer).get("found_inf")
    return found is not None and bool(found)


def _check_terms(optimizer: torch.optim.Optimizer, wanted: Mapping[Tensor, dict[str, Any]]) -> None:
    mine = {p for group in optimizer.param_groups for p in group["params"]}
    for p, term in wanted.items():
        shape, penalty = tuple(p.shape), term["penalty"]
        if p not in mine:
            raise InputError(f"a term on a parameter of shape {shape} that the optimizer does not train; drop it")
        if penalty.needs_constant_step and not isinstance(optimizer, torch.optim.SGD):
            raise InputError(
                f"{penalty.name} after {type(optimizer).__name__}, whose step differs inside a group; expected one "
                "step a group; use riata.torch.ProxAdam"
            )
    for group in optimizer.param_groups:
        if any(p in wanted for p in group["params"]):
            _refuse_options(optimizer, group)


def _refuse_unknown(optimizer: torch.optim.Optimizer) -> None:
    if isinstance(optimizer, ProxOptimizer):
        raise InputError(f"{type(optimizer).__name__} takes its own prox; pass penalty=, lam= and groups= to it")
    if type(optimizer) not in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW):
        raise InputError(
            f"{type(optimizer).__name__}, whose true step per weight is not known: a prox would solve another problem; "
            "expected torch.optim.SGD, Adam or AdamW; use riata.torch.ProxAdam"
        )


def _refuse_options(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> None:
    name = type(optimizer).__name__
    if group["maximize"]:
        raise InputError(f"{name}(maximize=True); expected a loss to minimise; change the sign of the loss")
    if not isinstance(optimizer, torch.optim.SGD):
        return
    momentum, dampening = float(group["momentum"]), float(group["dampening"])
    if group["nesterov"]:
        raise InputError("SGD(nesterov=True) steps further than lr; expected nesterov=False; use riata.torch.ProxSGD")
    if momentum and momentum != dampening:
        raise InputError(
            f"SGD(momentum={momentum:g}, dampening={dampening:g}) has the true step lr/(1 - momentum): a prox with lr "
            f"solves another problem; pass dampening={momentum:g} and lr/(1 - {momentum:g}), or use riata.torch.ProxSGD"
        )
