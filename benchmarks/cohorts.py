"""Decide on whole cohorts: seconds by stage, the score of every view and penalty, and what half-samples agree on.

    python benchmarks/cohorts.py DATA/microarray/alon.npz DATA/microarray/golub.npz DATA/microarray/singh.npz
    python benchmarks/cohorts.py SETS/A-3000x500000 --workers 2         as benchmarks/genome.py simulates it

A .npz holds x (rows, genes) and y: no clinical column, so the genetic view stands alone. Any other name is that of a
PLINK set, with its clinical table (.csv with id and outcome) beside it. Strengths are tuned inside every fold; the
nested score comes from rows that chose nothing, and what is stable from 25 complementary pairs of halves. Folds are
fewer where a class is small. GiB is the peak so far. The load is that of the machine at the end of a run: above the
number of workers, others were at work.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from riata.choice.look import LEAST_CLASS
from riata.choice.options import Options
from riata.cohort.decide import decide_study
from riata.cohort.study import Study, open_study

HEADS = ("set", "rows x variables", "verdict", "nested", "final", "kept", "stable", "false at most", "agreement",
         "seconds", "processor s", "GiB", "load")  # fmt: skip


def study_of(path: Path) -> Study:
    """Return an expression matrix as a study without clinical columns, or a PLINK set with its table."""
    if path.suffix != ".npz":
        stem = path.with_suffix("") if path.suffix == ".bed" else path
        return open_study(Path(f"{stem}.csv"), "outcome", Path(f"{stem}.bed"), id="id")
    arrays = np.load(path, allow_pickle=False)
    return open_study(pl.DataFrame({"target": arrays["y"]}), "target", arrays["x"], task="classification")


def span(found: Mapping[str, float]) -> str:
    """Return a mean with its interval.

    >>> span({"mean": 0.5, "low": 0.25, "high": 0.75})
    '0.500 (0.250-0.750)'
    """
    return f"{found['mean']:.3f} ({found['low']:.3f}-{found['high']:.3f})"


def used() -> tuple[float, float]:
    """Return processor seconds so far, those of workers too, and GiB: this process and its largest worker at peak."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(f.ru_utime + f.ru_stime for f in found), sum(f.ru_maxrss for f in found) / 2**20


def row(name: str, found: Mapping[str, Any], seconds: float, processor: float) -> list[object]:
    """Return a set's row."""
    metric, verdict, final, part = found["metric"], found["verdict"], found["final"], found["cohort"]
    stable = part["stability"]
    nested = final.get("nested", final)
    return [
        name,
        f"{part['people']} x {part['variants']}",
        f"{verdict['view']}, {verdict['penalty']}",
        f"{metric} {span(nested[metric])}",
        f"{span(final[metric])}, {final['method']}",
        len(found["kept"]),
        len(stable["selected"]),
        f"{stable['bound']:.3f}",
        "-" if stable["agreement"] is None else f"{stable['agreement']:.2f}",
        f"{seconds:.0f}",
        f"{processor:.0f}",
        f"{used()[1]:.2f}",
        f"{os.getloadavg()[0]:.1f}",
    ]


def views(found: Mapping[str, Any]) -> Iterable[list[str]]:
    """Yield a row for every view and penalty that was measured."""
    for view, penalties in found["cohort"]["views"].items():
        for penalty, facts in penalties.items():
            if "why_not" not in facts:
                kept = f"{facts['kept_clinical']:.1f} + {facts['kept_variants']:.1f}"
                yield [view, penalty, span(facts[found["metric"]]), kept]


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table."""
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), flush=True)
    for cells in rows:
        print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
    print(flush=True)


def decide(path: Path, options: Options) -> list[object]:
    """Decide on one set, print its stages and views, and return its row."""
    began, before = time.perf_counter(), used()[0]
    study = study_of(path)
    opened = time.perf_counter() - began
    if study.table.task == "classification":
        rarest = int(np.bincount(study.table.y.astype(int)).min())
        options = replace(options, folds=max(3, min(options.folds, rarest // LEAST_CLASS)))
    decision = decide_study(study, options)
    seconds = time.perf_counter() - began
    stages = [("reading the files", opened), *((s["stage"], s["seconds"]) for s in (decision.figures or {})["stages"])]
    print(
        f"{path.stem}, {options.folds} folds: " + ", ".join(f"{stage} {spent:.1f} s" for stage, spent in stages) + "\n"
    )
    table(("view", "penalty", decision.summary["metric"], "clinical + genetic variables kept"), views(decision.summary))
    return row(path.stem, decision.summary, seconds, used()[0] - before)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", type=Path, nargs="+", help=".npz files or PLINK sets")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--penalties", default="l2,l1,elastic_net,group_lasso")
    parser.add_argument("--hidden", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    options = Options(
        penalties=tuple(given.penalties.split(",")), folds=given.folds, workers=given.workers, seed=given.seed,
        hidden=(given.hidden,) if given.hidden else (),
    )  # fmt: skip
    table(HEADS, [decide(path, options) for path in given.sets])


if __name__ == "__main__":
    main()
