"""Dimensions: a few numbers a person, learned from all variants without the outcome, once for every training set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from riata.data import Column, Table
from riata.data.table import content_hash
from riata.engines.threads import one_thread
from riata.errors import InputError
from riata.genome import Columns, takes
from riata.wide.autoencoder import Autoencoder, learn_encoder
from riata.wide.principal import principals, projections

__all__ = ["Representation", "joined", "representations", "used_scores"]

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
    scores: int = 24
    passes: int = 2
    strengths: int = 6
    seeds: int = 1
    effort: float = 0.25

    def __post_init__(self) -> None:
        least = (self.scores, self.passes, self.strengths - 1, self.seeds)
        if min(least) < 1 or self.effort not in (0.25, 0.5, 1.0):
            raise InputError(
                f"{self.scores} scores, {self.passes} passes, {self.strengths} strengths, {self.seeds} seeds, effort"
                f" {self.effort}; expected at least 1, 1, 2 and 1, and .25, .5 or 1"
            )


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
    found = principals(parts, used_scores(plan, trains), seed, plan.passes)
    some = [i for i, ids in enumerate(rows) if len(ids) < variants.n]  # all rows together have their scores already
    passed = projections(variants, [(rows[i], parts[i], found[i]) for i in some])
    scores = [principal.scores for principal in found]
    for i, others in zip(some, passed, strict=True):
        scores[i] = others
    return [_encoded(s, ids, seed, plan.network) for s, ids in zip(scores, rows, strict=True)]


def used_scores(plan: Representation, trains: Sequence[Ids]) -> int:
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
