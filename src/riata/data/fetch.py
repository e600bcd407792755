"""Bytes of a table: from a path or standard input, unpacked, with the reasons why not."""

from __future__ import annotations

import difflib
import gzip
import stat
import sys
import zlib
from pathlib import Path

from riata.data.say import refuse
from riata.errors import InputError, ResourceError, one_line

_FOREIGN = (
    (b"PK\x03\x04", "a zip or Excel file", "save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file", "save the sheet as CSV"),
    (b"BZh", "compressed with bzip2", "unpack it, or use gzip"),
    (b"\xfd7zXZ", "compressed with xz", "unpack it, or use gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it, or use gzip"),
    (b"\x89HDF", "an HDF5 file", "export the table as CSV or Parquet"),
    (b"ARROW1", "an Arrow/Feather file", "save it as Parquet"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
    (b"\x93NUMPY", "a numpy file", "load it in Python and pass the arrays"),
    (b"%PDF", "a PDF", "export the table as CSV"),
    (b"\x89PNG", "a picture", "pass a CSV, TSV, Parquet or ARFF table"),
    (b"PARE", "an encrypted Parquet file", "save it without encryption"),
    (b"FEA1", "a Feather file", "save it as Parquet"),
    (b"$FL2", "an SPSS file", "save it as CSV"),
    (b"<stata_dta>", "a Stata file", "save it as CSV"),
    (b"RDX", "an R data file", "write it with write.csv"),
    (b"<!DOCTYPE", "a web page", "was it a login page? download the table again"),
    (b"<html", "a web page", "was it a login page? download the table again"),
    (b"<?xml", "XML", "export the table as CSV"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file", "type git lfs pull"),
)


def fetch(source: str | Path) -> tuple[str, bytes]:
    """Return the label and the unpacked bytes of a file; see `fetch_raw` and `content_of`."""
    label, raw = fetch_raw(source)
    return label, content_of(raw, label)


def fetch_raw(source: str | Path) -> tuple[str, bytes]:
    """Return the label and the bytes of a file, packed as they may be.

    Parameters
    ----------
    source : str or Path
        A path, or ``"-"`` for standard input.

    Returns
    -------
    tuple of (str, bytes)
        What messages call the table, and what is in the file.

    Raises
    ------
    InputError
        No such file, or a directory.
    ResourceError
        The file exists but cannot be read.
    """
    if not str(source).strip():
        raise refuse("no table is named; expected a path, or - for standard input")
    piped = str(source) == "-"
    label = "stdin" if piped else shown(source)
    return label, sys.stdin.buffer.read() if piped else _read(Path(source), label)


def content_of(raw: bytes, label: str) -> bytes:
    """Return the unpacked bytes of a table; gzip is recognised by its first bytes.

    Raises
    ------
    InputError
        An empty or truncated file, a foreign format.

    Examples
    --------
    >>> content_of(gzip.compress(b"a,b"), "t.csv.gz")
    b'a,b'
    """
    content = unpack(raw, label)
    if not content.strip():
        raise refuse(f"{label}: the file is empty; expected a header line and at least 10 rows")
    for magic, what, then in _FOREIGN:
        if content.startswith(magic):
            raise refuse(f"{label}: this is {what}; expected CSV, TSV, Parquet or ARFF (or .gz); {then}")
    return content


def shown(path: str | Path, limit: int = 100) -> str:
    """Return a path as messages show it: its last ``limit`` characters.

    >>> shown("data/t.csv"), shown("d" * 200 + "/t.csv", limit=10)
    ('data/t.csv', '…ddd/t.csv')
    """
    text = one_line(path, 10**6)
    return text if len(text) <= limit else "…" + text[1 - limit :]


def _read(path: Path, label: str) -> bytes:
    """Return the bytes of a file that can be read to its end."""
    if str(path).startswith(("http:/", "https:/", "s3:/")):
        raise refuse(f"{label}: this is an address; expected a local file; download it first")
    try:
        path = path.expanduser()
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise refuse(f"{label}: this is a directory; expected a table; {_inside(path)}")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise refuse(f"{label}: not a regular file; expected a table; type - to read standard input")
        return path.read_bytes()
    except InputError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise refuse(f"{label}: no such file; {_beside(path)}") from None
    except MemoryError:
        raise ResourceError(one_line(f"{label}: larger than the free memory; use fewer rows")) from None
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno not in (36, 40):
            reason = error.strerror or error
            raise ResourceError(one_line(f"{label}: cannot be read ({reason}); check its rights")) from None
        raise refuse(f"{label}: not a usable path; expected the name of a table") from None


def _inside(folder: Path) -> str:
    """Say which tables a folder holds."""
    ends = (".csv", ".tsv", ".txt", ".parquet", ".arff", ".gz")
    names = sorted(p.name for p in folder.iterdir() if p.name.lower().endswith(ends))
    return f"name one of its files, such as '{shown(folder / names[0])}'" if names else "name a file"


def _beside(path: Path) -> str:
    """Suggest the file of the same folder whose name is nearest."""
    folder = path.parent
    if not folder.is_dir():
        return f"the folder '{shown(folder)}' does not exist either"
    names = [p.name for p in folder.iterdir() if p.is_file()]
    hit = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    return f"did you mean '{shown(folder / hit[0])}'?" if hit else "check the name and the folder"


def unpack(raw: bytes, label: str) -> bytes:
    """Return ``raw`` without its gzip wrapping, where it has one.

    >>> unpack(gzip.compress(b"a,b"), "t.csv.gz")
    b'a,b'
    """
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    try:
        return gzip.decompress(raw)
    except EOFError:
        raise refuse(f"{label}: the gzip file is truncated; copy it again") from None
    except (OSError, zlib.error) as error:
        raise refuse(f"{label}: damaged gzip file ({error}); copy it again") from None
    except MemoryError:
        raise ResourceError(one_line(f"{label}: larger than the free memory when unpacked")) from None
