"""SIGTERM and SIGINT at random times: 143 or 130 within ten seconds, nothing left running, and the run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from run_processes import STOPPED, in_session, left_after, started, until_it_trains

from riata.population.journal import Journal
from riata.population.journal_file import is_open
from riata.population.journal_read import read_journal

OPTIONS = "--folds 4 --seeds 4 --path-length 20 --penalties l1 --hidden 16 --epochs 200 --patience 200 --dropout 0"
WORDS = ["choose", "t.csv", "--target", "y", *OPTIONS.split(), "--workers", "2", "--out", "out", "--budget", "1h"]
STARTED = 0.3
"""Seconds that Python takes until the program can listen; a signal before ends it as signals do."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to look for orphans")


def table(folder: Path) -> None:
    x = np.random.default_rng(0).normal(size=(200, 5)).round(3)
    lines = [",".join(map(str, [*row, int(row[0] + row[1] > 0)])) for row in x]
    (folder / "t.csv").write_text("\n".join(["a,b,c,d,e,y", *lines]) + "\n")


ROUNDS = (
    (signal.SIGTERM, "while it starts", os.kill),
    (signal.SIGINT, "while it trains", os.killpg),
    (signal.SIGTERM, "while it trains", os.kill),
    (signal.SIGINT, "while it trains", os.kill),
)


def test_signals_at_random_times_of_a_run_with_two_workers(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    table(tmp_path)
    journal, held = tmp_path / "out" / "journal.sqlite", 0
    for i, (number, when, send) in enumerate(ROUNDS):
        process = started(*WORDS, *(["--resume"] if i else []), cwd=tmp_path)
        if when == "while it trains":
            until_it_trains(process)
            time.sleep(float(rng.random()) * 3)
        else:
            time.sleep(STARTED + float(rng.random()) * 3)
        sent = time.monotonic()
        send(process.pid, number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 128 + number, err
        assert time.monotonic() - sent < 10
        assert out == "" and "Traceback" not in err
        assert err.splitlines()[-1] == STOPPED
        assert left_after(process.pid, 10) == []
        if journal.exists():
            assert not is_open(journal)
            now = read_journal(journal).networks
            assert now >= held
            held = now
    assert held > 0 and sorted(p.name for p in (tmp_path / "out").iterdir()) == ["journal.sqlite"]
    Journal.open(journal, read_journal(journal).facts, resume=True).close()


def test_a_call_that_cannot_be_interrupted_is_left_in_time() -> None:
    """SQLite counts for minutes inside one call: Python's handlers do not run, the limit does."""
    code = (
        "import sqlite3; from riata.cli import signals\n"
        "signals.PATIENCE = 0.5\n"
        "with signals.watching(signals.Stop(), process=True):\n"
        "    print('in', flush=True)\n"
        "    count = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c'\n"
        "    sqlite3.connect(':memory:').execute(count).fetchall()\n"
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "in\n"
        time.sleep(0.3)
        process.send_signal(number)
        try:
            assert process.wait(timeout=20) == 128 + number
        finally:
            process.kill()
            process.stdout.close()


def test_the_limit_ends_with_the_block_it_is_for() -> None:
    """Called inside another program, a stop that is over must not end that program later."""
    code = (
        "import os, signal, time; from riata.cli import signals\n"
        "signals.PATIENCE = 0.5\n"
        "try:\n"
        "    with signals.watching(signals.Stop(), process=False):\n"
        "        os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)\n"
        "except signals.Stopped: pass\n"
        "time.sleep(1.5); print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_killed_driver_takes_its_workers_along(tmp_path: Path) -> None:
    table(tmp_path)
    process = started(*WORDS, cwd=tmp_path)
    until_it_trains(process)
    until = time.monotonic() + 60
    while len(in_session(process.pid)) < 3 and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(timeout=20) == -signal.SIGKILL
    assert process.stderr is not None
    process.stderr.close()
    # a worker that is just starting notices when it has started
    assert left_after(process.pid, 30) == [] and not is_open(tmp_path / "out" / "journal.sqlite")
