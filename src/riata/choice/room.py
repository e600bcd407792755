"""The memory that a decision will need, estimated before it is asked for, and the plan that fits what is free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .. import memory
from ..data import Table, layout, subsample
from ..engines import NetworkSpec, loss_for
from ..errors import InputError
from ..population.body import Own
from ..population.run import chunk_size
from .options import Options
from .pilot import MOST_REPEATS
from .search import DROPOUT_EVERY

MOST_COLUMNS = 50_000
"""Encoded columns of a table; beyond it model and decision would not be read back."""
ENCODE = 40
"""Bytes a cell while rows are encoded: the numbers, the columns before and after centring, masks."""
LAST = 340 * 2**20
"""Bytes that the figures and the report take, whatever the table."""
WORKER = 220 * 2**20
"""Bytes of a worker process without data."""
STATE = 10
"""Copies of the weights while networks are trained: best ones, gradients, moments, what the prox makes."""
PASSES = 3
"""Values kept for every row and unit of a network while its loss is computed."""
LEAST_ROWS = 1000
CLI = "use fewer rows or columns, or a machine with more memory"


@dataclass(frozen=True)
class Sizes:
    """What the need depends on.

    Attributes
    ----------
    rows, compared, columns : int
        Rows of the pool, rows that candidates are compared on, encoded columns.
    train : int
        Rows that a network of the comparison trains on.
    blocks : int
        Splits whose rows are encoded apart.
    units, weights : int
        Values of one row in one network, and its weights.
    """

    rows: int
    compared: int
    train: int
    columns: int
    blocks: int
    units: int
    weights: int

    def data(self) -> int:
        """Return the bytes of the encoded blocks."""
        return self.blocks * self.compared * (self.columns + 1) * 4

    def chunk(self, members: int) -> int:
        """Return the bytes that training some networks together takes."""
        rows = 2 * self.compared * self.columns * 4
        return rows + members * 4 * (STATE * self.weights + PASSES * self.train * self.units)

    def looking(self) -> int:
        """Return the bytes that encoding all rows takes."""
        return self.rows * self.columns * ENCODE

    def need(self, workers: int, members: int) -> int:
        """Return the bytes that a decision takes in all its processes, beside what is held already.

        With ``workers`` of 1 everything is done in this process. Data is held once in every process, and twice more
        here while it is handed over.
        """
        helpers = workers if workers > 1 else 0
        arena = 2 * self.data() + self.compared * self.columns * ENCODE
        compare = self.data() * (3 if helpers else 1) + self.chunk(members)
        each = self.rows * 4 * (self.columns + PASSES * self.units)
        again = self.data() + self.looking() + workers * each
        here = max(self.looking(), arena, compare, again) + LAST
        return here + helpers * (WORKER + self.data() + max(self.data(), self.chunk(members)))


@dataclass(frozen=True)
class Room:
    """A plan that fits the memory.

    Attributes
    ----------
    workers : int
    chunk : int or None
        Networks in a piece; None is as usual.
    rows : ndarray
        Rows to compare on.
    repeats : int
        Most repeats of the folds that a budget may buy.
    said : tuple of str
        What was changed.
    """

    workers: int
    chunk: int | None
    rows: np.ndarray
    repeats: int = MOST_REPEATS
    said: tuple[str, ...] = ()


def sizes_of(pool: Table, compared: int, options: Options, own: Own | None = None) -> Sizes:
    """Return the sizes of a decision on some rows of a pool.

    Raises
    ------
    InputError
        If the table has more than :data:`MOST_COLUMNS` encoded columns.
    """
    columns = len(layout(pool).columns)
    if columns > MOST_COLUMNS:
        raise InputError(f"{columns} encoded columns; expected at most {MOST_COLUMNS}: leave some out with --drop, or "
                         "pass genotypes by --genotypes")  # fmt: skip
    pairs = options.folds * (options.folds - 1) // 2  # two folds are held out, and it is the same which is which
    blocks = min(pairs, options.folds * options.seeds) * options.repeats
    outputs = loss_for(pool.task, len(pool.classes)).outputs
    spec = NetworkSpec(max(1, columns), outputs, options.hidden)
    units = spec.first_width + sum(options.hidden) + outputs
    compared = min(pool.n, compared)
    train = compared * (options.folds - 2) // options.folds
    return Sizes(pool.n, compared, train, columns, blocks, units, own.weights if own else spec.count())


def members_of(sizes: Sizes, options: Options) -> int:
    """Return how many networks are trained in one piece as usual: at most those of a penalty, by strength and rate."""
    length = options.path_length
    settings = length + (len(options.rates) - 1) * -(-length // DROPOUT_EVERY)
    return min(chunk_size(sizes.weights), settings)


def require_look(pool: Table, options: Options, own: Own | None = None) -> None:
    """Refuse a table that cannot even be encoded in the memory that is free.

    Raises
    ------
    InputError, ResourceError
        See :func:`sizes_of` and :func:`riata.memory.require`.
    """
    sizes = sizes_of(pool, LEAST_ROWS, options, own)
    memory.require(sizes.looking() + LAST, f"a table of {sizes.rows} rows and {sizes.columns} encoded columns", CLI)


def fit_room(pool: Table, rows: np.ndarray, options: Options, own: Own | None = None, free: int | None = None) -> Room:
    """Return the plan that needs at most 70% of the free memory and changes the least: no result depends on the first.

    In this order: fewer worker processes, fewer networks in a piece, half the rows to compare on, down to 1,000.

    Parameters
    ----------
    pool : Table
    rows : ndarray
        Rows of it to compare on.
    options : Options
    own : Own, optional
    free : int, optional
        Free bytes; None is :func:`riata.memory.available`.

    Raises
    ------
    ResourceError
        If the least plan needs more.
    """
    free = memory.available() if free is None else free
    sizes = sizes_of(pool, len(rows), options, own)
    if free is None:
        return Room(options.processes, None, rows)
    for workers, members, count in _plans(sizes, options):
        sizes = sizes_of(pool, count, options, own)
        if sizes.need(workers, members) <= memory.PART * free:
            break
    else:
        memory.require(sizes.need(workers, members), f"comparing on {count} rows of {sizes.columns} columns", CLI, free)
    usual = members_of(sizes, options)
    said = [] if workers == options.processes else [f"{workers} of {options.processes} worker processes"]
    said += [] if members == usual else [f"{members} networks in a piece instead of {usual}"]
    if count < len(rows):
        said.append(f"candidates were compared on {count} rows instead of {len(rows)}")
        rows = subsample(pool, count, options.seed)
    words = tuple(f"{what}, for the memory ({free / 1e9:.1f} GB are free)" for what in said)
    repeats = _repeats(sizes, options, workers, members, memory.PART * free)
    return Room(workers, None if members == usual else members, rows, repeats, words)


def _repeats(sizes: Sizes, options: Options, workers: int, members: int, most: float) -> int:
    """Return the most repeats whose blocks fit too."""
    one = sizes.blocks // options.repeats
    more = range(options.repeats, max(options.repeats, MOST_REPEATS) + 1)
    return max(n for n in more if n == options.repeats or replace(sizes, blocks=n * one).need(workers, members) <= most)


def _plans(sizes: Sizes, options: Options) -> Iterator[tuple[int, int, int]]:
    """Yield (workers, networks in a piece, rows), the richest first."""
    workers, members, rows = options.processes, members_of(sizes, options), sizes.compared
    yield workers, members, rows
    while workers > 1:
        workers = workers // 2
        yield workers, members, rows
    while members > 1:
        members = max(1, members // 4)
        yield workers, members, rows
    while rows > LEAST_ROWS:
        rows = max(LEAST_ROWS, rows // 2)
        yield workers, members, rows
