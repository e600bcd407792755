"""Tables beyond memory: which way a file goes, and the sub-sample that a decision can rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Source, Table, fit_encoder, make_table, values_from_frame
from ..data.drawn import Drawn, draw, gather
from ..data.fetch import shown
from ..data.roles import SEALED_SHARE, VALID_SHARE
from ..data.stream import Stream, check_columns, footer, open_stream
from ..errors import InputError, ResourceError, one_line
from ..memory import PART, available
from .options import Options
from .probes.subsample import Representative, representative

SAMPLE = 30_000
"""Rows of the sub-sample that a decision rests on."""
DOUBLINGS = 2
"""How often the sub-sample is doubled where it does not look like a second one."""
FEWEST = 2000
"""Rows of a file from which on it may be streamed."""
BYTES, COPIES, TEXT_COPIES = 8, 5, 6
"""Bytes of a cell, how often a table is held while it is decided on, and a text file while it is read."""
WORDS = {"auto": None, "yes": True, "no": False}
NO_SUBJECTS = "--group-column does not apply with --stream: rows are sealed one by one; leave one of the two out"

Asked = bool | int | str | None


@dataclass(frozen=True)
class Large:
    """A file that stays on disk, and the table of a sub-sample that was found to be like the rest.

    Attributes
    ----------
    stream : Stream
    table : Table
        The sub-sample.
    drawn : Drawn
    tested : Representative
        The sub-sample against a second, disjoint one of the same file.
    """

    stream: Stream
    table: Table
    drawn: Drawn
    tested: Representative


def passes_of(stream: Asked) -> tuple[bool | None, int | None]:
    """Return (yes, no, or None for by memory; the number of passes or None for as many as the budget allows).

    >>> passes_of(None), passes_of("yes"), passes_of("3"), passes_of(False)
    ((None, None), (True, None), (True, 3), (False, None))

    Raises
    ------
    InputError
        For anything else.
    """
    if stream is None or isinstance(stream, bool):
        return stream, None
    text = str(stream)
    if text in WORDS:
        return WORDS[text], None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 10_000 or len(text) > 5:
        raise InputError(
            f"--stream {one_line(text, 40)!r} is unknown; expected auto, yes, no or passes from 1 to 10000; "
            "type --stream yes"
        )
    return True, int(text)


def streams(source: Any, stream: Asked = None, free: int | None = None) -> bool:
    """Return whether a table is to be read from disk block by block, from what was asked and from the memory.

    Parameters
    ----------
    source : path or anything
        Only a Parquet file can be streamed.
    stream : bool, int or str, optional
        See :func:`passes_of`.
    free : int, optional
        Bytes; by default those that are available now.

    Raises
    ------
    InputError
        Streaming was asked for, and the table is no Parquet file.
    ResourceError
        A text table would not fit into memory; the message says how to convert it.
    """
    wanted, _ = passes_of(stream)
    if wanted is False:
        return False
    path, first, size = _look(source)
    if path is None:
        if wanted and (not isinstance(source, str | Path) or str(source) == "-"):
            raise InputError(
                "--stream reads a Parquet file from disk; expected its path; type riata choose big.parquet"
            )
        return False
    parquet = first == b"PAR1"
    if not parquet and wanted:
        raise InputError(one_line(f"{shown(path, 60)}: --stream reads Parquet only; type {conversion(path)}"))
    free = available() if free is None else free
    if wanted or free is None:
        return bool(wanted)
    if parquet:
        try:
            _, kinds, rows = footer(path)
        except InputError:
            return False
        return rows >= FEWEST and rows * len(kinds) * BYTES * COPIES > PART * free
    if size * TEXT_COPIES > PART * free:
        raise ResourceError(one_line(f"{shown(path, 60)}: does not fit into the free memory; type {conversion(path)}"))
    return False


def _look(source: Any) -> tuple[Path | None, bytes, int]:
    """Return the path of a file with its first bytes and its size; None for whatever is no file that can be read."""
    if not isinstance(source, str | Path) or str(source) == "-":
        return None, b"", 0
    try:
        path = Path(source).expanduser()
        if not path.is_file():
            return None, b"", 0
        with path.open("rb") as file:
            return path, file.read(4), path.stat().st_size
    except (OSError, ValueError, RuntimeError):
        return None, b"", 0


def conversion(path: Path) -> str:
    """Return the command that makes a Parquet file of a text table without holding it in memory.

    >>> conversion(Path("big.csv"))
    'python -c "import polars as p; p.scan_csv(\\'big.csv\\').sink_parquet(\\'big.parquet\\')" and use that'
    """
    old, new = shown(path, 60), shown(path.with_suffix(".parquet"), 60)
    return f'python -c "import polars as p; p.scan_csv({old!r}).sink_parquet({new!r})" and use that'


def open_large(
    source: str | Path,
    target: Any,
    options: Options,
    *,
    categorical: Sequence[str] = (),
    drop: Sequence[str] = (),
    group_column: str | None = None,
    name: str | None = None,
    size: int = SAMPLE,
    block: int | None = None,
) -> Large:
    """Open a Parquet file, draw a sub-sample over all of it and test it against a second one.

    The sub-sample is doubled up to twice while the two can be told apart. Sealed rows, a fifth of the file by a
    seeded hash of the row's number, are in neither, nor are rows that stop the training.

    Raises
    ------
    InputError
        If the file, the target or an option cannot be used.
    """
    if group_column is not None:
        raise InputError(NO_SUBJECTS)
    if not isinstance(target, str):
        raise InputError("--stream needs the name of the target's column; type --target COL")
    stream = open_stream(source, block)
    if stream.rows < FEWEST:
        raise InputError(f"{stream.label}: {stream.rows} rows; --stream wants at least {FEWEST}; leave --stream out")
    columns = check_columns(stream, target, categorical, drop)
    most = int(stream.rows * (1 - SEALED_SHARE) * (1 - VALID_SHARE) / 3)
    size = min(size, most)
    for doubled in range(DOUBLINGS + 1):
        drawn = draw(stream, target, size, options.seed)
        first, second = _both(stream, drawn, columns)
        table = make_table(
            first, target, task=options.task, categorical=[c for c in categorical if c in columns],
            name=name or stream.path.stem,
        )  # fmt: skip
        tested = _alike(table, second, drawn, options.seed)
        larger = min(2 * size, most)
        if tested.ok or doubled == DOUBLINGS or larger == size:
            break
        size = larger
    return Large(stream, table, drawn, tested)


def _both(stream: Stream, drawn: Drawn, columns: Sequence[str]) -> tuple[Source, Source]:
    """Return the rows of the sub-sample and of the second sample, read in one pass."""
    rows = np.union1d(drawn.rows, drawn.second)
    source = gather(stream, rows, columns)
    inside = np.isin(rows, drawn.rows)
    parts = [
        Source(source.name, source.label, source.frame[np.flatnonzero(at)], source.lines[at])
        for at in (inside, ~inside)
    ]
    return parts[0], parts[1]


def _alike(table: Table, second: Source, drawn: Drawn, seed: int) -> Representative:
    """Test the sub-sample against the second sample; the rows lie in the order of the file."""
    values, _ = values_from_frame(table.schema(), second)
    x = fit_encoder(table, np.arange(table.n)).transform(np.vstack([table.values, values]))
    order = np.argsort(np.concatenate([table.row_numbers, second.lines]), kind="stable")
    return representative(x[order], np.flatnonzero(order < table.n), seed)
