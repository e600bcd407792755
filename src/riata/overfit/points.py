"""A dozen points of a cubic with noise, and fresh points of the same kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COUNT, FRESH = 12, 1000
NOISE = 0.4
"""Standard deviation of the noise: no curve can miss fresh points by less, on average."""
MOST_DEGREE = 10


@dataclass(frozen=True, eq=False)
class Points:
    """The points that are fitted and the fresh ones that judge."""

    x: Floats
    y: Floats
    fresh_x: Floats
    fresh_y: Floats


def truth(x: Floats) -> Floats:
    """Return the curve behind the points, 5 x^3 - 3 x.

    >>> truth(np.array([-1.0, 0.0, 1.0])).tolist()
    [-2.0, 0.0, 2.0]
    """
    return 5.0 * x**3 - 3.0 * x


def draw_points(seed: int = 0) -> Points:
    """Draw one x in each twelfth of [-1, 1], fresh x anywhere in it, and noise on the true curve.

    >>> len(draw_points().x), len(draw_points().fresh_x)
    (12, 1000)
    """
    rng = np.random.default_rng(seed)
    x = -1 + 2 * (np.arange(COUNT) + rng.uniform(0, 1, COUNT)) / COUNT
    y = truth(x) + NOISE * rng.standard_normal(COUNT)
    fresh = rng.uniform(-1, 1, FRESH)
    return Points(x, y, fresh, truth(fresh) + NOISE * rng.standard_normal(FRESH))


def powers(x: Floats, degree: int = MOST_DEGREE) -> Floats:
    """Return x, x^2, ... up to ``degree`` as columns.

    >>> powers(np.array([2.0]), 3).tolist()
    [[2.0, 4.0, 8.0]]
    """
    return np.stack([x**k for k in range(1, degree + 1)], axis=1)
