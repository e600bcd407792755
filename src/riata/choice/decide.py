"""The main job: from a table to a decision with its evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from ..data import Table
from ..errors import InputError
from ..population.body import Own
from ..population.cluster import reach
from ..population.design import Design, Training
from ..population.hands import hands
from ..population.run import Hands, Keep, train_population
from ..results import Population
from .chart import Resources
from .clock import Clock
from .conclude import conclude
from .decision import Decision
from .figures.networks import SEEDS
from .look import Look, candidates_for, look, theory_leaf
from .options import DEFAULT_BUDGET, Options
from .pilot import PILOT_EFFORT, Budgeted, pilot, plan_for
from .plan_memory import SPENT, TIMES, Notes, plan_bytes, plan_from
from .prepare import Arena, Parts, arena, part
from .probes.picture import probe as picture
from .room import Room, fit_room, require_look
from .score import METRIC
from .search import Run, constant_scores, search, tuned
from .settle import Job, Measured
from .standings import Standings
from .timings import times_bytes, with_times
from .training import training_for


class Progress(Protocol):
    """Is told how far a run is: what it does now, how much of that is done, and the best candidate so far."""

    def __call__(self, stage: str, done: int, total: int, best: str = "", /) -> None:
        """Tell that ``done`` of ``total`` are finished; ``best`` is "" where nothing can be said yet."""
        ...


def quiet(stage: str, done: int, total: int, best: str = "", /) -> None:
    """Say nothing."""


def decide(
    table: Table,
    options: Options | None = None,
    *,
    groups: Mapping[str, str] | None = None,
    progress: Progress = quiet,
    keep: Keep | None = None,
    own: Own | None = None,
    sealed: Table | None = None,
    times: str = TIMES,
) -> Decision:
    """Decide which regularizer a network needs on a table, how strong, and what it then keeps.

    Parameters
    ----------
    table : Table
    options : Options
    groups : mapping of variable to group name, optional
        Variables of one group live and die together.
    progress : Progress
        Called with (stage, done, total, best).
    keep : Keep, optional
        Remembers finished pieces, so that a run that was stopped goes on where it was.
    own : Own, optional
        A user's module that is trained instead of the built-in network.
    sealed : Table, optional
        Rows for the final score, instead of a share of the table.
    times : str
        The note of ``keep`` that says that it is decided, and how long it took.

    Raises
    ------
    InputError
        If the table cannot be used as asked (too few rows of a class for the folds, and so on).
    """
    clock = Clock(before=spent_before(keep))
    options = options or Options()
    device = pick_device(options.device)
    cluster = reach(options.workers, options.processes)
    parts = part(table, options) if sealed is None else Parts(table, sealed)
    progress("looking at the table", 0, 1)
    seen, room = looked(parts, options, groups, own)
    options = options if room.workers == options.processes else replace(options, workers=room.workers)
    names, resources = candidates_for(parts.pool, options, seen.context)
    clock.mark("looking at the table")
    progress("pilot", 0, 1)
    job = Job(table, parts, options, groups, device, clock, own)
    field, plan, names, resources = planned(job, seen, names, resources, keep, room)
    clock.mark("pilot")
    with ExitStack() as stack:
        crew = hands(field.blocks, options.processes, cluster)
        if crew is not None:
            stack.enter_context(crew)
        measured = compared(job, field, plan, names, runner(field, crew, progress, keep, room.chunk))
        by_metric = {name: np.asarray(s.per_fold[METRIC[table.task]]) for name, s in measured.scored.items()}
        context = replace(seen.context, resources=resources, scores=by_metric, repeats=plan.repeats)
        clock.mark("training networks")
        progress("refitting", 0, 1)
        decision = conclude(job, measured, context, seen.warnings)
    return timed_once(decision, keep, times)


def spent_before(keep: Keep | None) -> float:
    """Return the seconds that a resumed run had spent until it was stopped."""
    known = keep.recall(SPENT) if isinstance(keep, Notes) else None
    return 0.0 if known is None else float(known)


def timed_once(decision: Decision, keep: Keep | None, name: str = TIMES) -> Decision:
    """Return the decision with the times of the run that first came to it: resumed again, it is the same."""
    if not isinstance(keep, Notes) or decision.figures is None:
        return decision
    known = keep.recall(name)
    if known is None:
        keep.remember(name, times_bytes(decision.summary, decision.figures))
        return decision
    summary, figures = with_times(decision.summary, decision.figures, known)
    return replace(decision, summary=summary, figures=figures)


def pick_device(name: str) -> str:
    """Return the device that ``auto`` means here, or the one asked for if it is there.

    Raises
    ------
    InputError
        If the device is not available.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return "cuda" if there["cuda"] else "cpu"
    if not there[name]:
        raise InputError(f"--device {name} is not available here; type --device cpu")
    return name


def looked(parts: Parts, options: Options, groups: Mapping[str, str] | None, own: Own | None) -> tuple[Look, Room]:
    """Look at the pool, and fit the rows to compare on and the workers to the memory that is free."""
    require_look(parts.pool, options, own)
    seen = look(parts.pool, options, groups)
    room = fit_room(parts.pool, seen.rows, options, own)
    if options.picture not in ("auto", "no"):
        picture(seen.context)  # a size that cannot be is refused before anything is trained
    return replace(seen, rows=room.rows, warnings=(*seen.warnings, *room.said)), room


def planned(
    job: Job, seen: Look, names: list[str], resources: Resources, keep: Keep | None, room: Room
) -> tuple[Arena, Budgeted, list[str], Resources]:
    """Plan to compare the candidates, or where the budget is too small for that, to train what theory answers."""
    field, plan = plan_within(job, seen, names, resources, keep, room)
    resources = replace(resources, budget=job.options.budget or DEFAULT_BUDGET)
    if not resources.can_validate or plan.fits:
        return field, plan, names, resources
    takes = f"comparing all candidates takes about {plan.estimate:.0f} s"
    why = f"{takes}, more than a budget of {resources.budget:.0f} s leaves beside the pilot, the report and refits"
    resources = replace(resources, can_validate=False, reason=why)
    names = [n for n in [theory_leaf(job.options, seen.context)] if n != "none"]
    return *plan_within(job, seen, names, resources, keep, room), names, resources


def plan_within(
    job: Job, seen: Look, names: list[str], resources: Resources, keep: Keep | None, room: Room
) -> tuple[Arena, Budgeted]:
    """Run the pilot and fit the plan to the budget.

    The plan depends on the clock, so a run that is resumed takes the plan that it began with.
    """
    parts, options, rows = job.parts, job.options, seen.rows
    if not resources.can_validate:
        options = replace(options, dropout=options.rates[:1])

    def field_of(rows: np.ndarray, seeds: int, repeats: int) -> Arena:
        return arena(parts.pool, rows, options, seeds, repeats, job.device, job.groups, job.own)

    name = "plan to compare" if resources.can_validate else "plan by theory"
    known = keep.recall(name) if isinstance(keep, Notes) else None
    if known is not None:
        rows, plan = plan_from(known)
        return field_of(rows, plan.seeds, plan.repeats), plan
    field = field_of(rows, options.seeds, 1)
    train = len(field.splits[0][2].train)
    found = pilot(field, names, training_for(options, train, PILOT_EFFORT), scaled=not options.epochs)
    refits = (1 + (parts.sealed is not None)) * max(1.0, parts.pool.n / train)
    refits += len(SEEDS) * (1 + 2 * len(names)) / options.folds
    plan = plan_for(found, options, job.clock.seconds(), refits, room.repeats)
    if (plan.seeds, plan.repeats) != (options.seeds, 1):
        field = field_of(rows, plan.seeds, plan.repeats)
    if isinstance(keep, Notes):
        keep.remember(name, plan_bytes(rows, plan))
    return field, plan


def compared(job: Job, field: Arena, plan: Budgeted, names: Sequence[str], run: Run) -> Measured:
    """Train what was planned, and score every candidate beside the baseline and the constant predictor."""
    training = training_for(job.options, len(field.splits[0][2].train), plan.effort)
    found = search(field, plan.plan, training, run)
    scored = {name: tuned(found, field, name)[0] for name in ["none", *names]}
    return Measured(field, plan, found, {"constant": constant_scores(field), **scored}, run)


def runner(field: Arena, crew: Hands | None, progress: Progress, keep: Keep | None, chunk: int | None = None) -> Run:
    """Return what trains a design of an arena on the workers.

    The best so far is that among networks trained in the same way, on all columns or on some.
    """
    tables: dict[tuple[Training, bool], Standings] = {}

    def run(design: Design) -> Population:
        restricted = any(s.columns is not None for s in design.splits)
        standings = tables.setdefault((design.training, restricted), Standings(len(field.splits)))
        return train_population(
            field.blocks,
            design,
            crew=crew,
            chunk=chunk,
            progress=lambda done, total: progress("training networks", done, total, standings.best()),
            finished=standings.add,
            keep=keep,
        )

    return run
