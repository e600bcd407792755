"""One network of every penalty from two seeds: its first layer, and how training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from ...data import layout
from ...population.design import Design, Member, Training
from ...population.watch import Watched, watch_member
from ..prepare import Arena
from ..search import Search, Setting, best_setting
from ..settle import Job, Measured, Verdict
from ..training import LEARNING_RATE, training_for
from .rounded import short

Key = tuple[str, str]
"""A penalty, and at which of its strengths."""
Paths = Mapping[str, Mapping[str, Any]]
"""As :func:`~riata.choice.figures.paths.paths_of` returns them."""

SEEDS = (0, 1)
MOST_COLUMNS = 200
"""Encoded columns whose weights are kept for the pictures; the strongest of all networks."""
BINS = 30


@dataclass(frozen=True)
class Shown:
    """A watched network, and at which of its penalty's strengths: ``best`` or ``one_se``."""

    at: str
    watched: Watched


def shown_networks(job: Job, measured: Measured, verdict: Verdict, paths: Paths) -> list[Shown]:
    """Train each penalty at its best and at its selecting strength, from two seeds on the same rows of fold 0.

    A network of the first seed is one of those that were compared.
    """
    field = measured.field
    split = field.splits[0][2]
    training = training_for(job.options, len(split.train), measured.plan.effort)
    designs = [
        (at, Design((Member(penalty, *setting, 0, seed, LEARNING_RATE),), (split,), how))
        for (penalty, at), (setting, how) in settings(measured.found, verdict, training, paths).items()
        for seed in SEEDS
    ]

    def watch(piece: tuple[str, Design]) -> Shown:
        return Shown(piece[0], watch_member(field.blocks, piece[1], 0))

    workers = job.options.processes if job.device == "cpu" and job.own is None else 1
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        return list(pool.map(watch, designs))


def settings(
    found: Search, verdict: Verdict, training: Training, paths: Paths
) -> Mapping[Key, tuple[Setting, Training]]:
    """Return each penalty's settings and its training: the best one, and the strongest within one standard error.

    Variables were selected by networks trained to the end, so those of a selecting verdict are.
    """
    wanted: dict[Key, tuple[Setting, Training]] = {}
    for penalty in ("none", *found.plan.strengths):
        best = best_setting(found.population.select(penalty=penalty))
        wanted[penalty, "best"] = best, training
        one = paths[penalty]["one_se"] if penalty in paths else None
        if one is not None and one > best[0]:
            wanted[penalty, "one_se"] = (one, found.plan.dropout[0]), training
    if verdict.selection is not None:
        wanted[verdict.penalty, "one_se"] = (verdict.lam, 0.0), replace(training, early_stopping=False)
    return wanted


def networks_of(shown: list[Shown], field: Arena) -> dict[str, Any]:
    """Return the networks, and the columns whose weights are shown."""
    names, group = columns_of(field)
    columns = strongest([s.watched for s in shown])
    skip = field.blocks.loss.outputs if field.blocks.own is None else 0
    hidden = shown[0].watched.first.shape[1] - skip
    return {
        "variables": list(field.blocks.variables),
        "columns": [{"name": names[j], "variable": int(group[j])} for j in columns],
        "columns_of": len(names),
        "units": hidden,
        "skip": skip,
        "rows": len(field.splits[0][2].train),
        "networks": [{"at": s.at, **network(s.watched, columns)} for s in shown],
    }


def columns_of(field: Arena) -> tuple[Sequence[str], np.ndarray]:
    """Return the rows of the first layer: encoded columns with their variable, or the groups of a user's module."""
    if field.blocks.own is None:
        return layout(field.table).columns, field.blocks.group
    names = field.blocks.own.groups.names
    index = field.blocks.own.groups.index.cpu().numpy()
    return [names[i] for i in index], index


def strongest(watched: list[Watched], most: int = MOST_COLUMNS) -> list[int]:
    """Return the columns with the largest norm relative to their network's largest, in the table's order."""
    norms = np.stack([np.linalg.norm(w.first, axis=1) for w in watched])
    share = (norms / np.maximum(norms.max(1, keepdims=True), 1e-30)).max(0)
    return sorted(np.argsort(-share, kind="stable")[:most].tolist())


def network(watched: Watched, columns: list[int]) -> dict[str, Any]:
    """Return one network as plain values; a weight that is exactly zero stays 0.0."""
    m, first = watched.result, watched.first
    alive = first[first != 0]
    counts, edges = np.histogram(alive, bins=BINS) if len(alive) else (np.zeros(0, int), np.zeros(0))
    curves = {k: short(v) if k != "epoch" else v for k, v in asdict(watched.curves).items()}
    return {
        "penalty": m.penalty,
        "lam": m.lam,
        "dropout": m.dropout,
        "fold": m.fold,
        "seed": m.seed,
        "status": m.status,
        "kkt": short(m.kkt),
        "best_epoch": m.best_epoch,
        "epochs": m.epochs,
        "kept": m.kept,
        "weights_kept": m.weights_kept,
        "weights_total": int(first.size),
        "largest": short(np.abs(first).max()),
        "first": short(first[columns]),
        "histogram": {
            "edges": short(edges),
            "counts": counts.tolist(),
            "zeros": int(first.size - len(alive)),
        },
        "curves": curves,
    }
