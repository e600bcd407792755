"""Work: folds and halves spread over processes; what a fold gives does not depend on where it ran."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
import torch

from ..data import Table
from ..genome import Columns
from ..population.design import Split
from ..wide import run
from .fold import folds_of
from .halves import kept_in_halves
from .measure import measure
from .settings import Settings
from .trial import Trial

__all__ = ["Material", "halves", "trials"]

T = TypeVar("T")
TOGETHER = 10
"""Halves that share a pass; more would need more memory."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Material:
    """What every piece of work reads. Variants that lie in a mapped file travel as its name."""

    table: Table
    variants: Columns
    unpenalised: tuple[str, ...]
    scaling: str
    settings: Settings


def trials(material: Material, splits: Sequence[Split], workers: int, progress: Progress) -> list[list[Trial]]:
    """Return the trials of every split."""
    pieces = [list(splits[i::workers]) for i in range(min(workers, len(splits)))]
    found = dict(_each(_measure, material, pieces, workers, progress))
    return [found[i % len(pieces)][i // len(pieces)] for i in range(len(splits))]


def halves(
    material: Material, splits: Sequence[Split], penalty: str, most: int, workers: int, progress: Progress
) -> list[np.ndarray]:
    """Return the variants that every half selects."""
    size = min(TOGETHER, -(-len(splits) // workers))
    pieces = [list(splits[a : a + size]) for a in range(0, len(splits), size)]
    found = dict(_each(_Halves(penalty, most), material, pieces, workers, progress))
    return [kept for i in range(len(pieces)) for kept in found[i]]


def _measure(material: Material, splits: list[Split]) -> list[list[Trial]]:
    torch.set_num_threads(1)
    m = material
    folds = folds_of(m.table, m.variants, splits, m.unpenalised, m.scaling)
    return run([measure(fold, m.settings) for fold in folds])


@dataclass(frozen=True)
class _Halves:
    penalty: str
    most: int

    def __call__(self, material: Material, splits: list[Split]) -> list[np.ndarray]:
        torch.set_num_threads(1)
        m = material
        return kept_in_halves(
            m.table, m.variants, splits, m.unpenalised, m.scaling, self.penalty, m.settings, self.most
        )


def _each(
    task: Callable[[Material, list[Split]], T],
    material: Material,
    pieces: Sequence[list[Split]],
    workers: int,
    progress: Progress,
) -> Iterator[tuple[int, T]]:
    """Yield the result of every piece with its number, in the order in which they end."""
    if min(workers, len(pieces)) == 1:
        for i, piece in enumerate(pieces):
            yield i, task(material, piece)
            progress(i + 1, len(pieces))
        return
    with ProcessPoolExecutor(min(workers, len(pieces)), get_context("spawn")) as pool:
        numbers = {pool.submit(task, material, piece): i for i, piece in enumerate(pieces)}
        for done, future in enumerate(as_completed(numbers), 1):
            yield numbers[future], future.result()
            progress(done, len(pieces))
