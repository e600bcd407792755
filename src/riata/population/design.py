"""What is to be trained: rows of a design, splits of the rows, and the training they all share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import InputError

STANDARD_STEPS = 400
UPDATES = ("prox_adam", "prox_sgd", "apg")
METRICS = ("group", "entry")


@dataclass(frozen=True)
class Member:
    """One network to train.

    Members with the same ``split`` and ``seed`` share initial weights, row order and dropout noise, so that they
    differ by what they are asked to differ by.
    """

    penalty: str
    lam: float = 0.0
    dropout: float = 0.0
    split: int = 0
    seed: int = 0
    lr: float = 0.01

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout {self.dropout}; expected 0 to less than 1; try dropout=0.2")
        if not self.lam >= 0 or not self.lr > 0:
            raise InputError(f"lam {self.lam}, lr {self.lr}; expected lam >= 0 and lr > 0; try lam=0.01, lr=0.01")


@dataclass(frozen=True)
class Split:
    """Which rows train, which stop and tune (valid), and which score (test), and the block of X they read.

    Standardization belongs to the training rows of a split, so each split may have its own copy (block) of X.
    ``columns``, a mask (d,), restricts the split's networks to some input columns: the others are read as 0 and their
    weights are 0.0 from the start. Where the networks are a user's modules it is a mask (G,) of their groups.
    """

    fold: int
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray
    block: int = 0
    columns: np.ndarray | None = None


@dataclass(frozen=True)
class Training:
    """How every member is trained: held equal across the arms of a comparison.

    Parameters
    ----------
    update : {"prox_adam", "prox_sgd", "apg"}
        ``apg`` takes all rows at once, without dropout and validation, until the KKT residual is 1e-5.
    epochs : int
        Most passes over the training rows (of ``apg``: most iterations).
    batch_size : int
    patience : int
        Epochs without a better validation loss after which a member stops.
    min_delta : float
        A relative improvement of the validation loss that counts.
    early_stopping : bool
        Restore each member's best weights and stop after ``patience``; otherwise the last weights are kept.
    stop_after : int or None
        Leave the schedule after this many epochs (a refit, which has no rows to stop by).
    warmup : float
        Share of the steps over which the rate rises.
    hidden, activation, form, skip, upper_ridge
        The network, see :class:`~riata.engines.NetworkSpec`.
    metric : {"group", "entry"}
        See :class:`~riata.updates.ProxAdam`.
    """

    update: str = "prox_adam"
    epochs: int = 60
    batch_size: int = 64
    patience: int = 15
    min_delta: float = 1e-5
    early_stopping: bool = True
    stop_after: int | None = None
    warmup: float = 0.05
    hidden: tuple[int, ...] = (64, 64)
    activation: str = "relu"
    form: str = "bounded"
    skip: bool = True
    upper_ridge: float = 1e-3
    metric: str = "group"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 1 or self.patience < 1:
            raise InputError("epochs, batch size and patience must be at least 1")
        for field_name, value, known in (("update", self.update, UPDATES), ("metric", self.metric, METRICS)):
            if value not in known:
                raise InputError(f"{field_name} {value!r}; expected one of {', '.join(known)}; try {known[0]}")


@dataclass(frozen=True)
class Design:
    """A population: its members and their splits."""

    members: tuple[Member, ...]
    splits: tuple[Split, ...]
    training: Training = field(default_factory=Training)

    def chunks(self, size: int) -> list[list[int]]:
        """Return the members in pieces of at most ``size`` that share split, seed and penalty.

        >>> d = Design(tuple(Member("l1", lam, seed=s) for s in (0, 1) for lam in (1.0, 0.1, 0.01)), ())
        >>> d.chunks(2)
        [[0, 1], [2], [3, 4], [5]]
        """
        together: dict[tuple[int, int, str], list[int]] = {}
        for i, m in enumerate(self.members):
            together.setdefault((m.split, m.seed, m.penalty), []).append(i)
        return [ids[a : a + size] for ids in together.values() for a in range(0, len(ids), size)]

    def piece(self, ids: Sequence[int]) -> Design:
        """Return a design of some members of one split, which becomes the only one."""
        members = tuple(replace(self.members[i], split=0) for i in ids)
        return Design(members, (self.splits[self.members[ids[0]].split],), self.training)


def nested_splits(fold_ids: np.ndarray, seeds: int, repeats: Sequence[int] = (0,)) -> list[tuple[int, int, Split]]:
    """Return (fold, seed, split) for every outer fold and seed of one fold assignment.

    Seed s of outer fold k stops and tunes on fold (k + 1 + s) mod K and trains on the rest: no network ever sees the
    rows that score it, and the seeds of a fold tune on different rows.
    """
    k = int(fold_ids.max()) + 1
    found = []
    for fold in range(k):
        for seed in range(seeds):
            inner = (fold + 1 + seed % (k - 1)) % k
            train = np.flatnonzero((fold_ids != fold) & (fold_ids != inner))
            split = Split(fold, train, np.flatnonzero(fold_ids == inner), np.flatnonzero(fold_ids == fold))
            found.append((fold, seed, split))
    return found
