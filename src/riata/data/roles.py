"""What each row of a file is for, by its number and the seed alone: sealed, to stop the training, or to train."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SEALED, VALID, TRAIN = 0, 1, 2
"""What a row is for: to score once, to stop training, to train."""
SEALED_SHARE, VALID_SHARE = 0.2, 0.1
"""Share of the rows that is sealed, and the largest share of the others that may stop the training."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def addressed(rows: npt.NDArray[np.int64], seed: int, purpose: str) -> npt.NDArray[np.float64]:
    """Return a number in [0, 1) for every row number, a pure function of (seed, purpose, row).

    splitmix64 (Steele, Lea & Flood 2014, *Fast splittable pseudorandom number generators*, figure 17) of the row.

    Examples
    --------
    >>> a = addressed(np.arange(1000), 0, "sealed")
    >>> bool((addressed(np.array([7]), 0, "sealed") == a[7]).all()), bool(abs(a.mean() - 0.5) < 0.05)
    (True, True)
    """
    digest = hashlib.blake2b(f"{int(seed)}:{purpose}".encode(), digest_size=8).digest()
    with np.errstate(over="ignore"):
        z = np.uint64(int.from_bytes(digest, "little")) + (rows.astype(np.uint64) + np.uint64(1)) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX[0]
        z = (z ^ (z >> np.uint64(27))) * _MIX[1]
        z = z ^ (z >> np.uint64(31))
    return np.asarray((z >> np.uint64(11)).astype(np.float64) / 2.0**53)


@dataclass(frozen=True)
class Roles:
    """What every row of a file is for, by its number: a fifth is sealed, ``valid`` of the others stop training."""

    seed: int
    valid: float

    def of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Return `SEALED`, `VALID` or `TRAIN` for every row number."""
        stops = addressed(rows, self.seed, "valid") < self.valid
        role = np.where(stops, np.uint8(VALID), np.uint8(TRAIN))
        role[is_sealed(rows, self.seed)] = SEALED
        return role


def is_sealed(rows: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.bool_]:
    """Return which row numbers are sealed: a fifth of them, by a hash of the number alone."""
    return addressed(rows, seed, "sealed") < SEALED_SHARE


def may_be_drawn(rows: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.bool_]:
    """Return which row numbers a sub-sample may have: neither sealed, nor ever among those that stop the training."""
    return ~is_sealed(rows, seed) & (addressed(rows, seed, "valid") >= VALID_SHARE)
