"""What a column is: numbers, categories, or nothing a network should see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data import cells as cell
from riata.data.doubts import doubts
from riata.data.frames import Where
from riata.data.say import quoted, refuse
from riata.data.subjects import id_reason, is_id_name, long_id_reason, quoted_if_needed

Kind = Literal["numeric", "categorical"]
UNKNOWN = -1.0
"""The level code of a category that the table did not have."""


@dataclass(frozen=True, eq=False)
class Inferred:
    """One column, judged.

    Attributes
    ----------
    kind : {"numeric", "categorical"} or None
        None: to be left out, for the reason in ``reason``.
    values : ndarray of float64, shape (n,)
        Numbers or level codes; NaN is missing.
    levels : tuple of str
        Of a categorical column, sorted.
    note : str
        How the cells were read, where that is not obvious.
    warnings : tuple of str
        What the user should check.
    reason : str
        Why it is left out.
    """

    kind: Kind | None
    values: npt.NDArray[np.float64]
    levels: tuple[str, ...] = ()
    note: str = ""
    warnings: tuple[str, ...] = ()
    reason: str = ""


def left_out(reason: str, warnings: tuple[str, ...] = ()) -> Inferred:
    """Return the verdict that a column is left out.

    >>> left_out("constant").kind is None
    True
    """
    return Inferred(None, np.empty(0), warnings=warnings, reason=reason)


def infer_column(series: pl.Series, where: Where, categorical: bool = False, ids: bool = True) -> Inferred:
    """Judge one column.

    Parameters
    ----------
    series : polars.Series
        Its cells: texts (as a text file holds them) or typed values.
    where : Where
        For messages: the file and the line of each row.
    categorical : bool
        The user says that its cells are categories.
    ids : bool
        Look for ids; False for a target or a column that the user named.

    Returns
    -------
    Inferred

    Raises
    ------
    InputError
        Infinite numbers; a few texts among many numbers; commas that could group thousands.

    Examples
    --------
    >>> here = Where("", np.arange(1, 4))
    >>> infer_column(pl.Series("zip", ["007", "008", "007"]), here).levels
    ('007', '008')
    """
    found = _infer(series, where, categorical, ids)
    said = doubts(series, texts, found.kind, found.values, found.levels, found.reason, categorical or bool(found.note))
    return replace(found, warnings=(*found.warnings, *said)) if said else found


def _infer(series: pl.Series, where: Where, categorical: bool, ids: bool) -> Inferred:
    """Judge one column by what its cells are."""
    dtype = series.dtype
    if dtype.is_temporal():
        return left_out("dates or times")
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        return left_out(f"cells are not single values ({dtype})")
    declared = categorical or dtype in (pl.Categorical, pl.Enum, pl.Boolean)
    if dtype.is_numeric():
        return _numbers(series, where, ids) if not categorical else _categories(texts(series), "by request")
    strings = texts(series)
    known = strings.drop_nulls()
    if len(known) == 0:
        return left_out("all missing", (f"column {series.name}: all cells are missing; left out",))
    if declared:
        return _categories(strings, "by request" if categorical else "")
    return _judge_texts(strings, known, where, ids)


def texts(series: pl.Series) -> pl.Series:
    """Return cells as stripped texts, null where missing; numbers are written without ``.0``.

    >>> texts(pl.Series([1.0, None, 2.5])).to_list(), texts(pl.Series([" a", "NA"])).to_list()
    (['1', None, '2.5'], ['a', None])
    """
    if series.dtype == pl.Boolean:
        words = [None if v is None else str(v) for v in series.to_list()]
        return pl.Series(series.name, words, dtype=pl.String)
    if series.dtype.is_numeric():
        numbers = series.to_list()
        words = [
            None if v is None or np.isnan(v) else cell.number_text(v) if abs(v) < 1e15 else str(v) for v in numbers
        ]
        return pl.Series(series.name, words, dtype=pl.String)
    stripped = series.cast(pl.String).str.strip_chars()
    return pl.select(pl.when(~stripped.is_in(list(cell.MISSING))).then(stripped)).to_series().alias(series.name)


def _judge_texts(strings: pl.Series, known: pl.Series, where: Where, ids: bool) -> Inferred:
    """Judge a column of texts by what its cells that are not missing look like."""
    name = strings.name
    rest = known.filter(~known.is_in(list(cell.MISSING_AMONG_NUMBERS)))
    zeros = cell.have_leading_zero(rest)
    numbers = cell.as_numbers(rest)
    infinite = cell.are_infinite(rest)
    fine = numbers.is_not_null()
    if len(rest) and bool((fine | infinite).all()) and bool(fine.any()):
        if bool(zeros.any()) and not bool(infinite.any()):
            return _codes(strings, rest.filter(zeros), ids)
        return _numeric_texts(strings, where, ids)
    comma = cell.as_comma_numbers(rest) if len(rest) else None
    if comma is not None:
        return _comma_texts(strings, rest, where, ids)
    if cell.are_dates(rest) and len(rest):
        return left_out("dates or times")
    bad = 1.0 - float(np.mean((fine | infinite).to_numpy())) if len(rest) else 1.0
    if bad < 0.05 and numbers.drop_nulls().n_unique() > 20:
        raise _bad_cells(strings, where)
    result = _categories(strings, "")
    reason = id_reason(name, known, text=True, whole=False) if ids else None
    return left_out(reason) if reason else result


def _bad_cells(strings: pl.Series, where: Where) -> Exception:
    """Word the refusal of a few texts among many numbers."""
    fine = strings.is_null() | strings.is_in(list(cell.MISSING_AMONG_NUMBERS))
    rows = np.flatnonzero(~(fine | cell.as_numbers(strings).is_not_null()).fill_null(True).to_numpy())
    first = int(rows[0])
    return refuse(
        f"{where.cell(first, strings.name)}: {quoted(strings[first])} among numbers "
        f"({len(rows)} such cells); type --categorical {quoted_if_needed(strings.name)} or fix the cell"
    )


def _codes(strings: pl.Series, zeros: pl.Series, ids: bool) -> Inferred:
    """Return codes with leading zeros as categories, said."""
    name = strings.name
    warning = f"column {name}: cells such as {quoted(zeros[0])} start with a zero; read as codes, not numbers"
    said = (warning,)
    reason = id_reason(name, strings.drop_nulls(), text=True, whole=False) if ids else None
    if reason:
        return left_out(reason, said)
    result = _categories(strings, "codes with leading zeros")
    return Inferred("categorical", result.values, result.levels, result.note, (*said, *result.warnings))


def _numeric_texts(strings: pl.Series, where: Where, ids: bool) -> Inferred:
    """Return texts that are all numbers as numbers."""
    infinite = np.flatnonzero(cell.are_infinite(strings).fill_null(False).to_numpy())
    if len(infinite):
        raise _infinite(where.cell(int(infinite[0]), strings.name), strings[int(infinite[0])])
    numbers = cell.as_numbers(strings)
    whole = bool((numbers.drop_nulls() % 1 == 0).all())
    reason = long_id_reason(strings.drop_nulls()) if ids and whole else None
    if reason:
        return left_out(reason)
    return _numeric(numbers, strings, whole, where, ids)


def _comma_texts(strings: pl.Series, rest: pl.Series, where: Where, ids: bool) -> Inferred:
    """Return numbers with decimal commas, said; refuse what could be grouped thousands."""
    name = strings.name
    if cell.are_thousands(rest):
        row = int(np.flatnonzero(strings.str.contains(",", literal=True).fill_null(False).to_numpy())[0])
        raise refuse(
            f"{where.cell(row, name)}: {quoted(strings[row])} may be a decimal comma or a thousands "
            "separator; write the numbers of this column without commas"
        )
    known = strings.str.replace(",", ".", literal=True)
    result = _numeric(cell.as_numbers(known), known, False, where, ids)
    example = rest.filter(rest.str.contains(",", literal=True))[0]
    said = f"column {name}: decimal commas, {quoted(example)} is read as {float(example.replace(',', '.')):g}"
    return Inferred(result.kind, result.values, (), "decimal commas", (said, *result.warnings), result.reason)


def _numbers(series: pl.Series, where: Where, ids: bool) -> Inferred:
    """Judge a column of a numeric type."""
    whole = series.dtype.is_integer()
    return _numeric(series.cast(pl.Float64), series, whole, where, ids)


def _numeric(numbers: pl.Series, raw: pl.Series, whole: bool, where: Where, ids: bool) -> Inferred:
    """Judge numbers: infinite, missing, constant, an id, or fine."""
    name = raw.name
    values = numbers.fill_null(float("nan")).to_numpy().astype(np.float64)
    bad = np.flatnonzero(np.isinf(values))
    if len(bad):
        raise _infinite(where.cell(int(bad[0]), name), raw[int(bad[0])])
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return left_out("all missing", (f"column {name}: all cells are missing; left out",))
    low, high = float(known.min()), float(known.max())
    largest = max(abs(low), abs(high))
    if high / 2 - low / 2 <= 0.5e-12 * largest and len(known) == len(values):
        return left_out(f"constant: always {known[0]:g}")
    if ids and (whole or is_id_name(name)):
        clean = pl.Series(name, known).cast(pl.Int64, strict=False) if whole and largest < 2**53 else pl.Series(known)
        reason = id_reason(name, clean, text=False, whole=whole and largest < 2**53)
        if reason:
            return left_out(reason)
    said = (f"column {name}: numbers as large as {largest:.3g}; are these codes of missing values?",)
    return Inferred("numeric", values, warnings=said if largest > 1e30 else ())


def _infinite(where: str, shown: Any) -> Exception:
    """Word the refusal of an infinite number."""
    return refuse(f"{where}: {quoted(shown)} is not a finite number; expected a number or a blank; fix the cell")


def canonical(strings: pl.Series) -> pl.Series:
    """Write categories that are all numbers one way ("1.0" and "1" alike), so that files and frames agree.

    >>> canonical(pl.Series(["1.0", "2", None])).to_list(), canonical(pl.Series(["01", "2"])).to_list()
    (['1', '2', None], ['01', '2'])
    """
    distinct = strings.drop_nulls().unique()
    numbers = cell.as_numbers(distinct)
    if len(distinct) == 0 or numbers.null_count() or bool(cell.have_leading_zero(distinct).any()):
        return strings
    if bool(numbers.is_infinite().any()):
        return strings
    new = {t: cell.number_text(v) for t, v in zip(distinct, numbers, strict=True)}
    return strings.replace_strict(new, default=None, return_dtype=pl.String)


def _categories(strings: pl.Series, note: str) -> Inferred:
    """Return texts as level codes."""
    name = strings.name
    strings = canonical(strings)
    levels = cell.natural(set(strings.drop_nulls().to_list()))
    if not levels:
        return left_out("all missing", (f"column {name}: all cells are missing; left out",))
    if len(levels) == 1 and strings.null_count() == 0:
        return left_out(f"constant: always {quoted(levels[0])}")
    said: list[str] = []
    if len(levels) > 50:
        said.append(f"column {name}: {len(levels)} categories, one input each; merge the rare ones, or drop it")
    codes = strings.replace_strict({v: float(k) for k, v in enumerate(levels)}, default=None, return_dtype=pl.Float64)
    values = codes.fill_null(float("nan")).to_numpy().astype(np.float64)
    return Inferred("categorical", values, levels, note, tuple(said))
