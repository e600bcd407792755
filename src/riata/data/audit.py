"""What to warn of: repeated rows, columns that hold the answer, cells that may mean something else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.cells import WORDS
from riata.data.say import listed


def duplicate_share(values: npt.NDArray[np.float64], y: npt.NDArray[np.generic]) -> float:
    """Return the share of rows that repeat an earlier one, target included.

    >>> duplicate_share(np.array([[1.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 0, 0]))
    0.25
    """
    rows = np.ascontiguousarray(np.column_stack([values + 0.0, np.asarray(y, dtype=np.float64)]))
    seen = {row.tobytes() for row in rows}
    return 1.0 - len(seen) / len(rows)


def leaks(
    values: npt.NDArray[np.float64],
    names: tuple[str, ...],
    y: npt.NDArray[np.generic],
    categorical: tuple[bool, ...],
) -> list[str]:
    """Return a warning for every column that tells the target outright.

    That is one whose values and the target's go one to one (it may be blank in places), or a numeric one with
    absolute correlation above 0.9999.

    Parameters
    ----------
    values : ndarray of float64, shape (n, V)
    names : tuple of str, length V
    y : ndarray, shape (n,)
        Class codes or numbers.
    categorical : tuple of bool, length V

    Returns
    -------
    list of str

    Examples
    --------
    >>> y = np.array([0, 1, 0, 1])
    >>> leaks(np.array([[5.0], [7.0], [5.0], [7.0]]), ("copy",), y, (False,))
    ['column copy tells the target one to one; drop it if it is not known beforehand (--drop copy)']
    """
    number = np.asarray(y, dtype=np.float64)
    answers = len(np.unique(number))
    said: list[str] = []
    for j, name in enumerate(names):
        known = ~np.isnan(values[:, j])
        if known.sum() < 0.5 * len(number):
            continue
        column, target = values[known, j], number[known]
        how = ""
        if len(np.unique(column)) == answers == len(np.unique(target)) and _one_to_one(column, target, answers):
            how = "tells the target one to one"
        elif not categorical[j] and _correlation(column, target) > 0.9999:
            how = "is the target but for its scale (correlation above 0.9999)"
        if how:
            said.append(f"column {name} {how}; drop it if it is not known beforehand (--drop {name})")
    return said


def _one_to_one(column: npt.NDArray[np.float64], target: npt.NDArray[np.float64], answers: int) -> bool:
    """Whether every value goes with one answer, and every answer with one value.

    Where (nearly) every row has its own value this says nothing, unless the order is the same too.
    """
    if answers > 0.5 * len(target):
        return bool(np.array_equal(column, target))
    order = np.lexsort((target, column))
    a, b = column[order], target[order]
    pairs = 1 + int(np.sum((np.diff(a) != 0) | (np.diff(b) != 0)))
    return pairs == answers


def _correlation(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Return the absolute correlation; 0 where one is constant. Safe for values near the largest double."""
    scales = [float(np.abs(v).max()) for v in (a, b)]
    if len(a) < 3 or min(scales) == 0:
        return 0.0
    u, v = a / scales[0], b / scales[1]
    u, v = u - u.mean(), v - v.mean()
    norm = float(np.sqrt((u @ u) * (v @ v)))
    return abs(float(u @ v)) / norm if norm > 1e-24 else 0.0


def words_read_as_missing(series: pl.Series) -> str | None:
    """Return the warning that words such as NA were read as missing in a column of texts, or None.

    >>> words_read_as_missing(pl.Series("c", ["a", "None", "b"]))
    "column c: 1 cells 'None' are read as missing; write another word if that is a category"
    """
    if series.dtype != pl.String:
        return None
    stripped = series.str.strip_chars()
    hits = stripped.filter(stripped.is_in(list(WORDS)))
    if len(hits) == 0:
        return None
    return (
        f"column {series.name}: {len(hits)} cells {listed(sorted(set(hits.to_list())))} are read as missing; "
        "write another word if that is a category"
    )
