"""Fit the chosen penalty, strength and dropout on all training rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from ..data import Table, layout
from ..engines import loss_for
from ..model import Model
from ..population.design import Design, Member, Split, Training
from ..population.run import Blocks, fit_chunk
from ..results import MemberResult
from .options import Options
from .prepare import encode, grouping
from .search import Setting
from .training import LEARNING_RATE, training_for


def schedule_share(members: list[MemberResult], training: Training) -> float:
    """Return how long a schedule a refit needs, as a share of the one that validation watched.

    The networks were best, in the median, at a share s of a rate that falls as a cosine. A refit has no rows to stop
    by and wants its low rates at the end, so it runs a whole schedule with the same sum of rates:
    s + sin(pi s) / pi.

    >>> from types import SimpleNamespace
    >>> round(schedule_share([SimpleNamespace(best_epoch=75)], Training(epochs=150)), 3)
    0.818
    """
    if training.update == "apg":
        return 1.0
    s = float(np.median([m.best_epoch for m in members])) / training.epochs
    return s + math.sin(math.pi * s) / math.pi


def refit(
    pool: Table,
    penalty: str,
    setting: Setting,
    share: float,
    options: Options,
    seeds: int,
    device: str,
    groups: Mapping[str, str] | None,
    effort: float,
    selected: np.ndarray | None = None,
) -> tuple[Model, list[MemberResult]]:
    """Train ``seeds`` networks on every row of the pool, for ``share`` of the usual number of epochs.

    ``selected`` (G,) restricts the networks to some groups: the weights of the others are 0.0 throughout.

    Returns the model (the mean of their outputs) and their results, KKT residuals on the pool among them.
    """
    everything = np.arange(pool.n)
    encoded = encode(pool, everything, options.scaling)
    plan = layout(pool)
    group, names, of_variable = grouping(plan, groups)
    loss = loss_for(pool.task, len(pool.classes))
    blocks = Blocks(encoded.x[None], encoded.y[None], group, names, loss, device)
    training = training_for(options, pool.n, effort)
    after = max(1, round(share * training.epochs))
    training = replace(training, early_stopping=False, epochs=after)
    nothing = np.zeros(0, dtype=np.int64)
    lam, dropout = setting
    params, results = [], []
    for seed in range(seeds):
        design = Design(
            (Member(penalty, lam, dropout, 0, seed, LEARNING_RATE),),
            (Split(0, everything, nothing, nothing, columns=None if selected is None else selected[group]),),
            training,
        )
        fitted, found = fit_chunk(blocks, design, [0])
        params.append(fitted.params)
        results += found
    together = {k: torch.cat([p[k].cpu() for p in params]) for k in params[0]}
    facts = {
        "penalty": penalty,
        "lam": lam,
        "dropout": dropout,
        "epochs": after,
        "kkt": [r.kkt for r in results],
        "status": [r.status for r in results],
    }
    spec = blocks.spec(Design((), (), training))
    schema = pool.schema()
    return (
        Model(spec, loss, together, encoded.encoder, schema, of_variable, facts, encoded.y_centre, encoded.y_scale),
        results,
    )
