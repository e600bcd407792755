"""Fit the chosen penalty, strength and dropout on all rows, in the way that was judged."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..data import Table, fold_ids, layout
from ..engines import Params, loss_for
from ..model import Model
from ..population.body import BuiltIn, Own
from ..population.design import Design, Member, Split
from ..population.run import Blocks, fit_chunk
from ..results import MemberResult
from .options import Options
from .own_model import OwnModel
from .prepare import encode, grouping
from .search import Setting
from .training import LEARNING_RATE, training_for

REFITTED = -1
"""The fold of a network that is part of the model."""


@dataclass(frozen=True)
class Recipe:
    """What to fit: a penalty, its strength and dropout, and the selected groups."""

    penalty: str
    setting: Setting
    selected: np.ndarray | None = None


def refit(
    table: Table,
    recipe: Recipe,
    options: Options,
    device: str,
    groups: Mapping[str, str] | None,
    own: Own | None = None,
) -> tuple[Model | OwnModel, list[MemberResult]]:
    """Fit a recipe on all rows of a table.

    Networks that stop early need rows to stop by: there is one network a fold, which trains on the other folds and
    stops by its own, as the networks that were compared; the model is the mean of their outputs, and every row has
    trained all of them but one. These few networks get the usual epochs, also where a budget cut those of the
    comparison. A linear model is solved once, on every row.

    Returns
    -------
    tuple of (Model, list of MemberResult)
        The results hold the KKT residuals on the networks' training rows.
    """
    everything = encode(table, np.arange(table.n), "none" if own else options.scaling)
    group, names, of_variable = grouping(layout(table), groups)
    loss = own.loss if own else loss_for(table.task, len(table.classes))
    names = own.groups.names if own else names
    blocks = Blocks(everything.x[None], everything.y[None], group, names, loss, device, own)
    columns = None if recipe.selected is None else blocks.columns_of(recipe.selected)
    jobs = [_job(split, seed, recipe, options) for seed, split in enumerate(_splits(table, options, columns))]

    def fit(job: Design) -> tuple[Params, MemberResult]:
        fitted, results = fit_chunk(blocks, job, [0])
        return {k: w.cpu() for k, w in fitted.params.items()}, replace(results[0], fold=REFITTED)

    many = device == "cpu" and own is None  # a module draws its noise from a generator that threads share
    with ThreadPoolExecutor(options.processes if many else 1, initializer=_one_thread) as pool:
        made = list(pool.map(fit, jobs))
    results = [result for _, result in made]
    lam, dropout = recipe.setting
    facts = {
        "penalty": recipe.penalty,
        "lam": lam,
        "dropout": dropout,
        "epochs": [r.best_epoch for r in results],
        "kkt": [r.kkt for r in results],
        "status": [r.status for r in results],
    }
    good = [i for i, r in enumerate(results) if r.usable] or list(range(len(results)))
    params = {k: torch.cat([made[i][0][k] for i in good]) for k in made[0][0]}
    scale = everything.y_centre, everything.y_scale
    if own:
        return OwnModel(own, params, everything.encoder, table.schema(), facts, *scale), results
    body = blocks.body(jobs[0].training)
    assert isinstance(body, BuiltIn)
    model = Model(
        body.spec, loss, params, everything.encoder, table.schema(), of_variable, facts, *scale,
    )  # fmt: skip
    return model, results


def _one_thread() -> None:
    torch.set_num_threads(1)


def _splits(table: Table, options: Options, columns: np.ndarray | None) -> list[Split]:
    nothing = np.zeros(0, dtype=np.int64)
    if not options.hidden:
        return [Split(0, np.arange(table.n), nothing, nothing, columns=columns)]
    ids = fold_ids(table, options.folds, options.seed)
    return [
        Split(k, np.flatnonzero(ids != k), np.flatnonzero(ids == k), nothing, columns=columns)
        for k in range(options.folds)
    ]


def _job(split: Split, seed: int, recipe: Recipe, options: Options) -> Design:
    lam, dropout = recipe.setting
    member = Member(recipe.penalty, lam, dropout, 0, seed, LEARNING_RATE)
    return Design((member,), (split,), training_for(options, len(split.train)))
