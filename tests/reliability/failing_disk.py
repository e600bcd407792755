"""``riata choose`` on a disk that fails at the Nth call, for every N; run under the preloaded failing.c.

The training is left out: networks that were made before are handed to the real journal, and the real command saves a
real decision over an older one. Prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

import riata
from riata import api
from riata.choice.decision import Decision, read_decision
from riata.cli import main
from riata.engines import loss_for
from riata.population.design import Design, Member, Split, Training
from riata.population.journal_file import beside
from riata.population.run import Blocks
from riata.results import MemberResult

ERRORS = ("ENOSPC", "EIO", "EACCES", "EROFS")
SMALL = {"folds": 3, "seeds": 1, "path_length": 3, "hidden": (4,), "epochs": 3, "penalties": ["l1"], "workers": 1}
WORDS = ["choose", "t.csv", "--target", "y", "--out", "out", "--workers", "1", "--quiet"]
FILES = ("decision.json", "figures.json", "timings.json", "results.parquet", "model.safetensors", "report.html")


def work() -> tuple[Blocks, Design, list[MemberResult]]:
    """Return four networks that are handed to the journal in two pieces."""
    rows = np.arange(12)
    x = np.zeros((1, 12, 2), dtype=np.float32)
    blocks = Blocks(x, x[:, :, 0], np.arange(2), ("a", "b"), loss_for("classification", 2))
    members = tuple(Member("l1", lam, 0.0, split, 0) for split in (0, 1) for lam in (0.3, 0.1))
    splits = (Split(0, rows[:6], rows[6:9], rows[9:]), Split(1, rows[6:], rows[:3], rows[3:6]))
    results = [
        MemberResult(m.penalty, m.lam, 0.0, m.split, m.split, 0, 0.1, 0.1, x[0, :3, :1], x[0, 0], 0, 1, 1, 0.0, "ok")
        for m in members
    ]
    return blocks, Design(members, splits, Training(epochs=1, batch_size=4, patience=1, hidden=(2,))), results


def prepared(folder: Path) -> Decision:
    """Write the table, decide on it once, and leave an older decision in ``old``."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2)).round(3)
    (folder / "t.csv").write_text("\n".join(["a,b,y", *[f"{a},{b},{int(a > 0)}" for a, b in x]]) + "\n")
    decision = riata.choose(x, (x[:, 0] > 0).astype(int), **SMALL)
    Decision.html = lambda self: "<p>drawn</p>\n" * 500  # type: ignore[method-assign]
    blocks, design, results = work()

    def choose(table: Any, *, keep: Any, **asked: Any) -> Decision:
        if keep.recall("plan") is None:
            keep.remember("plan", b"a plan" * 2000)
        known = keep.known(blocks, design)
        for ids in ([0, 1], [2, 3]):
            if not set(ids) <= known.keys():
                keep.add(blocks, design, ids, [results[i] for i in ids])
        return decision

    api.choose = choose  # type: ignore[assignment]
    return decision


def called(words: list[str]) -> tuple[int, str]:
    """Run a command here; return its exit code and what it said on stderr."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main(words)
    return code, said.getvalue()


def judged(out: Path, code: int, said: str, old: dict[str, bytes], new: dict[str, bytes], failed: bool) -> str:
    """Return what is wrong after a run on the failing disk, "" where nothing is."""
    there = {name: (out / name).read_bytes() for name in FILES}
    names = {p.name for p in out.iterdir()}
    if [n for n in there if there[n] not in (old[n], new[n])]:
        return "a file is neither the old one nor the new one"
    if names - {*FILES, *(p.name for p in beside(out / "journal.sqlite"))}:
        return f"left behind: {sorted(names)}"
    if read_decision(out).model is None:
        return "the model is gone"
    if code == 0:  # the failure came when the journal was closed, after everything was saved
        return "" if there == new else "said to be done, but it is not"
    if code != 3 or said.count("\n") != 1 or not said.startswith("riata: ") or not failed:
        return f"exit {code}: {said[:300]!r}"
    return ""


def sweep(folder: Path, disk: ctypes.CDLL, errors: list[str]) -> dict[str, Any]:
    """Fail at every call with every error, resume on a good disk, and count."""
    out, where = folder / "out", str(folder / "out").encode()
    old = {name: (folder / "old" / name).read_bytes() for name in FILES}
    new: dict[str, bytes] = {}
    wrong: list[str] = []
    n, runs, last, refused = 0, 0, False, 0
    while not last:
        for error in errors:
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(folder / "old", out)
            disk.fail_at(where, n, getattr(errno, error), int(error == "EIO"))
            code, said = called(WORDS)
            failed, calls = bool(disk.failures()), disk.calls_seen()
            disk.fail_at(b"", 0, 0, 0)
            if n == 0:
                new = {name: (out / name).read_bytes() for name in FILES}
                total = calls
                break
            runs, refused = runs + 1, refused + (code == 3)
            why = judged(out, code, said, old, new, failed)
            again = called([*WORDS, "--resume"])
            if not why and (again[0] != 0 or {name: (out / name).read_bytes() for name in FILES} != new):
                why = f"cannot be resumed: {again}"
            wrong += [f"call {n}, {error}: {why}"] if why else []
        last = n >= total
        n += 1
    return {"calls": total, "runs": runs, "refused": refused, "wrong": wrong}


def run() -> None:
    """Prepare, fail, print."""
    folder = Path(sys.argv[1])
    os.chdir(folder)
    decision = prepared(folder)
    older = {**(decision.figures or {}), "command": "riata choose before"}
    Decision({**decision.summary, "seconds": 0.5}, decision.model, decision.population, older).save(folder / "old")
    (folder / "old" / "report.html").write_text("older\n")
    disk = ctypes.CDLL(None)
    disk.fail_at.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_int]
    sys.stdout.write(json.dumps(sweep(folder, disk, list(ERRORS))) + "\n")


if __name__ == "__main__":
    run()
