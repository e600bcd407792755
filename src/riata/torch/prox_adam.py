"""Proximal Adam for torch modules: the prox in Adam's own metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from riata.errors import InputError
from riata.groups import Groups
from riata.penalties.base import Penalty
from riata.torch.prox_sgd import ProxOptimizer, Work
from riata.torch.terms import Slot, blocks, part_of

__all__ = ["ProxAdam"]


class ProxAdam(ProxOptimizer):
    """Proximal Adam: a step in the metric h = (sqrt(v/c2) + eps) / (lr/c1), and the prox in the same metric.

    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  u = w - m/h;
    w <- argmin_x 1/2 sum h (x - u)^2 + lam R(x), with c1 = 1 - b1^t and c2 = 1 - b2^t.

    It is :class:`riata.updates.ProxAdam` with one member. Free parameters get Adam's own step.

    Parameters
    ----------
    params : iterable of parameters or of dicts
        Dicts may carry any option below; ``riata.torch.adopt(module).param_groups()`` fits.
    lr : float >= 0
    betas : (float, float) in [0, 1)
        torch's default for the second is .999.
    eps : float >= 0
    penalty, lam, groups, weight_decay, master, foreach
        As for :class:`riata.torch.ProxSGD`.
    metric : {"group", "entry"}
        ``group``: one second moment a group, the mean of g^2 over it: the group step is the closed form.
        ``entry``: one a weight, as Adam has it; a group penalty then needs a root per group and step. Penalties of
        single entries without groups always have one a weight.

    Raises
    ------
    InputError
        If an option is out of range, groups do not fit, or a gradient is sparse or complex.

    References
    ----------
    Yun, Lozano & Yang 2021, *Adaptive proximal gradient methods for structured neural networks*, eq. (3);
    Deleu & Bengio 2021, *Structured sparsity inducing adaptive optimizers*, section 3.2.

    Examples
    --------
    >>> from riata.penalties import GroupLasso
    >>> from riata.torch import groups_by_input
    >>> layer = torch.nn.Linear(3, 2)
    >>> groups = groups_by_input(layer)
    >>> optimizer = ProxAdam([layer.weight], lr=0.1, penalty=GroupLasso(), lam=100.0, groups=groups)
    >>> layer(torch.ones(5, 3)).square().mean().backward()
    >>> optimizer.step()
    >>> int((layer.weight == 0.0).sum())
    6
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        *,
        penalty: Penalty | None = None,
        lam: float = 0.0,
        groups: Groups | Mapping[Tensor, Groups] | None = None,
        weight_decay: float = 0.0,
        metric: str = "group",
        master: bool = False,
        foreach: bool | None = None,
    ) -> None:
        shared = {"penalty": penalty, "lam": lam, "groups": groups, "weight_decay": weight_decay, "metric": metric}
        rule = {"lr": lr, "betas": betas, "eps": eps}
        super().__init__(params, {**rule, **shared, "master": master, "foreach": foreach})

    def _start(self, w: Tensor, slot: Slot | None) -> dict[str, Any]:
        by_group = slot is not None and not slot.by_entry
        v = slot.share.new_zeros(slot.share.shape) if slot is not None and by_group else torch.zeros_like(w)
        return {"m": torch.zeros_like(w), "v": v}

    def _update(self, work: list[Work], options: dict[str, Any]) -> None:
        together = [item for item in work if item.whole]
        if together:
            moments = [item.state["m"].view_as(item.w) for item in together]
            torch._foreach_lerp_(moments, [item.grad for item in together], 1 - options["betas"][0])
        free: dict[int, list[Work]] = {}
        for item in work:
            if item.slot is not None and not item.slot.by_entry:
                _by_group(item, item.slot, options)
            elif item.slot is not None or not item.whole:
                _by_entry(item, options)
            else:
                free.setdefault(item.state["step"], []).append(item)
        for t, items in free.items():
            _free_together(items, t, options)


def _corrections(t: int, options: dict[str, Any]) -> tuple[float, float]:
    """Return factor and summand of ``h lr = sqrt(v) factor + summand``, at step t."""
    c1, c2 = 1 - options["betas"][0] ** t, 1 - options["betas"][1] ** t
    return c1 * c2**-0.5, c1 * options["eps"]


def _free_together(items: list[Work], t: int, options: dict[str, Any]) -> None:
    """Take Adam's step of parameters without a term, all in one."""
    factor, summand = _corrections(t, options)
    w, grads = [item.w for item in items], [item.grad for item in items]
    m, v = ([item.state[name].view_as(item.w) for item in items] for name in ("m", "v"))
    torch._foreach_mul_(v, options["betas"][1])
    torch._foreach_addcmul_(v, grads, grads, value=1 - options["betas"][1])
    below = torch._foreach_sqrt(v)
    torch._foreach_mul_(below, factor)
    torch._foreach_add_(below, summand)
    if options["weight_decay"]:
        torch._foreach_mul_(w, 1 - float(options["lr"]) * options["weight_decay"])
    torch._foreach_addcdiv_(w, m, below, value=-float(options["lr"]))


def _by_entry(item: Work, options: dict[str, Any]) -> None:
    """Take the step of one parameter with a second moment per weight."""
    w, slot, lr, lam = item.w, item.slot, float(options["lr"]), float(options["lam"])
    beta1, beta2 = options["betas"]
    m, v = _moments(item, w.shape)
    factor, summand = _corrections(item.state["step"], options)
    steps = torch.empty_like(w) if slot is not None and not slot.penalty.entrywise else None
    for rows in blocks(w, item.whole):
        part, grad, moment, square = w[rows], item.grad[rows], m[rows], v[rows]
        if not item.whole:
            moment.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        below = square.sqrt().mul_(factor).add_(summand)
        if options["weight_decay"]:
            part.mul_(1 - lr * options["weight_decay"])
        if slot is None:
            part.addcdiv_(moment, below, value=-lr)
            continue
        step = torch.reciprocal(below, out=below if steps is None else steps[rows]).mul_(lr)
        part.addcmul_(moment, step, value=-1.0)
        slot.part_(part, rows, step, lam, None)
    if slot is not None and steps is not None:
        slot.finish_(w, steps[None], lam, None)


def _by_group(item: Work, slot: Slot, options: dict[str, Any]) -> None:
    """Take the step of one parameter with a second moment per group."""
    w, lr, lam = item.w, float(options["lr"]), float(options["lam"])
    beta1, beta2 = options["betas"]
    m, v = _moments(item, slot.share.shape)
    squares = slot.zeros(w.dtype)
    for rows in blocks(w, item.whole):
        if not item.whole:
            m[rows].lerp_(item.grad[rows], 1 - beta1)
        slot.add_squares(squares, item.grad[rows], rows)
    v.mul_(beta2).addcmul_(slot.lines.sums(squares), slot.share, value=1 - beta2)
    factor, summand = _corrections(item.state["step"], options)
    step = v.sqrt().mul_(factor).add_(summand).reciprocal_().mul_(lr)
    metric, total = slot.spread(step), slot.squares_wanted(w.dtype)
    for rows in blocks(w, item.whole):
        part, length = w[rows], part_of(metric, rows)
        if options["weight_decay"]:
            part.mul_(1 - lr * options["weight_decay"])
        part.addcmul_(m[rows], length, value=-1.0)
        slot.part_(part, rows, length, lam, total)
    slot.finish_(w, step, lam, total)


def _moments(item: Work, shape: torch.Size) -> tuple[Tensor, Tensor]:
    """Return both moments.

    Raises
    ------
    InputError
        If the saved second moment belongs to other groups.
    """
    m, v = item.state["m"].view_as(item.w), item.state["v"]
    if v.numel() != shape.numel():
        raise InputError(
            f"a second moment of shape {tuple(v.shape)} where the groups need {tuple(shape)}; expected the same "
            "penalty, groups and metric as before; make a new optimizer"
        )
    return m, v.view(shape)
