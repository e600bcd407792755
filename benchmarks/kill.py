"""Kill a run again and again, resume it, and compare what it then decides with a run that nobody disturbed.

python benchmarks/kill.py                      1,000 kills, about an hour on two cores
python benchmarks/kill.py --kills 50 --most 10 --workers 1,2     the short form that the tests run

Every run is a process of its own (``riata choose``, with ``--resume`` after a kill) that gets SIGKILL at a random time
drawn from the seed; after at most ``--most`` kills it is left to finish. Then decision.json (but for its one line
``seconds``), figures.json, results.parquet and model.safetensors must be the bytes of the undisturbed run. After each
kill the journal must open and hold at least the pieces it held before. Runs are forked from this process, which has
imported everything and computed nothing: a start costs no import.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch.fx.experimental.proxy_tensor
import vl_convert
from alive import in_session

import riata.api
import riata.cli.app
import riata.cli.choose
import riata.compact.models
import riata.plots.registry
from riata.choice.plan_memory import TIMES
from riata.cli import main as riata_main
from riata.population.journal_read import read_journal

IMPORTED = (riata.api, riata.cli.app, riata.compact.models, riata.plots.registry, torch.fx, vl_convert)
"""What a run imports on its way, so that a forked run need not."""
WORDS = (
    "choose t.csv --target y --folds 3 --seeds 2 --path-length 6 --penalties l1,group_lasso --hidden 8 --epochs 20 "
    "--dropout 0 --out out --quiet"
)
EQUAL = ("figures.json", "results.parquet", "model.safetensors")
PATIENCE = 120.0
"""Seconds after which a run that was left alone counts as hung."""


def write_table(folder: Path, rows: int = 90) -> None:
    """Write a small table of two classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 4)).round(3)
    lines = [f"{a},{b},{c},{d},{int(a + b + 0.3 * c > 0)}" for a, b, c, d in x]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "t.csv").write_text("\n".join(["a,b,c,d,y", *lines]) + "\n")


def begin(folder: Path, words: list[str]) -> int:
    """Start a run in a session of its own and return its process."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        os.chdir(folder)
        for name, number in (("out.txt", 1), ("err.txt", 2)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), number)
        sys.argv = ["riata", *words]
        code = riata_main()
        sys.stdout.flush()
        os._exit(code)
    finally:
        os._exit(99)


def wait(pid: int, seconds: float) -> int | None:
    """Return how a run ended, or None if it is still alive after some seconds."""
    until = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        left = until - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(0.005, left))


def finish(folder: Path, words: list[str]) -> float:
    """Run to the end and return the seconds."""
    began = time.monotonic()
    pid = begin(folder, words)
    code = wait(pid, PATIENCE)
    if code is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if code != 0:
        raise SystemExit(f"{folder}: ended with {code}: {(folder / 'err.txt').read_text()[-2000:]}")
    return time.monotonic() - began


def content(folder: Path) -> dict[str, bytes]:
    """Return what must be equal: the files but for the line ``seconds`` and the number of workers that was typed."""
    files = {name: (folder / "out" / name).read_bytes() for name in ("decision.json", *EQUAL)}
    files["decision.json"], lines = re.subn(rb'\n "seconds": [0-9.]+,\n', b"\n", files["decision.json"])
    files["decision.json"], typed = re.subn(rb'\n  "workers": [0-9]+,', b"", files["decision.json"])
    files["figures.json"], command = re.subn(rb" --workers [0-9]+", b"", files["figures.json"])
    if (lines, typed, command) != (1, 1, 1):
        raise SystemExit(f"{folder}: expected one line of seconds, found {lines}; of workers {typed}, {command}")
    return files


def landed(folder: Path) -> tuple[str, int]:
    """Return where in the run a kill came, and how many networks its journal holds."""
    out = folder / "out"
    if not (out / "journal.sqlite").exists():
        return "before the journal", 0
    held = read_journal(out / "journal.sqlite")
    if (out / "decision.json").exists():
        return "at the very end", held.networks
    if TIMES in held.notes:
        return "writing the decision", held.networks
    done = [count for stage in held.stages.values() for count in stage.values()]
    if not done:
        return "before the first piece", held.networks
    return "among the pieces" if any(a < b for a, b in done) else "refitting", held.networks


@dataclass
class Figure:
    """What came out."""

    kills: int = 0
    finished: int = 0
    different: list[str] = field(default_factory=list)
    lost: int = 0
    orphans: int = 0
    landed: Counter[str] = field(default_factory=Counter)


def delay(rng: np.random.Generator, usual: tuple[float, float]) -> float:
    """Draw when to kill: three times in four before the networks are trained, else until the files are written."""
    return float(rng.random()) * usual[0 if rng.random() < 0.75 else 1]


def usual_seconds(folder: Path, whole: float) -> tuple[float, float]:
    """Return the seconds until an undisturbed run had trained its networks, and until it was over."""
    stages = json.loads((folder / "out" / "timings.json").read_text())["stages"]
    names = [s["stage"] for s in stages]
    return sum(s["seconds"] for s in stages[: names.index("training networks") + 1]), whole


def chain(
    folder: Path, words: list[str], usual: tuple[float, float], kills: int, rng: np.random.Generator, figure: Figure
) -> None:
    """Kill and resume one run up to ``kills`` times, then let it finish."""
    write_table(folder)
    held, sessions = 0, []
    for i in range(kills):
        pid = begin(folder, [*words, *(["--resume"] if i else [])])
        sessions.append(pid)
        code = wait(pid, delay(rng, usual))
        if code is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            figure.kills += 1
            where, now = landed(folder)
            figure.landed[where] += 1
            figure.lost += now < held
            held = now
        elif code != 0:
            raise SystemExit(f"{folder}: ended with {code}: {(folder / 'err.txt').read_text()[-2000:]}")
        else:
            break
    finish(folder, [*words, "--resume"])
    figure.finished += 1
    until = time.monotonic() + 20
    while (left := [p for s in sessions for p in in_session(s)]) and time.monotonic() < until:
        time.sleep(0.1)
    figure.orphans += len(left)


def main() -> None:
    """Kill as often as asked and print the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--most", type=int, default=10, help="kills of one run before it is left to finish")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", default="1,2", help="numbers of worker processes, in turn")
    parser.add_argument("--share", type=float, default=0.5, help="share of the kills with all but the last of them")
    a = parser.parse_args()
    rng, figure, began = np.random.default_rng(a.seed), Figure(), time.monotonic()
    numbers = [int(w) for w in a.workers.split(",")]
    with tempfile.TemporaryDirectory(prefix="riata-kill-") as scratch:
        whole = Path(scratch) / "whole"
        write_table(whole)
        usual = usual_seconds(whole, finish(whole, [*WORDS.split(), "--workers", "1"]))
        expected = content(whole)
        print(f"undisturbed: trained after {usual[0]:.1f} s, over after {usual[1]:.1f} s", flush=True)
        for workers in numbers:
            words = [*WORDS.split(), "--workers", str(workers)]
            target = a.kills if workers == numbers[-1] else figure.kills + round(a.kills * a.share / (len(numbers) - 1))
            while figure.kills < target:
                folder = Path(scratch) / f"run-{workers}-{figure.finished}"
                chain(folder, words, usual, min(a.most, target - figure.kills), rng, figure)
                figure.different += [f"{folder.name}/{k}" for k, v in content(folder).items() if v != expected[k]]
    print(f"load {os.getloadavg()[0]:.1f}, seed {a.seed}, {time.monotonic() - began:.0f} s")
    print(json.dumps({**vars(figure), "landed": dict(figure.landed)}))
    if figure.different or figure.lost or figure.orphans:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
