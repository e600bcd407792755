"""Where a run writes: the name of a study, and a look at the folder before hours are spent."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from ..errors import InputError, ResourceError, one_line

ROOT = "riata-out"
LONGEST = 64
WRITTEN = (
    "decision.json", "figures.json", "timings.json", "results.parquet", "model.safetensors", "report.html",
    "journal.sqlite",
)  # fmt: skip
"""What a run may write into its folder."""


def study_name(label: str) -> str:
    """Return a table's name as the name of a folder: letters, digits, dot, underscore and hyphen, at most 64.

    >>> study_name("../héart data (2)"), study_name("..")
    ('h_art_data_2', 'table')
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", label).lstrip("._-").rstrip("_")[:LONGEST]
    return plain or "table"


def out_folder(out: str | None, name: str) -> Path:
    """Return the folder of a run, found fit to be written to; nothing is made yet.

    Parameters
    ----------
    out : str or None
        What ``--out`` says; None is ``riata-out/<name>``.

    Raises
    ------
    InputError
        A part of the path is a file, or the path cannot be a folder.
    ResourceError
        The folder, or the one it would be made in, cannot be written to.
    """
    if out is not None and not out.strip():
        raise InputError("--out is empty; type --out FOLDER")
    folder = Path(out) if out is not None else Path(ROOT) / study_name(name)
    try:
        there = next(p for p in (folder, *folder.absolute().parents) if is_there(p))
        if not there.is_dir():
            raise InputError(one_line(f"--out {folder}: {there} is a file; expected a folder; type another --out"))
        taken = [name for name in WRITTEN if there == folder and (folder / name).is_dir()]
    except (ValueError, OSError) as error:
        if isinstance(error, InputError):
            raise
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"--out {one_line(folder, 100)}: not a usable path ({why}); type another --out") from None
    if taken:
        raise InputError(one_line(f"--out {folder}: {taken[0]} in it is a folder; move it, or type another --out"))
    if not os.access(there, os.W_OK | os.X_OK):
        raise ResourceError(
            one_line(f"--out {folder}: {there} cannot be written to; check its rights, or type another --out")
        )
    return folder


def is_there(path: Path) -> bool:
    """Return whether something has this path; a path that cannot be one raises OSError or ValueError."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def file_to_write(path: str) -> Path:
    """Return the path of ``--to``, found fit to be written.

    Raises
    ------
    InputError
        It is a folder, or lies below a file.
    ResourceError
        Its folder cannot be written to.
    """
    target = Path(path)
    try:
        if not path.strip() or target.is_dir():
            raise InputError(one_line(f"--to {path!r} is a folder; type the name of a file, such as --to scores.csv"))
        out_folder(str(target.absolute().parent), "")
    except (InputError, ResourceError) as error:
        raise type(error)(str(error).replace("--out", "--to")) from None
    except (ValueError, OSError) as error:
        raise InputError(f"--to {one_line(path, 100)}: not a usable path ({error}); type another") from None
    return target


def sweep(folder: Path) -> None:
    """Delete what a killed run left half-written in a folder (this run holds its journal)."""
    for name in WRITTEN:
        for left in folder.glob(f".{name}.*.part"):
            with contextlib.suppress(OSError):
                left.unlink()
