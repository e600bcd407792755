"""The peak memory of a process with all its children: proportional set sizes, sampled."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class Peak:
    """The largest sum of the proportional set sizes of this process and its children, sampled while it is open."""

    def __enter__(self) -> Peak:
        self.most, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.25):
            self.most = max(self.most, sum(map(pss, family(os.getpid()))))


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            found += family(int(child))
    return found


def pss(pid: int) -> int:
    """Return the bytes of a process, pages that are shared counted by their share; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
