"""What a user hands to a path: numbers in columns, a target, and which columns belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import torch

from ..data.frames import Where, to_frame, to_series
from ..data.say import quoted, refuse
from ..data.target import infer_target
from ..engines import Loss, loss_for
from ..errors import InputError


@dataclass(frozen=True, eq=False)
class Inputs:
    """A table of numbers as a path reads it.

    Attributes
    ----------
    x : ndarray (n, d) float64
    y : ndarray (n,) float64
        Values, or class codes.
    columns : tuple of str, (d,)
    group : ndarray (d,) of int
        Group of every column.
    groups : tuple of str, (G,)
        Names of the groups.
    task : {"classification", "regression"}
    classes : tuple of str
        Names of the class codes; empty for regression.
    loss : Loss
    """

    x: np.ndarray
    y: np.ndarray
    columns: tuple[str, ...]
    group: np.ndarray
    groups: tuple[str, ...]
    task: str
    classes: tuple[str, ...]
    loss: Loss


def _plain(data: Any) -> Any:
    return data.detach().cpu().numpy() if isinstance(data, torch.Tensor) else data


def read_numbers(X: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a frame or array of finite numbers as (n, d) float64, and the names of its columns.

    Raises
    ------
    InputError
        Texts, blanks or infinities; not a table.

    Examples
    --------
    >>> read_numbers([[1, 2], [3, 4]])[1]
    ('x1', 'x2')
    """
    frame, where, _ = to_frame(_plain(X))
    if frame.width == 0 or frame.height == 0:
        raise refuse(f"X has {frame.height} rows and {frame.width} columns; expected at least one of each")
    arrays = []
    for name in frame.columns:
        series = frame[name]
        if not (series.dtype.is_numeric() or series.dtype == pl.Boolean):
            raise refuse(f"{where.column(name)} holds {series.dtype}; expected numbers; encode it, or use riata.choose")
        values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise refuse(
                f"{where.cell(int(bad[0]), name)}: {values[bad[0]]}; expected a finite number; fill it in, or use "
                "riata.choose"
            )
        arrays.append(values)
    return np.column_stack(arrays).astype(np.float64), tuple(frame.columns)


def read_groups(groups: Any, columns: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the group (d,) of every column and the names of the groups.

    Parameters
    ----------
    groups : None, list of lists of column indices, or a label per column
        None: every column is its own group. Lists must cover every column once.

    Raises
    ------
    InputError
        Columns that are missing, repeated or unknown.

    Examples
    --------
    >>> read_groups([[0, 2], [1]], ("a", "b", "c"))
    (array([0, 1, 0]), ('a, c', 'b'))
    >>> read_groups(["age", "city", "city"], ("a", "b", "c"))
    (array([0, 1, 1]), ('age', 'city'))
    """
    d = len(columns)
    if groups is None:
        return np.arange(d), columns
    if isinstance(groups, str | bytes | dict) or not isinstance(groups, Sequence | np.ndarray | torch.Tensor):
        raise refuse(f"groups is {quoted(type(groups).__name__)}; expected a list of column lists, or a label a column")
    items = list(_plain(groups))
    if not items or not all(isinstance(i, Sequence | np.ndarray) and not isinstance(i, str) for i in items):
        return _labels(items, d)
    index = np.full(d, -1)
    for g, members in enumerate(items):
        for j in members:
            whole = isinstance(j, int | np.integer) and 0 <= int(j) < d
            if not whole or index[int(j)] >= 0:
                why = "is listed twice" if whole else "is no column"
                raise refuse(f"groups: {quoted(j)} {why}; expected every index 0..{d - 1} once; correct the lists")
            index[int(j)] = g
    if (index < 0).any():
        missing = int(np.flatnonzero(index < 0)[0])
        raise refuse(f"groups: column {missing} is in no list; expected every index 0..{d - 1} once; add [{missing}]")
    if any(len(members) == 0 for members in items):
        raise refuse("groups: an empty list; expected at least one column in each; drop it")
    return index, tuple(", ".join(columns[j] for j in np.flatnonzero(index == g)) for g in range(len(items)))


def _labels(items: list[Any], d: int) -> tuple[np.ndarray, tuple[str, ...]]:
    if len(items) != d:
        raise refuse(f"groups has {len(items)} labels; expected {d}, one a column; or pass lists of column indices")
    names: dict[str, int] = {}
    index = np.array([names.setdefault(str(i), len(names)) for i in items])
    return index, tuple(names)


def read_inputs(X: Any, y: Any, task: str = "auto", groups: Any = None) -> Inputs:
    """Read X, y and groups.

    Parameters
    ----------
    X : frame or array (n, d)
        Finite numbers.
    y : array (n,)
        Numbers or texts, one a row.
    task : {"auto", "classification", "regression"}
        ``auto`` as in :func:`riata.data.infer_target`.

    Raises
    ------
    InputError
        Whatever cannot be used as it is.
    """
    x, columns = read_numbers(X)
    series = to_series(_plain(y), "y")
    if len(series) != len(x):
        raise refuse(f"y has {len(series)} values, X has {len(x)} rows; expected as many; pass y of the same rows")
    if series.is_null().any() or (series.dtype.is_float() and not bool(series.is_finite().all())):
        raise refuse("y has blanks or infinite values; expected one known value a row; drop these rows")
    try:
        target = infer_target(series, Where("", np.arange(1, len(x) + 1)), task)
    except InputError as error:
        said = str(error).replace("name another --target", "pass another y").replace("--task ", "task=")
        raise refuse(said) from None
    if not target.keep.all():
        row = int(np.flatnonzero(~target.keep)[0]) + 1
        raise refuse(f"y, row {row}: no value; expected one known value a row; drop the row")
    index, names = read_groups(groups, columns)
    loss = loss_for(target.task, len(target.classes))
    return Inputs(x, target.y.astype(np.float64), columns, index, names, target.task, target.classes, loss)
