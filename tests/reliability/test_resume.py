"""A run that is killed anywhere and resumed decides the same, byte for byte; another run is not taken for it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from riata.choice.plan_memory import TIMES
from riata.choice.timings import SCHEMA
from riata.cli import main
from riata.population.journal import Journal
from riata.population.journal_read import read_journal

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
CHOOSE = "choose t.csv --target y --folds 3 --seeds 1 --path-length 3 --penalties l1 --hidden 4 --epochs 5 --workers 1"
WORDS = [*CHOOSE.split(), "--dropout", "0", "--out", "out", "--quiet"]
TIMED = ("decision.json", "timings.json", "report.html")


def program(name: str, *words: str) -> dict[str, object]:
    """Run a benchmark program and return the figure in its last line."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{name}.py"), *words],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=550, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(path: Path, seed: int = 0) -> None:
    x = np.random.default_rng(seed).normal(size=(60, 3)).round(3)
    path.write_text("\n".join(["a,b,c,y", *[f"{a},{b},{c},{int(a + c > 0)}" for a, b, c in x]]) + "\n")


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody disturbed, with its table."""
    folder = tmp_path_factory.mktemp("decided")
    table(folder / "t.csv")
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(WORDS) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def copy(decided: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(decided, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith("journal")}


@pytest.mark.skipif(not hasattr(os, "fork") or not Path("/proc/self/stat").exists(), reason="needs fork and /proc")
def test_fifty_kills_change_nothing() -> None:
    figure = program("kill", "--kills", "50", "--most", "24", "--workers", "1,2", "--share", "0.92")
    assert figure["kills"] == 50 and figure["finished"] >= 2
    assert (figure["different"], figure["lost"], figure["orphans"]) == ([], 0, 0)
    landed = figure["landed"]
    assert isinstance(landed, dict) and len(landed) >= 3, landed


def test_log_cut_in_its_last_frame_loses_the_last_piece_at_most() -> None:
    figure = program("cut", "--step", "48")
    assert isinstance(figure["cuts"], int) and figure["cuts"] > 300
    assert (figure["unreadable"], figure["wrong"], figure["lost more than one"]) == (0, 0, 0)
    assert figure["lost none"] == 3  # the whole log, once for each way to damage it


def test_a_finished_run_resumed_writes_the_same_bytes_also_of_its_times(copy: Path) -> None:
    before = files(copy / "out")
    assert {"decision.json", "figures.json", "timings.json", "model.safetensors", "report.html"} <= before.keys()
    for name in before:
        (copy / "out" / name).unlink()
    assert main([*WORDS, "--resume"]) == 0
    assert files(copy / "out") == before


def test_only_seconds_and_the_times_beside_it_know_the_clock(copy: Path) -> None:
    before = files(copy / "out")
    shutil.rmtree(copy / "out")
    assert main(WORDS) == 0
    after = files(copy / "out")
    assert {name for name in before if before[name] != after[name]} <= set(TIMED)
    lines = [f["decision.json"].splitlines() for f in (before, after)]
    differ = {a.split(b":")[0].strip() for a, b in zip(*lines, strict=True) if a != b}
    assert differ <= {b'"seconds"'}
    timings = json.loads(after["timings.json"])
    assert timings["schema"] == SCHEMA and set(timings) == {"schema", "estimate_seconds", "stages", "size"}
    assert "milliseconds" not in after["figures.json"].decode() and "stages" not in json.loads(after["figures.json"])


def test_a_report_is_drawn_without_the_times_too(copy: Path) -> None:
    page = (copy / "out" / "report.html").read_bytes()
    assert main(["report", "out", "--quiet"]) == 0 and (copy / "out" / "report.html").read_bytes() == page
    (copy / "out" / "timings.json").unlink()
    assert main(["report", "out", "--quiet"]) == 0
    assert " ms" not in (copy / "out" / "report.html").read_text().partition("multiply-adds for")[2][:60]


def test_damaged_times_are_refused(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content in ("{", "[]", '{"schema": 99}', '{"schema": 1, "size": {"before": 1, "after": 2}, "stages": 4}'):
        (copy / "out" / "timings.json").write_text(content)
        capsys.readouterr()
        assert main(["report", "out", "--quiet"]) == 2, content
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and said.startswith("riata: out"), said


def test_seconds_go_on_from_the_seconds_of_the_killed_run(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal.open(path, {}) as journal:
        journal._before = 100.0
        journal.remember("plan", b"x")
    for least in (100.0, 100.0):
        with Journal.open(path, {}, resume=True) as journal:
            known = journal.recall("seconds")
            assert known is not None and least <= float(known) < 160.0
            journal.remember("plan", b"y")


CHANGED = {
    "table": (["--epochs", "5"], "another table"),
    "version": ([], "riata 0.0.1"),
    "torch": ([], "torch 1.0"),
    "--epochs": (["--epochs", "6"], "--epochs 5, now it is 6"),
    "--seed": (["--seed", "1"], "--seed 0, now it is 1"),
    "--penalties": (["--penalties", "l1,l2"], '--penalties ["l1"], now it is ["l1", "l2"]'),
    "--goal": (["--goal", "selection"], '--goal "prediction", now it is "selection"'),
    "--hidden": (["--hidden", "none"], "--hidden [4], now it is []"),
    "--drop": (["--drop", "c"], "another table"),
    "--budget": (["--budget", "2m"], "--budget null, now it is 120.0"),
    "--groups": (["--groups", "g.json"], "--groups null"),
    "--no-validation": (["--no-validation"], "--no-validation false, now it is true"),
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_changed_run_is_refused_and_the_difference_named(
    copy: Path, change: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words, said = CHANGED[change]
    if change == "table":
        table(copy / "t.csv", seed=1)
    (copy / "g.json").write_text('{"a": "one", "b": "one"}')
    if change in ("version", "torch"):
        replaced = {"version": ("riata", '"0.0.1"'), "torch": ("torch", '"1.0"')}[change]
        set_fact(copy / "out" / "journal.sqlite", *replaced)
    before = files(copy / "out")
    capsys.readouterr()
    assert main([*WORDS, *words, "--resume"]) == 2
    err = capsys.readouterr().err
    assert said in err and "--resume" in err and err.count("\n") == 1
    assert files(copy / "out") == before


def set_fact(path: Path, name: str, value: str) -> None:
    database = sqlite3.connect(path)
    database.execute("UPDATE facts SET value = ? WHERE name = ?", (value, name))
    database.commit()
    database.close()


def test_a_selection_that_lost_its_last_pieces_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Selecting trains a path to its end and restricted networks: pieces of their own, found again as such."""
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "t.csv")
    words = [*WORDS, "--goal", "selection", "--path-length", "5", "--epochs", "40"]
    assert main(words) == 0
    whole = files(tmp_path / "out")
    held = read_journal(tmp_path / "out" / "journal.sqlite")
    assert list(held.stages) == ["comparison", "selection path", "relaxed fits"]
    for left in (held.pieces - 2, held.pieces // 2):
        database = sqlite3.connect("out/journal.sqlite")
        database.execute("DELETE FROM pieces WHERE id > ?", (left,))
        database.execute("DELETE FROM notes WHERE name = ?", (TIMES,))
        database.commit()
        database.close()
        assert main([*words, "--resume"]) == 0
        again = files(tmp_path / "out")
        assert {name for name in whole if whole[name] != again[name]} <= set(TIMED)
        different = zip(whole["decision.json"].splitlines(), again["decision.json"].splitlines(), strict=True)
        assert {a.split(b":")[0].strip() for a, b in different if a != b} <= {b'"seconds"'}
        assert read_journal(tmp_path / "out" / "journal.sqlite").networks == held.networks
