"""The decision for a clinical table with genotypes: what to look at, by which regularizer, and which variants."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..choice.clock import Clock
from ..choice.decide import Progress, quiet, spent_before, timed_once
from ..choice.decision import Decision
from ..choice.final import bootstrapped
from ..choice.options import Options
from ..choice.plan_memory import Notes
from ..choice.prepare import SEAL_FROM, SEALED
from ..data import fold_ids, seal
from ..engines.threads import one_thread
from ..model import Model
from ..penalties import by_name
from ..population.cluster import connected
from ..population.design import Split, nested_splits
from ..population.run import Keep
from ..wide import run
from .checks import check_options, check_people
from .compare import Comparison, compare_views, losses_along, nested, strength_of
from .figures import figures_of
from .fold import Fold, folds_of
from .halves import PAIRS, Stability, half_splits, most_selected
from .kept import kept_variants
from .refit import Fitted, Recipe, fit, model_of
from .representation import learned
from .settings import PATIENCE, settings_of
from .study import Study
from .summary import Found, summarize
from .trial import Trial, Trials
from .verdict import Verdict, settle
from .work import REPRESENTATION, Material, Office, halves, trials

__all__ = ["decide_study"]

STABLE = "group_lasso"
"""Penalty of the half-samples where the verdict's own leaves nothing out."""


@one_thread()
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
        If there are too few people, or an option says nothing where there are genotypes.
    """
    options = options or Options()
    check_options(options)
    check_people(study.table, options)
    with connected(options.workers):
        return decided(study, options, progress, keep)


def decided(study: Study, options: Options, progress: Progress, keep: Keep | None) -> Decision:
    """Compare, learn the representation, refit and draw the evidence together."""
    clock, table = Clock(before=spent_before(keep)), study.table
    settings = settings_of(options)
    material = Material(table, study.variants, study.unpenalised, options.scaling, settings)
    sealed = seal(table, SEALED, options.seed) if table.n >= SEAL_FROM else np.zeros(table.n, dtype=bool)
    splits = splits_of(study, np.flatnonzero(~sealed), options)
    clock.mark("looking at the table")
    notes = keep if isinstance(keep, Notes) else None
    office = Office(options.processes, lambda done, of: progress("following paths", done, of), notes, options.ray)
    found = trials(material, splits, office)
    clock.mark("comparing views and penalties")
    progress("learning a representation", 0, 1)
    representation, left_out = learned_once(study, np.flatnonzero(sealed), options, notes)
    clock.mark("the learned representation")
    progress("refitting", 0, 1)
    office = replace(office, progress=lambda done, of: progress("half-samples", done, of))
    every, model = concluded(Job(study, options, material, sealed, splits, clock, office), found)
    figures = figures_of(every)
    figures["cohort"] |= representation
    clock.mark("drawing the evidence together")
    figures["stages"] = [{"stage": stage, "seconds": round(spent, 2)} for stage, spent in clock.stages]
    population = Trials((), clock.seconds(), tuple(t for of in found for t in of))
    summary = summarize(every, model, population, clock.seconds())
    summary["warnings"] += left_out
    return timed_once(Decision(summary, model, population, figures), keep)


def learned_once(
    study: Study, sealed: np.ndarray, options: Options, notes: Notes | None
) -> tuple[dict[str, Any], list[str]]:
    """Return :func:`learned`, from the notes of the run that is resumed where they have it."""
    known = None if notes is None else notes.recall(REPRESENTATION)
    if known is not None:
        return json.loads(known), []
    found, left_out = learned(study.table, study.variants, sealed, options)
    if notes is not None and not left_out:
        notes.remember(REPRESENTATION, json.dumps(found).encode())
    return found, left_out


@dataclass(frozen=True, eq=False)
class Job:
    """What was asked, and how the rows are used."""

    study: Study
    options: Options
    material: Material
    sealed: np.ndarray
    splits: list[Split]
    clock: Clock
    office: Office


def concluded(job: Job, found: Sequence[Sequence[Trial]]) -> tuple[Found, Model]:
    """Return what follows from the trials: the verdict, its fits and scores, the half-samples, and the model."""
    study, options, m = job.study, job.options, job.material
    comparison = compare_views(study.table, job.splits, found)
    pool, nothing = np.flatnonzero(~job.sealed), np.zeros(0, dtype=np.int64)
    everybody = Split(-2, np.arange(study.table.n), nothing, nothing)
    wanted = [Split(-1, pool, nothing, np.flatnonzero(job.sealed)), everybody] if job.sealed.any() else [everybody]
    folds = folds_of(study.table, study.variants, wanted, study.unpenalised, options.scaling)
    verdict = settle(comparison, folds[0], options)
    recipe = recipe_of(verdict, found, options)
    drawn = drawn_of(verdict, comparison, recipe, found, options)
    others = [] if drawn is recipe else [fit(folds[-1], drawn, m.settings)]
    fits: list[Fitted] = run([*(fit(fold, recipe, m.settings) for fold in folds), *others])
    final = final_score(study, job.splits, found, folds[0] if job.sealed.any() else None, fits[0], options)
    job.clock.mark("refitting and scoring")
    stable = stability(m, pool, verdict, options, job.office)
    job.clock.mark("half-samples")
    losses = losses_along(found, (drawn.view, drawn.penalty))
    last, fitted, shown = folds[-1], fits[len(folds) - 1], fits[-1]
    every = Found(
        study, options, m.settings, comparison, verdict, recipe, final, stable, last, fitted, job.splits, shown,
        drawn, losses, kept_variants(shown, last.clinical, study),
    )  # fmt: skip
    return every, model_of(last, fitted, recipe, study)


def splits_of(study: Study, pool: np.ndarray, options: Options) -> list[Split]:
    """Return a split per outer fold, of rows of the whole table: one fold scores, the next one tunes."""
    rows = study.table if len(pool) == study.table.n else study.table.take(pool)
    found = nested_splits(fold_ids(rows, options.folds, options.seed), 1)
    return [replace(s, fold=fold, train=pool[s.train], valid=pool[s.valid], test=pool[s.test]) for fold, _, s in found]


def recipe_of(verdict: Verdict, found: Sequence[Sequence[Any]], options: Options) -> Recipe:
    """Return what is fitted: the strength by the folds together, followed a little further for the picture."""
    return _recipe(verdict.view, verdict.fitted, found, options)


def _recipe(view: str, penalty: str, found: Sequence[Sequence[Any]], options: Options) -> Recipe:
    step, relaxed = strength_of(found, (view, penalty), sparsest=options.goal == "selection")
    return Recipe(view, penalty, step, relaxed, PATIENCE)


def drawn_of(
    verdict: Verdict, comparison: Comparison, recipe: Recipe, found: Sequence[Sequence[Trial]], options: Options
) -> Recipe:
    """Return whose path over all variants is drawn: the model's, or the best combined one where it has no genotypes."""
    scores = comparison.view("combined")
    sparse = [n for n in scores if n not in ("l2", "none")]
    if verdict.view != "clinical" or not sparse:
        return recipe
    best = max(sparse, key=lambda n: float(np.mean(scores[n].per_fold[comparison.metric])))
    return _recipe("combined", best, found, options)


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
    subject = None if table.subject is None else table.subject[sealed]
    found_there = bootstrapped(table.task, table.y[sealed], said, options.seed, subject)
    honest = {m: i.as_dict() for m, i in found_there.items()}
    return {"method": "sealed rows", "rows": len(sealed), **honest, "nested": by_nesting}
