"""One network, or one linear model, of one penalty at one strength."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..choice.training import EPOCHS, PATIENCE, STEPS, batch_size
from ..data.say import refuse
from ..engines import BatchedEngine, Loss, NetworkSpec, Params
from ..engines.memory import Scratch
from ..groups import Groups, by_variable
from ..path.fit import LINEAR_TOL
from ..path.linear import linear_path
from ..path.options import PathOptions
from ..penalties import NAMES, Penalty
from ..population.design import Training
from ..population.solve import NOT_CONVERGED, certificate
from ..population.train import OK, Arms, Rows, Task, fit_minibatch, start, terms_for
from ..updates import Term
from .rows import Table


@dataclass(frozen=True, eq=False)
class Work:
    """What is fitted: the network and its loss, the penalty at ``lam`` on groups of columns, and how.

    ``group`` (d,) is the group of every column; ``flat`` (d,) columns have one value, and weights of 0.0.
    """

    spec: NetworkSpec
    loss: Loss
    penalty: Penalty
    lam: float
    group: np.ndarray
    flat: np.ndarray
    options: PathOptions

    def terms(self, like: Tensor) -> dict[str, Term]:
        """Return the term of every penalised parameter."""
        groups = self.groups().to(like.device, like.dtype)
        return terms_for(self.spec, self.penalty, like.new_tensor([self.lam]), groups)

    def groups(self) -> Groups:
        """Return the groups of rows of the first layer."""
        names = [str(g) for g in range(int(self.group.max()) + 1)]
        return by_variable((self.spec.inputs, self.spec.first_width), torch.as_tensor(self.group), names)

    def origin(self, rows: Rows) -> Params:
        """Return the weights before training, those of flat columns zero."""
        params = start(self.spec, self.loss, rows, self.options.seed, 1)
        params["first"][:, torch.as_tensor(self.flat)] = 0.0
        return params


@dataclass(frozen=True, eq=False)
class Fit:
    """What came out: parameters (1, ...) on the CPU, losses an epoch, epochs run and kept, KKT residual, status."""

    params: Params
    loss_curve: list[float]
    valid_curve: list[float]
    epochs: int
    best_epoch: int
    kkt: float
    status: str


@dataclass(frozen=True)
class WeightedEngine(BatchedEngine):
    """The engine on mini-batches of rows whose weights have mean 1 over all rows.

    The gradient of a batch is that of sum_i weight_i loss_i / b, not of the mean within the batch: then its average
    over the batches is the gradient of the weighted mean over all rows, however uneven the weights.
    """

    def grads(
        self,
        params: Params,
        x: Tensor,
        y: Tensor,
        weight: Tensor | None = None,
        masks: list[Tensor] | None = None,
        scratch: Scratch | None = None,
    ) -> tuple[Tensor, Params]:
        """Return the outputs (M, b, K) and the gradients."""
        out, grads = super().grads(params, x, y, weight, masks, scratch)
        if weight is None:
            return out, grads
        return out, {name: g.mul_(weight.mean()) for name, g in grads.items()}


def plan(options: PathOptions, rows: int) -> Training:
    """Return the training of a network on so many rows: that of :func:`riata.choose` where nothing is asked."""
    size = min(options.batch_size or batch_size(rows), rows)
    epochs = options.epochs or int(min(EPOCHS[1], max(EPOCHS[0], round(STEPS * size / rows))))
    return Training(
        epochs=epochs, batch_size=size, patience=options.patience or max(5, round(PATIENCE * epochs)),
        early_stopping=options.early_stopping, hidden=options.hidden, form=options.form,
    )  # fmt: skip


def one_arm(work: Work, like: Tensor) -> Arms:
    """Return the one arm there is."""
    options = work.options
    return Arms(*(like.new_tensor([value]) for value in (work.lam, options.dropout, options.lr)))


def on_cpu(state: Any) -> Any:
    """Return tensors, also those inside dictionaries, on the CPU: what is pickled can be read anywhere."""
    if isinstance(state, dict):
        return {key: on_cpu(value) for key, value in state.items()}
    return state.detach().cpu() if isinstance(state, Tensor) else state


def fit_network(work: Work, train: Table, valid: Table | None) -> Fit:
    """Train by mini-batches from the initial weights, stopped by the held-out rows where there are some."""
    device, kind = work.options.place, torch.float32
    rows = train.rows(device, kind)
    held = valid.rows(device, kind) if valid is not None else None
    plain = BatchedEngine(work.spec, work.loss)
    engine = plain if rows.weight is None else WeightedEngine(work.spec, work.loss)
    curves: tuple[list[float], list[float]] = ([], [])

    def watch(epoch: int, params: Params) -> None:
        for curve, some in zip(curves, (rows, held), strict=True):
            if some is not None:
                curve.append(float(plain.losses(params, some.x, some.y, some.weight)))

    training = plan(work.options, len(train.y))
    task = Task(engine, rows, held, work.terms(rows.x), one_arm(work, rows.x), training, work.options.seed)
    found = fit_minibatch(task, work.origin(rows), watch)
    kkt = certificate(plain, found.params, rows, work.terms(rows.x))
    return Fit(on_cpu(found.params), *curves, int(found.epochs), int(found.best_epoch), float(kkt), found.status[0])


def fit_linear(work: Work, train: Table) -> Fit:
    """Solve the convex problem of a linear model on all rows, to rounding."""
    if work.penalty.name not in NAMES:
        raise refuse(f"penalty {work.penalty.name} with hidden=(); expected one of {', '.join(NAMES)}; pass another")
    rows = train.rows("cpu", torch.float64)
    weight = torch.ones_like(rows.y) if rows.weight is None else rows.weight
    terms = work.terms(rows.x)
    groups, lams = terms["first"].groups, np.array([work.lam])
    found = linear_path(rows.x, rows.y, weight.unsqueeze(0), work.loss, work.penalty, groups, lams, tol=LINEAR_TOL)
    params = {"first": torch.as_tensor(found.first[0]), "b_out": torch.as_tensor(found.b_out[0])}
    engine, cycles = BatchedEngine(work.spec, work.loss), max(1, int(found.cycles[0, 0]))
    loss = float(engine.losses(params, rows.x, rows.y, rows.weight))
    kkt = float(certificate(engine, params, rows, terms))
    return Fit(params, [loss], [], cycles, cycles, kkt, OK if found.converged[0, 0] else NOT_CONVERGED)
