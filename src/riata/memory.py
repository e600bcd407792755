"""Memory: how much this process may still use, and one line where something would need more."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from riata.errors import InputError, ResourceError

__all__ = ["LIMIT", "PART", "available", "limit", "require", "used"]

PART = 0.7
"""Part of the available memory that may be asked for at once."""
LIMIT = "RIATA_MEMORY_LIMIT"
"""Environment variable with the bytes that a run may use in all its processes, such as ``2GiB`` or ``1500MB``."""
UNITS: Mapping[str, int] = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40,
}  # fmt: skip


def available(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> int | None:
    """Return the bytes that are free for this process, or None where the system does not say.

    The least of ``MemAvailable``, of what the control groups (versions 2 and 1) leave, files that can be given up
    counted as free, and of what :data:`LIMIT` leaves; without any of them, the physical memory.

    Parameters
    ----------
    root : path
        Where ``proc`` and ``sys`` are.
    environment : mapping
        Where :data:`LIMIT` may be set.

    Raises
    ------
    InputError
        If :data:`LIMIT` is not a size.
    """
    own = limit(environment)
    left = None if own is None else own - (used(root) or 0)
    found = [value for value in (_meminfo(root), _group(root), left) if value is not None]
    if found:
        return max(0, min(found))
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def limit(environment: Mapping[str, str] = os.environ) -> int | None:
    """Return the bytes that :data:`LIMIT` allows, or None where it is not set.

    Raises
    ------
    InputError
        If it is not a size.

    Examples
    --------
    >>> limit({"RIATA_MEMORY_LIMIT": "1.5 GiB"}), limit({})
    (1610612736, None)
    """
    text = environment.get(LIMIT, "").strip()
    if not text:
        return None
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-z]*)", text, re.ASCII)
    if not found or found[2].upper() not in UNITS or float(found[1]) == 0:
        raise InputError(f"{LIMIT}={text[:40]!r} is not a size; type {LIMIT}=2GiB")
    return int(float(found[1]) * UNITS[found[2].upper()])


def used(root: Path = Path("/")) -> int | None:
    """Return the bytes that this process holds now, or None where the system does not say."""
    for line in _text(root / "proc/self/status").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return None


def require(size: int, what: str, instead: str, free: int | None = None) -> None:
    """Refuse to go on where ``what`` would take more than 70% of the memory that is available.

    Raises
    ------
    ResourceError
        In one line, with both sizes and what to do ``instead``.

    Examples
    --------
    >>> require(8_000_000_000, "the matrix", "keep it in a file", free=10_000_000_000)
    Traceback (most recent call last):
    riata.errors.ResourceError: the matrix needs 8.0 GB, 10.0 GB are available; expected at most 70%: keep it in a file
    """
    free = available() if free is None else free
    if free is not None and size > PART * free:
        raise ResourceError(
            f"{what} needs {size / 1e9:.1f} GB, {free / 1e9:.1f} GB are available;"
            f" expected at most {PART:.0%}: {instead}"
        )


def _meminfo(root: Path) -> int | None:
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _group(root: Path) -> int | None:
    """Return what the limits of the control groups leave, or None without a limit."""
    base = root / "sys/fs/cgroup"
    names = [line.split(":", 2)[-1].strip("/") for line in _text(root / "proc/self/cgroup").splitlines()]
    left = []
    for folder in {base, *(base / name for name in names)}:
        left.append(_left(folder, "memory.max", "memory.current", "inactive_file"))
    for folder in {base / "memory", *(base / "memory" / name for name in names)}:
        left.append(_left(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"))
    return min((value for value in left if value is not None), default=None)


def _left(folder: Path, limit: str, used: str, idle: str) -> int | None:
    top, now = _text(folder / limit).strip(), _text(folder / used).strip()
    if not (top.isdigit() and now.isdigit()) or int(top) >= 1 << 60:
        return None
    lines = (line.split() for line in _text(folder / "memory.stat").splitlines())
    return int(top) - int(now) + sum(int(line[1]) for line in lines if line and line[0] == idle)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
