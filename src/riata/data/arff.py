"""ARFF, dense or sparse: declared attributes keep their declared kind."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.cells import MISSING, is_number
from riata.data.say import listed, near, quoted, refuse

_TOKEN = re.compile(r"""\s*+(?:'((?:[^'\\]|\\.)*+)'|"((?:[^"\\]|\\.)*+)"|([^,'"]*+))\s*+(,|$)""", re.DOTALL)
_WORD = re.compile(r"""\s*+(?:'((?:[^'\\]|\\.)*+)'|"((?:[^"\\]|\\.)*+)"|([^\s{]++))\s*+""", re.DOTALL)


@dataclass(frozen=True)
class _Attribute:
    """One declared column."""

    name: str
    kind: str  # numeric, nominal, string or date
    levels: tuple[str, ...] = ()


def looks_like_arff(text: str) -> bool:
    """Whether the first line that is no comment starts with an ARFF keyword.

    >>> looks_like_arff("% made by hand\\n@RELATION t\\n"), looks_like_arff("a,b\\n")
    (True, False)
    """
    for line in text.splitlines()[:10_000]:
        bare = line.strip().lower()
        if bare and not bare.startswith("%"):
            return bare.startswith(("@relation", "@attribute"))
    return False


def parse_arff(text: str, label: str) -> tuple[pl.DataFrame, npt.NDArray[np.int64], tuple[str, ...]]:
    """Parse an ARFF text: numeric attributes as float64, nominal ones as an enumeration, others as strings.

    Parameters
    ----------
    text : str
        The whole file.
    label : str
        What messages call it.

    Returns
    -------
    tuple of (polars.DataFrame, ndarray of int64, tuple of str)
        Cells, the 1-based line of each row, and warnings (none).

    Raises
    ------
    InputError
        A declaration or a row that does not follow the format; names the line and the attribute.

    References
    ----------
    https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/

    Examples
    --------
    >>> text = "@relation t\\n@attribute x real\\n@attribute c {a,b}\\n@data\\n1,a\\n?,b\\n"
    >>> frame, _, _ = parse_arff(text, "t.arff")
    >>> frame.rows()
    [(1.0, 'a'), (None, 'b')]
    """
    rows = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    attributes, start = _header(rows, label)
    cells: list[list[str | None]] = []
    lines: list[int] = []
    for number, raw in enumerate(rows[start:], start + 1):
        line = raw.strip()
        if not line or line.startswith("%"):
            continue
        cells.append(_row(line, attributes, f"{label}, row {number}"))
        lines.append(number)
    if not cells:
        raise refuse(f"{label}: no rows after @data; expected at least 10")
    columns = zip(*cells, strict=True)
    series = [_series(a, list(c), lines, label) for a, c in zip(attributes, columns, strict=True)]
    return pl.DataFrame(series), np.asarray(lines, dtype=np.int64), ()


def _header(rows: list[str], label: str) -> tuple[list[_Attribute], int]:
    """Return the attributes and the index of the first row after ``@data``."""
    attributes: list[_Attribute] = []
    taken: set[str] = set()
    for number, raw in enumerate(rows, 1):
        line = raw.strip()
        where = f"{label}, row {number}"
        word = line.split(None, 1)[0].lower() if line else ""
        if not line or line.startswith("%") or word == "@relation":
            continue
        if word == "@data":
            if not attributes:
                raise refuse(f"{where}: @data comes before any @attribute")
            return attributes, number
        if word != "@attribute":
            raise refuse(
                f"{where}: {quoted(line)}; expected @attribute or @data; {near(word, ['@attribute', '@data'])}"
            )
        attribute = _attribute(line[len("@attribute") :], where)
        if attribute.name in taken:
            raise refuse(f"{where}: the attribute {quoted(attribute.name)} is declared twice; rename one")
        attributes.append(attribute)
        taken.add(attribute.name)
    raise refuse(f"{label}: no @data line; expected one after the {len(attributes)} attributes")


def _attribute(text: str, where: str) -> _Attribute:
    """Parse what follows ``@attribute``."""
    match = _WORD.match(text)
    rest = text[match.end() :].strip() if match else ""
    name = _unquote(match).strip() if match else ""
    if not name or not rest:
        raise refuse(f"{where}: @attribute {quoted(text)}; expected a name and a type")
    if rest.startswith("{"):
        if not rest.endswith("}"):
            raise refuse(f"{where}: the values of {quoted(name)} are not closed; expected a }} at the end")
        levels = [v or "" for v in _split(rest[1:-1], where)]
        if len(set(levels)) < len(levels):
            raise refuse(f"{where}: {quoted(name)} declares a value twice; remove one")
        return _Attribute(name, "nominal", tuple(levels))
    word = rest.split()[0].lower()
    kinds = {
        "numeric": "numeric",
        "real": "numeric",
        "integer": "numeric",
        "string": "string",
        "date": "date",
    }
    if word not in kinds:
        raise refuse(
            f"{where}: type {quoted(rest)} of {quoted(name)}; expected one of {listed(list(kinds))} or {{a,b}}"
        )
    return _Attribute(name, kinds[word])


def _unquote(match: re.Match[str]) -> str:
    """Return a token's text, escapes resolved."""
    single, double, bare = match.group(1), match.group(2), match.group(3)
    if bare is not None:
        return bare
    return re.sub(r"\\(.)", r"\1", single if single is not None else double)


def _split(text: str, where: str) -> list[str | None]:
    """Split a comma separated line; an unquoted ``?`` or nothing is missing."""
    cells: list[str | None] = []
    at = 0
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            raise refuse(f"{where}: cannot read {quoted(text[at:])}; expected values divided by commas, quotes closed")
        cell = _unquote(match).strip()
        cells.append(None if match.group(3) is not None and cell in MISSING else cell)
        at = match.end()
        if match.group(4) == "":
            return cells


def _row(line: str, attributes: list[_Attribute], where: str) -> list[str | None]:
    """Parse one data line, dense or ``{index value, ...}``."""
    if line.startswith("{"):
        return _sparse(line, attributes, where)
    cells = _split(line, where)
    if len(cells) != len(attributes):
        raise refuse(f"{where}: this row has {len(cells)} cells, the header declares {len(attributes)} attributes")
    return cells


def _sparse(line: str, attributes: list[_Attribute], where: str) -> list[str | None]:
    """Parse ``{1 x, 3 y}``: what is not named is zero, or a nominal attribute's first value."""
    zero: list[str | None] = [a.levels[0] if a.kind == "nominal" and a.levels else "0" for a in attributes]
    if not line.endswith("}"):
        raise refuse(f"{where}: a sparse row must end with }}")
    body = line[1:-1].strip()
    pattern = re.compile(r"""\s*([0-9]++)\s++('(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+"|[^,\s]++)\s*+(,|$)""")
    at = 0
    while at < len(body):
        match = pattern.match(body, at)
        if match is None or int(match.group(1)) >= len(attributes):
            raise refuse(
                f"{where}: sparse cell {quoted(body[at:])}; expected an index below {len(attributes)} and a value"
            )
        zero[int(match.group(1))] = _split(match.group(2), where)[0]
        at = match.end()
    return zero


def _series(attribute: _Attribute, cells: list[str | None], lines: list[int], label: str) -> pl.Series:
    """Return a column of its declared kind."""
    if attribute.kind in ("string", "date"):
        return pl.Series(attribute.name, cells, dtype=pl.String)
    levels = set(attribute.levels)
    for line, cell in zip(lines, cells, strict=True):
        if cell is None:
            continue
        if attribute.kind == "nominal" and cell not in levels:
            raise refuse(
                f"{label}, row {line}, column {attribute.name}: {quoted(cell)} is not declared; "
                f"expected one of {listed(attribute.levels)}"
            )
        if attribute.kind == "numeric" and not is_number(cell):
            raise refuse(f"{label}, row {line}, column {attribute.name}: {quoted(cell)} is not a number")
    if attribute.kind == "numeric":
        return pl.Series(attribute.name, [None if c is None else float(c) for c in cells], dtype=pl.Float64)
    return pl.Series(attribute.name, cells, dtype=pl.Enum(attribute.levels))
