"""Memory: what is free, what a decision needs, and a plan that fits without changing the answer."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import riata
from riata import memory
from riata.choice import room as room_module
from riata.choice.options import Options
from riata.choice.room import LEAST_ROWS, MOST_COLUMNS, Sizes, fit_room, members_of, require_look, sizes_of
from riata.cli import main
from riata.data import make_table
from riata.data.table import Table
from riata.errors import InputError, ResourceError

MIB, GIB = 2**20, 2**30
SMALL: dict[str, Any] = {
    "hidden": (8,), "epochs": 4, "folds": 3, "seeds": 2, "path_length": 5, "dropout": (0.0,), "device": "cpu",
    "penalties": ["group_lasso"],
}  # fmt: skip


def table(rows: int, columns: int) -> Table:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, columns))
    return make_table(X, (X[:, 0] + rng.normal(size=rows) > 0).astype(int))


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2 * GIB), (" 2 gib ", 2 * GIB), ("1500MB", 1_500_000_000), ("1.5G", 3 * GIB // 2), ("4096", 4096),
     ("3T", 3 * 2**40), ("7KB", 7000), ("", None)],
)  # fmt: skip
def test_a_limit_is_a_size(text: str, size: int | None) -> None:
    assert memory.limit({memory.LIMIT: text}) == size


@pytest.mark.parametrize("text", ["much", "-2GiB", "0", "2 2", "1e9", "2GiB;ls", "GiB", "9" * 40, "NaN", "١GiB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="type RIATA_MEMORY_LIMIT=2GiB"):
        memory.limit({memory.LIMIT: text})


def test_the_limit_counts_what_is_held_already(tmp_path: Path) -> None:
    for name, text in {"proc/meminfo": "MemAvailable: 8000000 kB\n", "proc/self/status": "VmRSS:\t 300 kB\n"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory.available(tmp_path, {memory.LIMIT: "1000000B"}) == 1_000_000 - 300 * 1024
    assert memory.available(tmp_path, {memory.LIMIT: "1KB"}) == 0
    assert memory.available(tmp_path, {memory.LIMIT: "1TB"}) == 8_192_000_000
    assert (memory.used() or GIB) > 50 * MIB


def test_a_decision_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{i % 7},{i % 5},{i % 2}" for i in range(60))
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}\n")
    for limit, code, said in (("10MB", 3, "memory"), ("x", 2, "is not a size")):
        monkeypatch.setenv(memory.LIMIT, limit)
        assert main(["choose", "t.csv", "--target", "y", "--quiet", "--out", "o"]) == code
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and said in err and len(err) <= 301
        assert not (tmp_path / "o" / "decision.json").exists()
    monkeypatch.setenv(memory.LIMIT, f"{(memory.used() or 0) + 200 * MIB}")  # the table fits, the decision does not
    with pytest.raises(ResourceError, match=r"a table of 60 rows and 2 encoded columns needs .* expected at most 70%"):
        riata.choose(np.arange(120.0).reshape(60, 2) % 7, np.arange(60) % 2, **SMALL)


def test_the_plan_shrinks_in_order_and_no_further_than_needed() -> None:
    pool = table(5000, 12)
    options = Options(hidden=(32,), workers=4, folds=5, seeds=3)
    rows = np.arange(5000)
    full = sizes_of(pool, 5000, options)
    usual = members_of(full, options)
    seen: list[tuple[int, int, int]] = []
    for share in np.linspace(1.05, 0.1, 60):
        free = int(full.need(4, usual) * share / memory.PART)
        try:
            found = fit_room(pool, rows, options, free=free)
        except ResourceError as error:
            assert "comparing on 1000 rows of 12 columns needs" in str(error)
            seen.append((0, 0, 0))
            continue
        members = found.chunk or usual
        assert sizes_of(pool, len(found.rows), options).need(found.workers, members) <= memory.PART * free
        assert (found.said == ()) == ((found.workers, found.chunk, len(found.rows)) == (4, None, 5000))
        seen.append((found.workers, members, len(found.rows)))
    assert seen[0] == (4, usual, 5000) and seen == sorted(seen, reverse=True)
    assert {w for w, _, _ in seen} >= {4, 2, 1} and (1, usual, 5000) in seen


def test_needs_grow_with_everything() -> None:
    some = Sizes(20_000, 6000, 3600, 100, 10, 130, 11_000)
    for name in ("rows", "compared", "columns", "blocks", "units", "weights", "train"):
        larger = replace(some, **{name: 50 * getattr(some, name)})
        assert larger.need(2, 20) > some.need(2, 20), name
    assert some.need(1, 20) < some.need(2, 20) < some.need(4, 20) and some.need(2, 1) < some.need(2, 20)
    assert some.data() == 10 * 6000 * 101 * 4  # float32 inputs and targets


def test_the_blocks_are_as_large_as_estimated() -> None:
    """The estimate counts the splits that share an encoding as the arena does."""
    from riata.choice.prepare import arena

    pool = table(120, 4)
    for folds, seeds in ((3, 1), (3, 2), (5, 3), (5, 2), (4, 5)):
        options = Options(folds=folds, seeds=seeds)
        field = arena(pool, np.arange(120), options, seeds, 1, "cpu", None)
        blocks = field.blocks.x.nbytes + field.blocks.y.nbytes
        assert blocks <= sizes_of(pool, 120, options).data(), (folds, seeds)
        assert len(field.splits[0][2].train) == sizes_of(pool, 120, options).train


def test_tables_that_could_not_be_read_back_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = table(60, 8)
    monkeypatch.setattr(room_module, "MOST_COLUMNS", 7)
    with pytest.raises(InputError, match="8 encoded columns; expected at most 7"):
        require_look(pool, Options())
    assert MOST_COLUMNS == 50_000 and LEAST_ROWS == 1000


def test_a_smaller_plan_gives_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer workers and smaller pieces: every number but the times is equal."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 5))
    y = (X[:, 0] + 0.3 * rng.normal(size=90) > 0).astype(int)
    whole = riata.choose(X, y, workers=1, **SMALL)
    sizes = sizes_of(make_table(X, y), 90, Options(workers=2, **SMALL))
    for free in (sizes.need(1, 5), sizes.need(1, 1)):
        monkeypatch.setattr(memory, "available", lambda free=free: int(free / memory.PART) + 1)
        found = riata.choose(X, y, workers=2, **SMALL)
        said = [w for w in found.summary["warnings"] if "for the memory" in w]
        assert said and "1 of 2 worker processes" in said[0]
        for key in ("verdict", "scores", "kept", "norms", "kkt_max", "final", "fits"):
            assert found.summary[key] == whole.summary[key], key


PEAK = """
import sys
import numpy as np, polars as pl, torch
torch.set_num_threads(1)
from riata import memory
from riata.choice import decide, room
from riata.choice.options import Options
from riata.data import make_table
rows, columns = map(int, sys.argv[1:])
X = np.random.default_rng(0).normal(size=(rows, columns))
table = make_table(X, (X[:, 0] > 0).astype(int))
options = Options(hidden=(16,), epochs=1, folds=3, seeds=1, path_length=3, dropout=(0.0,), penalties=("l2",), workers=1,
                  device="cpu")
sizes = room.sizes_of(table, min(rows, 6000), options)
held = memory.used()
decide.decide(table, options)
with open("/proc/self/status") as status:  # not getrusage: its peak starts at what the parent held before the exec
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024
print((peak - held) / sizes.need(1, room.members_of(sizes, options)))
"""


@pytest.mark.parametrize(("rows", "columns"), [(1500, 10), (900, 800)])
def test_the_measured_peak_is_within_the_estimate(rows: int, columns: int) -> None:
    """Small tables, where what is constant counts, and wide ones; docs/reliability.md has the larger sizes."""
    words = [sys.executable, "-c", PEAK, str(rows), str(columns)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop(memory.LIMIT, None)
    ran = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True, env=environment)
    assert 0.2 < float(ran.stdout) <= 1.1, ran.stdout
