"""What several probes share: capped random rows, correlations of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def some(total: int, cap: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return all indices, or ``cap`` of them drawn without replacement, in ascending order.

    >>> some(3, 5, np.random.default_rng(0))
    array([0, 1, 2])
    """
    if total <= cap:
        return np.arange(total)
    return np.sort(rng.choice(total, size=cap, replace=False))


def unit(X: Floats) -> NDArray[np.float32]:
    """Centre every column and give it Euclidean length 1, so that products are correlations.

    A constant column becomes zeros: it correlates with nothing.

    >>> unit(np.array([[1.0, 5.0], [3.0, 5.0]])).round(3).tolist()
    [[-0.7070000171661377, 0.0], [0.7070000171661377, 0.0]]
    """
    out = np.asarray(X, dtype=np.float64) - np.mean(X, axis=0, dtype=np.float64)
    length = np.sqrt(np.einsum("ij,ij->j", out, out))
    big = np.maximum(1.0, np.abs(X).max(axis=0, initial=0.0)) * np.sqrt(max(1, len(X)))
    alive = length > 1e-6 * big
    return np.asarray(np.where(alive, out / np.where(alive, length, 1.0), 0.0), dtype=np.float32)
