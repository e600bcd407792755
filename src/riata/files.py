"""Writing files so that a reader finds the old one or the new one, never half of one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import sys
from pathlib import Path

from .errors import ResourceError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary sibling: write, fsync, read back, rename, fsync of the folder.

    Raises
    ------
    ResourceError
        If the disk or the rights do not allow it; a file that was there before is untouched.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if temporary.read_bytes() != content:
            raise OSError(errno.EIO, "what was written reads back differently")
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        why = error.strerror or error
        raise ResourceError(f"cannot write {path}: {why}; choose another --out or make room") from None


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk; Windows does that by itself."""
    if sys.platform == "win32":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, see :func:`write_bytes`."""
    write_bytes(path, text.encode("utf-8"))
