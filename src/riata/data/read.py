"""Read a file: in this process where nothing can go wrong, in a process of its own where something can."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import polars as pl

from riata.data.fetch import fetch_raw, shown
from riata.data.guard import read_guarded
from riata.data.source import Source, decode, understand

__all__ = ["Source", "at_risk", "decode", "read_frame", "read_source"]

_HEAD = 4096
PLAIN = 1024 * 1024
"""Bytes up to which a text is read in this process: Python's own csv reader, a few dozen times its size at most."""


def read_source(source: str | Path, header: bool | None = None) -> Source:
    """Read a table with its line numbers and the reader's warnings.

    Parquet, gzip, ARFF (a sparse row of it is short) and whatever is larger than `PLAIN` is read by a process with
    limits of memory and time: whatever a damaged or hostile file does to the reader there, this one gets one line.

    Parameters
    ----------
    source : str or Path
        A path, or ``"-"`` for standard input.
    header : bool, optional
        Whether a delimited text starts with column names. By default a header is absent when every cell
        of the first row that sits above a numeric column is a number; columns are then ``c1..cd``.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        The file is missing, empty, damaged, ragged, not UTF-8, or has repeated column names. The message
        names the file, the row (1-based line) and the column.
    ResourceError
        The file cannot be read or does not fit into memory.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "t.csv"
    >>> _ = path.write_text("age,sex\\n41,m\\n52,f\\n")
    >>> read_source(path).frame.columns
    ['age', 'sex']
    """
    size, head = _glance(source)
    if at_risk(head, size):
        return read_guarded(source, shown(source), size, header)
    label, raw = fetch_raw(source)
    if at_risk(raw[:_HEAD], len(raw)):  # standard input, a named pipe
        return read_guarded(raw, label, len(raw), header)
    return understand(label, raw, header)


def read_frame(source: str | Path, header: bool | None = None) -> pl.DataFrame:
    """Read a table as a polars frame; see `read_source`, which also tells lines and warnings.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "t.csv"
    >>> _ = path.write_text("code;x\\n007;1,5\\n")
    >>> read_frame(path).row(0)
    ('007', '1,5')
    """
    return read_source(source, header).frame


def at_risk(head: bytes, size: int) -> bool:
    """Whether a file is to be read by a process of its own.

    >>> at_risk(b"a,b\\n", 1000), at_risk(b"PAR1", 1000), at_risk(b"a,b\\n", 10**9)
    (False, True, True)
    """
    return (
        size > PLAIN
        or head.startswith((b"PAR1", b"\x1f\x8b"))
        or re.search(rb"@(relation|attribute)", head, re.I) is not None
    )


def _glance(source: str | Path) -> tuple[int, bytes]:
    """Return the size and the first bytes of a regular file; nothing of anything else, which `fetch_raw` judges."""
    try:
        path = Path(source).expanduser()
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or str(source).strip() in ("", "-"):
            return 0, b""
        with path.open("rb") as file:
            return found.st_size, file.read(_HEAD)
    except (OSError, ValueError, RuntimeError):
        return 0, b""
