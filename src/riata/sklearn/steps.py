"""Training that goes on: one pass over the rows at hand, from where the last one ended."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..engines import BatchedEngine, Params
from ..population.solve import certificate
from ..population.train import DIVERGED, OK, Rows, batches, noise
from ..updates import ProxAdam, State
from .rows import Table
from .training import Fit, WeightedEngine, Work, on_cpu, one_arm, plan


@dataclass(frozen=True, eq=False)
class Going:
    """Where training stands: parameters and the optimizer's state, steps and passes taken so far."""

    params: Params
    state: State
    step: int = 0
    passes: int = 0


def begin(work: Work, table: Table, params: Params | None) -> Going:
    """Return the state before the first pass: from fitted parameters, or from the initial ones."""
    rows = table.rows("cpu", torch.float32)
    origin = work.origin(rows) if params is None else {name: w.float().clone() for name, w in params.items()}
    return Going(origin, ProxAdam().init(origin, work.terms(rows.x)))


def one_pass(work: Work, table: Table, going: Going) -> tuple[Going, Fit]:
    """Take :class:`riata.updates.ProxAdam` steps at a constant rate over all rows once, in mini-batches."""
    device = work.options.place
    rows = table.rows(device, torch.float32)
    params, state = _moved(going.params, device), _moved(going.state, device)
    terms, arms, update, seed, step = (
        work.terms(rows.x),
        one_arm(work, rows.x),
        ProxAdam(),
        work.options.seed,
        going.step,
    )
    engine = WeightedEngine(work.spec, work.loss)
    for index in batches(seed, going.passes + 1, len(rows.y), plan(work.options, len(rows.y)).batch_size):
        index = index.to(device)
        weight = None if rows.weight is None else rows.weight[index]
        masks = noise(work.spec, arms, seed, step, len(index))
        _, grads = engine.grads(params, rows.x[index], rows.y[index], weight, masks)
        update.step(params, grads, state, arms.lr, terms)
        step += 1
    params, state = on_cpu(params), on_cpu(state)
    after = Going(params, state, step, going.passes + 1)
    return after, _fit(work, params, table.rows("cpu", torch.float32), after.passes)


def _moved(state: dict, device: str) -> dict:  # type: ignore[type-arg]
    """Return a copy of a state on a device."""
    out: dict = {}  # type: ignore[type-arg]
    for key, value in state.items():
        if isinstance(value, dict):
            out[key] = _moved(value, device)
        else:
            out[key] = value.to(device, copy=True) if isinstance(value, torch.Tensor) else value
    return out


def _fit(work: Work, params: Params, rows: Rows, passes: int) -> Fit:
    engine = BatchedEngine(work.spec, work.loss)
    loss = float(engine.losses(params, rows.x, rows.y, rows.weight))
    kkt = float(certificate(engine, params, rows, work.terms(rows.x)))
    finite = all(bool(torch.isfinite(w).all()) for w in params.values())
    return Fit(params, [loss], [], passes, passes, kkt, OK if finite else DIVERGED)
