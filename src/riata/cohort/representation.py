"""Representation: a few dimensions learned from all variants, beside the clinical variables, by every penalty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from riata.choice.decide import pick_device
from riata.choice.figures.rounded import short
from riata.choice.final import intervals
from riata.choice.look import obstacle
from riata.choice.options import Options
from riata.choice.prepare import Arena, arena, encode
from riata.choice.score import METRICS
from riata.choice.search import Plan, Search, best_setting, search, tuned
from riata.choice.training import LEARNING_RATE, training_for
from riata.data import Column, Table, fold_ids, layout
from riata.data.table import content_hash
from riata.engines import loss_for
from riata.engines.threads import one_thread
from riata.errors import InputError
from riata.genome import Columns, takes
from riata.path.strengths import grid, lam_max, starting_point
from riata.penalties import by_name
from riata.population.body import BuiltIn
from riata.population.design import Design, Member, Split, Training
from riata.population.run import Blocks, Crew, fit_chunk, train_population
from riata.wide.autoencoder import Autoencoder, learn_encoder
from riata.wide.principal import principals, projections

__all__ = ["MAPS", "PENALTIES", "VIEWS", "Representation", "joined", "representations", "study_representation"]

VIEWS = ("clinical", "genetic", "combined")
PENALTIES = ("none", "l2", "l1", "elastic_net", "group_lasso")
MAPS = (("none", 0), ("l1", 0), ("l2", 0), ("elastic_net", 0), ("group_lasso", 0), ("group_lasso", 1))
"""Penalty and seed of every map, in order."""
NO_CLINICAL = "the table has no clinical column"

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Representation:
    """How the dimensions are learned and compared.

    Parameters
    ----------
    network : Autoencoder
        Learns them from the principal scores.
    scores, passes : int
        Principal scores (at most a quarter of the training rows) and passes over the variants for them, >= 1.
    strengths, seeds : int
        Strengths of a penalty (>= 2) and networks of a fold and strength (>= 1).
    effort : float
        Share of the usual epochs, one of .25, .5 and 1.
    """

    network: Autoencoder = field(default_factory=Autoencoder)
    scores: int = 32
    passes: int = 2
    strengths: int = 8
    seeds: int = 1
    effort: float = 0.25

    def __post_init__(self) -> None:
        least = (self.scores, self.passes, self.strengths - 1, self.seeds)
        if min(least) < 1 or self.effort not in (0.25, 0.5, 1.0):
            raise InputError(
                f"{self.scores} scores, {self.passes} passes, {self.strengths} strengths, {self.seeds} seeds, effort"
                f" {self.effort}; expected at least 1, 1, 2 and 1, and .25, .5 or 1"
            )


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
    schedule at the strength with the least mean validation loss of the combined view.

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
    why = obstacle(table, options)
    if why:
        views = {view: {penalty: {"why_not": why} for penalty in PENALTIES} for view in VIEWS}
        return {"rows": [], "genetic": 0, "maps": [], "explained": why}, views
    folds = fold_ids(table, options.folds, options.seed)
    trains = [np.flatnonzero(folds != k) for k in range(options.folds)]
    *codes, whole = representations(variants, [*trains, np.arange(table.n)], options.seed, plan)
    views = {}
    for view in VIEWS:
        if view == "clinical" and not table.columns:
            views[view] = {penalty: {"why_not": NO_CLINICAL} for penalty in PENALTIES}
            continue
        arms = spliced([joined(table, code, view) for code in codes], options, plan.seeds)
        found = compared(arms, options, plan)
        genetic = 0 if view == "clinical" else plan.network.dimensions
        views[view] = {penalty: _scored(found, arms, penalty, genetic) for penalty in PENALTIES}
    chosen = {p: best_setting(found.population.select(penalty=p))[0] for p in PENALTIES}  # of the combined view
    full = joined(table, whole)
    reach = float(np.mean([code[folds == k].std(0).mean() for k, code in enumerate(codes)]))
    return {
        "rows": list(layout(full).columns),
        "genetic": plan.network.dimensions,
        "maps": refitted(full, chosen, options, plan),
        "explained": explained(plan, _scores(plan, trains), table.n, reach),
    }, views


@one_thread()
def representations(variants: Columns, trains: Sequence[Ids], seed: int, plan: Representation) -> list[Floats]:
    """Return the dimensions of all rows, (n, dimensions), once for each set of training rows.

    Means, scales, principal directions, network and standardisation are learned from the training rows alone; other
    rows are only passed through. The outcome is not an argument. All sets share the passes over the variants.

    Where variants far outnumber people and no direction stands out, other rows lie nearer to 0 than training rows:
    directions fitted to n people are partly those people. That is what a new person would get, so it is left so.
    """
    rows = [torch.from_numpy(train) for train in trains]
    parts = takes(variants, rows)
    found = principals(parts, _scores(plan, trains), seed, plan.passes)
    some = [i for i, ids in enumerate(rows) if len(ids) < variants.n]  # all rows together have their scores already
    passed = projections(variants, [(rows[i], parts[i], found[i]) for i in some])
    scores = [principal.scores for principal in found]
    for i, others in zip(some, passed, strict=True):
        scores[i] = others
    return [_encoded(s, ids, seed, plan.network) for s, ids in zip(scores, rows, strict=True)]


def _scores(plan: Representation, trains: Sequence[Ids]) -> int:
    """Return how many principal scores are used."""
    return max(1, min(plan.scores, min(map(len, trains)) // 4))


def _encoded(scores: Tensor, rows: Tensor, seed: int, network: Autoencoder) -> Floats:
    code: Floats = learn_encoder(scores[rows], seed, network).encode(scores).numpy()
    return code


def joined(table: Table, code: Floats, view: str = "combined") -> Table:
    """Return the table of a view: learned dimensions g01, g02, ... (n, d), then the clinical columns.

    Examples
    --------
    >>> from riata.data import make_table
    >>> table = make_table(np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2)
    >>> [column.name for column in joined(table, np.zeros((20, 3))).columns]
    ['g01', 'g02', 'g03', 'x1', 'x2']
    """
    taken = {column.name for column in table.columns}
    names = [f"g{i + 1:02d}" for i in range(code.shape[1])]
    while taken & set(names):
        names = [f"{name}'" for name in names]
    genetic = tuple(Column(name, "numeric") for name in names)
    both = replace(
        table,
        columns=(*genetic, *table.columns),
        values=np.hstack([code, table.values]),
        inputs=(*names, *table.inputs),
    )
    if view == "clinical":
        both = table
    elif view == "genetic":
        both = replace(table, columns=genetic, values=code, inputs=tuple(names))
    return replace(both, sha256=content_hash(both))


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
    with ExitStack() as stack:
        crew = None
        if options.processes > 1 and arms.blocks.device == "cpu":
            crew = stack.enter_context(Crew(arms.blocks, options.processes))
        return search(arms, Plan(strengths, (0.0,)), training, partial(train_population, arms.blocks, crew=crew))


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


@one_thread()
def refitted(table: Table, chosen: Mapping[str, float], options: Options, plan: Representation) -> list[dict[str, Any]]:
    """Return :data:`MAPS`: the first layer of a network on all rows of a table, trained to the end of its schedule."""
    everything, design = encode(table, np.arange(table.n), options.scaling), layout(table)
    loss = loss_for(table.task, len(table.classes))
    data = everything.x[None], everything.y[None]
    blocks = Blocks(*data, design.group, design.variables, loss, pick_device(options.device))
    nothing = np.zeros(0, dtype=np.int64)
    split = Split(0, np.arange(table.n), nothing, nothing)
    training = replace(training_for(options, table.n, plan.effort), early_stopping=False)
    maps = []
    for penalty, seed in MAPS:
        member = Member(penalty, chosen[penalty], 0.0, 0, seed, LEARNING_RATE)
        fitted, results = fit_chunk(blocks, Design((member,), (split,), training), [0])
        maps.append({
            "penalty": penalty,
            "seed": seed,
            "weights": short(fitted.params["first"][0].cpu().numpy() + 0.0),  # no -0.0
            "kept": results[0].kept,
            "lam": None if penalty == "none" else short(chosen[penalty]),
        })  # fmt: skip
    return maps


def explained(plan: Representation, k: int, rows: int, reach: float) -> str:
    """Say in a paragraph what the dimensions and the maps are; ``reach`` is the spread of new people's dimensions."""
    d = plan.network.dimensions
    return (
        f"{d} dimensions are learned from all variants without the outcome: a network {k}-{plan.network.hidden}-{d} and"
        f" back reproduces the {k} leading principal scores, so it sees no single variant. For the scores each fold"
        f" learned its own from its training rows; the people it left out spread {reach:.2f} times as far as those it"
        f" learned from. The maps are first layers on all {rows} rows that are not sealed; the last column is the"
        " linear part, and a row of zeros is a variable that is out."
    )
