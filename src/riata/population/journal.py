"""What a run has finished, written down piece by piece, so that a run that was killed goes on where it was."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from ..errors import InputError, ResourceError
from ..results import MemberResult
from .design import Design
from .journal_file import FORMAT, STAGES, TABLES, connect, guarded, remove, tables_of, transaction
from .pieces import digest, member_keys, pack, stage_of, unpack, wanted_of
from .run import Blocks

SPENT = "seconds"
"""The note of the seconds that a run had spent when it last wrote, as a number in plain text."""


class Journal:
    """The finished pieces of one run in an SQLite file (WAL, every commit on the disk), locked while it is open.

    A row holds a chunk of members: their keys, their words as JSON and their numbers as safetensors bytes. The key of
    a member is a SHA-256 over the training, the data, the split's rows and the member itself, so a result is only ever
    found again for exactly the same work. Open one with :meth:`open`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "journal.sqlite"
    >>> with Journal.open(path, {"--seed": 0}) as journal:
    ...     journal.remember("plan", b"five folds")
    >>> with Journal.open(path, {"--seed": 0}, resume=True) as journal:
    ...     journal.recall("plan")
    b'five folds'
    """

    def __init__(self, path: Path, facts: Mapping[str, Any], database: sqlite3.Connection | None) -> None:
        self.path = path
        self._facts = plain_facts(facts)
        self._database = database
        self._begun = False
        self._opened, self._before = time.perf_counter(), 0.0
        self._stages: set[str] = set()
        self._where: dict[str, tuple[int, int]] = {}
        self._last: tuple[Blocks, Design, list[str]] | None = None

    @classmethod
    def open(cls, path: str | Path, facts: Mapping[str, Any], resume: bool = False) -> Journal:
        """Lock the journal at ``path`` and compare what it was written for; nothing is written yet.

        Parameters
        ----------
        path : str or Path
            Need not exist; its folder is made with the first piece.
        facts : mapping of str to JSON values
            What the run is: the table's hash, the options, the version.
        resume : bool
            Go on with the pieces that are there; otherwise they are replaced once there is something to write.

        Raises
        ------
        InputError
            Another run holds the journal, or the file is not one; or, with ``resume``, a fact differs, the file is
            damaged or too new.
        ResourceError
            The file cannot be opened.
        """
        path = Path(path)
        found = cls(path, facts, None)
        if not path.exists():
            return found
        try:
            found._database = connect(path)
            if resume:
                guarded(path, found._take_up)
        except BaseException as error:
            found.close()
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                if resume:
                    why = f"{path}: damaged, or not a journal of riata ({error}); leave out --resume to begin again"
                    raise InputError(why) from None
                remove(path)
                return cls(path, facts, None)
            raise
        return found

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; what was added stays."""
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
        self._database = None

    def known(self, blocks: Blocks, design: Design) -> dict[int, MemberResult]:
        """Return the members of a design that are already there; a row that cannot be read is done again."""
        wanted: dict[int, list[tuple[int, int]]] = {}
        for i, key in enumerate(self._keys(blocks, design)):
            if key in self._where:
                piece, place = self._where[key]
                wanted.setdefault(piece, []).append((i, place))
        found: dict[int, MemberResult] = {}
        for piece, places in wanted.items():
            results = self._read(piece)
            found.update({i: results[place] for i, place in places if place < len(results)})
        return found

    def add(self, blocks: Blocks, design: Design, ids: list[int], results: list[MemberResult]) -> None:
        """Write one finished chunk: it is on the disk when this returns.

        Raises
        ------
        ResourceError
            The disk is full or the rights do not allow it.
        """
        keys = self._keys(blocks, design)
        words, arrays = pack(results)
        row = (json.dumps([keys[i] for i in ids]), words, arrays)
        stage = self._stage(design, keys)
        piece = self._write("INSERT INTO pieces (members, words, arrays) VALUES (?, ?, ?)", row, stage)
        self._where.update({keys[i]: (piece, place) for place, i in enumerate(ids)})

    def recall(self, name: str) -> bytes | None:
        """Return what was remembered under ``name`` by the run that is resumed, or None.

        Raises
        ------
        InputError
            The note cannot be read: the file is damaged.
        """
        if not self._begun or self._database is None:
            return None
        try:
            rows = self._database.execute("SELECT content FROM notes WHERE name = ?", (name,)).fetchall()
        except sqlite3.DatabaseError as error:
            raise InputError(f"{self.path}: damaged ({error}); leave out --resume to begin again") from None
        return bytes(rows[0][0]) if rows else None

    def remember(self, name: str, content: bytes) -> None:
        """Write down something that a resumed run must not measure again, such as a plan that depends on the clock."""
        self._write("INSERT OR REPLACE INTO notes (name, content) VALUES (?, ?)", (name, content))

    def _take_up(self) -> None:
        """Compare the facts and index the pieces; a file that was killed before it held any is begun anew."""
        assert self._database is not None
        version = int(self._database.execute("PRAGMA user_version").fetchone()[0])
        if version > FORMAT:
            raise InputError(f"{self.path}: journal format {version} is newer than {FORMAT}; update riata")
        if version == 0:
            return
        there = {name: json.loads(value) for name, value in self._database.execute("SELECT name, value FROM facts")}
        for name in dict.fromkeys([*self._facts, *there]):
            if there.get(name) != self._facts.get(name):
                raise InputError(difference(self.path, name, there.get(name), self._facts.get(name)))
        self._begun = True
        self._before = float(self.recall(SPENT) or 0.0)
        for piece, members in self._database.execute("SELECT id, members FROM pieces"):
            with contextlib.suppress(ValueError):
                self._where.update({key: (piece, place) for place, key in enumerate(json.loads(members))})

    def _begin(self) -> sqlite3.Connection:
        """Return the database, made or emptied if this run has not written yet."""
        if self._database is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = connect(self.path)
        if not self._begun:
            with transaction(self._database) as database:
                for name in tables_of(database):
                    database.execute('DROP TABLE "' + name.replace('"', '""') + '"')
                for statement in TABLES.values():
                    database.execute(statement)
                rows = [(name, json.dumps(value)) for name, value in self._facts.items()]
                database.executemany("INSERT INTO facts VALUES (?, ?)", rows)
                database.execute(f"PRAGMA user_version = {FORMAT}")
            self._begun = True
        return self._database

    def _write(self, statement: str, row: tuple[Any, ...], stage: tuple[str, str, str] | None = None) -> int:
        """Write a row, the seconds spent until now and what was to be trained, all or nothing."""

        def write() -> int:
            with transaction(self._begin()) as database:
                if stage is not None:
                    database.execute(STAGES)
                    database.execute("INSERT OR IGNORE INTO stages VALUES (?, ?, ?)", stage)
                spent = self._before + time.perf_counter() - self._opened
                database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (SPENT, f"{spent:.2f}".encode()))
                return int(database.execute(statement, row).lastrowid or 0)

        try:
            written = guarded(self.path, write)
        except sqlite3.DatabaseError as error:
            raise ResourceError(
                f"cannot write {self.path}: {error}; leave out --resume, or give another --out"
            ) from None
        if stage is not None:
            self._stages.add(stage[0])
        return written

    def _stage(self, design: Design, keys: list[str]) -> tuple[str, str, str] | None:
        """Return what a design wants, where that has not been written yet."""
        name = digest("".join(keys))
        return None if name in self._stages else (name, stage_of(design), wanted_of(design, keys))

    def _read(self, piece: int) -> list[MemberResult]:
        assert self._database is not None
        try:
            rows = self._database.execute("SELECT words, arrays FROM pieces WHERE id = ?", (piece,)).fetchall()
            return unpack(*rows[0]) if rows else []
        except (sqlite3.DatabaseError, SafetensorError, ValueError, KeyError, TypeError, IndexError):
            return []

    def _keys(self, blocks: Blocks, design: Design) -> list[str]:
        if self._last is None or self._last[0] is not blocks or self._last[1] is not design:
            self._last = (blocks, design, member_keys(blocks, design))
        return self._last[2]


def plain_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as JSON reads them back (tuples as lists)."""
    return {str(k): json.loads(json.dumps(v, sort_keys=True)) for k, v in facts.items()}


def difference(path: Path, name: str, there: Any, here: Any) -> str:
    """Say which fact of a resumed run differs and what to type."""
    if name.startswith("--"):
        words = [json.dumps(v, ensure_ascii=False) for v in (there, here)]
        began = f"{path}: the run began with {name} {words[0]}, now it is {words[1]}"
        return f"{began}; type it as before, or leave out --resume"
    if name == "table":
        return f"{path}: the run began with another table (its content differs); pass that table, or leave out --resume"
    return f"{path}: the run began with {name} {there}, this is {here}; leave out --resume to begin again"
