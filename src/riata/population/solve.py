"""Solve one chunk of members to a stationary point with all rows at once, and certify any fit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..engines import Params, generator
from ..updates import APG, State, Terms, take_state
from .train import DIVERGED, OK, Engine, Rows, Watch

NOT_CONVERGED = "not converged"
CHECK_EVERY = 10
POWER_STEPS = 3


@dataclass
class Solved:
    """Parameters, the KKT residual of each member (M,), iterations used (M,) and status."""

    params: Params
    kkt: Tensor
    iterations: Tensor
    status: list[str]


def certificate(engine: Engine, params: Params, rows: Rows, terms: Terms) -> Tensor:
    """Return the KKT residual of each member, (M,): how far its parameters are from being stationary.

    The largest, over all parameters, of the distance of minus the gradient of the mean data loss to the
    subdifferential of that parameter's term (per group), and of the gradient's norm where there is no term.
    """
    _, grads = engine.grads(params, rows.x, rows.y, rows.weight)
    return residuals(params, grads, terms)


def residuals(params: Params, grads: Params, terms: Terms) -> Tensor:
    """Return the largest residual over all parameters, (M,), from gradients at hand."""
    worst = []
    for name, w in params.items():
        if name in terms:
            t = terms[name]
            worst.append(t.penalty.residual(w, grads[name], t.lam, t.groups).amax(1))
        else:
            worst.append(grads[name].flatten(1).norm(dim=1))
    return torch.stack(worst).amax(0)


def objective(engine: Engine, params: Params, rows: Rows, terms: Terms) -> Tensor:
    """Return mean data loss + lam * penalty of each member, (M,)."""
    total = engine.losses(params, rows.x, rows.y, rows.weight)
    for name, t in terms.items():
        total = total + t.penalty.value(params[name], t.lam, t.groups)
    return total


def block_curvature(engine: Engine, params: Params, rows: Rows) -> dict[str, Tensor]:
    """Return each parameter's share of the curvature at ``params``, (M,) each, by a few power steps.

    Uses differences of gradients along one parameter at a time; relative to the largest, and at least 1e-3.
    """
    _, base = engine.grads(params, rows.x, rows.y, rows.weight)
    found = {}
    for i, (name, w) in enumerate(params.items()):
        move = torch.randn(w.shape[1:], generator=generator(0, "curvature", i)).to(w).expand_as(w)
        size = torch.zeros(len(w), device=w.device, dtype=w.dtype)
        for _ in range(POWER_STEPS):
            shape = (-1, *([1] * (w.dim() - 1)))
            length = move.flatten(1).norm(dim=1).clamp_min(1e-20)
            move = move / length.reshape(shape) * 1e-2
            _, grads = engine.grads({**params, name: w + move}, rows.x, rows.y, rows.weight)
            change = grads[name] - base[name]
            size = change.flatten(1).norm(dim=1) / 1e-2
            move = torch.where(size.reshape(shape) > 0, change, move)
        found[name] = size
    top = torch.stack(list(found.values())).amax(0).clamp_min(1e-12)
    return {k: (v / top).clamp_min(1e-3) for k, v in found.items()}


def solve(
    engine: Engine,
    rows: Rows,
    terms: Terms,
    params: Params,
    *,
    tol: float,
    iterations: int,
    watch: Watch | None = None,
) -> Solved:
    """Run :class:`~riata.updates.APG` until every member's KKT residual is at most ``tol``.

    Members that are done leave the batch. A member that is not done after ``iterations`` says so in its status.
    """
    update = APG()
    state: State = update.init(params, terms)
    if engine.spec.hidden:
        state["s"] = block_curvature(engine, params, rows)
    final = {k: w.clone() for k, w in params.items()}
    count = len(params["b_out"])
    device = params["b_out"].device
    kkt = params["b_out"].new_full((count,), float("inf"))
    used = torch.zeros(count, dtype=torch.int64, device=device)
    live, ones = torch.arange(count, device=device), params["b_out"].new_ones(count)
    for i in range(1, iterations + 1):
        _, grads = engine.grads(update.point(params, state), rows.x, rows.y, rows.weight)
        update.step(params, grads, state, ones[: len(live)], terms)
        if i % CHECK_EVERY and i != iterations:
            continue
        if watch is not None:
            watch(i, params)
        seen = certificate(engine, params, rows, terms)
        kkt[live], used[live] = seen, i
        for k, w in params.items():
            final[k][live] = w
        go = ((seen > tol) & torch.isfinite(seen)).nonzero().flatten()
        if len(go) == 0:
            break
        if len(go) < len(live):
            live, params = live[go], {k: w[go] for k, w in params.items()}
            terms = {k: t.take(go) for k, t in terms.items()}
            state = take_state(state, go)
            rows = take_rows(rows, go)
    status = [
        DIVERGED if not finite else OK if done else NOT_CONVERGED
        for finite, done in zip(torch.isfinite(kkt).tolist(), (kkt <= tol).tolist(), strict=True)
    ]
    return Solved(final, kkt, used, status)


def take_rows(rows: Rows, members: Tensor) -> Rows:
    """Return the rows of these members, where inputs or weights are the members' own."""
    x = rows.x if rows.x.dim() == 2 else rows.x[members]
    weight = rows.weight if rows.weight is None or rows.weight.dim() == 1 else rows.weight[members]
    return Rows(x, rows.y, weight)
