"""Any table a caller may hold, as one polars frame, with the line of every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.read import Source
from riata.data.say import listed, quoted, refuse
from riata.errors import one_line


@dataclass(frozen=True, eq=False)
class Where:
    """Where cells come from, for messages: a file's label (or nothing) and the line of each row."""

    label: str
    lines: npt.NDArray[np.int64]

    def cell(self, row: int, column: str) -> str:
        """Return ``"FILE, row 7, column age"`` for the 0-based ``row``."""
        start = f"{self.label}, " if self.label else ""
        return f"{start}row {int(self.lines[row])}, column {one_line(column, 60)}"

    def column(self, column: str) -> str:
        """Return ``"FILE, column age"``."""
        name = one_line(column, 60)
        return f"{self.label}, column {name}" if self.label else f"column {name}"

    def table(self) -> str:
        """Return the file's label, or ``"the table"``."""
        return self.label or "the table"

    def take(self, keep: npt.NDArray[Any]) -> Where:
        """Return the same for some of the rows."""
        return Where(self.label, self.lines[keep])


def to_frame(data: Any) -> tuple[pl.DataFrame, Where, tuple[str, ...]]:
    """Return a polars frame, the place of its rows, and the reader's warnings.

    Parameters
    ----------
    data : Source, polars, pandas or other narwhals-supported frame, or 2-D array
        Arrays get the columns ``x1..xp``.

    Returns
    -------
    tuple of (polars.DataFrame, Where, tuple of str)

    Raises
    ------
    InputError
        Not a table, not two-dimensional, repeated column names.

    Examples
    --------
    >>> to_frame(np.zeros((2, 3)))[0].columns
    ['x1', 'x2', 'x3']
    """
    if isinstance(data, Source):
        return data.frame, Where(data.label, data.lines), data.warnings
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    frame = data if isinstance(data, pl.DataFrame) else _foreign(data)
    stripped = [c.strip() for c in frame.columns]
    twice = sorted({c for c in stripped if stripped.count(c) > 1})
    if twice:
        raise refuse(f"columns {listed(twice)} occur twice; rename one of each")
    frame = frame.rename(dict(zip(frame.columns, stripped, strict=True)))
    return frame, Where("", np.arange(1, frame.height + 1, dtype=np.int64)), ()


def to_series(values: Any, name: str) -> pl.Series:
    """Return one column given on its own (a target) as a polars series.

    >>> to_series([1, 2], "y").to_list()
    [1, 2]
    """
    if isinstance(values, pl.Series):
        return values.alias(name)
    native = nw.from_native(values, series_only=True, pass_through=True)
    if isinstance(native, nw.Series):
        return _series(native, name)
    frame = nw.from_native(values, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        if len(frame.columns) != 1:
            raise refuse(f"the target has {len(frame.columns)} columns; expected one; pass a single column")
        return _series(frame[frame.columns[0]], name)
    array = _array(values, f"the target {quoted(name)}")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise refuse(f"the target has shape {array.shape}; expected (n,); pass one column")
    return _array_series(array, name)


def _foreign(data: Any) -> pl.DataFrame:
    """Convert a narwhals-supported frame or an array."""
    try:
        native = nw.from_native(data, pass_through=True)
    except nw.exceptions.NarwhalsError as error:
        raise refuse(f"the frame cannot be used: {error}; rename columns that are called the same") from None
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    if isinstance(native, nw.DataFrame):
        names = [str(c) for c in native.columns]
        twice = sorted({c for c in names if names.count(c) > 1})
        if twice:
            raise refuse(f"columns {listed(twice)} occur twice as texts; rename one of each")
        return pl.DataFrame([_series(native[c], n) for c, n in zip(native.columns, names, strict=True)])
    array = _array(data, "the table")
    if array.ndim != 2:
        then = "; for one column type X.reshape(-1, 1)" if array.ndim == 1 else ""
        raise refuse(f"the table has shape {array.shape}; expected (rows, columns){then}")
    return pl.DataFrame([_array_series(array[:, j], f"x{j + 1}") for j in range(array.shape[1])])


def _array(data: Any, what: str) -> npt.NDArray[Any]:
    """Return ``data`` as an array, or say what it is."""
    if isinstance(data, (str, bytes, dict)) or data is None:
        raise refuse(f"{what} is {quoted(type(data).__name__)}; expected a data frame or an array")
    try:
        array = np.asarray(data)
    except (TypeError, ValueError, RuntimeError) as error:
        raise refuse(f"{what} is not an array ({error}); expected equal rows of numbers or texts") from None
    if array.ndim == 0 or array.dtype.names is not None:
        raise refuse(f"{what} is {quoted(type(data).__name__)}; expected a data frame or a dense array")
    return array


def _array_series(column: npt.NDArray[Any], name: str) -> pl.Series:
    """Return one array column; objects are judged cell by cell."""
    kind = column.dtype.kind
    if kind in "biu":
        return pl.Series(name, np.ascontiguousarray(column))
    if kind == "f":
        return pl.Series(name, np.ascontiguousarray(column, dtype=np.float64))
    if kind in "Mm":
        return pl.Series(name, [None] * len(column), dtype=pl.Datetime)
    if kind in "OUST":
        return _objects(list(column), name)
    raise refuse(f"column {name} holds {column.dtype}; expected numbers or texts; convert it first")


def _series(column: nw.Series[Any], name: str) -> pl.Series:
    """Return a narwhals series as polars, without needing pyarrow."""
    if column.dtype == nw.Boolean or not (column.dtype.is_numeric() or column.dtype.is_temporal()):
        series = _objects(column.to_list(), name)
        return series.cast(pl.Categorical) if _is_category(column) and series.dtype == pl.String else series
    if column.dtype.is_temporal():
        return pl.Series(name, [None] * len(column), dtype=pl.Datetime)
    if column.dtype.is_integer() and not bool(column.is_null().any()):
        return pl.Series(name, column.to_numpy())
    return pl.Series(name, np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64))


def _is_category(column: nw.Series[Any]) -> bool:
    """Whether the column was declared categorical by its owner."""
    return column.dtype in (nw.Categorical, nw.Enum)


def _objects(cells: list[Any], name: str) -> pl.Series:
    """Return a column of Python objects: booleans, numbers, or texts; None and NaN are missing."""
    known: list[Any] = [None if _is_missing(c) else c for c in cells]
    kinds = {type(c) for c in known if c is not None}
    if kinds and kinds <= {bool, np.bool_}:
        return pl.Series(name, [None if c is None else bool(c) for c in known], dtype=pl.Boolean)
    if any(issubclass(k, (list, tuple, dict, set, bytes, np.ndarray)) for k in kinds):
        return pl.Series(name, [[0]] * len(known))
    if any(k.__module__ in ("datetime", "pandas._libs.tslibs.timestamps") or k.__name__ == "Timestamp" for k in kinds):
        return pl.Series(name, [None] * len(known), dtype=pl.Datetime)
    return pl.Series(name, [None if c is None else str(c) for c in known], dtype=pl.String)


def _is_missing(cell: Any) -> bool:
    """Whether an object cell is None, NaN, NaT or pandas' NA."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, (float, np.floating)) and bool(np.isnan(cell))
