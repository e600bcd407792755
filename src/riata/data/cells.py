"""What a text cell is: missing, a number, a code, a date."""

from __future__ import annotations

import re

import polars as pl

MISSING: tuple[str, ...] = (
    "", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?", "<NA>", "#N/A",
)  # fmt: skip
"""Cells that stand for "not known" in any column."""
WORDS: tuple[str, ...] = ("NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None")
"""The missing cells that could be words of a text column: reported where they are read as missing there."""
MISSING_AMONG_NUMBERS: tuple[str, ...] = (".", "-")
"""Cells that stand for "not known" only where the rest of the column is numeric."""

_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_COMMA = r"^[+-]?[0-9]+(,[0-9]+)?([eE][+-]?[0-9]+)?$"
_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+$"
_INFINITE = r"^(?i)[+-]?inf(inity)?$"
_LEADING_ZERO = r"^0[0-9]+$"
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = (
    r"^(?i)([0-9]{4}[-/.](0?[1-9]|1[0-2])[-/.](0?[1-9]|[12][0-9]|3[01])"
    r"|[0-3]?[0-9][-./][0-3]?[0-9][-./]([0-9]{4}|[0-9]{2})"
    rf"|[0-3]?[0-9][-. /]{_MONTH}[-., /]*[0-9]{{2,4}}|{_MONTH}[-. /]+[0-3]?[0-9],? ?[0-9]{{4}}"
    r"|[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?( ?[ap]m)?)"
    r"([T ][0-9]{1,2}:[0-9]{2}(:[0-9.]+)?(Z|[+-][0-9:]+)?)?$"
)


def is_number(cell: str) -> bool:
    """Whether a cell is a plain decimal number: no separators, no infinity.

    >>> [is_number(c) for c in ("1e5", "-.5", "1_000", "0x1F", "inf")]
    [True, True, False, False, False]
    """
    return re.match(_NUMBER, cell) is not None


def as_numbers(cells: pl.Series) -> pl.Series:
    """Return float64 numbers, null where a cell is not one; 1e999 becomes infinite.

    >>> as_numbers(pl.Series(["1", "x", "2.5"])).to_list()
    [1.0, None, 2.5]
    """
    tidy = cells.str.replace(r"^\+", "")
    return (
        pl.select(pl.when(tidy.str.contains(_NUMBER)).then(tidy.cast(pl.Float64, strict=False)))
        .to_series()
        .alias(cells.name)
    )


def as_comma_numbers(cells: pl.Series) -> pl.Series | None:
    """Return numbers written with decimal commas, or None where any cell is not one or none has a comma.

    >>> as_comma_numbers(pl.Series(["3,14", "2"])).to_list()
    [3.14, 2.0]
    """
    if not cells.str.contains(_COMMA).all() or not cells.str.contains(",", literal=True).any():
        return None
    return as_numbers(cells.str.replace(",", ".", literal=True))


def are_thousands(cells: pl.Series) -> bool:
    """Whether every cell that has a comma could be a grouped integer such as 1,234.

    >>> are_thousands(pl.Series(["1,234", "999"])), are_thousands(pl.Series(["0,234"]))
    (True, False)
    """
    some = cells.filter(cells.str.contains(",", literal=True))
    rest = cells.filter(~cells.str.contains(",", literal=True))
    grouped = len(some) > 0 and bool(some.str.contains(_THOUSANDS).all())
    return grouped and bool(as_numbers(rest).is_not_null().all())


def are_infinite(cells: pl.Series) -> pl.Series:
    """Return which cells spell infinity.

    >>> are_infinite(pl.Series(["inf", "-Infinity", "info"])).to_list()
    [True, True, False]
    """
    return cells.str.contains(_INFINITE)


def have_leading_zero(cells: pl.Series) -> pl.Series:
    """Return which cells are codes such as 007.

    >>> have_leading_zero(pl.Series(["007", "0", "0.5"])).to_list()
    [True, False, False]
    """
    return cells.str.contains(_LEADING_ZERO)


def are_dates(cells: pl.Series) -> bool:
    """Whether all cells are dates or times: ISO, or day and month with dots or slashes, months by name, hours.

    >>> are_dates(pl.Series(["2020-01-31", "2020-02-01T10:00"])), are_dates(pl.Series(["31.1.2020", "x"]))
    (True, False)
    """
    return bool(cells.str.contains(_DATE).all())


def number_text(value: float) -> str:
    """Return a number as a class or level is called: integers without ``.0``.

    >>> number_text(2.0), number_text(0.5)
    ('2', '0.5')
    """
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def natural(texts: set[str] | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Sort texts: as numbers where all are numbers, otherwise with the digits in them as numbers.

    >>> natural({"10", "9", "1"}), natural({"t10", "t9"})
    (('1', '9', '10'), ('t9', 't10'))
    """
    if all(is_number(t) for t in texts):
        return tuple(sorted(texts, key=lambda t: (float(t), t)))

    def key(text: str) -> tuple[list[tuple[int, int, str]], str]:
        parts = re.findall(r"[0-9]+|[^0-9]+", text)
        whole = [p.lstrip("0") if p.isdecimal() else None for p in parts]  # as text: it may have thousands of digits
        return [(1, 0, p) if w is None else (0, len(w), w) for p, w in zip(parts, whole, strict=True)], text

    return tuple(sorted(texts, key=key))
