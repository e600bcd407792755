"""Cells that may not mean what they say: numbers in disguise, codes for missing, dates as numbers, error cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.alike import garbled, one_or_two, spreadsheet_date
from riata.data.cells import MISSING_AMONG_NUMBERS, as_numbers, number_text
from riata.data.say import quoted

_NEGATIVE = (-7.0, -8.0, -9.0, -77.0, -88.0, -99.0)
_NINES = tuple(float("9" * k) for k in range(2, 9)) + tuple(float("8" * k) for k in range(3, 6))
_ERRORS = re.compile(r"^#(DIV/0!|REF!|VALUE!|NAME\?|NUM!|NULL!|N/A|#+)$")
_ROUNDED = r"^[0-9](\.[0-9]{1,5})?E\+(09|1[0-9])$"
_DOTTED = r"^[1-9][0-9]{0,2}(\.[0-9]{3})+$"
_TWO = r"^[0-9.]+ *[/x×±:–-] *[0-9.]+$"
_WHEN = re.compile(r"(date|time|datum|zeit)", re.IGNORECASE)


def doubts(
    series: pl.Series,
    texts: Callable[[pl.Series], pl.Series],
    kind: str | None,
    values: npt.NDArray[np.float64],
    levels: tuple[str, ...],
    reason: str,
    settled: bool,
) -> tuple[str, ...]:
    """Return warnings about one column.

    Parameters
    ----------
    series : polars.Series
        Its cells.
    texts : callable
        Writes the cells as texts, null where missing.
    kind, values, levels, reason
        How it was read; see `riata.data.infer.Inferred`.
    settled : bool
        It is known what the cells are (a category by request, codes, decimal commas).

    Returns
    -------
    tuple of str
        Each starts with ``column NAME:``.
    """
    if kind == "numeric":
        found = [*_of_numbers(series.name, values)]
        if series.dtype == pl.String:
            found += _of_written_numbers(texts(series).drop_nulls())
    elif series.dtype == pl.String and (kind == "categorical" or reason.startswith("an id")):
        known = texts(series).drop_nulls()
        found = [] if settled else [*_disguised(known)][:1]
        found += _of_texts(known.unique(maintain_order=True).to_list(), levels)
    else:
        found = [said for said in [one_or_two(levels)] if said]
    return tuple(f"column {series.name}: {said}" for said in found)


def _of_numbers(name: str, values: npt.NDArray[np.float64]) -> Iterator[str]:
    """Doubt numbers by their values."""
    known = values[~np.isnan(values)]
    low, high = float(known.min()), float(known.max())
    for code in {low, high}:
        rest = known[known != code]
        if len(rest) == 0 or not _stands_for_missing(code, float(rest.min()), float(rest.max())):
            continue
        yield (
            f"{int((known == code).sum())} cells are {number_text(code)}, the others {rest.min():g} to {rest.max():g}; "
            "blank them if they stand for missing"
        )
    if low == high or not bool(np.all(known == np.round(known))):
        return
    if max(-low, high) > 2**53:
        yield f"whole numbers such as {known[0]:.0f} lose their last digits; drop it if it is an id"
    elif low >= 19000101 and high <= 21001231 and _are_days(known):
        yield f"whole numbers such as {known[0]:.0f} look like dates; derive numbers from them, or drop it"
    elif _WHEN.search(name) and (20_000 <= low <= high <= 80_000 or 5e8 <= low <= high <= 4e9 or low >= 5e11):
        yield f"whole numbers such as {known[0]:.0f} look like dates or times counted from a day; drop it if so"


def _stands_for_missing(code: float, low: float, high: float) -> bool:
    """Whether an extreme value looks like a code beside the others, which lie from ``low`` to ``high``."""
    if low == high:
        return code in (-999.0, -9999.0)
    if code < 0 <= low:
        return code in _NEGATIVE or -code in _NINES
    gap = code - high if code > high else low - code
    return abs(code) in _NINES and gap > 2 * (high - low)


def _are_days(known: npt.NDArray[np.float64]) -> bool:
    """Whether all whole numbers are a year, a month and a day, as in 20200131."""
    month, day = known // 100 % 100, known % 100
    return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())


def _of_written_numbers(known: pl.Series) -> Iterator[str]:
    """Doubt numbers by how they are written."""
    rounded = known.filter(known.str.contains(_ROUNDED))
    if len(rounded):
        yield f"cells such as {quoted(rounded[0])} look like long numbers that a spreadsheet has rounded"
    dots = known.str.contains(".", literal=True)
    with_dot, without = known.filter(dots), known.filter(~dots)
    if len(with_dot) and len(without) and with_dot.str.contains(_DOTTED).all() and without.str.len_chars().max() <= 3:  # type: ignore[operator]
        yield (
            f"{quoted(with_dot[0])} is read as {float(with_dot[0]):g}; if its dot groups thousands, "
            "write the numbers of this column without dots"
        )


def _disguised(known: pl.Series) -> Iterator[str]:
    """Doubt texts that are, or look like, numbers."""
    unit = numbers_with_a_unit(known)
    if unit:
        yield unit
    rest = known.filter(~known.is_in(list(MISSING_AMONG_NUMBERS)))
    fine = as_numbers(rest).is_not_null()
    alike = _tidy(rest).is_not_null()
    odd = rest.filter(~fine)
    if len(odd) and (fine | alike).sum() >= max(2, 0.2 * len(rest)):
        yield (
            f"{int((fine | alike).sum())} of {len(rest)} cells are numbers or look like numbers, others such as "
            f"{quoted(odd[0])} do not fit; read as texts; write plain numbers and blanks to use them as numbers"
        )
    two = rest.filter(rest.str.contains(_TWO))
    if len(two) > 0.5 * len(rest):
        yield f"cells such as {quoted(two[0])} hold two numbers each and are read as texts; split the column"


def _tidy(cells: pl.Series) -> pl.Series:
    """Return what numbers the cells may have been: without grouping, signs, invisible characters; null where none."""
    bare = (
        cells.str.replace_all("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]", "")
        .str.replace_all("[\u2212\u2012\u2013]", "-")
        .str.replace(r"^\((.+)\)$", "-$1")
        .str.replace(r"""^[<>≤≥~≈=$€£'"\s]+""", "")
        .str.replace(r"""[%*†+$€£'"\s]+$""", "")
        .str.replace_all(r"([0-9])[\s'’_]([0-9])", "$1$2")
        .str.replace(r"^([+-]?[0-9.]+)[dD]([+-]?[0-9]+)$", "${1}e$2")
    )
    grouped = pl.select(
        pl.when(bare.str.contains(r"^[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?$"))
        .then(bare.str.replace_all(",", "", literal=True))
        .when(bare.str.contains(r"^[+-]?[0-9]{1,3}(\.[0-9]{3})+(,[0-9]+)?$"))
        .then(bare.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))
        .when(bare.str.contains(r"^0[xX][0-9a-fA-F]+$"))
        .then(pl.lit("0"))
        .when(bare.str.contains(r"(?i)^[+-]?(nan|[0-9.]*#?(inf|ind|qnan).*|∞)$"))
        .then(pl.lit("0"))
        .otherwise(bare.str.replace(",", ".", literal=True))
    ).to_series()
    return as_numbers(grouped)


def _of_texts(distinct: list[str], levels: tuple[str, ...]) -> list[str]:
    """Doubt texts by what single ones look like, and by two that may be one."""
    said = [one_or_two(levels) or ""]
    for test, words in (
        (lambda t: _ERRORS.match(t) is not None, "are errors of a spreadsheet; blank them"),
        (spreadsheet_date, "are what a spreadsheet makes of gene names such as SEPT2; mend them"),
        (garbled, "look garbled; write the file again as UTF-8"),
    ):
        hit = next((t for t in distinct if test(t)), None)
        said.append(f"cells such as {quoted(hit)} {words}" if hit is not None else "")
    return [s for s in said if s]


def numbers_with_a_unit(known: pl.Series) -> str | None:
    """Return the warning that a column of texts holds numbers with a sign or a unit, or None.

    >>> print(numbers_with_a_unit(pl.Series("fat", ["5%", "7.5 %"])))
    cells such as '5%' are read as texts; write plain numbers to use them as numbers
    """
    bare = known.str.extract(r"^[$€£<>~]?\s*([+-]?[0-9.]+)\s*(?:%|[$€£]|[a-zA-Zµ]{1,3}(?:/[a-zA-Z]{1,3})?)?$", 1)
    if len(known) == 0 or bare.null_count() or as_numbers(bare).null_count():
        return None
    sign = known.str.replace_all(r"[0-9.+\s-]", "")
    if sign.n_unique() > 1 or sign[0] == "":
        return None
    return f"cells such as {quoted(known[0])} are read as texts; write plain numbers to use them as numbers"
