"""Train one chunk of members: same split, seed and penalty, all strengths at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from ..engines import Loss, NetworkSpec, Params, generator, initial
from ..engines.memory import Scratch, aligned, keep_freed_memory
from ..groups import Groups, by_neuron
from ..penalties import L2, Penalty
from ..penalties.max_norm import MaxNorm
from ..updates import ProxAdam, ProxSGD, State, Term, Terms, take_state
from .design import Training

OK, DIVERGED = "ok", "diverged"


class Engine(Protocol):
    """How the networks of some members are run; see :class:`riata.engines.BatchedEngine`."""

    @property
    def loss(self) -> Loss:
        """Return the loss."""
        ...

    @property
    def spec(self) -> NetworkSpec:
        """Return the network, or of a module its inputs and outputs."""
        ...

    def predict(self, params: Params, x: Tensor) -> Tensor:
        """Return the outputs (M, n, K)."""
        ...

    def losses(
        self, params: Params, x: Tensor, y: Tensor, weight: Tensor | None = None, scratch: Scratch | None = None
    ) -> Tensor:
        """Return the mean loss of every member, (M,)."""
        ...

    def grads(
        self,
        params: Params,
        x: Tensor,
        y: Tensor,
        weight: Tensor | None = None,
        masks: list[Tensor] | None = None,
        scratch: Scratch | None = None,
    ) -> tuple[Tensor, Params]:
        """Return the outputs (M, b, K) and the gradient of the mean loss in every parameter."""
        ...


Noise = Callable[["Arms", int, int, int, Scratch], list[Tensor] | None]
"""Draws the noise of a step: (arms, seed, step, rows, scratch) -> what ``Engine.grads`` takes as masks."""
Watch = Callable[[int, Params], None]
"""Called with (epoch, parameters of the members still in training) at the end of an epoch; must not change them."""


@dataclass(frozen=True)
class Rows:
    """The rows of one split on one device: inputs (n, d), targets (n,), and optional row weights (n,)."""

    x: Tensor
    y: Tensor
    weight: Tensor | None = None


@dataclass(frozen=True)
class Arms:
    """What differs between the members of a chunk: lam, dropout and learning rate, each (M,)."""

    lam: Tensor
    dropout: Tensor
    lr: Tensor

    def take(self, members: Tensor) -> Arms:
        """Return the arms of these members."""
        return Arms(self.lam[members], self.dropout[members], self.lr[members])


@dataclass(frozen=True)
class Task:
    """What a chunk is trained on and how; without ``valid`` there are no rows to stop by.

    ``seed`` is that of its draws (order of the rows, dropout); the initial weights are given to the training.
    """

    engine: Engine
    train: Rows
    valid: Rows | None
    terms: Terms
    arms: Arms
    training: Training
    seed: int
    masks: Noise | None = None

    @property
    def monitor(self) -> Rows:
        """The rows whose loss is watched."""
        return self.valid if self.valid is not None else self.train


@dataclass
class Fitted:
    """What a chunk became: best parameters and, per member, where training ended."""

    params: Params
    valid_loss: Tensor
    best_epoch: Tensor
    epochs: Tensor
    status: list[str]


def terms_for(spec: NetworkSpec, penalty: Penalty, lam: Tensor, groups: Groups) -> dict[str, Term]:
    """Return the penalty of every parameter: ``penalty`` on the first layer, bound or ridge above, biases free."""
    terms = {"first": Term(penalty, lam, groups)}
    above = spec.upper if spec.form == "bounded" or spec.upper_ridge > 0 else ()
    for name in above:
        neurons = by_neuron(spec.shapes()[name]).to(lam.device, lam.dtype)
        if spec.form == "bounded":
            terms[name] = Term(MaxNorm(), lam, neurons)
        else:
            terms[name] = Term(L2(), torch.full_like(lam, spec.upper_ridge), neurons)
    return terms


def start(spec: NetworkSpec, loss: Loss, rows: Rows, seed: int, count: int, *, dense: bool = True) -> Params:
    """Return the initial parameters of ``count`` members of one seed, their intercept at the best constant."""
    one = initial(spec, seed, dtype=rows.x.dtype, dense=dense)
    params = {k: w.to(rows.x.device).expand(count, *w.shape).clone() for k, w in one.items()}
    params["b_out"].add_(loss.null(rows.y, rows.weight))
    return params


def noise(
    spec: NetworkSpec, arms: Arms, seed: int, step: int, rows: int, scratch: Scratch | None = None
) -> list[Tensor] | None:
    """Return the scaled dropout masks (M, b, h) of one step, one a hidden layer, or None where no member drops.

    One draw u per (seed, step, layer) is shared by the members; a unit is kept where u >= p and scaled by 1/(1 - p).
    """
    if not spec.hidden or not bool((arms.dropout > 0).any()):
        return None
    p = arms.dropout.reshape(-1, 1, 1)
    scratch, masks = scratch or Scratch(), []
    for layer, width in enumerate(spec.hidden):
        u = torch.rand(rows, width, generator=generator(seed, "dropout", step, layer)).to(p)
        mask = scratch.take(f"mask{layer}", (len(p), rows, width), p)
        masks.append(torch.ge(u, p, out=mask).mul_(1 / (1 - p)))
    return masks


def rate(step: int, total: int, warmup: float) -> float:
    """Return the share of the learning rate at a step: linear warm-up, then a cosine down to zero."""
    ramp = min(1.0, (step + 1) / (warmup * total + 1))
    return ramp * 0.5 * (1 + math.cos(math.pi * step / total))


def batches(seed: int, epoch: int, rows: int, size: int) -> Iterator[Tensor]:
    """Yield the row indices of one epoch's batches, a pure function of the key; sizes differ by at most one."""
    order = torch.randperm(rows, generator=generator(seed, "order", epoch))
    yield from torch.tensor_split(order, max(1, round(rows / size)))


def make_update(training: Training) -> ProxAdam | ProxSGD:
    """Return the mini-batch rule that a training names."""
    return ProxSGD() if training.update == "prox_sgd" else ProxAdam(metric=training.metric)


class _Best:
    """Each member's best weights so far and since when, and who is still training."""

    def __init__(self, params: Params, training: Training, early: bool):
        some = next(iter(params.values()))
        count = some.shape[0]
        self.training, self.early = training, early
        self.params = {k: w.clone() for k, w in params.items()}
        self.loss = some.new_full((count,), math.inf)
        self.epoch = torch.zeros(count, dtype=torch.int64, device=some.device)
        self.last = torch.zeros(count, dtype=torch.int64, device=some.device)
        self.failed = torch.zeros(count, dtype=torch.bool, device=some.device)

    def look(self, live: Tensor, params: Params, loss: Tensor, epoch: int) -> Tensor:
        """Take in an epoch's validation losses of the live members; return which of them go on, as indices."""
        finite = torch.isfinite(loss)
        before = self.loss[live]
        bar = torch.where(torch.isinf(before), before, before - self.training.min_delta * before.abs())
        better = finite & ((loss < bar) | (not self.early))
        won = better.nonzero().flatten()
        if len(won) == len(self.loss):
            self.loss.copy_(loss)
            self.epoch.fill_(epoch)
            for k, w in params.items():
                self.params[k].copy_(w)
        elif len(won):
            rows = live[won]
            self.loss[rows], self.epoch[rows] = loss[won], epoch
            for k, w in params.items():
                self.params[k][rows] = w[won]
        self.last[live] = epoch
        self.failed[live] |= ~finite
        patient = epoch - self.epoch[live] < self.training.patience
        return (finite & (patient | (not self.early))).nonzero().flatten()


def fit_minibatch(task: Task, params: Params, watch: Watch | None = None) -> Fitted:
    """Train with mini-batches and a decaying rate; stop each member by its validation loss.

    Finished members leave the batch at the end of an epoch. Without ``valid`` the training loss is monitored only to
    see divergence, and the last weights are kept. A member whose loss is no longer finite is a status.
    """
    keep_freed_memory()
    engine, train, monitor, training, seed = task.engine, task.train, task.monitor, task.training, task.seed
    terms, arms, draw = task.terms, task.arms, task.masks or partial(noise, engine.spec)
    update, scratch = make_update(training), Scratch()
    params = {k: aligned(w.clone()) for k, w in params.items()}
    state: State = update.init(params, terms)
    best = _Best(params, training, training.early_stopping and task.valid is not None)
    live = torch.arange(len(arms.lam), device=arms.lam.device)
    per_epoch = max(1, round(len(train.y) / training.batch_size))
    step, total = 0, per_epoch * training.epochs
    for epoch in range(1, min(training.epochs, training.stop_after or training.epochs) + 1):
        for index in batches(seed, epoch, len(train.y), training.batch_size):
            index = index.to(train.x.device)
            masks = draw(arms, seed, step, len(index), scratch)
            weight = None if train.weight is None else train.weight[index]
            _, grads = engine.grads(params, train.x[index], train.y[index], weight, masks, scratch)
            update.step(params, grads, state, arms.lr * rate(step, total, training.warmup), terms)
            step += 1
        loss = engine.losses(params, monitor.x, monitor.y, monitor.weight, scratch)
        if watch is not None:
            watch(epoch, params)
        go = best.look(live, params, loss, epoch)
        if len(go) == 0:
            break
        if len(go) < len(live):
            live, arms = live[go], arms.take(go)
            params = {k: aligned(w[go]) for k, w in params.items()}
            terms = {k: t.take(go) for k, t in terms.items()}
            state = take_state(state, go)
    status = [DIVERGED if bad else OK for bad in best.failed.tolist()]
    return Fitted(best.params, best.loss, best.epoch, best.last, status)
