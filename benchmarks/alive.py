"""Which processes of a session are still there: what kill.py counts, and the tests of signals too."""

from __future__ import annotations

from pathlib import Path


def in_session(session: int) -> list[int]:
    """Return the processes of a session that live; one that has ended and was not waited for does not."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, *rest = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(rest[2]) == session and state != "Z":
                found.append(int(entry.name))
    return found
