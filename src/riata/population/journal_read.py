"""What a journal holds, read from a copy: also of a run that is alive, which is not disturbed."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, ResourceError
from .journal_file import FORMAT, beside, copied, tables_of


@dataclass(frozen=True)
class Held:
    """The content of a journal, without the results.

    Attributes
    ----------
    facts : dict
        What the run is: the table's hash, the options, the version.
    notes : dict of name to bytes
    stages : dict of stage to dict of penalty to (done, wanted)
        Networks, in the order in which they were begun.
    pieces, networks : int
        Rows, and members in them.
    written : float
        When it was last written to, in seconds since 1970 (UTC).
    """

    facts: dict[str, Any]
    notes: dict[str, bytes]
    stages: dict[str, dict[str, tuple[int, int]]]
    pieces: int
    networks: int
    written: float


def read_journal(path: Path) -> Held:
    """Return what a journal holds; not to be called in the process that writes it, see :func:`is_open`.

    Raises
    ------
    InputError
        It is not a journal, damaged, or newer than this version.
    ResourceError
        It cannot be read.
    """
    try:
        written = max(p.stat().st_mtime for p in beside(path)[:2] if p.exists())
        with copied(path) as database:
            version = int(database.execute("PRAGMA user_version").fetchone()[0])
            if version > FORMAT:
                raise InputError(f"{path}: journal format {version} is newer than {FORMAT}; update riata")
            if version == 0:  # killed before it held anything
                return Held({}, {}, {}, 0, 0, written)
            return _held(database, written)
    except (sqlite3.DatabaseError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: damaged, or not a journal of riata ({error}); run riata choose again") from None
    except OSError as error:
        if isinstance(error, ResourceError):
            raise
        raise ResourceError(f"cannot read {path}: {error.strerror or error}; check its rights") from None


def _held(database: sqlite3.Connection, written: float) -> Held:
    """Read the tables of a journal."""
    facts = {name: json.loads(value) for name, value in database.execute("SELECT name, value FROM facts")}
    notes = {name: bytes(content) for name, content in database.execute("SELECT name, content FROM notes")}
    pieces = [json.loads(members) for (members,) in database.execute("SELECT members FROM pieces")]
    done = {key for members in pieces for key in members}
    stages: dict[str, dict[str, tuple[int, int]]] = {}
    asked = "SELECT stage, members FROM stages ORDER BY rowid" if "stages" in tables_of(database) else None
    for stage, members in database.execute(asked) if asked else ():
        counts = stages.setdefault(stage, {})
        for penalty, keys in json.loads(members).items():
            before = counts.get(penalty, (0, 0))
            counts[penalty] = before[0] + sum(key in done for key in keys), before[1] + len(keys)
    return Held(facts, notes, stages, len(pieces), len(done), written)
