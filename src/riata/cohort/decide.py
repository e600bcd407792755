"""The decision for a clinical table with genotypes: what to look at, by which regularizer, and which variants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..choice.clock import Clock
from ..choice.decide import Progress, quiet
from ..choice.decision import Decision
from ..choice.look import LEAST_CLASS, LEAST_ROWS
from ..choice.options import Options
from ..choice.plan_memory import Notes
from ..choice.prepare import SEAL_FROM, SEALED
from ..choice.score import METRICS, bootstrap, score
from ..data import fold_ids, seal
from ..errors import InputError
from ..penalties import by_name
from ..population.design import Split, nested_splits
from ..population.run import Keep
from ..results import Interval
from ..wide import run
from .compare import compare_views, losses_along, nested, strength_of
from .figures import figures_of
from .fold import Fold, folds_of
from .halves import PAIRS, Stability, half_splits, most_selected
from .refit import Fitted, Recipe, fit, model_of
from .representation import learned
from .settings import PATIENCE, settings_of
from .study import Study
from .summary import Found, summarize
from .trial import Trials
from .verdict import Verdict, settle
from .work import Material, Office, halves, trials

__all__ = ["decide_study"]

STABLE = "group_lasso"
"""Penalty of the half-samples where the verdict's own leaves nothing out."""


def decide_study(
    study: Study, options: Options | None = None, *, progress: Progress = quiet, keep: Keep | None = None
) -> Decision:
    """Decide what a network should see of clinical variables and genotypes, by which penalty, and what it keeps.

    Every view (clinical, genetic, combined) is compared under every penalty on the same folds, along exact paths over
    all variants; strengths are tuned inside the folds, and the final score comes from rows that chose nothing.

    Parameters
    ----------
    study : Study
    options : Options
    progress : Progress
    keep : Keep, optional
        Remembers finished folds and half-samples, so that a run that was stopped goes on where it was.

    Raises
    ------
    InputError
        If there are too few people, or an option cannot be used here.
    """
    options = options or Options()
    checked(study, options)
    clock, table = Clock(), study.table
    settings = settings_of(options)
    material = Material(table, study.variants, study.unpenalised, options.scaling, settings)
    sealed = seal(table, SEALED, options.seed) if table.n >= SEAL_FROM else np.zeros(table.n, dtype=bool)
    pool = np.flatnonzero(~sealed)
    splits = splits_of(study, pool, options)
    clock.mark("looking at the table")
    notes = keep if isinstance(keep, Notes) else None
    following = Office(options.processes, lambda done, of: progress("following paths", done, of), notes)
    found = trials(material, splits, following)
    comparison = compare_views(table, splits, found)
    clock.mark("comparing views and penalties")
    progress("learning a representation", 0, 1)
    representation, left_out = learned(table, study.variants, np.flatnonzero(sealed), options)
    clock.mark("the learned representation")
    progress("refitting", 0, 1)
    nothing = np.zeros(0, dtype=np.int64)
    wanted = [Split(-1, pool, nothing, np.flatnonzero(sealed)), Split(-2, np.arange(table.n), nothing, nothing)]
    folds = folds_of(table, study.variants, wanted if sealed.any() else wanted[1:], study.unpenalised, options.scaling)
    verdict = settle(comparison, folds[0], options)
    recipe = recipe_of(verdict, found, options)
    fits: list[Fitted] = run([fit(fold, recipe, settings) for fold in folds])
    final = final_score(study, splits, found, folds[0] if sealed.any() else None, fits[0], options)
    clock.mark("refitting and scoring")
    office = replace(following, progress=lambda done, of: progress("half-samples", done, of))
    stable = stability(material, pool, verdict, options, office)
    clock.mark("half-samples")
    model = model_of(folds[-1], fits[-1], recipe, study)
    losses = losses_along(found, (verdict.view, verdict.fitted))
    every = Found(
        study, options, settings, comparison, verdict, recipe, final, stable, folds[-1], fits[-1], splits, losses
    )
    figures = figures_of(every)
    figures["cohort"] |= representation
    clock.mark("drawing the evidence together")
    figures["stages"] = [{"stage": stage, "seconds": round(spent, 2)} for stage, spent in clock.stages]
    population = Trials((), clock.seconds(), tuple(t for of in found for t in of))
    summary = summarize(every, model, population, clock.seconds())
    summary["warnings"] += left_out
    return Decision(summary, model, population, figures)


def checked(study: Study, options: Options) -> None:
    """Refuse what cannot be compared.

    Raises
    ------
    InputError
        If there are too few people or classes, or an option has no meaning with genotypes.
    """
    if options.scaling == "quantile":
        raise InputError("--scaling quantile is not possible with genotypes; expected standard; leave it out")
    if len(options.hidden) > 1 and options.hidden != Options.hidden:
        raise InputError(f"--hidden {options.hidden} with genotypes; expected one layer or none; type --hidden 20")
    if options.no_validation:
        raise InputError("--no-validation with genotypes; expected a comparison; leave it out")
    if study.table.n < LEAST_ROWS:
        raise InputError(f"{study.table.n} people; a comparison wants at least {LEAST_ROWS}; add people")
    if study.table.task == "classification":
        least = int(np.bincount(study.table.y.astype(int)).min()) // options.folds
        if least < LEAST_CLASS:
            raise InputError(
                f"{least} people of the rarest class per fold; a comparison wants at least {LEAST_CLASS};"
                " type fewer --folds, at least 3"
            )


def splits_of(study: Study, pool: np.ndarray, options: Options) -> list[Split]:
    """Return a split per outer fold, of rows of the whole table: one fold scores, the next one tunes."""
    rows = study.table if len(pool) == study.table.n else study.table.take(pool)
    found = nested_splits(fold_ids(rows, options.folds, options.seed), 1)
    return [replace(s, fold=fold, train=pool[s.train], valid=pool[s.valid], test=pool[s.test]) for fold, _, s in found]


def recipe_of(verdict: Verdict, found: Sequence[Sequence[Any]], options: Options) -> Recipe:
    """Return what is fitted: the strength by the folds together, followed a little further for the picture."""
    step, relaxed = strength_of(found, (verdict.view, verdict.fitted), sparsest=options.goal == "selection")
    return Recipe(verdict.view, verdict.fitted, step, relaxed, PATIENCE)


def stability(material: Material, pool: np.ndarray, verdict: Verdict, options: Options, office: Office) -> Stability:
    """Return what complementary halves select, by the verdict's penalty where it leaves variables out."""
    penalty = verdict.fitted if by_name(verdict.fitted).sparse else STABLE
    most = most_selected(material.variants.p)
    splits = half_splits(material.table, pool, PAIRS, options.seed)
    kept = halves(material, splits, penalty, most, office)
    return Stability(tuple(kept), material.variants.p, most)


def final_score(
    study: Study,
    splits: Sequence[Split],
    found: Sequence[Sequence[Any]],
    pool: Fold | None,
    fitted: Fitted,
    options: Options,
) -> dict[str, Any]:
    """Return the honest score: the whole choice repeated inside every fold, and sealed rows where there are some."""
    table = study.table
    candidate, picks = nested(table, splits, found)
    scores = {m: i.as_dict() for m, i in candidate.intervals().items()}
    rows = sum(len(s.test) for s in splits)
    by_nesting: dict[str, Any] = {"method": "nested", "rows": rows, "picks": picks, **scores}
    if pool is None:
        return by_nesting
    outputs = pool.outputs(fitted.problem, fitted.final.columns, fitted.final.weights)
    sealed = pool.split.test
    said = pool.judge().predictions(outputs, torch.as_tensor(sealed))
    point = score(table.task, table.y[sealed], said)
    subject = None if table.subject is None else table.subject[sealed]
    spread = bootstrap(table.task, table.y[sealed], said, options.seed, subject)
    honest = {m: Interval(point[m], *spread[m]).as_dict() for m in METRICS[table.task]}
    return {"method": "sealed rows", "rows": len(sealed), **honest, "nested": by_nesting}
