"""Memory: how much this process may still use, and one line where something would need more."""

from __future__ import annotations

import os
from pathlib import Path

from riata.errors import ResourceError

__all__ = ["PART", "available", "require"]

PART = 0.7
"""Part of the available memory that may be asked for at once."""


def available(root: Path = Path("/")) -> int | None:
    """Return the bytes that are free for this process, or None where the system does not say.

    The least of ``MemAvailable`` and what the control groups (versions 2 and 1) leave, files that can be given up
    counted as free; without either, the physical memory.

    Parameters
    ----------
    root : path
        Where ``proc`` and ``sys`` are.
    """
    found = [value for value in (_meminfo(root), _group(root)) if value is not None]
    if found:
        return max(0, min(found))
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
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
