"""From measured candidates to the verdict: walk the chart, score honestly, refit, and write it all down."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..data import Table
from ..errors import InputError
from ..model import Model
from ..penalties import ElasticNet, by_name
from ..results import CandidateScores, Interval, MemberResult
from .chart import Context, Walk, walk
from .classic import CLASSIC
from .decision import SCHEMA, Decision
from .evidence import leaf_set, pick_leaf
from .final import intervals, nested, one_standard_error, sealed_scores
from .look import CHARTS
from .options import Options
from .pilot import Budgeted
from .prepare import Arena, Parts
from .profile import explain, theory
from .refit import refit, schedule_share
from .score import METRIC
from .search import Search, Setting, best_setting
from .training import training_for


@dataclass(frozen=True)
class Job:
    """What was asked: the table and its parts, the options, and when it began."""

    table: Table
    parts: Parts
    options: Options
    groups: Mapping[str, str] | None
    device: str
    began: float


@dataclass(frozen=True)
class Measured:
    """What was measured: where, by which plan, and every candidate's scores."""

    field: Arena
    plan: Budgeted
    found: Search
    scored: Mapping[str, CandidateScores]


def conclude(job: Job, measured: Measured, context: Context, warnings: Sequence[str]) -> Decision:
    """Walk the chart over what was measured, refit its leaf on all training rows, score it, and write it down."""
    table, parts, options = job.table, job.parts, job.options
    field, plan, found, scored = measured.field, measured.plan, measured.found, measured.scored
    chart = CHARTS[options.chart]
    walked = walk(chart, context)
    penalty = walked.leaf
    setting = chosen_setting(found, penalty, field, options)
    members = [m for m in found.population.select(penalty=penalty) if (m.lam, m.dropout) == setting]
    share = schedule_share(members, training_for(options, len(field.splits[0][2].train)))
    model, refits = refit(table, penalty, setting, share, options, options.seeds, job.device, job.groups)
    final = final_score(job, measured, context, setting, share)
    word, contenders = evidence_of(context, penalty)
    by_theory = theory(context, chart)
    population = found.population
    summary: dict[str, Any] = {
        "schema": SCHEMA,
        "riata": __version__,
        "table": {**table.schema(), "rows": table.n, "variables": len(table.columns)},
        "task": table.task,
        "metric": METRIC[table.task],
        "verdict": verdict(penalty, setting),
        "evidence": word,
        "contenders": contenders,
        "theory": {"penalty": by_theory.leaf, "why": explain(by_theory)},
        "classic": classic_trace(context),
        "answers": [a.to_dict() for a in walked.answers],
        "scores": {name: scores_of(s, field) for name, s in scored.items()},
        "final": final,
        "kept": list(model.kept),
        "dropped": list(model.dropped),
        "norms": {v: round(float(norm), 6) for v, norm in zip(model.variables, model.norms, strict=True)},
        "selection": selection(members, field),
        "kkt_max": max(r.kkt for r in refits),
        "fits": len(population.members) + len(refits),
        "failed_fits": population.failed() + sum(r.status == "diverged" for r in refits),
        "path": path_of(found, penalty),
        "plan": plan_facts(plan, field, found, share),
        "options": option_facts(options, job.groups),
        "versions": versions(),
        "seconds": round(time.perf_counter() - job.began, 2),
        "warnings": [*table.warnings, *warnings, *said_of(found, field, plan, parts, model)],
    }
    return Decision(summary, model, population)


def chosen_setting(found: Search, penalty: str, field: Arena, options: Options) -> Setting:
    """Return the strength and dropout of the leaf: least validation loss, or lam_1se where variables are the goal."""
    lam, dropout = best_setting(found.population.select(penalty=penalty))
    if options.goal == "selection" and by_name(penalty).sparse:
        lam = one_standard_error(found, penalty, dropout)
    return lam, dropout


def verdict(penalty: str, setting: Setting) -> dict[str, Any]:
    """Return the verdict as ``decision.json`` has it; lam2 is the quadratic part of an elastic net."""
    lam, dropout = setting
    return {
        "penalty": penalty,
        "lam": lam,
        "lam2": float(ElasticNet().lam2_of(torch.tensor(lam))) if penalty == "elastic_net" else None,
        "dropout": dropout,
        "early_stopping": True,
    }


def evidence_of(context: Context, penalty: str) -> tuple[str, list[str]]:
    """Return the evidence word for the leaf and the contenders; without a comparison the word is ``tied``."""
    scores = {k: v for k, v in (context.scores or {}).items() if k != "constant"}
    compared = context.resources is not None and context.resources.can_validate
    if not compared or len(scores) < 2:
        return "tied", [penalty]
    found = leaf_set(scores, context.folds, context.repeats, context.rope)
    pick = pick_leaf(found, context.goal)
    if pick.leaf == penalty:
        return pick.word, list(found.contenders)
    others = [c for c in found.contenders if c != penalty] or [c for c in found.means if c != penalty]
    return found.versus(penalty, others[0]).word_for_first, list(found.contenders)


def classic_trace(context: Context) -> dict[str, Any]:
    """Return where the classic chart leads on the same measurements, and its answers."""
    try:
        walked: Walk = walk(CLASSIC, context)
    except InputError as error:
        return {"penalty": None, "trace": [], "why": str(error)}
    trace = [{"question": a.question.text, "answer": a.answer, "kind": a.question.kind} for a in walked.answers]
    return {"penalty": walked.leaf, "trace": trace}


def scores_of(scores: CandidateScores, field: Arena) -> dict[str, Any]:
    """Return a candidate's intervals, its mean number of kept variables and the strengths of its folds."""
    facts: dict[str, Any] = {m: i.as_dict() for m, i in intervals(scores.per_fold, field).items()}
    facts["per_fold"] = {m: v.tolist() for m, v in scores.per_fold.items()}
    if scores.chosen:
        facts["kept"] = scores.kept
        facts["chosen"] = [{"lam": lam, "dropout": dropout} for lam, dropout in scores.chosen]
    return facts


def final_score(
    job: Job, measured: Measured, context: Context, setting: Setting, share: float
) -> dict[str, Any]:
    """Return the honest score of the verdict: sealed rows where there are some, and the whole choice nested.

    The sealed rows score the verdict's networks fitted without them; the model that is handed back is then fitted on
    all rows in the same way.
    """
    scores, picks = nested_scores(job, measured, context)
    by_nesting = {"method": "nested", "rows": measured.field.table.n, "picks": picks, **_plain(scores)}
    if job.parts.sealed is None:
        return by_nesting
    options, penalty = job.options, walk(CHARTS[job.options.chart], context).leaf
    model, _ = refit(job.parts.pool, penalty, setting, share, options, options.seeds, job.device, job.groups)
    sealed = sealed_scores(model, job.parts.sealed, options.seed)
    return {"method": "sealed rows", "rows": job.parts.sealed.n, **_plain(sealed), "nested": by_nesting}


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


def selection(members: list[MemberResult], field: Arena) -> dict[str, float]:
    """Return the share of the verdict's (fold, seed) networks that keep each group."""
    alive = np.mean([m.norms > 0 for m in members], axis=0)
    return {v: round(float(share), 4) for v, share in zip(field.blocks.variables, alive, strict=True)}


def path_of(found: Search, penalty: str) -> list[dict[str, float]]:
    """Return mean validation loss and number kept along the verdict's path."""
    members = found.population.select(penalty=penalty)
    rows = []
    for lam, dropout in sorted({(m.lam, m.dropout) for m in members}, reverse=True):
        here = [m for m in members if (m.lam, m.dropout) == (lam, dropout)]
        loss = float(np.mean([m.valid_loss for m in here]))
        kept = float(np.mean([m.kept for m in here]))
        rows.append({"lam": lam, "dropout": dropout, "valid_loss": loss, "kept": kept})
    return rows


def plan_facts(plan: Budgeted, field: Arena, found: Search, share: float) -> dict[str, Any]:
    """Return how much was compared."""
    return {
        "rows": field.table.n,
        "folds": int(field.folds.max()) + 1,
        "repeats": plan.repeats,
        "seeds": plan.seeds,
        "strengths": {p: [float(s[0]), float(s[-1]), len(s)] for p, s in found.plan.strengths.items()},
        "dropout": list(plan.plan.dropout),
        "estimate_seconds": round(plan.estimate, 1),
        "extended": found.extended,
        "refit_share_of_schedule": share,
    }


def option_facts(options: Options, groups: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the options as they were used."""
    facts = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(options).items()}
    return {**facts, "groups": dict(groups) if groups else None}


def versions() -> dict[str, str]:
    """Return the versions that the numbers depend on."""
    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}


def said_of(found: Search, field: Arena, plan: Budgeted, parts: Parts, model: Model) -> list[str]:
    """Return what a reader should know of the comparison."""
    said = list(plan.left_out)
    if field.table.n < parts.pool.n:
        said.append(f"candidates were compared on {field.table.n} of {parts.pool.n} rows")
    said += [f"the best strength of {p} lies on the edge of its grid" for p in found.on_edge]
    failed = found.population.failed()
    if failed:
        said.append(f"{failed} of {len(found.population.members)} networks diverged and were left out")
    if not model.kept:
        said.append("the model keeps no variable: it predicts a constant")
    return said
