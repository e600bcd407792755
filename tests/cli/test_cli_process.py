"""The program as a process: how fast it says what it can, and how it leaves when it is told to."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_processes import ENVIRONMENT, RIATA, STOPPED, in_session, left_after, started, until_it_trains

from riata.population.journal import Journal

Run = Callable[..., tuple[int, str, str]]
LONG = "--penalties l1 --folds 5 --seeds 8 --path-length 40 --hidden 16 --epochs 300 --patience 300".split()  # noqa: SIM905


def test_help_and_refusals_import_no_torch() -> None:
    code = (
        "import sys, riata.cli, riata.cli.app\n"
        "codes = [riata.cli.main(w) for w in (['--help'], ['choose', '--help'], ['choose', '--folds', 'x'])]\n"
        "heavy = {'torch', 'numpy', 'polars', 'sklearn'} & set(sys.modules)\n"
        "assert codes == [0, 0, 2] and not heavy, (codes, heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to look for orphans")
@pytest.mark.parametrize(("number", "workers", "to_all"), [(signal.SIGTERM, 1, False), (signal.SIGINT, 2, True)])
def test_signal_ends_the_workers_too(ill: Path, number: signal.Signals, workers: int, to_all: bool) -> None:
    process = started("choose", ill, "--target", "ill", *LONG, "--workers", workers, "--out", "out", "--budget", "1h")
    until_it_trains(process)
    assert len(in_session(process.pid)) >= (1 + workers if workers > 1 else 1)
    send = os.killpg if to_all else os.kill
    send(process.pid, number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert out == "" and "Traceback" not in err
    assert err.splitlines()[-1] == STOPPED
    assert left_after(process.pid, 5) == []
    assert [p.name for p in Path("out").iterdir()] == ["journal.sqlite"]


def test_second_run_on_a_live_folder_is_refused(riata: Run, ill: Path, made: Any) -> None:
    with Journal.open(Path("out/journal.sqlite"), {}) as journal:
        journal.remember("plan", b"x")
        code, out, err = riata("choose", ill, "--target", "ill", *made.small, "--out", "out")
        assert (code, out) == (2, "") and "another run" in err and err.count("\n") == 1
        assert journal.recall("plan") == b"x"
    assert riata("choose", ill, "--target", "ill", *made.small, "--out", "out")[0] == 0


def test_reader_that_leaves_is_no_error(riata: Run, ill: Path, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([*RIATA, "--help"], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b"" and process.wait(timeout=60) == 0

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", Closed())
    code, _, err = riata("choose", ill, "--target", "ill", *made.small, "--penalties", "l2", "--quiet", "--json")
    assert (code, err) == (0, "") and Path("riata-out/ill/decision.json").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_behind_stdout() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*RIATA, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 3 and done.stderr.count("\n") == 1 and done.stderr.startswith("riata: ")
