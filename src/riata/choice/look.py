"""Before any training: draw and test the sub-sample, gather the facts, and say whether candidates can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..data import Table, layout, subsample
from .chart import Chart, Context, Resources, walk
from .classic import CLASSIC
from .default_chart import DEFAULT
from .options import Options
from .prepare import encode, grouping
from .probes.subsample import representative

CHARTS: Mapping[str, Chart] = {"default": DEFAULT, "classic": CLASSIC}
LEAST_ROWS, LEAST_CLASS = 50, 5
"""A comparison wants at least 50 rows, and 5 of each class in every fold."""
MOST_ROWS = 6000
"""Rows on which candidates are compared at most; the rest trains the final model."""


@dataclass(frozen=True)
class Look:
    """What was seen: the context of the questions, the rows to compare on, and warnings."""

    context: Context
    rows: np.ndarray
    warnings: tuple[str, ...]


def look(pool: Table, options: Options, groups: Mapping[str, str] | None) -> Look:
    """Draw a sub-sample of the pool, doubling it until it is representative, and gather the facts."""
    everything = encode(pool, np.arange(pool.n), options.scaling)
    size, evidence, warnings = MOST_ROWS, None, []
    while True:
        rows = subsample(pool, size, options.seed)
        if len(rows) == pool.n:
            break
        report = representative(everything.x, rows, options.seed)
        evidence, warnings = report.evidence(), list(report.warnings)
        if report.ok:
            break
        size *= 2
    plan = layout(pool)
    context = Context(
        X=everything.x[rows],
        y=pool.y[rows],
        group=grouping(plan, groups)[0],
        task=pool.task,
        n_rows=pool.n,
        center=everything.encoder.centre,
        scale=everything.encoder.scale,
        position=np.array([pool.inputs.index(plan.variables[g]) for g in plan.group]) if pool.inputs else None,
        n_columns=len(pool.inputs) or None,
        subsample=evidence if len(rows) < pool.n else None,
        folds=options.folds,
        goal=options.goal,
        picture=options.picture,
        no_validation=options.no_validation,
        seed=options.seed,
    )
    return Look(context, rows, tuple(warnings))


def obstacle(pool: Table, options: Options) -> str:
    """Return why candidates cannot be compared on these rows, or "" where they can."""
    if options.no_validation:
        return "validation was switched off"
    if pool.n < LEAST_ROWS:
        return f"{pool.n} rows; a comparison wants at least {LEAST_ROWS}"
    if pool.task == "classification":
        least = rarest(pool) // options.folds
        if least < LEAST_CLASS:
            return f"{least} rows of the rarest class per fold; a comparison wants at least {LEAST_CLASS}"
    return ""


def rarest(pool: Table) -> int:
    """Return the number of rows of the rarest class; a class that no row has counts too."""
    return int(np.bincount(pool.y.astype(int), minlength=len(pool.classes)).min())


def candidates_for(pool: Table, options: Options, context: Context) -> tuple[list[str], Resources]:
    """Return the penalties to train beside none, and whether they are compared or follow from theory."""
    why = obstacle(pool, options)
    if why:
        leaf = theory_leaf(options, context)
        return ([leaf] if leaf != "none" else []), Resources(False, why)
    if options.chart == "classic":
        return ["l2", "l1", "elastic_net"], Resources(True)
    return [p for p in options.candidates if p != "none"], Resources(True)


def theory_leaf(options: Options, context: Context) -> str:
    """Return the leaf of the chart's part that needs no training."""
    chart = CHARTS[options.chart]
    return walk(chart, context, start=chart.theory).leaf
