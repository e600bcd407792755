"""Comma, tab, semicolon or bar separated text, every cell kept as the string it is."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.cells import MISSING, as_numbers, is_number
from riata.data.joins import doubts_about_rows, refuse_notes, refuse_second_header
from riata.data.say import listed, quoted, refuse

_CHUNK = 20_000
_FIELD_LIMIT = 16 * 1024 * 1024
_SNIFF = 200


def parse_delimited(
    text: str, label: str, header: bool | None = None
) -> tuple[pl.DataFrame, npt.NDArray[np.int64], tuple[str, ...]]:
    """Parse delimited text into a frame of strings.

    Parameters
    ----------
    text : str
        The whole table.
    label : str
        What messages call it.
    header : bool, optional
        Whether the first row holds names; None decides by content.

    Returns
    -------
    tuple of (polars.DataFrame, ndarray of int64, tuple of str)
        Cells, the 1-based line at which each row starts, and warnings.

    Raises
    ------
    InputError
        Ragged rows, repeated names, a quote that never closes, a header without rows.

    Examples
    --------
    >>> frame, lines, _ = parse_delimited('a;b\\n1;"x\\ny"\\n2;z\\n', "t.csv")
    >>> frame.columns, lines.tolist()
    (['a', 'b'], [2, 4])
    """
    refuse_notes(text, label)
    delimiter = sniff(text)
    records = _records(text, delimiter, label)
    first_line, first = next(records)
    frame, lines, had_names = _frame(records, first, label)
    warnings: list[str] = []
    if header is None:
        header = had_names != "same" or frame.height == 0 or not _is_data(first, frame)
    if header:
        if frame.height == 0:
            raise refuse(f"{label}: only a header line; expected at least 10 rows below it")
        if had_names == "index":
            warnings.append("rows have one cell more than the header: the first is read as their name, called index")
        given = _names(first, frame, label, warnings)
        refuse_second_header(first, frame, lines, label)
        warnings.extend(doubts_about_rows(first, frame, lines))
        return frame.rename(dict(zip(frame.columns, given, strict=True))), lines, tuple(warnings)
    if had_names != "same":
        raise _ragged(label, int(lines[0]), list(frame.row(0)), len(first))
    names = [f"c{k + 1}" for k in range(len(first))]
    top = pl.DataFrame([[c] for c in first], schema=dict.fromkeys(frame.columns, pl.String))
    frame = pl.concat([top, frame]).rename(dict(zip(frame.columns, names, strict=True)))
    warnings.append(f"no header line found: the columns are called c1 to c{len(first)}")
    return frame, np.concatenate([[first_line], lines]).astype(np.int64), tuple(warnings)


def sniff(text: str) -> str:
    """Return the delimiter under which the first records agree best on a number of cells above one.

    >>> sniff("a;b\\n1,5;2,5\\n")
    ';'
    """
    best, best_score = ",", (0.0, 0)
    head = text[: 4 * 1024 * 1024]
    for delimiter in ("\t", ";", ",", "|"):
        counts: list[int] = []
        try:
            for record in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter):
                if record:
                    counts.append(len(record))
                if len(counts) >= _SNIFF:
                    break
        except csv.Error:
            pass
        width = counts[0] if counts else 0
        if width < 2:
            continue
        body = counts[1:] or [width]
        score = (max(body.count(width), body.count(width + 1)) / len(body), width)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _records(text: str, delimiter: str, label: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, stripped cells) of every record; blank lines are passed over.

    Only in a table of one column does a blank line between rows stand for a missing cell.
    """
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(
        io.StringIO(text.rstrip("\r\n"), newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    width, before = 0, 0
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise refuse(
                f"{label}, row {before + 1}: {error}; expected cells in double quotes to close, "
                'and a quote inside to be written twice ("")'
            ) from None
        line, before = before + 1, reader.line_num
        cells = [c.strip() for c in record]
        if not any(cells) and len(cells) <= 1:
            if width != 1:
                continue
            cells = [""]
        width = width or len(cells)
        yield line, cells


def _frame(
    records: Iterator[tuple[int, list[str]]], first: list[str], label: str
) -> tuple[pl.DataFrame, npt.NDArray[np.int64], str]:
    """Gather the records below the first; tell how its width relates to theirs.

    ``"same"``; ``"index"``: one cell fewer, the rows start with row names (R's ``write.table``); or
    ``"trailing"``: one cell fewer, the rows end with a delimiter.
    """
    width, relation = len(first), "same"
    parts: list[pl.DataFrame] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    columns: list[str] = []
    for line, cells in records:
        if not lines and len(cells) == len(first) + 1 and len(first) > 1:
            width, relation = len(cells), "extra"
        if len(cells) != width:
            if relation == "extra":  # then the first row was the odd one
                line, cells = lines[0], list(parts[0].row(0)) if parts else rows[0]
            raise _ragged(label, line, cells, len(first))
        rows.append(cells)
        lines.append(line)
        if len(rows) == _CHUNK:
            parts.append(_strings(rows, width))
            rows = []
    parts.append(_strings(rows, width))
    frame = pl.concat(parts)
    columns = frame.columns
    if relation == "extra":
        trailing = frame[columns[-1]].eq("").all()
        relation = "trailing" if trailing else "index"
        if not trailing and frame[columns[0]].n_unique() < frame.height:
            raise _ragged(label, lines[0], list(frame.row(0)), len(first))
        if trailing:
            frame = frame.drop(columns[-1])
    return frame, np.asarray(lines, dtype=np.int64), relation


def _strings(rows: list[list[str]], width: int) -> pl.DataFrame:
    """Return rows of strings as a frame with columns named by their position."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in range(width))
    return pl.DataFrame({f"#{k}": pl.Series(list(c), dtype=pl.String) for k, c in enumerate(columns)})


def _ragged(label: str, line: int, cells: list[str], width: int) -> Exception:
    """Word the refusal of a row whose length is not the header's."""
    return refuse(
        f"{label}, row {line}: this row has {len(cells)} cells, the header has {width} "
        f"(row starts with {quoted(cells[0])}); quote cells that contain the delimiter, or mend the row"
    )


def _is_data(first: list[str], frame: pl.DataFrame) -> bool:
    """Whether the first record is data: a number above every numeric column, of which there is one."""
    if len(first) >= 3 and first == [str(k) for k in range(len(first))]:
        return False  # a frame written with the default column names 0, 1, 2, ...
    numeric = 0
    for cell, column in zip(first, frame.head(1000).iter_columns(), strict=True):
        known = column.filter(~column.is_in(MISSING))
        if len(known) == 0 or as_numbers(known).is_not_null().mean() < 0.95:  # type: ignore[operator]
            continue
        if is_number(cell):
            numeric += 1
        elif cell not in MISSING or cell == "":
            return False
    return numeric > 0


def _names(first: list[str], frame: pl.DataFrame, label: str, warnings: list[str]) -> list[str]:
    """Return one distinct name for each column of the frame from the header cells."""
    names = list(first)
    if len(names) < frame.width:
        names = ["", *names]
    twice = sorted(c for c, count in Counter(names).items() if c and count > 1)
    if twice:
        at = [k + 1 for k, c in enumerate(names) if c == twice[0]]
        raise refuse(
            f"{label}, row 1: columns {at[0]} and {at[1]} are both called {quoted(twice[0])}"
            + (f" (also twice: {listed(twice[1:])})" if twice[1:] else "")
            + "; rename one of them"
        )
    taken = set(names)
    for k, name in enumerate(names):
        if name:
            continue
        index = k == 0 and frame[frame.columns[0]].n_unique() == frame.height
        names[k] = _free("index" if index else f"column_{k + 1}", taken)
        if not index:
            warnings.append(f"column {k + 1} has no name: it is called {names[k]}")
    return names


def _free(name: str, taken: set[str]) -> str:
    """Return ``name``, with underscores until nobody has it, and take it."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name
