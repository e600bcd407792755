"""Cut the log of a killed run's journal at every byte of its last frame, and open what is left.

python benchmarks/cut.py               every byte, two seconds or so to a thousand cuts
python benchmarks/cut.py --step 16     the short form that the tests run

A process writes pieces to a journal and is killed. The journal is then copied with its write-ahead log cut after each
byte of the last frame, and again with zeros or noise from there on, as a disk may leave it. Each copy is opened as
``--resume`` opens it: it must be readable, hold every piece but the last, bit by bit, and take another piece.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from riata.engines import loss_for
from riata.errors import RiataError
from riata.population.design import Design, Member, Split, Training
from riata.population.journal import Journal
from riata.population.pieces import pack
from riata.population.run import Blocks
from riata.results import MemberResult

FACTS = {"riata": "cut", "--seed": 0}
HEAD, FRAME_HEAD = 32, 24
"""Bytes of the head of a write-ahead log and of each of its frames (SQLite, WAL-mode file format)."""
CHUNK = 3


def work() -> tuple[Blocks, Design, list[MemberResult]]:
    """Return twelve networks, as if they had been trained."""
    rng = np.random.default_rng(0)
    rows = np.arange(30)
    x = rng.normal(size=(1, 30, 3)).astype(np.float32)
    blocks = Blocks(x, x[:, :, 0], np.arange(3), ("a", "b", "c"), loss_for("classification", 2))
    members = tuple(Member(p, lam, 0.0, 0, 0) for p in ("l1", "l2") for lam in rng.random(6))
    design = Design(members, (Split(0, rows[:20], rows[20:25], rows[25:]),), Training(hidden=(4,)))
    results = [
        MemberResult(
            m.penalty, m.lam, 0.0, 0, 0, 0, i / 3, i / 7, x[0, :5, :1] * i, x[0, 0] + i, i, 3, 4, 1e-7 / 3, "ok"
        )
        for i, m in enumerate(members)
    ]
    return blocks, design, results


def pieces_of(count: int) -> list[list[int]]:
    """Return the members of every piece."""
    return [list(range(i, i + CHUNK)) for i in range(0, count, CHUNK)]


def write_and_die(path: Path) -> None:
    """Write every piece and leave as a killed process does."""
    blocks, design, results = work()
    journal = Journal.open(path, FACTS)
    journal.remember("plan", b"a plan that was timed")
    for ids in pieces_of(len(results)):
        journal.add(blocks, design, ids, [results[i] for i in ids])
    os._exit(9)


def left_over(log: bytes, cut: int, how: str) -> bytes:
    """Return a log as a cut, or a page that was not written, leaves it."""
    rest = len(log) - cut
    if how == "zeros":
        return log[:cut] + bytes(rest)
    if how == "noise":
        return log[:cut] + np.random.default_rng(cut).bytes(rest)
    return log[:cut]


def opened(path: Path) -> tuple[bool, int]:
    """Open a journal to go on with it: whether it is right in every way, and how many pieces it holds."""
    blocks, design, results = work()
    with Journal.open(path, FACTS, resume=True) as journal:
        found = journal.known(blocks, design)
        right = journal.recall("plan") == b"a plan that was timed"
        right &= all(pack([found[i]]) == pack([results[i]]) for i in found)
        missing = [ids for ids in pieces_of(len(results)) if not set(ids) <= found.keys()]
        held = len(pieces_of(len(results))) - len(missing)
        for ids in missing:
            journal.add(blocks, design, ids, [results[i] for i in ids])
        right &= len(journal.known(blocks, design)) == len(results)
    return right, held


def cut_everywhere(scratch: Path, step: int) -> dict[str, int]:
    """Cut, open and count."""
    path = scratch / "journal.sqlite"
    subprocess.run([sys.executable, __file__, "--die", str(path)], check=False)
    log, whole = path.with_name("journal.sqlite-wal").read_bytes(), path.read_bytes()
    page = int.from_bytes(log[8:12], "big")
    frame = FRAME_HEAD + page
    last = len(log) - frame
    if (len(log) - HEAD) % frame:
        raise SystemExit(f"the log has {len(log)} bytes: not a head and whole frames of {frame}")
    cuts = sorted({*range(last, len(log) + 1, step), *range(last, last + FRAME_HEAD + 1), len(log) - 1, len(log)})
    pieces = len(pieces_of(len(work()[2])))
    counts = {"cuts": 0, "unreadable": 0, "wrong": 0, "lost more than one": 0, "lost one": 0, "lost none": 0}
    target = scratch / "copy" / "journal.sqlite"
    target.parent.mkdir()
    for how in ("cut", "zeros", "noise"):
        for cut in cuts:
            target.write_bytes(whole)
            target.with_name("journal.sqlite-wal").write_bytes(left_over(log, cut, how))
            counts["cuts"] += 1
            try:
                right, held = opened(target)
            except RiataError:
                counts["unreadable"] += 1
                continue
            counts["wrong"] += not right
            counts[{0: "lost none", 1: "lost one"}.get(pieces - held, "lost more than one")] += 1
    return counts


def main() -> None:
    """Cut and print the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=1, help="bytes between cuts")
    parser.add_argument("--die", type=Path, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.die:
        write_and_die(a.die)
    began = time.monotonic()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="riata-cut-", dir=memory if memory.is_dir() else None) as scratch:
        counts = cut_everywhere(Path(scratch), a.step)
    print(f"load {os.getloadavg()[0]:.1f}, step {a.step}, no draw depends on a seed, {time.monotonic() - began:.0f} s")
    print(json.dumps(counts))
    if counts["unreadable"] or counts["wrong"] or counts["lost more than one"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
