"""The program as a process of its own: started, waited for until it trains, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from load_modules import BENCHMARKS, load

RIATA = (sys.executable, "-m", "riata")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
STOPPED = "riata: stopped; type the command again with --resume to go on"
"""The last line of a run that a signal ended."""

in_session = load(BENCHMARKS / "alive.py").in_session


def started(*words: object, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Start ``riata`` in a session of its own."""
    return subprocess.Popen(
        [*RIATA, *map(str, words)], env=ENVIRONMENT, text=True, cwd=cwd,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def until_it_trains(process: subprocess.Popen[str]) -> None:
    """Read what a run says until the first network is trained."""
    assert process.stderr is not None
    said = ""
    while "training networks" not in (line := process.stderr.readline()):
        said += line
        assert line, f"ended with {process.wait()} before it trained: {said}"


def left_after(session: int, seconds: float) -> list[int]:
    """Return the processes of a session that are there after some seconds; none as soon as there are none."""
    until = time.monotonic() + seconds
    while (left := in_session(session)) and time.monotonic() < until:
        time.sleep(0.05)
    return list(left)
