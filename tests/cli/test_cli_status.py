"""riata status: how far a run is, whether it is alive, whether its decision is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from riata.choice.plan_memory import TIMES
from riata.cli.status import lines_of
from riata.population.journal import Journal

Run = Callable[..., tuple[int, str, str]]
HOLD = (
    "import sys, time; sys.path.insert(0, sys.argv[2]); import test_journal as t\n"
    "blocks, design = t.work(); journal = t.Journal.open(t.Path(sys.argv[1]), t.FACTS)\n"
    "for ids in design.chunks(2)[:3]: journal.add(blocks, design, ids, [t.made_result(design, i) for i in ids])\n"
    "print('held', flush=True); time.sleep(600)"
)
POPULATION = Path(__file__).resolve().parents[1] / "population"


@pytest.fixture
def live() -> Iterator[subprocess.Popen[str]]:
    """A live run in ``out`` that has done three of eight pieces."""
    words = [sys.executable, "-c", HOLD, "out/journal.sqlite", str(POPULATION)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait(timeout=20)
    process.stdout.close()


def asked(riata: Run) -> dict[str, Any]:
    code, out, err = riata("status", "out", "--json")
    assert (code, err) == (0, "")
    return dict(json.loads(out))


def test_a_live_run_then_its_remains(live: subprocess.Popen[str], riata: Run) -> None:
    there = {p.name: p.read_bytes() for p in Path("out").iterdir()}
    facts = asked(riata)
    assert {p.name: p.read_bytes() for p in Path("out").iterdir()} == there
    assert (facts["state"], facts["decision"], facts["decided"]) == ("running", False, False)
    assert (facts["pieces"], facts["networks"], facts["table"]) == (3, 5, "abc")
    assert facts["stages"] == [
        {"stage": "comparison", "done": 5, "total": 12,
         "candidates": {"l1": {"done": 5, "total": 6}, "l2": {"done": 0, "total": 6}}}
    ]  # fmt: skip
    assert asked(riata)["state"] == "running"
    live.kill()
    live.wait(timeout=20)
    assert {**asked(riata), "state": "running"} == facts
    code, out, _ = riata("status", "out")
    assert code == 0 and "stopped; type the command again with --resume" in out
    assert "Comparison    5 of 12 networks" in out and "  l1                  5 of 6" in out
    assert riata("status", "out", "--quiet")[1].count("\n") == 1


def test_a_finished_run_and_a_new_one_over_it(riata: Run, ill: Path, made: Any) -> None:
    words = ["choose", ill, "--target", "ill", *made.small, "--penalties", "l1", "--dropout", "0", "--out", "out"]
    assert riata(*words, "--quiet")[0] == 0
    facts = asked(riata)
    assert (facts["state"], facts["decision"], facts["decided"]) == ("finished", True, True)
    decision = json.loads(Path("out/decision.json").read_text())
    assert sum(s["done"] for s in facts["stages"]) == sum(s["total"] for s in facts["stages"]) == facts["networks"]
    assert facts["networks"] < decision["fits"]  # the refits are not kept on the way
    assert facts["table"] == decision["table"]["sha256"] and facts["seconds"] > 0
    assert "Decision      there" in riata("status", "out")[1]
    with Journal.open(Path("out/journal.sqlite"), {}) as journal:
        journal.remember("plan", b"x")
    facts = asked(riata)
    assert (facts["state"], facts["decision"], facts["decided"], facts["stages"]) == ("stopped", True, False, [])
    out = riata("status", "out")[1]
    assert "one of an earlier run" in out and "Nothing is trained yet" in out
    with Journal.open(Path("out/journal.sqlite"), {}, resume=True) as journal:
        journal.remember(TIMES, b"{}")
    Path("out/decision.json").unlink()
    assert "made, not yet written" in riata("status", "out")[1]


def test_a_decision_without_a_journal_is_finished(riata: Run) -> None:
    Path("out").mkdir()
    Path("out/decision.json").write_text("{}")
    facts = asked(riata)
    assert (facts["state"], facts["decision"], facts["pieces"], facts["stages"]) == ("finished", True, 0, [])
    assert riata("status", "out")[0] == 0


@pytest.mark.parametrize(
    ("content", "word"),
    [(None, "no run here"), (b"text " * 300, "damaged"), (b"SQLite format 3\0" + bytes(400), "damaged")],
)
def test_a_folder_without_a_run_is_refused_in_one_line(riata: Run, content: bytes | None, word: str) -> None:
    Path("out").mkdir()
    if content:
        Path("out/journal.sqlite").write_bytes(content)
    code, out, err = riata("status", "out", "--json")
    assert (code, out) == (2, "") and word in err and err.count("\n") == 1
    assert riata("status", "nowhere")[0] == riata("status", "a\0b")[0] == riata("status", "x" * 5000)[0] == 2


def test_a_journal_killed_at_birth_holds_nothing(riata: Run) -> None:
    Path("out").mkdir()
    Path("out/journal.sqlite").write_bytes(b"")
    assert asked(riata)["pieces"] == 0


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may read everything")
def test_a_journal_that_may_not_be_read(riata: Run) -> None:
    Path("out").mkdir()
    Path("out/journal.sqlite").write_bytes(b"")
    Path("out/journal.sqlite").chmod(0)
    assert riata("status", "out")[0] == 3


def test_a_newer_journal_is_refused(riata: Run) -> None:
    import sqlite3

    with Journal.open(Path("out/journal.sqlite"), {}) as journal:
        journal.remember("plan", b"x")
    database = sqlite3.connect("out/journal.sqlite")
    database.execute("PRAGMA user_version = 99")
    database.close()
    code, _, err = riata("status", "out")
    assert code == 2 and "newer" in err


def test_times_are_told_in_their_largest_unit() -> None:
    facts = {"state": "finished", "decision": True, "last_written": "1970-01-02T00:00:00Z", "stages": []}
    assert lines_of(facts, 86400 * 3.5)[2] == "Last written  1970-01-02T00:00:00Z, 2 days ago"
    assert lines_of(facts, 86400 + 250)[2].endswith("4 min ago")
