"""Which strengths to try: from the one that leaves nothing, down a geometric grid."""

from __future__ import annotations

import numpy as np
import torch

from ..engines import BatchedEngine, Params
from ..groups import Groups
from ..penalties import Penalty
from ..population.train import Rows, start

RATIO = 1e-3
"""Smallest over largest strength of a grid for penalties that have a largest one."""
RIDGE_TOP, RIDGE_RATIO = 10.0, 1e-5
"""L2 never leaves nothing: its grid starts where standardized inputs count for little."""


def lam_max(engine: BatchedEngine, rows: Rows, penalty: Penalty, groups: Groups, seed: int) -> float:
    """Return the smallest strength at which "no input at all" is stationary.

    At first = 0, with the upper layers as they start and the intercept at the best constant:
    lam_max = penalty.lam_max(gradient of the mean loss). For a linear model and L1 it is max_j |x_j' r| / n. With the
    skip in the variable's group and one bounded hidden layer it is
    max_g ||x_g' r||/n sqrt(1 + ||a o act'(b)||^2) / sqrt(|g|).

    Returns
    -------
    float
        Infinity for penalties without one (L2, none).
    """
    params: Params = start(engine.spec, engine.loss, rows, seed, 1, dense=False)
    if engine.spec.hidden:
        # the hidden layers answer a constant to no input: let the intercept take it back
        shift = engine.predict(params, rows.x[:1])[0, 0] - params["b_out"][0]
        params["b_out"].sub_(shift)
    _, grads = engine.grads(params, rows.x, rows.y, rows.weight)
    return float(penalty.lam_max(grads["first"], groups)[0])


def grid(largest: float, length: int, ratio: float = RATIO) -> np.ndarray:
    """Return ``length`` strengths from ``largest`` down to ``ratio * largest``, evenly on a log scale.

    >>> grid(1.0, 4).round(6).tolist()
    [1.0, 0.1, 0.01, 0.001]
    """
    return np.geomspace(largest, largest * ratio, length)


def starting_point(penalty: Penalty, largest: float) -> tuple[float, float]:
    """Return (largest strength, ratio) of a penalty's grid, given its ``lam_max``."""
    if np.isfinite(largest) and largest > 0:
        return largest, RATIO
    return (RIDGE_TOP, RIDGE_RATIO) if penalty.name == "l2" else (1.0, RATIO)


def as_rows(x: np.ndarray, y: np.ndarray, device: str, dtype: torch.dtype = torch.float32) -> Rows:
    """Return arrays as rows on a device."""
    return Rows(torch.as_tensor(x, dtype=dtype, device=device), torch.as_tensor(y, dtype=dtype, device=device))
