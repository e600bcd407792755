"""Numbers short enough for a page, and no shorter than a picture shows."""

from __future__ import annotations

from typing import Any

import numpy as np

DIGITS = 4


def short(values: Any, digits: int = DIGITS) -> Any:
    """Return an array (or number) as plain lists of numbers with ``digits`` significant digits; not finite is None.

    >>> short(np.array([[0.0, 1234.56], [np.nan, -0.000123456]]))
    [[0.0, 1235.0], [None, -0.0001235]]
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        return _one(float(array), digits)
    return [short(part, digits) for part in array] if array.ndim > 1 else [_one(v, digits) for v in array.tolist()]


def _one(value: float, digits: int) -> float | None:
    return float(f"{value:.{digits - 1}e}") if np.isfinite(value) else None
