"""Rows that are no rows: a header repeated below, a first row of data taken for one, totals, a spreadsheet's notes."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.alike import plain
from riata.data.cells import MISSING, is_number
from riata.data.say import quoted, refuse

_NOTE = re.compile(r"\ufeff?sep=.?\s*(\r|\n|$)", re.IGNORECASE)
_TOTALS = re.compile(r"(grand |sub)?(total|sum|mean|average|summe|gesamt|mittelwert)s?[:.]?", re.IGNORECASE)


def refuse_notes(text: str, label: str) -> None:
    """Refuse a first line that only tells a spreadsheet which separator follows.

    Raises
    ------
    InputError
        The line is there.
    """
    if _NOTE.match(text):
        raise refuse(f"{label}, row 1: {quoted(text[:5])} is a note for a spreadsheet, no header; remove this line")


def refuse_second_header(first: list[str], frame: pl.DataFrame, lines: npt.NDArray[np.int64], label: str) -> None:
    """Refuse a row that repeats the header: two files, joined.

    Raises
    ------
    InputError
        Names the row.
    """
    names = [plain(c) for c in first][-frame.width :]
    if len(names) != frame.width or all(is_number(n) or not n for n in names):
        return
    same = np.ones(frame.height, dtype=bool)
    for name, raw, column in zip(names, first[-frame.width :], frame.iter_columns(), strict=True):
        same &= (column.eq(raw) | column.str.strip_chars("\ufeff").str.to_lowercase().eq(name)).to_numpy()
        if not same.any():
            return
    row = int(np.flatnonzero(same)[0])
    raise refuse(
        f"{label}, row {int(lines[row])}: the header again; remove this row if two files were joined; "
        "if the first row is data, put a line of names above it"
    )


def doubts_about_rows(first: list[str], frame: pl.DataFrame, lines: npt.NDArray[np.int64]) -> list[str]:
    """Return warnings about a header that looks like data and a last row that looks like totals.

    >>> frame = pl.DataFrame({"a": ["m", "f", "Total"], "b": ["1", "2", "3"]})
    >>> doubts_about_rows(["sex", "n"], frame, np.array([2, 3, 4]))
    ["row 4 looks like a row of totals ('Total'); remove it if it is one"]
    """
    said: list[str] = []
    columns = frame.get_columns()[-len(first) :]
    repeats = [c for c, column in zip(first, columns, strict=False) if c not in MISSING and bool(column.eq(c).any())]
    if repeats and len(repeats) >= 0.5 * len(first):
        said.append(
            f"the first row is read as the header, but {quoted(repeats[0])} also is a value below it; "
            "is it data? put a line of names above it"
        )
    for column in columns:
        last = column[-1]
        if _TOTALS.fullmatch(last) and column.eq(last).sum() == 1:
            said.append(f"row {int(lines[-1])} looks like a row of totals ({quoted(last)}); remove it if it is one")
            break
    return said
