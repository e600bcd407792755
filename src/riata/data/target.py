"""The column to predict: classes or numbers, and which rows have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.audit import words_read_as_missing
from riata.data.cells import natural, number_text
from riata.data.frames import Where
from riata.data.infer import Inferred, infer_column
from riata.data.say import listed, quoted, refuse

Task = Literal["classification", "regression"]
_MOST_INTEGER_CLASSES = 20


@dataclass(frozen=True, eq=False)
class Target:
    """The target of the rows that have one.

    Attributes
    ----------
    keep : ndarray of bool, shape (n,)
        Rows of the frame whose target is known.
    y : ndarray, shape (keep.sum(),)
        int64 class codes, or float64 numbers.
    classes : tuple of str
        Names of the codes, sorted; empty for regression. Of two, the last is the positive one.
    task : {"classification", "regression"}
    warnings : tuple of str
    """

    keep: npt.NDArray[np.bool_]
    y: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    classes: tuple[str, ...]
    task: Task
    warnings: tuple[str, ...]


def infer_target(series: pl.Series, where: Where, task: str = "auto", categorical: bool = False) -> Target:
    """Judge the target column.

    Texts, booleans and categories are classes. Numbers are classes where there are two distinct ones, or at
    most 20 distinct whole ones, each in ten rows on average, none of them alone; otherwise they are numbers.

    Parameters
    ----------
    series : polars.Series
        The target's cells.
    where : Where
        For messages.
    task : {"auto", "classification", "regression"}
    categorical : bool
        The user listed the target among the categorical columns.

    Returns
    -------
    Target

    Raises
    ------
    InputError
        One value only, a class of one row, texts for a regression, dates.

    Examples
    --------
    >>> infer_target(pl.Series("y", ["no", "yes", None, "no", "yes"]), Where("", np.arange(5))).classes
    ('no', 'yes')
    """
    at = where.column(series.name)
    if task not in ("auto", "classification", "regression"):
        raise refuse(f"task is {quoted(task)}; expected auto, classification or regression")
    found = infer_column(series, where, categorical, ids=False)
    if found.kind is None:
        raise refuse(f"{at}: the target is {found.reason}; expected at least two values; name another --target")
    keep = ~np.isnan(found.values)
    if found.kind == "categorical":
        if task == "regression":
            raise refuse(
                f"{at}: task regression, but the target holds texts such as {quoted(found.levels[0])}; "
                "type --task classification, or name a numeric --target"
            )
        return _classes(found, found.values[keep].astype(np.int64), found.levels, keep, series, where)
    values = found.values[keep]
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < 2:
        raise refuse(f"{at}: the target is always {number_text(distinct[0])}; expected at least two values; "
                     "name another --target")  # fmt: skip
    said: list[str] = []
    if task == "auto":
        task = _auto(series.name, distinct, counts, said)
    if task == "regression":
        return Target(keep, values, (), "regression", _warnings(found, keep, series, said))
    names = natural({number_text(v) for v in distinct})
    code = {float(v): names.index(number_text(v)) for v in distinct}
    codes = np.asarray([code[float(v)] for v in values], dtype=np.int64)
    return _classes(found, codes, names, keep, series, where, said)


def _auto(name: str, distinct: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], said: list[str]) -> Task:
    """Choose the task of a numeric target; say so where it could be the other."""
    if len(distinct) == 2:
        return "classification"
    whole = bool(np.all(distinct == np.round(distinct)))
    few = len(distinct) <= min(_MOST_INTEGER_CLASSES, max(2, int(counts.sum()) // 10))
    if not (whole and len(distinct) <= _MOST_INTEGER_CLASSES):
        return "regression"
    if few and counts.min() >= 2:
        said.append(f"target {name}: {len(distinct)} distinct whole numbers are read as classes; "
                    "type --task regression if they are amounts")  # fmt: skip
        return "classification"
    said.append(f"target {name}: {len(distinct)} distinct whole numbers are read as amounts; "
                "type --task classification if they are classes")  # fmt: skip
    return "regression"


def _classes(
    found: Inferred, codes: npt.NDArray[np.int64], names: tuple[str, ...], keep: npt.NDArray[np.bool_],
    series: pl.Series, where: Where, said: list[str] | None = None,
) -> Target:  # fmt: skip
    """Return a classification target, or refuse classes that cannot be learned."""
    at = where.column(series.name)
    if len(names) < 2:
        raise refuse(
            f"{at}: the target has one class, {quoted(names[0])}; expected at least two; name another --target"
        )
    counts = np.bincount(codes, minlength=len(names))
    if len(names) > 20 and len(names) > 0.5 * len(codes):
        raise refuse(
            f"{at}: the target has {len(names)} classes in {len(codes)} rows; expected classes that "
            "repeat; name another --target, or type --task regression if it is an amount"
        )
    alone = [n for n, c in zip(names, counts, strict=True) if c < 2]
    if alone:
        row = int(np.flatnonzero(keep)[np.flatnonzero(codes == names.index(alone[0]))[0]])
        which = f"class {quoted(alone[0])} has" if len(alone) == 1 else f"classes {listed(alone)} have"
        raise refuse(
            f"{where.cell(row, series.name)}: {which} one row; expected at least two rows of a class; "
            "drop these rows, or merge the class with another"
        )
    return Target(keep, codes, names, "classification", _warnings(found, keep, series, said or []))


def _warnings(found: Inferred, keep: npt.NDArray[np.bool_], series: pl.Series, said: list[str]) -> tuple[str, ...]:
    """Collect what the user should know about the target."""
    all_said = [*found.warnings, *said]
    words = words_read_as_missing(series) if found.kind == "categorical" else None
    if words:
        all_said.append(words)
    lost = int((~keep).sum())
    if lost:
        all_said.append(f"{lost} rows without a target ({series.name}) are dropped")
    return tuple(all_said)
