"""Representation: a few dimensions learned from all variants, beside the clinical variables, by every penalty."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from riata.choice.decide import pick_device
from riata.choice.figures.rounded import short
from riata.choice.final import intervals
from riata.choice.look import obstacle
from riata.choice.options import Options
from riata.choice.prepare import Arena, arena
from riata.choice.score import METRICS
from riata.choice.search import Plan, Search, search, tuned
from riata.choice.training import training_for
from riata.cohort.dimensions import Floats, Ids, Representation, joined, representations, used_scores
from riata.cohort.maps import explained, refitted, strongest
from riata.data import Table, fold_ids, layout
from riata.engines.threads import one_thread
from riata.errors import InputError, ResourceError, RiataError, one_line
from riata.genome import Columns
from riata.path.strengths import grid, lam_max, starting_point
from riata.penalties import by_name
from riata.population.body import BuiltIn
from riata.population.design import Training
from riata.population.hands import staff

__all__ = ["PENALTIES", "VIEWS", "learned", "study_representation"]

VIEWS = ("clinical", "genetic", "combined")
PENALTIES = ("none", "l2", "l1", "elastic_net", "group_lasso")
NO_CLINICAL = "the table has no clinical column"

Viewed = tuple[dict[str, Any], dict[str, list[float]]]
"""Scores, and the strengths that a map may take, by penalty."""


def learned(
    table: Table, variants: Columns, sealed: Ids, options: Options, plan: Representation | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Return what :func:`study_representation` adds to ``figures["cohort"]``, and a sentence where it adds nothing.

    Raises
    ------
    ResourceError
        If a cluster was lost: what a figure shows does not depend on that.
    """
    try:
        maps, views = study_representation(table, variants, sealed, options, plan)
    except (RiataError, BrokenExecutor) as error:
        if isinstance(error, ResourceError) and options.ray:
            raise
        maps, views = {"maps": [], "explained": one_line(error)}, {}
    if maps["maps"]:
        return {"representation": maps, "representation_views": views}, []
    said = f"no representation was learned from the variants: {maps['explained']}"
    return {"representation": None, "representation_views": None}, [said]


def study_representation(
    table: Table,
    variants: Columns,
    sealed: Sequence[int] | Ids = (),
    options: Options | None = None,
    plan: Representation | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train the built-in network on clinical variables, learned genetic dimensions, and both, by five penalties.

    Strengths are tuned inside every outer fold and scored on its rows. The dimensions of a fold are learned from its
    training rows alone, see :func:`representations`. A map is the first layer (hidden units, then the linear part) of
    one network on all rows that are not sealed, with dimensions learned from the same rows, trained to the end of its
    schedule at the :func:`strongest` strength of the combined view that keeps something. Where there are too few
    people, nothing is trained: ``explained`` and every ``why_not`` say so.

    Parameters
    ----------
    table : Table
        Clinical columns and the outcome.
    variants : Columns
        The same people, in the same order.
    sealed : ids of rows
        They are neither trained on nor looked at.
    options : Options
        Folds, seed, hidden layers, scaling and workers are used.
    plan : Representation

    Returns
    -------
    tuple of dict
        ``figures["cohort"]["representation"]`` and ``["representation_views"]``: plain values, four digits.

    Raises
    ------
    InputError
        If the table and the variants have other numbers of rows.
    """
    options, plan = options or Options(), plan or Representation()
    if table.n != variants.n:
        raise InputError(f"{table.n} rows and {variants.n} people; expected the same people in both: join them first")
    pool = np.setdiff1d(np.arange(table.n), np.asarray(sealed, dtype=np.int64))
    if len(pool) < table.n:
        table, variants = table.take(pool), variants.take(torch.from_numpy(pool))
    folds = fold_ids(table, options.folds, options.seed)
    trains = [np.flatnonzero(folds != k) for k in range(options.folds)]
    why = obstacle(table, options) or too_few(plan, trains)
    if why:
        untrained = {view: {penalty: {"why_not": why} for penalty in PENALTIES} for view in VIEWS}
        return {"rows": [], "genetic": 0, "maps": [], "explained": why}, untrained
    *codes, whole = representations(variants, [*trains, np.arange(table.n)], options.seed, plan)
    full = joined(table, whole)
    views, maps = measured(table, codes, full, options, plan)
    reach = float(np.mean([code[folds == k].std(0).mean() for k, code in enumerate(codes)]))
    return {
        "rows": list(layout(full).columns),
        "genetic": plan.network.dimensions,
        "maps": maps,
        "explained": explained(plan, used_scores(plan, trains), table.n, reach),
    }, views


def too_few(plan: Representation, trains: Sequence[Ids]) -> str:
    """Return why there are too few people for that many dimensions, or "": four training rows for each."""
    rows, d = min(map(len, trains)), plan.network.dimensions
    return "" if rows >= 4 * d else f"{rows} training rows in a fold; {d} dimensions want at least {4 * d}"


def measured(
    table: Table, codes: Sequence[Floats], full: Table, options: Options, plan: Representation
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the scores of every view under every penalty, and the maps; the views are spread over workers."""
    wanted = ("combined", "genetic", "clinical") if table.columns else ("genetic",)  # the longest first
    device = pick_device(options.device)
    found: dict[str, dict[str, Any]] = {}
    maps: list[dict[str, Any]] = []
    workers = options.ray or min(options.processes, len(wanted))
    with staff(workers, device) as there:
        shared = there.share(table), there.share(codes)
        jobs = [(view, (*shared, view, replace(options, device=device), plan)) for view in wanted]
        for view, (scores, chosen) in there.each(viewed, jobs):
            found[view] = scores
            if view == wanted[0]:
                maps = refitted(full, chosen, options, plan.effort)
    none = {penalty: {"why_not": NO_CLINICAL} for penalty in PENALTIES}
    alike = {"clinical": none, "combined": found["genetic"]}  # without clinical columns
    return {view: found[view] if view in found else alike[view] for view in VIEWS}, maps


def viewed(table: Table, codes: Sequence[Floats], view: str, options: Options, plan: Representation) -> Viewed:
    """Return the scores of one view under every penalty, and the strengths that a map may take, by penalty."""
    arms = spliced([joined(table, code, view) for code in codes], options, plan.seeds)
    found = compared(arms, options, plan)
    genetic = 0 if view == "clinical" else plan.network.dimensions
    scores = {penalty: _scored(found, arms, penalty, genetic) for penalty in PENALTIES}
    return scores, {p: strongest(found.population.select(penalty=p)) for p in PENALTIES}


def spliced(tables: Sequence[Table], options: Options, seeds: int) -> Arena:
    """Return the folds of a comparison in which outer fold k reads the values of ``tables[k]``.

    The tables differ by their values only; every split gets a block of its own, encoded by its training rows.
    """
    device = pick_device(options.device)
    fields = [arena(t, np.arange(t.n), options, seeds, 1, device, None) for t in tables]
    first = fields[0]
    blocks = [(fields[fold].blocks, split.block) for fold, _, split in first.splits]
    places = [split.block for _, _, split in first.splits]
    data = replace(
        first.blocks, x=np.stack([b.x[i] for b, i in blocks]), y=np.stack([first.blocks.y[i] for i in places])
    )
    splits = tuple((fold, seed, replace(s, block=i)) for i, (fold, seed, s) in enumerate(first.splits))
    return replace(first, splits=splits, blocks=data, y_centre=first.y_centre[places], y_scale=first.y_scale[places])


@one_thread()
def compared(arms: Arena, options: Options, plan: Representation) -> Search:
    """Train every penalty at its strengths on all folds."""
    training = training_for(options, len(arms.splits[0][2].train), plan.effort)
    strengths = {p: _strengths(arms, training, p, plan.strengths) for p in PENALTIES[1:]}
    return search(arms, Plan(strengths, (0.0,)), training)


def _strengths(arms: Arena, training: Training, name: str, length: int) -> Floats:
    """Return a penalty's strengths, from the largest lam_max of a few splits down."""
    body, penalty = arms.blocks.body(training), by_name(name)
    assert isinstance(body, BuiltIn)
    rows = [(arms.blocks.rows(s, s.train), seed) for _, seed, s in arms.splits[:3]]
    largest = max(lam_max(body.engine(), r, penalty, body.groups(), seed) for r, seed in rows)
    top, ratio = starting_point(penalty, largest)
    return grid(top, length, ratio)


def _scored(measured: Search, arms: Arena, penalty: str, genetic: int) -> dict[str, Any]:
    """Return one penalty's scores on the outer folds with intervals, its strengths, and how many variables it keeps.

    The first ``genetic`` variables are learned dimensions.
    """
    scores, predictions = tuned(measured, arms, penalty)
    if not predictions:
        return {"why_not": "every network of this penalty diverged"}
    metrics = [m for m in METRICS[arms.table.task] if m != "log_loss"]
    spread = intervals({m: scores.per_fold[m] for m in metrics}, arms)
    used = [
        m.norms != 0
        for fold, setting in enumerate(scores.chosen)
        for m in measured.population.select(penalty=penalty, fold=fold)
        if (m.lam, m.dropout) == setting and m.usable
    ]
    return {
        **{m: {side: short(value) for side, value in spread[m].as_dict().items()} for m in metrics},
        "per_fold": {m: short(scores.per_fold[m]) for m in metrics},
        "lam": [short(lam) for lam, _ in scores.chosen],
        "kept_variants": short(np.mean([kept[:genetic].sum() for kept in used])),
        "kept_clinical": short(np.mean([kept[genetic:].sum() for kept in used])),
    }
