"""One run on a folder: a second is refused, and a lock whose owner is dead is taken over."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from riata.cli import main
from riata.errors import InputError
from riata.population.journal import Journal
from riata.population.journal_file import is_open

OPTIONS = "--folds 3 --seeds 1 --path-length 3 --penalties l1 --hidden 4 --epochs 5 --workers 1 --out out --quiet"
WORDS = ["choose", "t.csv", "--target", "y", *OPTIONS.split()]
HOLD = (
    "import sys, time; from riata.population.journal import Journal; journal = Journal.open(sys.argv[1], {'a': 1})\n"
    "journal.remember('plan', b'x'); print('held', flush=True); time.sleep(600)"
)


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[str]:
    """A live process that holds out/journal.sqlite."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("a,b,y\n" + "\n".join(f"{i % 7},{i % 5},{i % 2}" for i in range(60)) + "\n")
    words = [sys.executable, "-c", HOLD, "out/journal.sqlite"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait(timeout=20)
    process.stdout.close()


def test_a_second_run_is_refused_until_the_first_is_dead(
    held: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for again in ([], ["--resume"]):
        assert main([*WORDS, *again]) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1 and "another run is writing here" in said.err
    assert [p.name for p in Path("out").iterdir() if p.suffix != ".sqlite-wal"] == ["journal.sqlite"]
    os.kill(held.pid, signal.SIGKILL)
    held.wait(timeout=20)
    with Journal.open(Path("out/journal.sqlite"), {"a": 1}, resume=True) as journal:
        assert journal.recall("plan") == b"x"
    assert main(WORDS) == 0 and Path("out/decision.json").exists()


def test_looking_whether_a_run_is_alive_does_not_disturb_it(held: subprocess.Popen[str]) -> None:
    path = Path("out/journal.sqlite")
    assert all(is_open(path) for _ in range(50))
    with pytest.raises(InputError, match="another run"):
        Journal.open(path, {})
    held.kill()
    held.wait(timeout=20)
    assert not is_open(path)


def test_a_run_begins_while_somebody_looks(tmp_path: Path) -> None:
    """Whoever looks holds the lock for an instant: the run waits that long."""
    path = tmp_path / "journal.sqlite"
    with Journal.open(path, {}) as journal:
        journal.remember("plan", b"x")
    code = (
        "import sys; from pathlib import Path; from riata.population.journal_file import is_open\n"
        "print('looking', flush=True)\n"
        "while True: is_open(Path(sys.argv[1]))"
    )
    looker = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert looker.stdout is not None and looker.stdout.readline() == "looking\n"
    try:
        until = time.monotonic() + 3
        while time.monotonic() < until:
            Journal.open(path, {}, resume=True).close()
    finally:
        looker.kill()
        looker.wait(timeout=20)
        looker.stdout.close()


def test_an_sqlite_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE mine (a)")
    database.commit()
    database.close()
    before = path.read_bytes()
    for resume in (False, True):
        with pytest.raises(InputError, match="not a journal of riata"):
            Journal.open(path, {}, resume=resume)
    database = sqlite3.connect(path)
    assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)] and before
    database.close()
