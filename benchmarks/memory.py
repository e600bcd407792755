"""The memory that a decision takes, beside what was estimated before it began.

    python benchmarks/memory.py                     seven sizes with one and two workers, about ten minutes
    python benchmarks/memory.py --sizes 1500x10     one size: rows x columns

Every run is a process of its own that decides on a simulated table of two classes with short training. Printed: the
estimate, the peak of all its processes beside what was held before (proportional set sizes, sampled), and their ratio.
A ratio above 1 is an estimate that was too small.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

import numpy as np
from peak import Peak, pss

from riata.choice import decide, room
from riata.choice.look import MOST_ROWS
from riata.choice.options import Options
from riata.data import make_table

SIZES = "1500x10,900x800,20000x20,6000x300,1000x8000,100000x30,400000x20"
MIB = 2**20


def one(rows: int, columns: int, workers: int) -> dict[str, float]:
    """Decide once in this process: bytes held before, estimated and taken at the peak, and seconds."""
    X = np.random.default_rng(0).normal(size=(rows, columns))
    table = make_table(X, (X[:, 0] > 0).astype(int))
    del X
    options = Options(
        epochs=1,
        folds=3,
        seeds=1,
        path_length=10,
        dropout=(0.0,),
        penalties=("l2", "l1"),
        workers=workers,
        device="cpu",
    )
    sizes = room.sizes_of(table, min(rows, MOST_ROWS), options)
    estimate = sizes.need(workers, room.members_of(sizes, options))
    held, began = pss(os.getpid()), time.monotonic()
    with Peak() as peak:
        decide.decide(table, options)
    return {"held": held, "estimate": estimate, "peak": peak.most - held, "seconds": time.monotonic() - began}


def main() -> None:
    """Print a line for every size and number of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=SIZES, help="rows x columns, one or several [%(default)s]")
    parser.add_argument("--workers", default="1,2", help="numbers of worker processes, in turn [1,2]")
    parser.add_argument("--only", type=int, nargs=3, metavar=("ROWS", "COLUMNS", "WORKERS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(one(*given.only)))
        return
    names = ("rows", "columns", "workers", "held MiB", "estimate MiB", "peak MiB", "ratio", "s")
    print(f"| {' | '.join(names)} |\n{'|---' * len(names)}|")
    for size in given.sizes.split(","):
        for workers in given.workers.split(","):
            rows, columns = size.split("x")
            words = [sys.executable, __file__, "--only", rows, columns, workers]
            found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
            held, estimate, peak = (found[name] / MIB for name in ("held", "estimate", "peak"))
            cells = (
                f"{held:.0f}",
                f"{estimate:.0f}",
                f"{peak:.0f}",
                f"{peak / estimate:.2f}",
                f"{found['seconds']:.0f}",
            )
            print(f"| {rows} | {columns} | {workers} | {' | '.join(cells)} |", flush=True)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
