"""New rows read by the schema of the table a model was trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.cells import MISSING_AMONG_NUMBERS, are_infinite, as_numbers, natural
from riata.data.frames import Where, to_frame
from riata.data.infer import UNKNOWN, canonical, texts
from riata.data.say import listed, near, quoted, refuse
from riata.errors import one_line


def values_from_frame(schema: dict[str, Any], frame: Any) -> tuple[npt.NDArray[np.float64], tuple[str, ...]]:
    """Read new rows as numbers and level codes.

    Parameters
    ----------
    schema : dict
        From `Table.schema`.
    frame : Source, polars, pandas or other narwhals-supported frame, or 2-D array
        New rows. Other columns, and the target, may be there or not; an array's columns are ``x1..xp``.

    Returns
    -------
    tuple of (ndarray of float64, shape (m, V), tuple of str)
        Values as in `Table.values`, with -1 for a category that the table did not have, and warnings that
        count these.

    Raises
    ------
    InputError
        A column is missing, a cell of a numeric column is no finite number, or there are no rows.

    Examples
    --------
    >>> from riata.data.build import make_table
    >>> train = pl.DataFrame({"sex": ["m", "f"] * 6, "ill": ["no", "no", "yes"] * 4})
    >>> schema = make_table(train, "ill").schema()
    >>> values, warnings = values_from_frame(schema, pl.DataFrame({"sex": ["f", "x"]}))
    >>> values[:, 0].tolist(), warnings
    ([0.0, -1.0], ("column sex: 1 cells hold categories that the model never saw ('x')",))
    """
    data, where, said = to_frame(frame)
    columns = schema["columns"]
    wanted = [c["name"] for c in columns]
    lost = [c for c in wanted if c not in data.columns]
    if lost:
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        there = [c for c in data.columns if c not in wanted]
        raise refuse(
            f"{where.table()}: no column {quoted(lost[0])}{more}, which the model needs; {near(lost[0], there)}"
        )
    if data.height == 0:
        raise refuse(f"{where.table()}: no rows to score; expected at least one")
    warnings = list(said)
    values = np.empty((data.height, len(columns)))
    for j, column in enumerate(columns):
        series = data[column["name"]]
        if column["kind"] == "numeric":
            values[:, j] = _numbers(series, column.get("note", ""), where)
        else:
            values[:, j] = _codes(series, tuple(column["levels"]), where, warnings)
    return values, tuple(one_line(w) for w in warnings)


def _numbers(series: pl.Series, note: str, where: Where) -> npt.NDArray[np.float64]:
    """Return a numeric column; blank is NaN."""
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        numbers, bad = series.cast(pl.Float64), np.zeros(len(series), dtype=bool)
        raw = series
    else:
        raw = _as_texts(series, where)
        raw = pl.select(pl.when(~raw.is_in(list(MISSING_AMONG_NUMBERS))).then(raw)).to_series().alias(series.name)
        plain = raw.str.replace(",", ".", literal=True) if note == "decimal commas" else raw
        numbers = as_numbers(plain)
        bad = (numbers.is_null() & raw.is_not_null() & ~are_infinite(raw).fill_null(False)).to_numpy()
        numbers = pl.select(
            pl.when(~are_infinite(raw).fill_null(False)).then(numbers).otherwise(float("inf"))
        ).to_series()
    values = numbers.fill_null(float("nan")).to_numpy().astype(np.float64)
    wrong = np.flatnonzero(bad | np.isinf(values))
    if len(wrong):
        row = int(wrong[0])
        what = "not a finite number" if np.isinf(values[row]) else "not a number"
        raise refuse(f"{where.cell(row, series.name)}: {quoted(raw[row])} is {what}; "
                     "the model was trained on numbers here; fix the cell or leave it blank")  # fmt: skip
    return values


def _as_texts(series: pl.Series, where: Where) -> pl.Series:
    """Return cells as texts, or refuse a type that has none."""
    if series.dtype.is_temporal() or series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
        raise refuse(f"{where.column(series.name)}: cells are {series.dtype}; expected numbers or texts as in training")
    return texts(series)


def _codes(series: pl.Series, levels: tuple[str, ...], where: Where, warnings: list[str]) -> npt.NDArray[np.float64]:
    """Return a categorical column as level codes; blank is NaN, a level that is not known -1."""
    strings = _as_texts(series, where)
    distinct = strings.drop_nulls().unique()
    same = pl.Series(levels, dtype=pl.String)
    if bool((canonical(same) == same).all()):
        tidy = {t: canonical(pl.Series([t]))[0] for t in distinct if t not in levels}
        strings = strings.replace(tidy) if tidy else strings
    code = {v: float(k) for k, v in enumerate(levels)}
    codes = strings.replace_strict(code, default=UNKNOWN, return_dtype=pl.Float64)
    values = np.where(strings.is_null().to_numpy(), np.nan, codes.fill_null(float("nan")).to_numpy())
    unseen = set(strings.drop_nulls().to_list()) - set(levels)
    if unseen:
        count = int((values == UNKNOWN).sum())
        warnings.append(f"column {series.name}: {count} cells hold categories that the model never saw "
                        f"({listed(natural(unseen))})")  # fmt: skip
    return values.astype(np.float64)
