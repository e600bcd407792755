"""The decision of a cohort as plain values: ``decision.json``, with a part ``cohort``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..choice.decision import SCHEMA
from ..choice.final import metric_interval
from ..choice.look import CHARTS
from ..choice.options import Options
from ..choice.profile import explain, theory
from ..choice.summary import classic_trace, option_facts, versions
from ..model import Model
from ..penalties import ElasticNet
from ..population.design import Split
from ..version import __version__
from ..wide.clusters import companions
from .compare import Comparison
from .fold import Fold
from .halves import Stability
from .kept import Kept
from .refit import Fitted, Recipe
from .settings import PENALTIES, VIEWS, Settings
from .study import Study
from .trial import Trials
from .verdict import Verdict

__all__ = ["Found", "summarize"]

POOR = 0.4
"""Agreement of the halves below which a list should not be read as a finding."""


@dataclass(frozen=True, eq=False)
class Found:
    """Everything that a decision rests on; ``fold`` and ``fitted`` are those of the model handed back.

    ``shown`` is the fit whose path over all variants is drawn, ``drawn`` its recipe: the model's own, or that of the
    combined view where the model does without genotypes. ``losses`` is the mean validation loss of the steps of that
    path that every fold reached, ``kept`` what its fit keeps.
    """

    study: Study
    options: Options
    settings: Settings
    comparison: Comparison
    verdict: Verdict
    recipe: Recipe
    final: dict[str, Any]
    stable: Stability | None
    fold: Fold
    fitted: Fitted
    splits: Sequence[Split]
    shown: Fitted
    drawn: Recipe
    losses: Mapping[int, float]
    kept: Kept


def summarize(found: Found, model: Model, trials: Trials, seconds: float) -> dict[str, Any]:
    """Return the whole decision as plain values."""
    verdict, table = found.verdict, found.study.table
    by_theory = theory(verdict.context, CHARTS[found.options.chart])
    word, contenders = evidence_of(verdict)
    variants = set(model.schema["variants"])
    dropped = [name for name in model.dropped if name not in variants]
    norms = dict(zip(model.variables, model.norms.tolist(), strict=True))
    scores = {name: c.facts() for name, c in found.comparison.view(verdict.view).items()}
    constant = {
        name: metric_interval(name, values, found.comparison.folds).as_dict()
        for name, values in found.comparison.constant.items()
    }
    return {
        "schema": SCHEMA,
        "riata": __version__,
        "table": {**table.schema(), "rows": table.n, "variables": len(table.columns)},
        "task": table.task,
        "metric": found.comparison.metric,
        "verdict": verdict_facts(found),
        "evidence": word,
        "contenders": contenders,
        "theory": {"penalty": by_theory.leaf, "why": explain(by_theory)},
        "classic": classic_trace(verdict.context),
        "answers": [a.to_dict() for a in verdict.walked.answers],
        "scores": {"constant": constant, **{name: {**s, "kept": kept_of(s)} for name, s in scores.items()}},
        "final": found.final,
        "kept": list(model.kept),
        "dropped": dropped,
        "norms": {name: round(norm, 6) for name, norm in norms.items()},
        "selection": selection(found),
        "kkt_max": max(model.facts["kkt"]),
        "fits": len(trials.trials) + 2,
        "failed_fits": sum(not np.isfinite(t.valid_loss) for t in trials.trials),
        "path": path_of(found),
        "plan": plan_facts(found),
        "options": option_facts(found.options, None),
        "versions": versions(),
        "seconds": round(seconds, 2),
        "warnings": warnings(found),
        "cohort": cohort_facts(found),
    }


def verdict_facts(found: Found) -> dict[str, Any]:
    """Return the verdict; ``penalty`` is that of the model that is handed back."""
    lam, penalty = found.fitted.final.lam, found.recipe.penalty
    return {
        "penalty": penalty,
        "view": found.verdict.view,
        "best": found.verdict.penalty,
        "lam": lam,
        "lam2": float(ElasticNet().lam2_of(torch.tensor(lam))) if penalty == "elastic_net" else None,
        "dropout": 0.0,
        "early_stopping": False,
        "relaxed": found.recipe.relaxed if found.recipe.relaxed < 1 else None,
    }


def evidence_of(verdict: Verdict) -> tuple[str, list[str]]:
    """Return the evidence word for the penalty among those of its view, and the contenders."""
    among, leaf = verdict.among, verdict.fitted
    others = [c for c in among.contenders if c != leaf] or [c for c in among.means if c != leaf]
    word = among.versus(leaf, others[0]).word_for_first if others else "tied"
    return word, list(among.contenders)


def kept_of(scores: dict[str, Any]) -> float:
    """Return the mean number of variables kept."""
    return float(scores["kept_variants"]) + float(scores["kept_clinical"])


def selection(found: Found) -> dict[str, Any]:
    """Return the share of the halves that keep each variant, in the form of any decision's selection."""
    stable = found.stable
    names = found.study.variants.names
    shares = {} if stable is None else {names[i]: round(s, 4) for i, s in list(stable.shares().items())[:60]}
    agreement = None if stable is None else stable.agreement(len(found.kept))
    return {"shares": shares, "stability": 1.0 if agreement is None else round(agreement, 4),
            "networks": 0 if stable is None else len(stable.kept)}  # fmt: skip


def path_of(found: Found) -> list[dict[str, float]]:
    """Return the path of the model: strength and number kept."""
    return [
        {"lam": s.lam, "dropout": 0.0, "valid_loss": None, "kept": float(len(s.columns))}  # type: ignore[dict-item]
        for s in found.fitted.stages
    ]


def plan_facts(found: Found) -> dict[str, Any]:
    """Return how much was compared."""
    table, shares = found.study.table, found.settings.shares
    return {
        "rows": table.n - (found.final.get("rows", 0) if "nested" in found.final else 0),
        "folds": len(found.splits),
        "repeats": 1,
        "seeds": 1,
        "strengths": {
            p: [1.0, float(shares[-1]), len(shares)] for p in found.settings.penalties if p not in ("none", "l2")
        },
        "dropout": [0.0],
        "estimate_seconds": None,
        "extended": [],
    }


def warnings(found: Found) -> list[str]:
    """Return what a reader should know."""
    said = [*found.study.table.warnings, *found.study.said, *found.verdict.warnings]
    stable = found.stable
    agreement = None if stable is None else stable.agreement(len(found.kept))
    if agreement is not None and agreement < POOR:
        said.append(
            f"the selected variants are unstable over half-samples ({agreement:.2f} of 1): do not read the list as a"
            " finding"
        )
    if found.verdict.view == "clinical" and len(found.comparison.views) > 1:
        said.append("genotypes do not clearly add to the clinical variables: the model does without them")
    said.append("a variant that acts only together with others, without an effect of its own, cannot be seen this way")
    return said


def cohort_facts(found: Found) -> dict[str, Any]:
    """Return the part ``cohort``."""
    study = found.study
    return {
        **study.facts,
        "views": {view: view_facts(found, view) for view in VIEWS},
        "picks": {view: found.verdict.views.means.get(view) for view in found.comparison.views},
        "shown": found.drawn.view,
        "clusters": cluster_facts(found),
        "stability": None if found.stable is None else found.stable.facts(study.variants.names, len(found.kept)),
        "certificate": {
            "outside": max(s.outside for s in found.shown.stages),
            "inside": max(s.residual for s in found.shown.stages),
            "passes": found.shown.passes,
            "lam_max": found.shown.lam_max,
        },
        "compared": {view: c.to_dict() for view, c in found.verdict.views.against_best.items()},
    }


def view_facts(found: Found, view: str) -> dict[str, Any]:
    """Return a view's candidates, or why there are none."""
    scored = found.comparison.view(view)
    why = "the table has no clinical column" if view not in found.comparison.views else ""
    rows, total = len(found.splits[0].train), found.study.variants.p + found.fold.clinical
    facts: dict[str, Any] = {}
    for penalty in PENALTIES:
        if penalty in scored:
            facts[penalty] = scored[penalty].facts()
        elif penalty not in found.settings.penalties and penalty != "none":
            facts[penalty] = {"why_not": "not among --penalties"}
        else:
            facts[penalty] = {"why_not": why or f"{rows} rows for {total} columns: no single fit without a penalty"}
    return facts


def cluster_facts(found: Found) -> list[dict[str, Any]]:
    """Return the clusters with their leads, and variants in linkage with a lead that were not kept."""
    study, places, groups = found.study, found.study.places, found.kept.clusters
    names = study.variants.names
    shares = {} if found.stable is None else found.stable.shares()
    beside = {} if places is None else {
        c.lead: c for c in companions(study.variants, found.kept.ids, [g.lead for g in groups], places)
    }  # fmt: skip
    facts = []
    for group in groups:
        near = beside.get(group.lead)
        facts.append({
            "lead": names[group.lead],
            "chromosome": None if places is None else places.chromosome[group.lead],
            "position": None if places is None else int(places.position[group.lead]),
            "members": [names[i] for i in group.members],
            "r2": [round(r, 4) for r in group.r2],
            "norm": round(group.norm, 6),
            "share": round(shares.get(group.lead, 0.0), 4),
            "companions": [names[i] for i in near.ids] if near else [],
            "companions_r2": [round(r, 4) for r in near.r2] if near else [],
        })  # fmt: skip
    return facts
