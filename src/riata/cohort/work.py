"""Work: folds and halves spread over processes or a Ray; what a fold gives does not depend on where it ran."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from ..choice.plan_memory import Notes
from ..data import Table
from ..genome import Columns
from ..population.design import Split
from ..population.hands import staff
from .fold import folds_of
from .halves import kept_in_halves
from .measure import measure
from .pieces import pack_halves, pack_trials, unpack_halves, unpack_trials
from .settings import Settings
from .trial import Trial

__all__ = ["HALVES", "PATHS", "REPRESENTATION", "Material", "Office", "halves", "trials"]

T = TypeVar("T")
PATHS, HALVES = "trials", "halves"
"""How the notes of finished pieces begin."""
REPRESENTATION = "the learned representation"
"""The note of what was learned of the variants without the outcome."""
FOLDS_TOGETHER = 3
"""Folds that share a pass. Pieces do not depend on the number of workers, so that no result does."""
HALVES_TOGETHER = 10
"""Halves that share a pass; more would need more memory."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Material:
    """What every piece of work reads. Variants that lie in a mapped file travel as its path, which must be there."""

    table: Table
    variants: Columns
    unpenalised: tuple[str, ...]
    scaling: str
    settings: Settings


@dataclass(frozen=True)
class Office:
    """How pieces are worked on: processes or the Ray that was named, who is told, and what remembers them."""

    workers: int
    progress: Progress
    notes: Notes | None = None
    ray: str | None = None


def trials(material: Material, splits: Sequence[Split], office: Office) -> list[list[Trial]]:
    """Return the trials of every split."""
    found = _each(_measure, material, splits, FOLDS_TOGETHER, office, PATHS, (pack_trials, unpack_trials))
    return [of for piece in found for of in piece]


def halves(material: Material, splits: Sequence[Split], penalty: str, most: int, office: Office) -> list[np.ndarray]:
    """Return the variants that every half selects."""
    name = f"{HALVES} by {penalty} up to {most}"
    packing = (pack_halves, unpack_halves)
    found = _each(_select, material, splits, HALVES_TOGETHER, office, name, packing, penalty, most)
    return [kept for piece in found for kept in piece]


def _measure(material: Material, splits: Sequence[Split]) -> list[list[Trial]]:
    torch.set_num_threads(1)
    m = material
    folds = folds_of(m.table, m.variants, splits, m.unpenalised, m.scaling)
    return measure(folds, m.settings)


def _select(material: Material, splits: Sequence[Split], penalty: str, most: int) -> list[np.ndarray]:
    torch.set_num_threads(1)
    m = material
    return kept_in_halves(m.table, m.variants, splits, m.unpenalised, m.scaling, penalty, m.settings, most)


def _each(
    task: Callable[..., T],
    material: Material,
    splits: Sequence[Split],
    size: int,
    office: Office,
    name: str,
    packing: tuple[Callable[[T], bytes], Callable[[bytes], T]],
    *given: Any,
) -> list[T]:
    """Return ``task(material, piece, *given)`` of all pieces of splits in order; a remembered one is not done again."""
    pieces = [splits[a : a + size] for a in range(0, len(splits), size)]
    pack, unpack = packing
    found: dict[int, T] = {}
    for i in range(len(pieces)):
        content = office.notes.recall(f"{name} {i}") if office.notes is not None else None
        if content is not None:
            found[i] = unpack(content)

    def done(i: int, result: T) -> None:
        found[i] = result
        if office.notes is not None:
            office.notes.remember(f"{name} {i}", pack(result))
        office.progress(len(found), len(pieces))

    left = [i for i in range(len(pieces)) if i not in found]
    if left:  # nobody is called where nothing is left to do
        with staff(office.ray or min(office.workers, len(left))) as there:
            what = there.share(material)
            for i, result in there.each(task, [(i, (what, pieces[i], *given)) for i in left]):
                done(i, result)
    return [found[i] for i in range(len(pieces))]
