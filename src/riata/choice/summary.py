"""The one dictionary that everything else is drawn from: ``decision.json``."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..model import Model
from ..penalties import ElasticNet
from ..results import CandidateScores, MemberResult
from ..version import __version__
from .chart import Context, Walk, walk
from .classic import CLASSIC
from .decision import SCHEMA
from .evidence import leaf_set, pick_leaf
from .final import intervals
from .look import CHARTS
from .options import Options
from .own_model import OwnModel
from .pilot import Budgeted
from .prepare import Arena, Parts
from .probes.scores import probe_goal, probe_which
from .profile import explain, theory
from .score import METRIC
from .search import Search
from .select import POOR, stability
from .settle import Job, Measured, Verdict

WISHES = (probe_goal, probe_which)
"""Probes whose answer depends on the goal."""


def summarize(
    job: Job,
    measured: Measured,
    context: Context,
    walked: Walk,
    verdict: Verdict,
    final: Mapping[str, Any],
    model: Model | OwnModel,
    refits: Sequence[MemberResult],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """Return the whole decision as plain values."""
    table, field, found = job.table, measured.field, measured.found
    word, contenders = evidence_of(context, verdict.penalty)
    by_theory = theory(context, CHARTS[job.options.chart])
    members = found.population.members + (verdict.selection.fits.members if verdict.selection else ())
    picked = selection(verdict, field)
    return {
        "schema": SCHEMA,
        "riata": __version__,
        "table": {**table.schema(), "rows": table.n, "variables": len(model.variables)},
        "task": table.task,
        "metric": METRIC[table.task],
        "verdict": verdict_facts(verdict),
        "evidence": word,
        "contenders": contenders,
        "theory": {"penalty": by_theory.leaf, "why": explain(by_theory)},
        "classic": classic_trace(context),
        "answers": [a.to_dict() for a in walked.answers],
        "scores": {name: scores_of(s, field) for name, s in measured.scored.items()},
        "final": final,
        "otherwise": otherwise(context, walked, by_theory, job.options),
        "kept": list(model.kept),
        "dropped": list(model.dropped),
        "norms": {v: round(float(norm), 6) for v, norm in zip(model.variables, model.norms, strict=True)},
        "selection": picked,
        "kkt_max": max(r.kkt for r in refits),
        "fits": len(members) + len(refits),
        "failed_fits": sum(m.status == "diverged" for m in (*members, *refits)),
        "path": path_of(found, verdict.penalty),
        "plan": plan_facts(measured.plan, field, found),
        "options": option_facts(job.options, job.groups),
        "versions": versions(),
        "seconds": round(job.clock.seconds(), 2),
        "warnings": [*table.warnings, *warnings, *not_compared(context), *said_of(measured, job.parts, model, picked)],
    }


def verdict_facts(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as ``decision.json`` has it; lam2 is the quadratic part of an elastic net."""
    lam = verdict.lam
    return {
        "penalty": verdict.penalty,
        "lam": lam,
        "lam2": float(ElasticNet().lam2_of(torch.tensor(lam))) if verdict.penalty == "elastic_net" else None,
        "dropout": verdict.dropout,
        "early_stopping": verdict.early_stopping,
        "relaxed": None if verdict.selection is None else verdict.selection.relaxed,
    }


def selection(verdict: Verdict, field: Arena) -> dict[str, Any]:
    """Return the share of the verdict's (fold, seed) networks that keep each group, and how far they agree."""
    if verdict.selection is not None:
        shares, agreement = verdict.selection.shares, verdict.selection.stability
    else:
        alive = np.array([m.norms > 0 for m in verdict.members])
        shares, agreement = alive.mean(0), stability(alive)
    named = {v: round(float(s), 4) for v, s in zip(field.blocks.variables, shares, strict=True)}
    return {"shares": named, "stability": round(agreement, 4), "networks": len(field.splits)}


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


def otherwise(context: Context, walked: Walk, by_theory: Walk, options: Options) -> list[dict[str, Any]]:
    """Return what the same measurements say under another wish: the goal, no comparison, the other chart."""
    other = "prediction" if options.goal == "selection" else "selection"
    known = {probe: found for probe, found in context.cache.items() if probe not in WISHES}
    asked = replace(context, goal=other, cache=known)
    chart = "classic" if options.chart == "default" else "default"
    wishes = [(f"the goal were {other} (--goal {other})", lambda: walk(CHARTS[options.chart], asked).leaf)]
    if not options.no_validation:
        wishes.append(("nothing could be compared (--no-validation)", lambda: by_theory.leaf))
    wishes.append((f"the {chart} chart decided (--chart {chart})", lambda: walk(CHARTS[chart], context).leaf))
    said = []
    for wish, leaf in wishes:
        with suppress(InputError):
            then = leaf()
            said.append({"if": wish, "then": then, "same": then == walked.leaf})
    return said


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


def plan_facts(plan: Budgeted, field: Arena, found: Search) -> dict[str, Any]:
    """Return how much was compared; the estimate depends on the clock and is beside the stages."""
    return {
        "rows": field.table.n,
        "folds": int(field.folds.max()) + 1,
        "repeats": plan.repeats,
        "seeds": plan.seeds,
        "strengths": {p: [float(s[0]), float(s[-1]), len(s)] for p, s in found.plan.strengths.items()},
        "dropout": list(plan.plan.dropout),
        "estimate_seconds": None,
        "extended": found.extended,
    }


def option_facts(options: Options, groups: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the options as they were used."""
    facts = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(options).items()}
    return {**facts, "groups": dict(groups) if groups else None}


def versions() -> dict[str, str]:
    """Return the versions that the numbers depend on."""
    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}


def not_compared(context: Context) -> list[str]:
    """Say why the verdict follows from theory, where nothing was compared."""
    known = context.resources
    if known is None or known.can_validate:
        return []
    return [f"nothing was compared, the verdict follows from theory: {known.reason}"]


def said_of(measured: Measured, parts: Parts, model: Model | OwnModel, picked: Mapping[str, Any]) -> list[str]:
    """Return what a reader should know of the comparison."""
    found, field = measured.found, measured.field
    said = list(measured.plan.left_out)
    if field.table.n < parts.pool.n:
        said.append(f"candidates were compared on {field.table.n} of {parts.pool.n} rows")
    said += [f"the best strength of {p} lies on the edge of its grid" for p in found.on_edge]
    failed = found.population.failed()
    if failed:
        said.append(f"{failed} of {len(found.population.members)} networks diverged and were left out")
    if not model.kept:
        said.append("the model keeps no variable: it predicts a constant")
    if model.kept and model.dropped and picked["stability"] < POOR:
        said.append(f"the selection is unstable ({picked['stability']:.2f} of 1): do not read the list as a finding")
    return said
