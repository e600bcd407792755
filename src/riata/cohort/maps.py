"""Maps: the first layer over learned dimensions and clinical variables, under one penalty after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from riata.choice.decide import pick_device
from riata.choice.figures.rounded import short
from riata.choice.options import Options
from riata.choice.prepare import encode
from riata.choice.search import best_setting, mean_losses
from riata.choice.training import LEARNING_RATE, training_for
from riata.cohort.dimensions import Representation
from riata.data import Table, layout
from riata.engines import loss_for
from riata.engines.threads import one_thread
from riata.population.design import Design, Member, Split
from riata.population.run import Blocks, fit_chunk
from riata.results import MemberResult

__all__ = ["MAPS", "explained", "refitted", "strongest"]

MAPS = (("none", 0), ("l1", 0), ("l2", 0), ("elastic_net", 0), ("group_lasso", 0), ("group_lasso", 1))
"""Penalty and seed of every map, in order."""


def strongest(members: Sequence[MemberResult]) -> list[float]:
    """Return the strengths in order, from the largest within one standard error of the least loss down.

    Loss is the mean validation loss over the folds.

    References
    ----------
    Hastie, Tibshirani & Friedman 2009, The Elements of Statistical Learning, section 7.10.
    """
    best = best_setting(members)
    losses: dict[int, list[float]] = {}
    for member in members:
        if (member.lam, member.dropout) == best:
            losses.setdefault(member.fold, []).append(member.valid_loss)
    folds = np.array([np.mean(each) for each in losses.values()])
    spread = folds.std(ddof=1) / len(folds) ** 0.5 if len(folds) > 1 and np.isfinite(folds).all() else 0.0
    means = mean_losses(members)
    top = max(lam for (lam, _), loss in means.items() if loss <= means[best] + spread)
    return sorted({lam for lam, _ in means if lam <= top}, reverse=True)


@one_thread()
def refitted(
    table: Table, strengths: Mapping[str, Sequence[float]], options: Options, effort: float
) -> list[dict[str, Any]]:
    """Return :data:`MAPS`: the first layer of a network on all rows of a table, trained to the end of its schedule.

    A map takes the first of its penalty's strengths at which it keeps a variable: networks that were stopped early may
    have done well where one that is trained to the end keeps nothing.
    """
    everything, design = encode(table, np.arange(table.n), options.scaling), layout(table)
    loss = loss_for(table.task, len(table.classes))
    data = everything.x[None], everything.y[None]
    blocks = Blocks(*data, design.group, design.variables, loss, pick_device(options.device))
    nothing = np.zeros(0, dtype=np.int64)
    split = Split(0, np.arange(table.n), nothing, nothing)
    training = replace(training_for(options, table.n, effort), early_stopping=False)
    maps = []
    for penalty, seed in MAPS:
        for lam in strengths[penalty]:
            member = Member(penalty, lam, 0.0, 0, seed, LEARNING_RATE)
            fitted, results = fit_chunk(blocks, Design((member,), (split,), training), [0])
            if results[0].kept:
                break
        maps.append({
            "penalty": penalty,
            "seed": seed,
            "weights": short(fitted.params["first"][0].cpu().numpy() + 0.0),  # no -0.0
            "kept": results[0].kept,
            "lam": None if penalty == "none" else short(lam),
        })  # fmt: skip
    return maps


def explained(plan: Representation, k: int, rows: int, reach: float) -> str:
    """Say in a paragraph what the dimensions and the maps are; ``reach`` is the spread of new people's dimensions."""
    d = plan.network.dimensions
    return (
        f"{d} dimensions are learned from all variants without the outcome: a network {k}-{plan.network.hidden}-{d} and"
        f" back reproduces the {k} leading principal scores, so it sees no single variant. For the scores each fold"
        f" learned its own from its training rows; the people it left out spread {reach:.2f} times as far as those it"
        f" learned from. The maps are first layers on all {rows} rows that are not sealed, each at the largest strength"
        " that keeps something and whose validation loss is within one standard error of the least, so that they show"
        " what a penalty does; the scores are those of the least loss. The last column is the linear part, and a row of"
        " zeros is a variable that is out."
    )
