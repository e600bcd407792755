"""From a table to what networks are trained on: sealed rows, a sub-sample, folds, and inputs encoded per split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..data import Encoder, Layout, Table, fit_encoder, fold_ids, layout, seal
from ..engines import loss_for
from ..errors import InputError
from ..population.body import Own
from ..population.design import Split, nested_splits
from ..population.run import Blocks
from .options import Options

SEAL_FROM = 1000
"""Rows from which a share is sealed for the final score; below it the score is nested."""
SEALED = 0.2


@dataclass(frozen=True)
class Parts:
    """The rows of a table by their use: ``pool`` trains and compares, ``sealed`` scores once (or is None)."""

    pool: Table
    sealed: Table | None


def part(table: Table, options: Options) -> Parts:
    """Seal a fifth of the rows where there are at least :data:`SEAL_FROM`."""
    if table.n < SEAL_FROM or options.no_validation:
        return Parts(table, None)
    sealed = seal(table, SEALED, options.seed)
    return Parts(table.take(~sealed), table.take(sealed))


def grouping(plan: Layout, groups: Mapping[str, str] | None) -> tuple[np.ndarray, tuple[str, ...], tuple[int, ...]]:
    """Return (group of each column, group names, group of each variable).

    Without ``groups`` a group is a variable; otherwise variables with the same group name live and die together.

    Raises
    ------
    InputError
        If ``groups`` names a variable that is not an input.
    """
    names = list(plan.variables)
    if not groups:
        return np.asarray(plan.group, dtype=np.int64), tuple(names), tuple(range(len(names)))
    unknown = sorted(set(groups) - set(names))
    if unknown:
        raise InputError(f"--groups names {unknown[0]!r}, which is not an input of the table; use the header's names")
    labels = [groups.get(v, v) for v in names]
    order = list(dict.fromkeys(labels))
    of_variable = tuple(order.index(label) for label in labels)
    return np.asarray(of_variable, dtype=np.int64)[plan.group], tuple(order), of_variable


@dataclass(frozen=True)
class Encoded:
    """A table's rows as a network reads them, by one split's training rows."""

    encoder: Encoder
    x: np.ndarray
    y: np.ndarray
    y_centre: float
    y_scale: float


def encode(table: Table, train: np.ndarray, scaling: str) -> Encoded:
    """Fit the encoding (and the target's scale, for regression) on the training rows; apply it to all rows.

    With ``scaling`` "none" the numbers stay as they are.
    """
    encoder = fit_encoder(table, train, "quantile" if scaling == "quantile" else "standard")
    if scaling == "none":
        encoder = replace(encoder, centre=np.zeros_like(encoder.centre), scale=np.ones_like(encoder.scale))
    x = encoder.transform(table.values)
    y = table.y.astype(np.float64)
    centre, scale = 0.0, 1.0
    if table.task == "regression":
        centre, scale = float(y[train].mean()), float(y[train].std()) or 1.0
    return Encoded(encoder, x, ((y - centre) / scale).astype(np.float32), centre, scale)


@dataclass(frozen=True)
class Arena:
    """The rows on which candidates are compared.

    Attributes
    ----------
    table : Table
        The pool, or a sub-sample of it.
    rows : ndarray
        Positions of its rows in the pool.
    folds : ndarray (repeats, n)
        Outer fold of every row.
    splits : tuple of (fold, seed, Split)
        ``fold`` counts through the repeats.
    blocks : Blocks
    y_centre, y_scale : ndarray (B,)
    """

    table: Table
    rows: np.ndarray
    folds: np.ndarray
    splits: tuple[tuple[int, int, Split], ...]
    blocks: Blocks
    y_centre: np.ndarray
    y_scale: np.ndarray


def arena(
    pool: Table,
    rows: np.ndarray,
    options: Options,
    seeds: int,
    repeats: int,
    device: str,
    groups: Mapping[str, str] | None,
    own: Own | None = None,
) -> Arena:
    """Build the folds and encode the rows once per split: whatever depends on data is learned inside it.

    ``own`` is a user's module that is trained instead of the built-in network; it gets the numbers as they are.
    """
    table = pool if len(rows) == pool.n else pool.take(rows)
    folds = np.stack([fold_ids(table, options.folds, options.seed + r) for r in range(repeats)])
    splits: list[tuple[int, int, Split]] = []
    encoded: list[Encoded] = []
    for r in range(repeats):
        for fold, seed, split in nested_splits(folds[r], seeds):
            known = [i for i, (_, _, s) in enumerate(splits) if np.array_equal(s.train, split.train)]
            block = splits[known[0]][2].block if known else len(encoded)
            if not known:
                encoded.append(encode(table, split.train, "none" if own else options.scaling))
            fold_here = r * options.folds + fold
            splits.append((fold_here, seed + r * seeds, replace(split, fold=fold_here, block=block)))
    group, names, _ = grouping(layout(table), groups)
    blocks = Blocks(
        np.stack([e.x for e in encoded]),
        np.stack([e.y for e in encoded]),
        group,
        own.groups.names if own else names,
        own.loss if own else loss_for(table.task, len(table.classes)),
        device,
        own,
    )
    return Arena(
        table, rows, folds, tuple(splits), blocks,
        np.array([e.y_centre for e in encoded]), np.array([e.y_scale for e in encoded]),
    )  # fmt: skip
