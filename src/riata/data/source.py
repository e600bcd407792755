"""A table as it stands: CSV, TSV, semicolons, Parquet or ARFF, decided by content."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.arff import looks_like_arff, parse_arff
from riata.data.delimited import parse_delimited
from riata.data.fetch import content_of
from riata.data.say import listed, quoted, refuse
from riata.errors import ResourceError, one_line

_BOMS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)


@dataclass(frozen=True, eq=False)
class Source:
    """A table as it was read, before anything was inferred.

    Attributes
    ----------
    name : str
        The file's name without folder and extensions.
    label : str
        What messages call it: the path as it was typed.
    frame : polars.DataFrame
        Text tables hold strings only; Parquet keeps its types, ARFF its declared ones.
    lines : ndarray of int64, shape (n,)
        1-based line of each row in a text file; 1-based row of a Parquet file.
    warnings : tuple of str
        What the reader had to assume.
    """

    name: str
    label: str
    frame: pl.DataFrame
    lines: npt.NDArray[np.int64]
    warnings: tuple[str, ...] = ()


def understand(label: str, raw: bytes, header: bool | None = None) -> Source:
    """Return the table that a file's bytes hold, unpacked where they are packed.

    Raises
    ------
    InputError
        They hold no table that can be read; names the row and the column.
    ResourceError
        They do not fit into memory.
    """
    try:
        frame, lines, warnings = _parse(content_of(raw, label), label, header)
    except MemoryError:
        raise ResourceError(one_line(f"{label}: does not fit into the free memory; use fewer rows")) from None
    return Source(_stem(label), label, frame, lines, warnings)


def _parse(
    content: bytes, label: str, header: bool | None
) -> tuple[pl.DataFrame, npt.NDArray[np.int64], tuple[str, ...]]:
    """Choose the format by content and parse it."""
    if content.startswith(b"PAR1"):
        frame = _parquet(content, label)
        return frame, np.arange(1, frame.height + 1, dtype=np.int64), ()
    if label.lower().endswith((".parquet", ".parquet.gz", ".pq")):
        raise refuse(
            f"{label}: not a Parquet file (it starts with {quoted(content[:8].decode('latin1'))}); "
            "expected the bytes PAR1; give it the extension of what it is, such as .csv"
        )
    text = decode(content, label)
    if text.startswith(('[{"', '{"')):
        raise refuse(f"{label}: this is JSON; expected CSV, TSV, Parquet or ARFF; export the table as CSV or Parquet")
    if looks_like_arff(text):
        return parse_arff(text, label)
    return parse_delimited(text, label, header)


def _parquet(content: bytes, label: str) -> pl.DataFrame:
    """Read Parquet bytes; every failure of the reader becomes one line."""
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except MemoryError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        reason = one_line(error, 120)
        raise refuse(f"{label}: damaged Parquet file ({reason}); write or copy it again") from None
    if frame.width == 0 or frame.height == 0:
        raise refuse(f"{label}: the Parquet file has no rows; expected at least 10")
    blank = [k + 1 for k, c in enumerate(frame.columns) if not c.strip()]
    if blank:
        frame = frame.rename({frame.columns[k - 1]: f"column_{k}" for k in blank})
    stripped = [c.strip() for c in frame.columns]
    twice = sorted({c for c in stripped if stripped.count(c) > 1})
    if twice:
        raise refuse(f"{label}: columns {listed(twice)} occur twice but for spaces; rename one of each")
    frame.columns = stripped
    return frame


def decode(content: bytes, label: str) -> str:
    """Return the text of UTF-8 bytes, or of UTF-16/32 bytes that start with a byte-order mark.

    Raises
    ------
    InputError
        Not UTF-8 (names the byte and the line), or NUL bytes in the text.

    Examples
    --------
    >>> decode("é".encode("utf-16"), "t.csv")
    'é'
    """
    encoding = next((name for mark, name in _BOMS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = content[error.start] if error.start < len(content) else 0
        then = "type: iconv -f latin1 -t utf-8 FILE > NEW" if encoding == "utf-8" else "copy it again"
        name = "UTF-8" if encoding.startswith("utf-8") else encoding.upper()
        raise refuse(f"{label}, row {line}: not {name} (byte 0x{byte:02x} at offset {error.start}); {then}") from None
    at = text.find("\0")
    if at >= 0:
        line = text.count("\n", 0, at) + 1
        raise refuse(
            f"{label}, row {line}: NUL byte in the text; expected a text table in UTF-8; "
            "is it binary, or UTF-16 without its mark (iconv -f utf-16le -t utf-8)?"
        )
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise refuse(f"{label}: the file is empty; expected a header line and at least 10 rows")
    return text


def _stem(label: str) -> str:
    """Return a table's name: no folder, no extensions of tables.

    >>> _stem("data/adult-train.csv.gz")
    'adult-train'
    """
    name = Path(label).name
    for end in (".gz", ".csv", ".tsv", ".txt", ".data", ".parquet", ".pq", ".arff"):
        if name.lower().endswith(end):
            name = name[: -len(end)]
    return name or "table"
