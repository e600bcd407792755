"""Reading what others may have made: regular files of a bounded size, and JSON that means one thing only."""

from __future__ import annotations

import gc
import io
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError, ResourceError

__all__ = ["MOST_BYTES", "MOST_DEPTH", "MOST_VALUES", "open_regular", "parse", "read_json"]

MOST_BYTES = 32 * 2**20
"""Bytes of a JSON text; a table of 50,000 columns needs a quarter."""
MOST_VALUES = 750_000
"""Commas and brackets of a JSON text, which bound the values that reading it makes."""
MOST_DEPTH = 64
_MOST_DIGITS = 20
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def open_regular(path: Path) -> io.FileIO:
    """Open a regular file for reading, unbuffered; nothing else is waited for or read from.

    Raises
    ------
    FileNotFoundError
        If there is none.
    InputError
        If it is a folder, a pipe, a device, a loop of links, or its name cannot be one.
    ResourceError
        If the rights do not allow it.
    """
    try:
        _refuse_special(path.stat().st_mode)
        file = io.FileIO(path, "rb", opener=_without_waiting)
        try:
            _refuse_special(os.fstat(file.fileno()).st_mode)
        except InputError:
            file.close()
            raise
    except FileNotFoundError:
        raise
    except PermissionError:
        raise ResourceError(f"{path}: may not be read; check the rights of the file and its folder") from None
    except IsADirectoryError:
        raise InputError("a folder; expected a file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be opened ({getattr(error, 'strerror', None) or error})") from None
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe without a writer must not hang


def _refuse_special(mode: int) -> None:
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device or a socket"
        raise InputError(f"{what}; expected a file")


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, see :func:`parse`.

    Raises
    ------
    FileNotFoundError
        If there is none.
    InputError, ResourceError
        As :func:`open_regular` and :func:`parse` do.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > MOST_BYTES:
            raise InputError(f"{size / 1e6:.0f} MB; expected a text of at most {MOST_BYTES / 1e6:.0f} MB")
        return parse(file.read(size + 1))


def parse(content: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Refused, beside what is no JSON: a key twice in one object, NaN and Infinity, numbers beyond floating point, whole
    numbers of more than 20 digits, halves of characters, more than :data:`MOST_BYTES` bytes, :data:`MOST_VALUES`
    values or :data:`MOST_DEPTH` levels. Sizes are judged before anything is built.

    Raises
    ------
    InputError
        Saying which; without the file's name.

    Examples
    --------
    >>> parse(b'{"lam": 0.5, "kept": ["age"]}')
    {'lam': 0.5, 'kept': ['age']}
    >>> parse(b'{"lam": 0.5, "lam": 5}')
    Traceback (most recent call last):
    riata.errors.InputError: not strict JSON (the key 'lam' twice)
    """
    values = sum(content.count(mark) for mark in (b",", b"[", b"{"))
    if len(content) > MOST_BYTES or values > MOST_VALUES:
        raise InputError(f"JSON of {len(content) / 1e6:.0f} MB and about {values} values; expected "
                         f"{MOST_BYTES / 1e6:.0f} MB and {MOST_VALUES} at most")  # fmt: skip
    try:
        text = content.decode("utf-8")
        with _no_collection():
            value = json.loads(
                text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole
            )
        if _SURROGATE.search(content):
            json.dumps(value, ensure_ascii=False).encode()  # pairs make a character, a half alone does not
    except RecursionError:
        raise InputError("not strict JSON (nested too deeply)") from None
    except ValueError as error:
        raise InputError(f"not strict JSON ({_said(error)})") from None
    _refuse_depth(value)
    return value


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the collector of cycles from walking all of a large text's values again and again: there are no cycles."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _said(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return "half a character" if isinstance(error, UnicodeEncodeError) else str(error)[:120]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:40]!r} twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if value - value != 0:
        raise ValueError(f"the number {digits[:40]} is too large")
    return value


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)


def _refuse_depth(value: Any) -> None:
    level = [value] if isinstance(value, list | dict) else []
    for _ in range(MOST_DEPTH):
        inner = (part.values() if isinstance(part, dict) else part for part in level)
        level = [child for children in inner for child in children if isinstance(child, list | dict)]
        if not level:
            return
    raise InputError(f"not strict JSON (more than {MOST_DEPTH} levels)")
