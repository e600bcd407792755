"""Clusters of linked variants: kept ones that say the same, and others that may be meant instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from riata.errors import InputError
from riata.genome import Columns
from riata.genome.columns import checked_ids

__all__ = ["Cluster", "Companions", "Places", "clusters", "companions"]

Chromosomes = NDArray[np.str_]
WINDOW = 1_000_000
"""Base pairs beyond which two variants are never called linked."""


class Places(Protocol):
    """Where variants lie; ``riata.genome.Variants`` is one."""

    @property
    def chromosome(self) -> Sequence[str]:
        """Chromosome of each variant, length p."""

    @property
    def position(self) -> NDArray[np.int64]:
        """Position of each variant in base pairs, (p,)."""


@dataclass(frozen=True)
class Cluster:
    """Kept variants in linkage with one of them.

    Attributes
    ----------
    lead : int
        Id of the strongest.
    members : tuple of int
        Ids of the others, strongest first.
    r2 : tuple of float
        Squared correlation of each of the others with the lead.
    norm : float
        Norm of the lead.
    """

    lead: int
    members: tuple[int, ...]
    r2: tuple[float, ...]
    norm: float


@dataclass(frozen=True)
class Companions:
    """Variants that were not kept and are in linkage with a lead, the closest first: ids and squared correlations."""

    lead: int
    ids: tuple[int, ...]
    r2: tuple[float, ...]


def clusters(
    columns: Columns, kept: Tensor, norms: Tensor, places: Places | None, *, r2: float = 0.2, window: int = WINDOW
) -> list[Cluster]:
    """Return the kept variants as clusters: the strongest left is a lead and takes every one that is linked with it.

    Linked are variants whose squared correlation ``(x_a'x_b / n)^2`` on the rows in use is at least ``r2``, and that
    lie on one chromosome at most ``window`` base pairs apart where places are known (greedy clumping as in PLINK,
    ``--clump``, with norms in place of p-values). Only the kept columns are read.

    Parameters
    ----------
    columns : Columns
    kept : Tensor, (m,)
        Ids of the kept variants, each once.
    norms : Tensor, (m,)
        Their group norms.
    places : Places or None
    r2 : float in (0, 1]
    window : int

    Raises
    ------
    InputError
        If ids or norms do not fit, or a limit is outside its range.

    Examples
    --------
    >>> from riata.genome import Dense
    >>> x = Dense.of(np.array([[0, 0, 1], [1, 1, 0], [2, 2, 1], [0, 1, 2]], np.int8))
    >>> [(c.lead, c.members) for c in clusters(x, torch.tensor([0, 1, 2]), torch.tensor([1.0, 3.0, 2.0]), None)]
    [(1, (0,)), (2, ())]
    """
    _checked(r2, window)
    ids = checked_ids(kept, columns.p)
    if norms.shape != ids.shape or len(ids.unique()) != len(ids):
        raise InputError(
            f"{len(ids)} kept variants with norms {tuple(norms.shape)}; expected different ids, one norm each"
        )
    chromosome = None if places is None else np.asarray(places.chromosome)
    order = torch.argsort(norms.detach().cpu().double(), descending=True, stable=True)
    ids, sizes = ids[order], norms.detach().cpu()[order].tolist()
    block, left, found = columns.columns(ids), torch.ones(len(ids), dtype=torch.bool), []
    for first in range(len(ids)):
        if not left[first]:
            continue
        left[first] = False
        rest = left.nonzero().squeeze(1)
        rest = rest[_near(places, chromosome, int(ids[first]), ids[rest], window)]
        linked = _linkage(block[:, first], block[:, rest])
        close = linked >= r2
        left[rest[close]] = False
        members, strengths = ids[rest[close]].tolist(), linked[close].tolist()
        found.append(Cluster(int(ids[first]), tuple(members), tuple(strengths), float(sizes[first])))
    return found


def companions(
    columns: Columns,
    kept: Tensor,
    leads: Sequence[int],
    places: Places,
    *,
    r2: float = 0.5,
    window: int = WINDOW,
    most: int = 20,
) -> list[Companions]:
    """Return, for each lead, the variants in linkage with it that were not kept: any of them may be the cause.

    Read are the columns within ``window`` base pairs of a lead on its chromosome, and no others; of those at least
    ``r2`` correlated the ``most`` closest are returned.

    Raises
    ------
    InputError
        If ids do not fit, or a limit is outside its range.

    Examples
    --------
    >>> from riata.genome import Dense, Variants
    >>> x = Dense.of(np.array([[0, 0, 0], [1, 1, 1], [2, 2, 2], [0, 1, 0]], np.int8))
    >>> at = Variants(("a", "b", "c"), ("1", "1", "2"), np.array([10, 20, 10]), ("A",) * 3, ("G",) * 3)
    >>> [(c.lead, c.ids) for c in companions(x, torch.tensor([0]), [0], at)]
    [(0, (1,))]
    """
    _checked(r2, window)
    gone = torch.zeros(columns.p, dtype=torch.bool)
    gone[checked_ids(kept, columns.p)] = True
    others = (~gone).nonzero().squeeze(1)
    chromosome = np.asarray(places.chromosome)
    found = []
    for lead in checked_ids(torch.tensor(list(leads), dtype=torch.int64), columns.p).tolist():
        near = others[_near(places, chromosome, lead, others, window)]
        linked = _linkage(columns.columns(torch.tensor([lead]))[:, 0], columns.columns(near))
        order = torch.argsort(linked, descending=True, stable=True)[:most]
        order = order[linked[order] >= r2]
        found.append(Companions(lead, tuple(near[order].tolist()), tuple(linked[order].tolist())))
    return found


def _linkage(lead: Tensor, others: Tensor) -> Tensor:
    """Return squared correlations of standardised columns: (n,), (n, m) -> (m,)."""
    return (others.T @ lead / len(lead)).double().square().clamp(max=1.0)


def _near(places: Places | None, chromosome: Chromosomes | None, lead: int, others: Tensor, window: int) -> Tensor:
    """Return which of the others may be linked with the lead: (m,) bool; all, where no place is known."""
    if places is None or chromosome is None:
        return torch.ones(len(others), dtype=torch.bool)
    at = others.numpy()
    near = np.abs(places.position[at] - places.position[lead]) <= window
    return torch.from_numpy(near & (chromosome[at] == chromosome[lead]))


def _checked(r2: float, window: int) -> None:
    if not 0 < r2 <= 1 or window < 0:
        raise InputError(f"linkage from r2 = {r2:g} within {window} base pairs; expected 0 < r2 <= 1 and a window >= 0")
