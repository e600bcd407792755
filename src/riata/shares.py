"""The interval of a share: of rows, of columns, of networks."""

from __future__ import annotations

import numpy as np
from scipy import stats


def wilson(hits: int, total: int, coverage: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a share (Wilson 1927), in [0, 1].

    >>> [round(x, 3) for x in wilson(1, 10)]
    [0.018, 0.404]
    """
    if total == 0:
        return 0.0, 1.0
    z = float(stats.norm.ppf(0.5 + coverage / 2))
    share, scale = hits / total, 1 + z * z / total
    centre = (share + z * z / (2 * total)) / scale
    half = z * float(np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))) / scale
    return max(0.0, centre - half), min(1.0, centre + half)
