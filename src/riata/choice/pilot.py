"""A pilot on one fold: where every strength ends, what a network costs, and what then fits the budget."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..path.strengths import grid, lam_max, starting_point
from ..penalties import Penalty, by_name
from ..population.body import Body, BuiltIn
from ..population.cluster import reach
from ..population.design import Design, Member, Training
from ..population.run import fit_chunk
from ..population.train import Rows
from ..results import MemberResult
from .options import DEFAULT_BUDGET, Options
from .prepare import Arena
from .search import Plan
from .training import LEARNING_RATE

DOUBLINGS = 4
OWN_DOUBLINGS = range(-7, 9)
"""The same for a user's module, whose lam_max is only a guess: it may be far too large or too small."""
SAFETY = 1.1
"""The estimate is raised by this much, for grids that have to be extended and for machines that are shared."""
PILOT_EFFORT = 0.25
"""Share of the usual epochs that the pilot trains for."""
LENGTHENED: Mapping[float, float] = {0.25: 1.0, 0.5: 1.6, 1.0: 2.4}
"""What a network costs by its effort, in the pilot's: most stop before the epochs they are given (measured)."""
REFIT_COST = 3.0
"""What a network of the refit costs, which trains alone and on all rows, in networks of the comparison."""
MOST_REPEATS = 5
"""Most repeats of the folds that a budget buys."""
SELECTION_COST = 8
"""What selecting variables costs for each strength, split and seed, in networks that stop early."""
SHARE = 0.8
"""Share of the budget that the comparison may take; the rest is for reading, refitting and the report."""
LIGHT = (0.1, 0.05, 0.03, 0.01, 0.005, 0.002)
"""Shares of lam_max whose networks are timed: they run longest."""


@dataclass(frozen=True)
class Pilot:
    """What one fold told: the largest strength of each penalty's grid and the seconds of a network.

    ``confirmed`` says at how many times lam_max every input was out when it was run.
    """

    largest: dict[str, float]
    ratio: dict[str, float]
    confirmed: dict[str, float]
    seconds_per_fit: float
    seconds: float


def pilot(arena: Arena, penalties: Sequence[str], training: Training, scaled: bool = True) -> Pilot:
    """Compute lam_max, run it, double it until every input is out, and time light strengths beside.

    ``scaled`` says that ``training`` is the pilot's short one, so that times are raised to the usual length.

    lam_max is confirmed without early stopping, which would keep weights that the penalty was still removing; the
    networks that are timed stop early as those of the comparison do.
    """
    began = time.perf_counter()
    largest, ratio, confirmed, times = {}, {}, {}, [_timed(arena, "none", [0.0] * len(LIGHT), training)]
    for name in penalties:
        top, ratio[name] = starting_point(by_name(name), _largest(arena, name, training))
        confirmed[name] = _confirm(arena, name, top, training) if by_name(name).sparse else 1.0
        largest[name] = top * confirmed[name]
        times.append(_timed(arena, name, [largest[name] * share for share in LIGHT], training))
    whole = float(np.mean(times)) * (LENGTHENED[1.0] if scaled else 1.0)
    return Pilot(largest, ratio, confirmed, whole, time.perf_counter() - began)


def _largest(arena: Arena, name: str, training: Training) -> float:
    """Return the largest lam_max over a few splits."""
    blocks = arena.blocks
    body = blocks.body(training)
    some = [(seed, split) for _, seed, split in arena.splits][:3]
    return max(_smallest_lam(body, blocks.rows(s, s.train), by_name(name), seed) for seed, s in some)


def _smallest_lam(body: Body, rows: Rows, penalty: Penalty, seed: int) -> float:
    """Return the strength at which keeping nothing is stationary; of a module, for its layers as they start."""
    if isinstance(body, BuiltIn):
        return lam_max(body.engine(), rows, penalty, body.groups(), seed)
    _, grads = body.engine().grads(body.start(rows, seed, 1, dense=False), rows.x, rows.y, rows.weight)
    term = body.terms(penalty, rows.x.new_ones(1))["first"]
    return float(penalty.lam_max(grads["first"], term.groups)[0])


def _fit(arena: Arena, name: str, lams: list[float], training: Training) -> list[MemberResult]:
    """Train some strengths on the first split."""
    members = tuple(Member(name, lam, 0.0, 0, arena.splits[0][1], LEARNING_RATE) for lam in lams)
    design = Design(members, (arena.splits[0][2],), training)
    return fit_chunk(arena.blocks, design, list(range(len(lams))))[1]


def _confirm(arena: Arena, name: str, top: float, training: Training) -> float:
    """Return how many times ``top`` leaves no input when it is run to the end of its schedule."""
    short = replace(training, early_stopping=False)
    times = [2.0**i for i in (range(DOUBLINGS) if arena.blocks.own is None else OWN_DOUBLINGS)]
    results = _fit(arena, name, [top * t for t in times], short)
    return next((t for t, r in zip(times, results, strict=True) if r.kept == 0), times[-1])


def _timed(arena: Arena, name: str, lams: list[float], training: Training) -> float:
    """Return the seconds per network of some strengths."""
    began = time.perf_counter()
    _fit(arena, name, lams, training)
    return (time.perf_counter() - began) / len(lams)


@dataclass(frozen=True)
class Budgeted:
    """A plan that fits the budget: seeds, repeats, share of the usual epochs, strengths, and what was left out."""

    plan: Plan
    seeds: int
    repeats: int
    effort: float
    estimate: float
    fits: bool
    left_out: list[str] = field(default_factory=list)


def ladder(options: Options) -> list[tuple[int, int, tuple[float, ...], float]]:
    """Return plans as (seeds, path length, dropout rates, effort), richest first.

    Cut in this order: dropout rates, half the strengths, half the epochs, seeds down to one, half the epochs again, a
    third of the strengths. Epochs that the person set are never cut.
    """
    half, third = max(5, options.path_length // 2), max(4, options.path_length // 3)
    half, third = min(half, options.path_length), min(third, options.path_length)
    seeds, plain = options.seeds, options.rates[:1]
    steps = [
        (seeds, options.path_length, options.rates, 1.0),
        (seeds, options.path_length, plain, 1.0),
        (seeds, half, plain, 1.0),
        (seeds, half, plain, 0.5),
        *[(s, half, plain, 0.5) for s in range(seeds - 1, 0, -1)],
        (1, half, plain, 0.25),
        (1, third, plain, 0.25),
    ]
    return [(s, n, d, 1.0 if options.epochs else effort) for s, n, d, effort in steps]


def plan_for(
    found: Pilot, options: Options, spent: float, refits: float = 1.0, most_repeats: int = MOST_REPEATS
) -> Budgeted:
    """Choose the richest plan of the ladder whose extrapolated cost fits the budget.

    ``refits`` is how often the verdict is fitted, on how many times the rows. What is left of a budget that the person
    set goes into repeats of the folds, at most ``most_repeats``.
    """
    budget = (options.budget or DEFAULT_BUDGET) * SHARE - spent
    for seeds, length, dropout, effort in ladder(options):
        strengths = {p: grid(top, length, found.ratio[p]) for p, top in found.largest.items()}
        plan = Plan(strengths, dropout)
        here = min(effective_workers(options), options.processes)
        last = refits * options.folds * REFIT_COST * found.seconds_per_fit / here
        estimate = last + estimate_seconds(found, plan, options, seeds, options.repeats, effort)
        if estimate <= budget:
            break
    repeats, one = options.repeats, estimate_seconds(found, plan, options, seeds, 1, effort)
    while options.budget is not None and effort == 1.0 and repeats < most_repeats and estimate + one <= budget:
        repeats, estimate = repeats + 1, estimate + one
    said = _left_out(options, seeds, length, dropout, effort)
    return Budgeted(plan, seeds, repeats, effort, estimate, estimate <= budget, said)


def estimate_seconds(
    found: Pilot, plan: Plan, options: Options, seeds: int, repeats: int, effort: float = 1.0
) -> float:
    """Return the extrapolated seconds of a plan on the workers."""
    fits = plan.count() * options.folds * seeds * repeats
    if options.goal == "selection" and plan.strengths:
        longest = max(len(s) for s in plan.strengths.values())
        fits += SELECTION_COST * longest * options.folds * seeds * repeats
    return SAFETY * fits * _length(effort) * found.seconds_per_fit / effective_workers(options)


def _length(effort: float) -> float:
    """Return what a network of an effort costs, relative to one of the usual length."""
    return LENGTHENED[effort] / LENGTHENED[1.0]


def effective_workers(options: Options) -> float:
    """Return how many networks run at once: worker processes on a CPU, one on an accelerator; all of a cluster's."""
    fast = options.device not in ("auto", "cpu") or (options.device == "auto" and torch.cuda.is_available())
    cluster = reach(options.workers, options.processes)
    if cluster is not None:
        return float(max(1, cluster.cores("cuda" if fast else "cpu")))
    return 1.0 if fast else float(options.processes)


def _left_out(options: Options, seeds: int, length: int, dropout: tuple[float, ...], effort: float) -> list[str]:
    said = []
    if effort < 1:
        said.append(f"networks were trained for {effort:.0%} of the usual epochs, for the budget")
    if len(dropout) < len(options.rates):
        said.append(f"dropout {', '.join(f'{p:g}' for p in options.rates[1:])} was not compared, for the budget")
    if length < options.path_length:
        said.append(f"{length} strengths instead of {options.path_length} per penalty, for the budget")
    if seeds < options.seeds:
        said.append(f"{seeds} seeds instead of {options.seeds} per fold, for the budget")
    return said
