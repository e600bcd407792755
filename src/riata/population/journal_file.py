"""The file of a journal: SQLite opened for one process alone, and what a broken disk or a second run does to it."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from ..errors import InputError, ResourceError

FORMAT = 1
TABLES = {
    "facts": "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "notes": "CREATE TABLE notes (name TEXT PRIMARY KEY, content BLOB NOT NULL)",
    "pieces": "CREATE TABLE pieces (id INTEGER PRIMARY KEY, members TEXT NOT NULL, words TEXT NOT NULL, "
    "arrays BLOB NOT NULL)",
}
STAGES = "CREATE TABLE IF NOT EXISTS stages (id TEXT PRIMARY KEY, stage TEXT NOT NULL, members TEXT NOT NULL)"
"""What was to be trained: only ``riata status`` reads it."""
PATIENCE = 0.3
"""Seconds to wait for a lock: somebody who looks whether a run is alive holds it for an instant."""
LOCK = 0x40000002, 510
"""Where SQLite locks the file of an open database: first byte and number of bytes (its ``os.h``, SHARED_FIRST)."""
LOOKS = 20
T = TypeVar("T")


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal for this process alone; the lock ends with the process, also with one that is killed.

    Raises
    ------
    InputError
        Another process has it open, or it is an SQLite file of something else.
    ResourceError
        It cannot be opened or locked here.
    sqlite3.DatabaseError
        It is not an SQLite file.
    """

    def opened() -> sqlite3.Connection:
        database = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
                database.execute(f"PRAGMA {pragma}")
            database.execute("BEGIN IMMEDIATE")
            database.execute("COMMIT")
            there = tables_of(database)
            if there and not there >= TABLES.keys():
                why = f"{path}: an SQLite file, but not a journal of riata; move it away, or give another --out"
                raise InputError(why)
        except BaseException:
            database.close()
            raise
        return database

    return guarded(path, opened)


def tables_of(database: sqlite3.Connection) -> set[str]:
    """Return the names of the tables."""
    return {str(name) for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def guarded(path: Path, act: Callable[[], T]) -> T:
    """Run ``act``; turn a lock of another run and a disk that does not do into errors a user can act on."""
    try:
        return act()
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise InputError(f"{path}: another run is writing here; wait for it, or give another --out") from None
        raise ResourceError(f"cannot write {path}: {error}; choose another --out or make room") from None
    except OSError as error:
        if isinstance(error, ResourceError):
            raise
        raise ResourceError(f"cannot write {path}: {error.strerror or error}; choose another --out") from None


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Commit what is done inside, or none of it."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            database.execute("ROLLBACK")
        raise


def beside(path: Path) -> list[Path]:
    """Return a journal's file and what SQLite keeps beside it: its log, and what a failed start can leave.

    >>> [p.name for p in beside(Path("journal.sqlite"))]
    ['journal.sqlite', 'journal.sqlite-wal', 'journal.sqlite-journal', 'journal.sqlite-shm']
    """
    return [path.with_name(path.name + ending) for ending in ("", "-wal", "-journal", "-shm")]


def remove(path: Path) -> None:
    """Delete a journal and what SQLite keeps beside it."""
    for file in beside(path):
        file.unlink(missing_ok=True)


def is_open(path: Path) -> bool:
    """Return whether another process has a journal open; nothing is waited for and nothing is written.

    Do not call it in a process that has the journal open itself: POSIX would take its lock away.
    """
    if sys.platform == "win32":
        try:
            connect(path).close()
        except InputError:
            return True
        return False
    import fcntl

    start, count = LOCK
    with path.open("rb") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, count, start)
        except OSError:
            return True
    return False


@contextlib.contextmanager
def copied(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy of a journal, also while a run writes to it.

    The log is copied after the file. Pages that a checkpoint changes meanwhile are all in the log, so the copy is
    whole unless the log was begun again, which changes the salts in its head; then it is copied again.

    References
    ----------
    SQLite, *WAL-mode file format*, sections 1.2 to 1.4.
    """
    with tempfile.TemporaryDirectory(prefix="riata-") as folder:
        target = Path(folder) / path.name
        log = beside(path)[1]
        for _ in range(LOOKS):
            before = head(log)
            remove(target)
            shutil.copyfile(path, target)
            for file, copy in zip(beside(path)[1:3], beside(target)[1:3], strict=True):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(file, copy)
            if head(log) == before:
                break
        with contextlib.closing(sqlite3.connect(target)) as database:
            yield database


def head(log: Path) -> bytes | None:
    """Return the head of a write-ahead log; None where there is none."""
    try:
        with log.open("rb") as file:
            return file.read(32)
    except FileNotFoundError:
        return None
