"""Clinic: names, units and written cells of the clinical variables of a simulated cohort."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLINIC", "cells", "limits", "names"]

CLINIC: tuple[tuple[str, float, float, int, float], ...] = (
    ("ldl", 3.3, 0.25, 1, 0.0), ("sbp", 132, 0.12, 0, 0.0), ("bmi", 27, 0.15, 1, 0.0), ("hba1c", 5.6, 0.10, 1, 0.05),
    ("age", 57, 0.14, 0, 0.0), ("sex", 0.0, 0, 0, 0.0), ("smoker", 0.7, 0, 0, 0.0), ("hdl", 1.35, -0.18, 2, 0.0),
    ("triglycerides", 1.5, 0.45, 2, 0.0), ("dbp", 81, 0.11, 0, 0.0), ("glucose", 5.5, 0.13, 1, 0.0),
    ("waist", 94, 0.12, 0, 0.0), ("heart_rate", 70, 0.14, 0, 0.0), ("creatinine", 78, 0.20, 0, 0.0),
    ("crp", 1.6, 0.90, 1, 0.12), ("alt", 24, 0.40, 0, 0.0), ("albumin", 43, 0.07, 0, 0.0),
    ("statin", 1.0, 0, 0, 0.0), ("family_history", 0.8, 0, 0, 0.0), ("activity", 3.0, -0.60, 1, 0.0),
)  # fmt: skip
"""Names, medians, spreads of the logarithm (0: yes or no, above that many standard deviations), digits, part missing.

Units: mmol/l (ldl, hdl, triglycerides, glucose), mmHg, kg/m2, %, years, cm, beats/min, umol/l, mg/l, U/l, g/l, h/week.
"""

Floats = NDArray[np.float64]


def names(count: int, named: bool) -> tuple[str, ...]:
    """Return the names of the first ``count`` clinical variables.

    >>> names(3, True), names(2, False)
    (('ldl', 'sbp', 'bmi'), ('c01', 'c02'))
    """
    return tuple(row[0] for row in CLINIC[:count]) if named else tuple(f"c{i + 1:02d}" for i in range(count))


def limits(count: int, named: bool, binary: Sequence[int] = ()) -> dict[int, float]:
    """Return the binary ones of the first ``count`` variables, and above how many standard deviations each is yes.

    >>> limits(7, True, binary=(0,))
    {0: 0.5, 5: 0.0, 6: 0.7}
    """
    real = {i: row[1] for i, row in enumerate(CLINIC[:count]) if row[2] == 0} if named else {}
    return {**dict.fromkeys(binary, 0.5), **real}


def cells(values: Floats, draw: np.random.Generator | None, binary: Collection[int]) -> Iterator[list[str]]:
    """Yield every person's cells as they are written: ``median exp(spread z)`` in the variable's unit, or blank.

    Parameters
    ----------
    values : ndarray (people, variables)
        Standard normal, or 0 and 1 where ``binary``.
    draw : Generator or None
        Draws which cells are blank; None writes the values as they are.
    binary : collection of int
        Variables that are written as 0 and 1.

    Examples
    --------
    >>> list(cells(np.array([[0.0, 1.0]]), np.random.default_rng(0), ()))
    [['3.3', '149']]
    """
    rows = CLINIC[: values.shape[1]]
    blank = None if draw is None else draw.random(values.shape) < [row[4] for row in rows]
    for person, own in enumerate(values.tolist()):
        written = [f"{value:.6g}" for value in own]
        if blank is not None:
            for i, (_, middle, spread, digits, _) in enumerate(rows):
                if i not in binary:
                    written[i] = f"{middle * np.exp(spread * own[i]):.{digits}f}"
                if blank[person, i]:
                    written[i] = ""
        yield written
