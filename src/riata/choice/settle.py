"""From the chart's leaf to a verdict: its strength, its variables, its honest score, and the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..data import Table
from ..model import Model
from ..penalties import by_name
from ..population.body import Own
from ..results import CandidateScores, Interval, MemberResult
from .chart import Context, walk
from .clock import Clock
from .final import intervals, nested, sealed_scores
from .look import CHARTS
from .options import Options
from .own_model import OwnModel
from .pilot import Budgeted
from .prepare import Arena, Parts
from .refit import Recipe, refit
from .score import METRICS, constant_prediction, score
from .search import Run, Search, Setting, best_setting, predict_mean
from .select import Selection, select
from .training import training_for


@dataclass(frozen=True)
class Job:
    """What was asked: the table and its parts, the options, and its clock."""

    table: Table
    parts: Parts
    options: Options
    groups: Mapping[str, str] | None
    device: str
    clock: Clock
    own: Own | None = None


@dataclass(frozen=True)
class Measured:
    """What was measured: where, by which plan, and every candidate's scores."""

    field: Arena
    plan: Budgeted
    found: Search
    scored: Mapping[str, CandidateScores]
    run: Run


@dataclass(frozen=True)
class Verdict:
    """The penalty, its strength and dropout, and the networks that stand behind it.

    With a :class:`~riata.choice.select.Selection`, ``lam`` is the selecting strength and the model is fitted on the
    selected groups with ``relaxed * lam``.
    """

    penalty: str
    lam: float
    dropout: float
    members: tuple[MemberResult, ...]
    early_stopping: bool
    selection: Selection | None = None

    @property
    def setting(self) -> Setting:
        """Strength and dropout of the model that is handed back."""
        return self.lam * (1.0 if self.selection is None else self.selection.relaxed), self.dropout


def settle(job: Job, measured: Measured, penalty: str) -> Verdict:
    """Choose the strength of a leaf: least validation loss, or the relaxed path where variables are the goal."""
    field, found = measured.field, measured.found
    training = training_for(job.options, len(field.splits[0][2].train), measured.plan.effort)
    lam, dropout = best_setting(found.population.select(penalty=penalty))
    members = tuple(m for m in found.population.select(penalty=penalty) if (m.lam, m.dropout) == (lam, dropout))
    if job.options.goal == "selection" and by_name(penalty).sparse:
        chosen = select(field, penalty, measured.plan.plan.strengths[penalty], training, measured.run)
        if chosen is not None:
            return Verdict(penalty, chosen.lam, 0.0, chosen.best, training.early_stopping, chosen)
    return Verdict(penalty, lam, dropout, members, training.early_stopping)


def fit_verdict(job: Job, verdict: Verdict, table: Table) -> tuple[Model | OwnModel, list[MemberResult]]:
    """Fit the verdict's networks on all rows of a table."""
    chosen = None if verdict.selection is None else verdict.selection.groups
    recipe = Recipe(verdict.penalty, verdict.setting, chosen)
    return refit(table, recipe, job.options, job.device, job.groups, job.own)


def final_score(job: Job, measured: Measured, context: Context, verdict: Verdict) -> dict[str, Any]:
    """Return the honest score of the verdict: sealed rows where there are some, and the whole choice nested.

    The sealed rows score the verdict's networks fitted without them; the model that is handed back is then fitted on
    all rows in the same way.
    """
    rows = measured.field.table.n
    if verdict.selection is not None:
        scores = selection_scores(measured, verdict.selection)
        by_nesting: dict[str, Any] = {"method": "nested", "rows": rows, **_plain(scores)}
    else:
        scores, picks = nested_scores(job, measured, context)
        by_nesting = {"method": "nested", "rows": rows, "picks": picks, **_plain(scores)}
    if job.parts.sealed is None:
        return by_nesting
    model, _ = fit_verdict(job, verdict, job.parts.pool)
    sealed = sealed_scores(model, job.parts.sealed, job.options.seed)
    return {"method": "sealed rows", "rows": job.parts.sealed.n, **_plain(sealed), "nested": by_nesting}


def selection_scores(measured: Measured, chosen: Selection) -> dict[str, Interval]:
    """Score, on the rows of every outer fold, the relaxed networks that the fold chose by itself."""
    field = measured.field
    table, rows = field.table, []
    for fold, members in chosen.outputs.items():
        split = next(s for _, _, s in field.splits if s.fold == fold)
        seen = np.concatenate([split.train, split.valid])
        said = constant_prediction(table.task, table.y[seen], len(table.classes), len(split.test))
        rows.append(score(table.task, table.y[split.test], predict_mean(members, field) if members else said))
    return intervals({m: np.array([r[m] for r in rows]) for m in METRICS[table.task]}, field)


def nested_scores(job: Job, measured: Measured, context: Context) -> tuple[dict[str, Interval], list[str]]:
    """Repeat the chart's choice inside every outer fold, see :func:`riata.choice.final.nested`."""
    chart = CHARTS[job.options.chart]

    def rule(inner: Mapping[str, np.ndarray], folds: int, rope: float) -> str:
        names = [n for n in inner if n != "constant"]
        if context.resources is None or not context.resources.can_validate:
            return walk(chart, context).leaf
        if folds < 2:
            return max(names, key=lambda n: float(inner[n].mean()))
        here = replace(context, scores=inner, folds=folds, repeats=1, rope=rope, cache={})
        return walk(chart, replace(here, cache=_without_scores(context, chart.questions))).leaf

    return nested(measured.found, measured.field, measured.scored, rule)


def _without_scores(context: Context, questions: Mapping[str, Any]) -> dict[object, Any]:
    """Return the answers that no score enters, so that they are not asked again."""
    keys = ("subsample", "resources", "correlated", "picture", "wide", "grouped", "drops")
    probes = [questions[k].probe for k in keys if k in questions]
    return {p: context.cache[p] for p in probes if p in context.cache}


def _plain(scores: Mapping[str, Interval]) -> dict[str, Any]:
    return {m: i.as_dict() for m, i in scores.items()}
