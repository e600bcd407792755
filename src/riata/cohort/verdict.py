"""Verdict: what the network should see, by which penalty, and what speaks for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..choice.chart import Context, Resources, Walk, walk
from ..choice.evidence import LeafSet, pick_leaf
from ..choice.look import CHARTS
from ..choice.options import Options
from .compare import EQUIVALENT_SHARE, Candidate, Comparison
from .fold import Fold
from .settings import SIMPLEST

__all__ = ["Verdict", "context_of", "settle"]

EVEN = 0.5
"""A simpler view is taken where the best one beats it with at most this probability."""
SAMPLE = 300
"""Variants, evenly spread, on which the questions about the table itself are asked."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """The view, its penalty, the one that is fitted (which has to leave variables out), and the walk that led there."""

    view: str
    penalty: str
    fitted: str
    walked: Walk
    context: Context
    among: LeafSet
    views: LeafSet
    warnings: tuple[str, ...]


def context_of(fold: Fold, scores: dict[str, np.ndarray], options: Options, folds: int) -> Context:
    """Return what the questions may look at: clinical columns and a sample of the variants of the training rows."""
    n, p = fold.columns.n, fold.columns.p
    some = torch.linspace(fold.clinical, p - 1, min(SAMPLE, p - fold.clinical)).round().long().unique()
    ids = torch.cat([torch.arange(fold.clinical), some])
    x = fold.columns.columns(ids).numpy().astype(np.float32)
    several = int(fold.group.max()) + 1 if len(fold.group) else 0
    group = np.concatenate([fold.group.numpy(), several + np.arange(len(some))])
    return Context(
        X=x,
        y=fold.table.y[fold.split.train],
        group=group,
        task=fold.table.task,
        n_rows=n,
        n_encoded=p,
        resources=Resources(True, "every path is followed on all variants"),
        scores=scores,
        folds=folds,
        goal=options.goal,
        picture="no",
        rope=EQUIVALENT_SHARE,
        seed=options.seed,
    )


def best_of(scored: dict[str, Candidate], found: Comparison, goal: str) -> str:
    """Return the penalty that the walking order takes among a view's contenders."""
    return pick_leaf(found.contenders(scored), goal).leaf


def settle(found: Comparison, fold: Fold, options: Options) -> Verdict:
    """Return the view and the penalty.

    A view stands for its own best penalty. The simplest view is taken that the best does not beat more likely than
    not: clinical variables are there anyway, so genotypes have to show that they add something.
    """
    picks = {view: best_of(found.view(view), found, options.goal) for view in found.views}
    views = found.contenders({view: found.view(view)[pick] for view, pick in picks.items()})
    view = next(v for v in SIMPLEST if v in picks and views.against_best[v].p_better <= EVEN)
    scores = {name: c.per_fold[found.metric] for name, c in found.view(view).items()}
    context = context_of(fold, {"constant": found.constant[found.metric], **scores}, options, found.folds)
    walked = walk(CHARTS[options.chart], context)
    penalty = walked.leaf if walked.leaf in scores else picks[view]
    among = found.contenders(found.view(view))
    fitted, warnings = penalty, list[str]()
    if view != "clinical" and penalty in ("l2", "none"):
        sparse = [n for n in found.view(view) if n not in ("l2", "none")]
        if sparse:
            fitted = max(sparse, key=lambda n: float(np.mean(scores[n])))
            warnings.append(
                f"{penalty} keeps every variant and is not written out: the model handed back is that of {fitted}"
            )
    return Verdict(view, penalty, fitted, walked, context, among, views, tuple(warnings))
