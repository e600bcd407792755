"""One stage of a path: many networks of one strength each, on the folds' own rows, trained together.

Members may differ by fold, seed, strength and dropout. A member's rows, order, masks and weights depend on its own
fold and seed only, so it does not matter who else is in the stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..engines import BatchedEngine, Params, generator
from ..groups import Groups
from ..penalties import Penalty
from ..population.design import Training
from ..population.train import DIVERGED, OK, make_update, rate, terms_for
from ..updates import Terms, take_state


@dataclass(frozen=True)
class Arm:
    """One member: its fold (-1: all rows), seed, strength and dropout rate."""

    fold: int
    seed: int
    lam: float
    dropout: float = 0.0


@dataclass(frozen=True, eq=False)
class Data:
    """What the members read: x (B, n, d) with a block a fold and the last for all rows (B = 1: shared), y (n,)."""

    x: Tensor
    y: Tensor
    fold_of: np.ndarray

    def block(self, fold: int) -> Tensor:
        """Return the inputs (n, d) of a fold."""
        return self.x[fold if len(self.x) > 1 else 0]

    def train(self, fold: int) -> np.ndarray:
        """Return the rows that train a fold's members; all rows for -1."""
        return np.flatnonzero(self.fold_of != fold) if fold >= 0 else np.arange(len(self.y))

    def valid(self, fold: int) -> np.ndarray:
        """Return the held-out rows of a fold; none for -1."""
        return np.flatnonzero(self.fold_of == fold) if fold >= 0 else np.arange(0)


@dataclass(eq=False)
class StageFit:
    """What a stage became: weights, held-out loss + penalty (M,), epoch of the weights kept (M,), status."""

    params: Params
    monitor: Tensor
    best_epoch: list[int]
    status: list[str]


def epoch_index(data: Data, arms: list[Arm], epoch: int, size: int) -> tuple[Tensor, Tensor]:
    """Return the rows (M, S, b) of every step of an epoch and their weights, 0 on the padding.

    The order is a permutation of all rows, keyed by seed and epoch, without the held-out ones: folds are paired.
    """
    n = len(data.y)
    orders = {s: torch.randperm(n, generator=generator(s, "order", epoch)).numpy() for s in {a.seed for a in arms}}
    rows = [orders[a.seed][(data.fold_of != a.fold)[orders[a.seed]] if a.fold >= 0 else slice(None)] for a in arms]
    everything = any(a.fold < 0 for a in arms)
    longest = n if everything else n - int(np.bincount(data.fold_of).min())
    steps = max(1, round(longest / size))
    width = math.ceil(longest / steps)
    index = np.zeros((len(arms), steps * width), dtype=np.int64)
    weight = np.zeros((len(arms), steps * width))
    for i, r in enumerate(rows):
        spots = np.floor(np.arange(len(r)) * (steps * width / len(r))).astype(np.int64)
        index[i, spots], weight[i, spots] = r, 1.0
    shape = (len(arms), steps, width)
    return torch.as_tensor(index.reshape(shape)), torch.as_tensor(weight.reshape(shape))


def dropout_masks(engine: BatchedEngine, arms: list[Arm], step: int, rows: int) -> list[Tensor] | None:
    """Return the scaled masks (M, b, h) of a step, one a hidden layer; None where nobody drops.

    One draw u per (seed, step, layer); a unit is kept where u >= p and scaled by 1/(1 - p).
    """
    if not engine.spec.hidden or all(a.dropout == 0 for a in arms):
        return None
    masks = []
    for layer, width in enumerate(engine.spec.hidden):
        draws = {
            s: torch.rand(rows, width, generator=generator(s, "dropout", step, layer)) for s in {a.seed for a in arms}
        }
        masks.append(torch.stack([(draws[a.seed] >= a.dropout) / (1 - a.dropout) for a in arms]))
    return masks


def member_terms(engine: BatchedEngine, penalty: Penalty, arms: list[Arm], groups: Groups, like: Tensor) -> Terms:
    """Return the terms of some members: the penalty on the first layer, bound or ridge above."""
    lam = torch.tensor([a.lam for a in arms], dtype=like.dtype, device=like.device)
    return terms_for(engine.spec, penalty, lam, groups)


def penalty_value(params: Params, terms: Terms) -> Tensor:
    """Return the penalty on the first layer of every member, (M,)."""
    t = terms["first"]
    return t.penalty.value(params["first"], t.lam, t.groups)


def held_out_rows(data: Data, arms: list[Arm]) -> tuple[Tensor, Tensor, Tensor] | None:
    """Return x (M, v, d), y (M, v) and weights (M, v) of every member's held-out rows; None where one has none."""
    rows = [data.valid(a.fold) for a in arms]
    if any(len(r) == 0 for r in rows):
        return None
    width = max(len(r) for r in rows)
    index = torch.as_tensor(np.stack([np.resize(r, width) for r in rows]))
    weight = torch.tensor([[1.0] * len(r) + [0.0] * (width - len(r)) for r in rows]).to(data.x)
    return gather(data, arms, index), data.y[index.to(data.y.device)], weight


def gather(data: Data, arms: list[Arm], index: Tensor) -> Tensor:
    """Return the inputs (M, b, d) of rows (M, b), each from its member's block."""
    index = index.to(data.x.device)
    if len(data.x) == 1:
        return data.x[0][index]
    return data.x[torch.tensor([[a.fold] for a in arms], device=data.x.device), index]


def train_stage(
    engine: BatchedEngine,
    data: Data,
    arms: list[Arm],
    penalty: Penalty,
    groups: Groups,
    training: Training,
    lr: float,
    params: Params,
) -> StageFit:
    """Train the members from ``params`` by mini-batches with a rate that rises, then falls to zero.

    With early stopping and held-out rows, each member's weights are those of the epoch with the smallest held-out
    loss + penalty (the penalty is in it so that weights of an earlier, smaller strength are not kept for ever), and a
    member stops after ``patience`` epochs without a better one. Otherwise the last weights are kept.
    """
    update, terms = make_update(training), member_terms(engine, penalty, arms, groups, data.x)
    state = update.init(params, terms)
    held = held_out_rows(data, arms) if training.early_stopping else None
    best = _Best(params, training, held is not None)
    live, step = list(range(len(arms))), 0
    last = min(training.epochs, training.stop_after or training.epochs)
    for epoch in range(1, last + 1):
        index, weight = epoch_index(data, arms, epoch, training.batch_size)
        weight = weight.to(data.x)
        total = index.shape[1] * training.epochs
        for s in range(index.shape[1]):
            rows = index[:, s]
            masks = dropout_masks(engine, arms, step, rows.shape[1])
            masks = None if masks is None else [m.to(data.x) for m in masks]
            y = data.y[rows.to(data.y.device)]
            _, grads = engine.grads(params, gather(data, arms, rows), y, weight[:, s], masks)
            speed = data.x.new_full((len(arms),), lr * rate(step, total, training.warmup))
            update.step(params, grads, state, speed, terms)
            step += 1
        go = best.look(live, params, _monitored(engine, params, held, terms), epoch, epoch == last)
        if len(go) == 0:
            break
        if len(go) < len(live):
            keep = torch.tensor(go, device=data.x.device)
            live, arms = [live[i] for i in go], [arms[i] for i in go]
            params = {k: w[keep] for k, w in params.items()}
            terms = {k: t.take(keep) for k, t in terms.items()}
            state = take_state(state, keep)
            held = None if held is None else (held[0][keep], held[1][keep], held[2][keep])
    return best.result()


def _monitored(
    engine: BatchedEngine, params: Params, held: tuple[Tensor, Tensor, Tensor] | None, terms: Terms
) -> Tensor:
    """Return held-out loss + penalty, (M,); without held-out rows a number that is finite while the weights are."""
    if held is None:
        return torch.stack([w.flatten(1).sum(1) for w in params.values()]).sum(0)
    return engine.losses(params, *held) + penalty_value(params, terms)


class _Best:
    """Each member's best weights so far and since when."""

    def __init__(self, params: Params, training: Training, monitored: bool):
        count = len(params["b_out"])
        self.params = {k: w.clone() for k, w in params.items()}
        self.training, self.monitored = training, monitored
        self.monitor = params["b_out"].new_full((count,), math.inf)
        self.epoch = [0] * count
        self.failed = [False] * count

    def look(self, live: list[int], params: Params, seen: Tensor, epoch: int, final: bool) -> list[int]:
        """Take in an epoch of the live members; return which of them go on, as positions in ``live``."""
        go = []
        values, finite = seen.tolist(), torch.isfinite(seen).tolist()
        for i, member in enumerate(live):
            if not finite[i]:
                self.failed[member] = True
                continue
            before = float(self.monitor[member])
            bar = before - self.training.min_delta * abs(before) if math.isfinite(before) else before
            if (self.monitored and values[i] < bar) or (final and not self.monitored):
                self.monitor[member], self.epoch[member] = values[i], epoch
                for k, w in params.items():
                    self.params[k][member] = w[i]
            if not self.monitored or epoch - self.epoch[member] < self.training.patience:
                go.append(i)
        return go

    def result(self) -> StageFit:
        """Return what the stage became."""
        status = [DIVERGED if bad else OK for bad in self.failed]
        return StageFit(self.params, self.monitor, self.epoch, status)
