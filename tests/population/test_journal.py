"""The journal: found again only for the same work, never torn, never shared, and refused where it does not fit."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from riata import InputError, ResourceError
from riata.cli import main
from riata.engines import loss_for
from riata.population.design import Design, Member, Split, Training
from riata.population.journal import Journal
from riata.population.journal_read import read_journal
from riata.population.pieces import ARRAYS, FLOATS, INTS, WORDS, pack, unpack
from riata.population.run import Blocks, train_population
from riata.results import MemberResult

FACTS = {"riata": "0.1.0", "table": "abc", "--folds": 5, "--hidden": (64, 64)}


def work() -> tuple[Blocks, Design]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 40, 3)).astype(np.float32)
    y = (x[:, :, 0] > 0).astype(np.float32)
    blocks = Blocks(x, y, np.arange(3), ("a", "b", "c"), loss_for("classification", 2))
    rows = np.arange(40)
    splits = (Split(0, rows[:20], rows[20:30], rows[30:]), Split(1, rows[20:], rows[10:20], rows[:10]))
    members = tuple(Member(p, lam, 0.0, split, 0) for p in ("l1", "l2") for split in (0, 1) for lam in (0.3, 0.1, 0.01))
    return blocks, Design(members, splits, Training(epochs=4, batch_size=16, patience=4, hidden=(4,)))


def made_result(design: Design, i: int) -> MemberResult:
    m = design.members[i]
    rng = np.random.default_rng(i)
    outputs = rng.normal(size=(10, 1)).astype(np.float32)
    return MemberResult(
        m.penalty, m.lam, m.dropout, m.split, m.split, m.seed, float("nan") if i == 0 else 0.1 + i, float("inf"),
        outputs, np.array([0.0, 1.5, i], dtype=np.float32), i, 3, 4, 1e-7 / 3, "diverged" if i == 0 else "ok",
    )  # fmt: skip


def same(a: MemberResult, b: MemberResult) -> bool:
    for f in fields(MemberResult):
        x, y = getattr(a, f.name), getattr(b, f.name)
        if type(x) is not type(y) or not np.array_equal(x, y, equal_nan=isinstance(x, float)):
            return False
        if isinstance(x, np.ndarray) and (x.dtype != y.dtype or x.shape != y.shape):
            return False
    return True


def filled(path: Path) -> tuple[Blocks, Design, list[MemberResult]]:
    blocks, design = work()
    results = [made_result(design, i) for i in range(len(design.members))]
    with Journal.open(path, FACTS) as journal:
        for ids in design.chunks(2):
            journal.add(blocks, design, ids, [results[i] for i in ids])
    return blocks, design, results


def test_results_come_back_bit_by_bit(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.sqlite"
    blocks, design, results = filled(path)
    with Journal.open(path, FACTS, resume=True) as journal:
        found = journal.known(blocks, design)
    assert sorted(found) == list(range(12))
    assert all(same(found[i], results[i]) for i in found)


def test_every_field_is_kept() -> None:
    assert {f.name for f in fields(MemberResult)} == {*FLOATS, *INTS, *WORDS, *ARRAYS}


def test_pieces_are_never_pickled() -> None:
    words, arrays = pack([made_result(work()[1], 1)])
    assert isinstance(json.loads(words), dict) and json.loads(arrays[8 : 8 + int.from_bytes(arrays[:8], "little")])
    assert same(unpack(words, arrays)[0], made_result(work()[1], 1))


def restricted(design: Design) -> Design:
    return replace(design, splits=tuple(replace(s, columns=np.array([True, False, True])) for s in design.splits))


CHANGES = {
    "x": lambda b, d: (replace(b, x=b.x + np.float32(1e-3)), d),
    "y": lambda b, d: (replace(b, y=1 - b.y), d),
    "group": lambda b, d: (replace(b, group=np.array([0, 0, 1])), d),
    "names": lambda b, d: (replace(b, variables=("a", "b", "d")), d),
    "training": lambda b, d: (b, replace(d, training=replace(d.training, epochs=5))),
    "test rows": lambda b, d: (b, replace(d, splits=tuple(replace(s, test=s.test[1:]) for s in d.splits))),
    "valid rows": lambda b, d: (b, replace(d, splits=tuple(replace(s, valid=s.valid[1:]) for s in d.splits))),
    "columns": lambda b, d: (b, restricted(d)),
    "lam": lambda b, d: (b, replace(d, members=tuple(replace(m, lam=m.lam * (1 + 1e-15)) for m in d.members))),
    "seed": lambda b, d: (b, replace(d, members=tuple(replace(m, seed=1) for m in d.members))),
    "dropout": lambda b, d: (b, replace(d, members=tuple(replace(m, dropout=0.1) for m in d.members))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_work_is_not_found(tmp_path: Path, change: str) -> None:
    path = tmp_path / "journal.sqlite"
    blocks, design, _ = filled(path)
    with Journal.open(path, FACTS, resume=True) as journal:
        assert len(journal.known(blocks, design)) == 12
        assert journal.known(*CHANGES[change](blocks, design)) == {}


def test_another_order_of_members_finds_its_own(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    blocks, design, results = filled(path)
    turned = replace(design, members=(Member("l1", 9.0), *design.members[::-1]))
    with Journal.open(path, FACTS, resume=True) as journal:
        found = journal.known(blocks, turned)
    assert sorted(found) == list(range(1, 13)) and all(same(found[i], results[12 - i]) for i in found)


def test_resumed_population_trains_only_what_is_missing(tmp_path: Path) -> None:
    blocks, design = work()
    whole = train_population(blocks, design, chunk=2)
    path = tmp_path / "journal.sqlite"

    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done >= 5:
            raise Enough

    with Journal.open(path, FACTS) as journal, pytest.raises(Enough):
        train_population(blocks, design, chunk=2, keep=journal, progress=stop)
    seen: list[int] = []
    with Journal.open(path, FACTS, resume=True) as journal:
        assert 5 <= len(journal.known(blocks, design)) < 12
        again = train_population(blocks, design, chunk=2, keep=journal, progress=lambda done, _: seen.append(done))
        assert len(journal.known(blocks, design)) == 12
    assert seen and seen[0] > 5
    assert all(same(a, b) for a, b in zip(whole.members, again.members, strict=True))


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({**FACTS, "riata": "0.2.0"}, "riata 0.1.0"),
        ({**FACTS, "table": "abd"}, "another table"),
        ({**FACTS, "--folds": 4}, "--folds 5"),
        ({**FACTS, "--hidden": ()}, "--hidden [64, 64]"),
        ({**FACTS, "--new": 1}, "--new"),
        ({k: v for k, v in FACTS.items() if k != "--folds"}, "--folds 5"),
    ],
)
def test_resume_refuses_another_run(tmp_path: Path, facts: dict[str, object], word: str) -> None:
    path = tmp_path / "journal.sqlite"
    blocks, design, _ = filled(path)
    with pytest.raises(InputError, match="resume") as caught:
        Journal.open(path, facts, resume=True)
    assert word in str(caught.value) and "\n" not in str(caught.value)
    with Journal.open(path, FACTS, resume=True) as journal:
        assert len(journal.known(blocks, design)) == 12


def test_without_resume_the_old_pieces_go_with_the_first_new_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    blocks, design, results = filled(path)
    with Journal.open(path, {"other": 1}) as journal:
        assert journal.known(blocks, design) == {} and journal.recall("plan") is None
    with Journal.open(path, FACTS, resume=True) as journal:
        assert len(journal.known(blocks, design)) == 12
    with Journal.open(path, {"other": 1}) as journal:
        journal.add(blocks, design, [0, 1, 2], results[:3])
    with Journal.open(path, {"other": 1}, resume=True) as journal:
        assert sorted(journal.known(blocks, design)) == [0, 1, 2]


def test_nothing_is_made_before_there_is_something_to_write(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "out" / "journal.sqlite", FACTS, resume=True) as journal:
        assert journal.known(*work()) == {}
    assert list(tmp_path.iterdir()) == []


def test_one_run_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path)
    code = f"from riata.population.journal import Journal; Journal.open({str(path)!r}, {{}}, resume=True)"
    with Journal.open(path, FACTS, resume=True):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "another run is writing here" in done.stderr
    Journal.open(path, FACTS, resume=True).close()


@pytest.mark.parametrize("content", [b"", b"not a database, but a long text" * 40, b"SQLite format 3\0" + bytes(200)])
def test_damaged_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(content)
    if content:
        with pytest.raises(InputError, match="leave out --resume"):
            Journal.open(path, FACTS, resume=True)
    with Journal.open(path, FACTS) as journal:
        journal.remember("plan", b"x")
    with Journal.open(path, FACTS, resume=True) as journal:
        assert journal.recall("plan") == b"x"


def test_unreadable_row_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    blocks, design, _ = filled(path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE pieces SET arrays = substr(arrays, 1, 40) WHERE id = 1")
        database.execute("UPDATE pieces SET words = '[' WHERE id = 2")
    database.close()
    with Journal.open(path, FACTS, resume=True) as journal:
        assert len(journal.known(blocks, design)) == 12 - 3


def test_what_was_to_be_trained_is_written_with_the_first_piece(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    blocks, design, results = filled(path)
    relaxed = restricted(design)
    to_the_end = replace(design, training=replace(design.training, early_stopping=False))
    with Journal.open(path, FACTS, resume=True) as journal:
        for other in (relaxed, to_the_end):
            journal.add(blocks, other, [0, 1], results[:2])
    held = read_journal(path)
    assert (held.pieces, held.networks) == (len(design.chunks(2)) + 2, 12 + 2 + 2)
    assert held.stages["comparison"] == {"l1": (6, 6), "l2": (6, 6)}
    assert held.stages["relaxed fits"] == held.stages["selection path"] == {"l1": (2, 6), "l2": (0, 6)}
    assert held.facts == {**FACTS, "--hidden": [64, 64]} and float(held.notes["seconds"]) >= 0


def test_a_copy_of_a_journal_is_whole_while_it_is_written(tmp_path: Path) -> None:
    """The log is begun again (a checkpoint) between the reads of a reader: every copy holds what was committed."""
    path = tmp_path / "journal.sqlite"
    with Journal.open(path, FACTS) as journal:
        journal.remember("count", b"0")
        assert journal._database is not None
        journal._database.execute("PRAGMA wal_autocheckpoint = 3")
        for i in range(1, 60):
            journal.remember("count", str(i).encode() + b" " * (700 * (i % 13)))
            assert int(read_journal(path).notes["count"]) == i


def test_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path)
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(InputError, match="newer"):
        Journal.open(path, FACTS, resume=True)


def test_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").mkdir()
    with pytest.raises(ResourceError, match="cannot write"):
        Journal.open(tmp_path / "journal.sqlite", FACTS)


def test_log_cut_anywhere_loses_the_last_piece_at_most(tmp_path: Path) -> None:
    """Cut SQLite's log at steps through its last frames: what was committed before is always there."""
    path = tmp_path / "journal.sqlite"
    blocks, design = work()
    chunks = design.chunks(3)
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); import test_journal as t\n"
        "from pathlib import Path\n"
        "blocks, design = t.work(); journal = t.Journal.open(Path(sys.argv[1]), t.FACTS)\n"
        "for ids in design.chunks(3): journal.add(blocks, design, ids, [t.made_result(design, i) for i in ids])\n"
        "os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path), str(Path(__file__).parent)], check=False, timeout=60)
    log = (tmp_path / "journal.sqlite-wal").read_bytes()
    whole = path.read_bytes()
    assert len(log) > 4096
    for cut in [*range(len(log) - 3 * 4120, len(log), 997), len(log) - 1, len(log)]:
        (tmp_path / "cut").mkdir(exist_ok=True)
        (tmp_path / "cut" / "journal.sqlite").write_bytes(whole)
        (tmp_path / "cut" / "journal.sqlite-wal").write_bytes(log[:cut])
        with Journal.open(tmp_path / "cut" / "journal.sqlite", FACTS, resume=True) as journal:
            found = journal.known(blocks, design)
        assert len(found) >= 3 * (len(chunks) - 2)
        assert all(same(found[i], made_result(design, i)) for i in found)
        if cut == len(log):
            assert len(found) == 12


CHOOSE = "choose t.csv --target y --folds 3 --seeds 2 --path-length 6 --hidden 8 --epochs 30 --workers 1 --out out"


def decided(folder: Path) -> tuple[dict[str, Any], bytes, bytes]:
    decision = json.loads((folder / "decision.json").read_text())
    decision.pop("seconds")
    decision["options"].pop("workers")
    return decision, (folder / "results.parquet").read_bytes(), (folder / "model.safetensors").read_bytes()


def test_killed_and_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 4)).round(3)
    rows = ["a,b,c,d,y", *[f"{a},{b},{c},{d},{int(a + b > 0)}" for a, b, c, d in x]]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    words = [sys.executable, "-m", "riata", *CHOOSE.split()]
    settings = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, cwd=tmp_path, env=settings, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("training networks") and int(line.split()[2]) > 1:
            os.kill(process.pid, signal.SIGKILL)
            break
    assert process.wait(timeout=60) == -signal.SIGKILL
    process.stderr.close()
    assert not (tmp_path / "out" / "decision.json").exists()
    with sqlite3.connect(tmp_path / "out" / "journal.sqlite") as database:
        pieces = database.execute("SELECT count(*) FROM pieces").fetchone()[0]
    database.close()
    assert pieces > 0
    monkeypatch.chdir(tmp_path)
    same_words = CHOOSE.split()
    capsys.readouterr()
    assert main([*same_words, "--resume", "--epochs", "31"]) == 2
    assert "--epochs 30" in capsys.readouterr().err
    assert main([*same_words, "--resume"]) == 0
    counted = [line for line in capsys.readouterr().err.splitlines() if line.startswith("training networks")]
    assert int(counted[0].split()[2]) > pieces
    assert main([*same_words, "--out", "whole"]) == 0
    whole = decided(tmp_path / "whole")
    assert decided(tmp_path / "out") == whole
    assert main([*same_words, "--resume", "--json", "--workers", "2"]) == 0
    assert decided(tmp_path / "out") == whole
