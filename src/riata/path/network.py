"""Paths of networks: every fold and seed along the strengths, then the fit on all rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..engines import BatchedEngine, Loss, NetworkSpec, Params, initial
from ..groups import Groups, by_variable
from ..penalties import Penalty
from ..population.design import Training
from ..population.hands import Staff
from ..population.solve import certificate, objective, solve
from ..population.train import Rows
from .stage import Arm, Data, StageFit, member_terms, train_stage

LANE = 16
"""Members trained together: more do not fit the caches."""
DOUBLINGS = 5
POLISH = 2000
"""Most full-batch iterations that a ``tol`` may cost per strength."""


@dataclass(frozen=True, eq=False)
class Job:
    """What is the same for all members of a network path."""

    x: np.ndarray
    y: np.ndarray
    fold_of: np.ndarray
    group: np.ndarray
    groups: tuple[str, ...]
    spec: NetworkSpec
    loss: Loss
    penalty: Penalty
    training: Training
    later_epochs: int
    lr: float
    dropout: float
    direction: str
    dtype: torch.dtype
    device: str
    tol: float | None

    def data(self) -> Data:
        """Return the rows on the device."""
        x = torch.as_tensor(self.x).to(self.device, self.dtype)
        return Data(x, torch.as_tensor(self.y).to(self.device, self.dtype), self.fold_of)

    def engine(self) -> BatchedEngine:
        """Return what runs the network."""
        return BatchedEngine(self.spec, self.loss)

    def variables(self) -> Groups:
        """Return the groups of the first layer."""
        shape = (self.spec.inputs, self.spec.first_width)
        return by_variable(shape, torch.as_tensor(self.group), self.groups).to(self.device, self.dtype)


@dataclass(eq=False)
class Lane:
    """Members along the path: one parameter stack (L, M, ...), best epochs and statuses (L, M)."""

    params: list[Params]
    best_epoch: list[list[int]]
    status: list[list[str]]


def origin(job: Job, data: Data, arms: list[Arm], *, dense: bool) -> Params:
    """Return where members start: initial weights by seed, the intercept answering the rows' best constant.

    With ``dense=False`` the first layer is zero: no input at all.
    """
    found = []
    for arm in arms:
        one = {k: w.to(job.device) for k, w in initial(job.spec, arm.seed, dtype=job.dtype, dense=dense).items()}
        rows = torch.as_tensor(data.train(arm.fold)).to(job.device)
        one["b_out"] = one["b_out"] + job.loss.null(data.y[rows])
        if job.spec.hidden and not dense:
            batch = {k: w.unsqueeze(0) for k, w in one.items()}
            said = job.engine().predict(batch, data.x[0][:1])[0, 0]
            one["b_out"] = 2 * one["b_out"] - said
        found.append(one)
    return {k: torch.stack([p[k] for p in found]) for k in found[0]}


def full_batch(job: Job, data: Data, arms: list[Arm], params: Params, iterations: int, tol: float) -> StageFit:
    """Run accelerated proximal gradient on all of the members' rows until their KKT residual is at most ``tol``."""
    terms = member_terms(job.engine(), job.penalty, arms, job.variables(), data.x)
    solved = solve(job.engine(), weighted(data, arms), terms, params, tol=tol, iterations=iterations)
    return StageFit(solved.params, solved.kkt, solved.iterations.tolist(), solved.status)


def weighted(data: Data, arms: list[Arm]) -> Rows:
    """Return all rows with the members' folds as 0/1 weights (M, n)."""
    weight = torch.zeros(len(arms), len(data.y), dtype=data.x.dtype, device=data.x.device)
    for i, arm in enumerate(arms):
        weight[i, torch.as_tensor(data.train(arm.fold)).to(data.x.device)] = 1.0
    x = data.x[0] if len(data.x) == 1 else torch.stack([data.block(a.fold) for a in arms])
    return Rows(x, data.y, weight)


def run_stage(job: Job, data: Data, arms: list[Arm], params: Params, first: bool, stop_after: int | None) -> StageFit:
    """Train the members of one stage; a later stage of a warm path is shorter."""
    epochs = job.training.epochs if first or job.direction == "cold" else job.later_epochs
    params = {k: w.clone() for k, w in params.items()}
    if job.training.update == "apg":
        return full_batch(job, data, arms, params, epochs, 1e-5 if job.tol is None else job.tol)
    training = replace(job.training, epochs=epochs, stop_after=stop_after)
    return train_stage(job.engine(), data, arms, job.penalty, job.variables(), training, job.lr, params)


def run_lane(
    job: Job, arms: list[Arm], lams: np.ndarray, stops: list[int] | None = None, start_from: Params | None = None
) -> Lane:
    """Take some members along the path; ``stops`` are the epochs of each stage, for a fit without held-out rows.

    ``start_from`` continues a path from its parameters.
    """
    torch.set_num_threads(1)
    data, count = job.data(), len(lams)
    order = list(range(count)) if job.direction != "dense_to_sparse" else list(range(count))[::-1]
    start = origin(job, data, arms, dense=job.direction != "sparse_to_dense")
    params, lane = start_from or start, Lane([{}] * count, [[]] * count, [[]] * count)
    for step, i in enumerate(order):
        at = [replace(a, lam=float(lams[i])) for a in arms]
        fit = run_stage(job, data, at, params, step == 0 and start_from is None, None if stops is None else stops[i])
        lane.params[i], lane.best_epoch[i], lane.status[i] = fit.params, fit.best_epoch, fit.status
        params = start if job.direction == "cold" else fit.params
    return lane


@dataclass(frozen=True, eq=False)
class Plan:
    """How many folds and seeds, the first seed, and who takes them along the path."""

    folds: int
    seeds: int
    seed: int
    staff: Staff


def run_folds(job: Job, lams: np.ndarray, plan: Plan, start_from: Params | None = None) -> Lane:
    """Take every fold and seed along the path, in lanes of members that are trained together.

    Members are ordered by seed, then fold. What becomes of one does not depend on its lane, nor on where that ran.
    """
    staff = plan.staff
    arms = [Arm(f, plan.seed + s, 0.0, job.dropout) for s in range(plan.seeds) for f in range(plan.folds)]
    size = LANE if staff.size == 1 else max(1, min(LANE, -(-len(arms) // staff.size)))
    at, what = range(0, len(arms), size), staff.share(job)
    starts = [None if start_from is None else {k: w[a : a + size] for k, w in start_from.items()} for a in at]
    todo = [(a, (what, arms[a : a + size], lams, None, start)) for a, start in zip(at, starts, strict=True)]
    lanes = dict(staff.each(run_lane, todo))
    done = [lanes[a] for a in at]
    count = range(len(lams))
    return Lane(
        [{k: torch.cat([d.params[i][k] for d in done]) for k in done[0].params[i]} for i in count],
        [[e for d in done for e in d.best_epoch[i]] for i in count],
        [[e for d in done for e in d.status[i]] for i in count],
    )


@dataclass(frozen=True, eq=False)
class Certified:
    """The fits on all rows: parameter stacks (L, ...), KKT residual, objective, epochs (L,) and status."""

    params: dict[str, np.ndarray]
    kkt: np.ndarray
    objective: np.ndarray
    epochs: np.ndarray
    status: list[str]


def stops_of(job: Job, lane: Lane) -> list[int] | None:
    """Return the median best epoch of each stage; None where nothing was stopped by held-out rows."""
    if not lane.params or job.training.update == "apg":
        return None
    return [max(1, round(float(np.median(e)))) for e in lane.best_epoch]


def run_path(job: Job, lams: np.ndarray, plan: Plan, *, extend: bool) -> tuple[np.ndarray, Lane, Lane]:
    """Return the strengths, the folds' networks and the fits on all rows along them.

    With ``extend``, the path is continued at twice its largest strength until no input is left in the fit on all rows.
    """
    folds, alone = plan.folds, [Arm(-1, plan.seed, 0.0, job.dropout)]
    lane = run_folds(job, lams, plan) if folds else Lane([], [], [])
    whole = run_lane(job, alone, lams, stops_of(job, lane))
    for _ in range(DOUBLINGS if extend else 0):
        if not bool((whole.params[0]["first"] != 0).any()):
            break
        top = np.array([2.0 * lams[0]])
        more = run_folds(job, top, plan, lane.params[0]) if folds else lane
        beyond = run_lane(job, alone, top, stops_of(job, more), whole.params[0])
        lane, whole, lams = (joined(more, lane) if folds else lane), joined(beyond, whole), np.r_[top, lams]
    return lams, lane, whole


def joined(a: Lane, b: Lane) -> Lane:
    """Return the stages of one lane before those of another."""
    return Lane(a.params + b.params, a.best_epoch + b.best_epoch, a.status + b.status)


def certify(job: Job, lams: np.ndarray, lane: Lane, seed: int) -> Certified:
    """Return the fits on all rows with their certificates; with a ``tol``, finished by full-batch steps first."""
    arms = [Arm(-1, seed, 0.0, job.dropout)]
    data = job.data()
    kkts, objectives, states = [], [], []
    for i, lam in enumerate(lams):
        at = [replace(arms[0], lam=float(lam))]
        if job.tol is not None and job.training.update != "apg":
            fit = full_batch(job, data, at, {k: w.clone() for k, w in lane.params[i].items()}, POLISH, job.tol)
            lane.params[i], lane.status[i] = fit.params, fit.status
        terms = member_terms(job.engine(), job.penalty, at, job.variables(), data.x)
        rows = weighted(data, at)
        kkts.append(float(certificate(job.engine(), lane.params[i], rows, terms)[0]))
        objectives.append(float(objective(job.engine(), lane.params[i], rows, terms)[0]))
        states.append(lane.status[i][0])
    params = {k: np.stack([p[k][0].cpu().numpy() for p in lane.params]) for k in lane.params[0]}
    epochs = np.array([e[0] for e in lane.best_epoch])
    return Certified(params, np.array(kkts), np.array(objectives), epochs, states)


def fold_outputs(job: Job, lane: Lane, folds: int, seeds: int) -> list[list[list[np.ndarray]]]:
    """Return the raw outputs on the held-out rows: [strength][fold][seed] -> (rows, K)."""
    data, engine = job.data(), job.engine()
    found: list[list[list[np.ndarray]]] = []
    for params in lane.params:
        row: list[list[np.ndarray]] = []
        for f in range(folds):
            members = torch.tensor([s * folds + f for s in range(seeds)], device=data.x.device)
            x: Tensor = data.block(f)[torch.as_tensor(data.valid(f)).to(data.x.device)]
            z = engine.predict({k: w[members] for k, w in params.items()}, x)
            row.append([one.double().cpu().numpy() for one in z])
        found.append(row)
    return found
