"""The exact sparse path over half a million variants: seconds and memory by how the genotypes are stored.

    python benchmarks/genome.py --folder SETS                        3000 people x 500,000 variants, scenario A
    python benchmarks/genome.py --folder SETS --people 600 --variants 20000      a check that it runs
    python benchmarks/genome.py --folder SETS --growth 50000,500000,2000000      seconds against the size
    python benchmarks/genome.py --folder SETS --profile              where the time of the first backend's path goes

A cohort is simulated into SETS where it is not there yet (3000 x 500,000: two minutes and 390 MB). Group lasso on the
variants, 20 units and the skip, twenty clinical variables without a penalty, 30 strengths down to .3 of lam_max. Every
run is a process of its own: seconds of the path, of opening the files, processor seconds, and the peak of resident
memory, mapped pages among it. --threads is for the passes, the solver has one. The load is that of the whole machine as
the run ended: above the number of threads, others were at work. The kernel is the compiled one of riata[kernel], in the
version that RIATA_KERNEL names, or plain torch where there is none: the table says which. All else is plain torch.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import os
import pstats
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import torch
from float_blocks import FloatBlocks, FloatCells

from riata.engines import Loss
from riata.genome import Bed, Cohort, Columns, open_bed, simulate
from riata.genome.plink import beside
from riata.genome.whole import Plain
from riata.penalties import GroupLasso
from riata.wide import Cache, Problem, certify, follow, geometric, make_problem, one

BACKENDS = {"kernel": "2-bit, mapped", "2-bit": "2-bit, mapped", "int8": "int8, resident",
            "float32": "float32 blocks of int8"}  # fmt: skip
PIECE = 1 << 22
"""Bytes that are summed at a time where reading alone is measured."""


@dataclass(frozen=True)
class Spec:
    """One run: the set, how it is stored, the network and the strengths."""

    stem: Path
    backend: str = "kernel"
    threads: int = 2
    hidden: int = 20
    strengths: int = 30
    ratio: float = 0.3
    certified: bool = False


@dataclass(frozen=True)
class Run:
    """What a run took, and what its last strength keeps."""

    people: int
    variants: int
    opened: float
    seconds: float
    processor: float
    gib: float
    passes: int
    right: int
    strengths: int
    kept: int
    load: float
    route: str
    certificate: str


def made(folder: Path, people: int, variants: int, scenario: str) -> Path:
    """Return a simulated set without its ending; make it where it is not there."""
    stem = folder / f"{scenario}-{people}x{variants}"
    if not beside(stem, ".bed").exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"part-{stem.name}"
        print(f"simulating {stem} ...", flush=True)
        simulate(part, Cohort.scenario(scenario, people=people, variants=variants))
        for ending in (".bim", ".fam", ".csv", ".bed"):
            beside(part, ending).rename(beside(stem, ending))
    return stem


def opened(spec: Spec) -> Bed:
    """Open a set; only one backend may use the compiled kernel."""
    with patch.dict(os.environ, {} if spec.backend == "kernel" else {"RIATA_KERNEL": "off"}):
        return open_bed(spec.stem, threads=spec.threads)


def stored(bed: Bed, backend: str) -> Columns:
    """Return the variants as a backend stores them."""
    if backend in ("kernel", "2-bit"):
        return bed
    whole = bed.resident()
    if backend == "int8":
        return whole
    cells = whole.store
    assert isinstance(cells, Plain)
    return FloatBlocks(
        FloatCells.of(cells.cells, -1), whole.names, whole.mean, whole.scale, whole.missing, None, whole.threads
    )


def problem_of(stem: Path, columns: Columns, hidden: int) -> Problem:
    """Return the logistic problem of a simulated set, its clinical variables unpenalised and blanks at their mean."""
    table = pl.read_csv(beside(stem, ".csv"))
    given = torch.tensor(table.drop("id", "outcome").fill_null(strategy="mean").to_numpy()).double()
    free = (given - given.mean(0)) / given.std(0)
    y = torch.tensor(table["outcome"].to_numpy()).float()
    return make_problem(columns, y, Loss("logistic", 1), free=free, hidden=hidden)


def run(spec: Spec) -> Run:
    """Follow one path in this process."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    two_bit = opened(spec)
    bed = stored(two_bit, spec.backend)
    problem = problem_of(spec.stem, bed, spec.hidden)
    ready, processor = time.perf_counter(), time.process_time()
    shares = geometric(spec.strengths, spec.ratio)
    path = one(follow(problem, GroupLasso(), Cache(bed, problem.grouping), shares))
    ended = time.perf_counter()
    processor = time.process_time() - processor
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    load, last = os.getloadavg()[0], path.stages[-1]
    said = str(certify(problem, GroupLasso(), last)) if spec.certified else ""
    kept, seen = len(last.columns), len(path.stages)
    return Run(bed.n, bed.p, ready - began, ended - ready, processor, gib, path.passes, path.right, seen, kept, load,
               two_bit.store.route, said)  # fmt: skip


def fresh(task: Callable[[Any], Any], given: Any) -> Any:
    """Return ``task(given)`` from a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(task, given).result()


def least(task: Callable[[], object], times: int = 5) -> float:
    """Return the least of the seconds of a few runs."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        task()
        found.append(time.perf_counter() - began)
    return min(found)


def reading(memory: np.ndarray, threads: int) -> float:
    """Return the seconds that adding up the bytes takes, eight at a time: the least that any pass can take."""
    flat = memory.reshape(-1).view(np.uint8)
    words = flat[: len(flat) // 8 * 8].view(np.uint64)
    pieces = [words[a : a + PIECE // 8] for a in range(0, len(words), PIECE // 8)]
    with ThreadPoolExecutor(threads) as pool:
        return least(lambda: list(pool.map(np.add.reduce, pieces)))


def checksum(*tensors: torch.Tensor) -> str:
    """Return a few digits that are equal only if all bits are."""
    return hashlib.sha256(b"".join(tensor.numpy().tobytes() for tensor in tensors)).hexdigest()[:12]


def one_pass(spec: Spec) -> list[str]:
    """Return a row: milliseconds to read the bytes alone, of a pass with 1 and 8 right-hand sides, of a measurement."""
    torch.set_num_threads(1)
    bed = opened(spec)
    columns = stored(bed, spec.backend)
    store = columns.store
    memory = store.cells if isinstance(store, Plain) else np.memmap(beside(spec.stem, ".bed"), np.uint8, "r")
    right = torch.randn(bed.n, 8, generator=torch.Generator().manual_seed(0))
    limit = reading(memory, spec.threads)
    times = [least(partial(columns.dot, right[:, :k].contiguous()), 3) for k in (1, 8)]
    cells = [f"{1000 * t:.0f} ({t / limit:.1f}x)" for t in times]
    again = least(partial(bed.measured, [None]), 3)
    route = bed.store.route if columns is bed else "torch"
    return [BACKENDS[spec.backend], route, f"{1000 * limit:.1f}", *cells, f"{1000 * again:.0f}",
            checksum(columns.mean, columns.scale, columns.dot(right)), f"{os.getloadavg()[0]:.1f}"]  # fmt: skip


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, each row as soon as it is known."""
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), flush=True)
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print()


def compare(spec: Spec, backends: Sequence[str]) -> None:
    """Print the table of backends, the certificate, and the table of single passes."""
    found = {name: fresh(run, replace(spec, backend=name)) for name in backends}
    base = found[backends[-1]].seconds
    table(
        ("stored as", "multiplied by", "open s", "path s", "processor s", "peak GiB", "passes", "right-hand sides",
         "selected", f"speed against {backends[-1]}", "load"),
        ([BACKENDS[name], r.route, f"{r.opened:.2f}", f"{r.seconds:.2f}", f"{r.processor:.2f}", f"{r.gib:.2f}",
          r.passes, r.right, r.kept, f"{base / r.seconds:.1f}", f"{r.load:.1f}"] for name, r in found.items()),
    )  # fmt: skip
    print(f"certificate: {fresh(run, replace(spec, certified=True)).certificate}\n")
    heads = ("stored as", "multiplied by", "reading alone, ms", "1 right-hand side, ms", "8, ms",
             "means and scales of the .bed, ms", "checksum of the results", "load")  # fmt: skip
    table(heads, (fresh(one_pass, replace(spec, backend=name)) for name in backends))


def growth(spec: Spec, options: argparse.Namespace, sizes: Sequence[int]) -> None:
    """Print seconds against the number of variants, people, units and selected variables, one changed at a time."""
    small = min(sizes)
    people = [options.people // 2, options.people, 2 * options.people]
    specs = [replace(spec, stem=made(options.folder, options.people, p, options.scenario)) for p in sizes]
    specs += [replace(spec, stem=made(options.folder, n, small, options.scenario)) for n in people]
    specs += [replace(spec, hidden=h) for h in (0, 20, 64)]
    specs += [replace(spec, ratio=r) for r in (0.6, 0.3, 0.15)]
    heads = ("people", "variants", "open s", "path s", "processor s", "peak GiB", "passes", "right-hand sides",
             "strengths", "selected", "load", "multiplied by", "units", "down to")  # fmt: skip
    digits = ("", "", ".2f", ".2f", ".2f", ".2f", "", "", "", "", ".1f", "")

    def row(each: Spec) -> list[str]:
        cells = zip(astuple(fresh(run, each))[:-1], digits, strict=True)
        return [*(format(cell, how) for cell, how in cells), str(each.hidden), f"{each.ratio:g} lam_max"]

    table(heads, map(row, specs))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where simulated sets are, or are made")
    parser.add_argument("--people", type=int, default=3000)
    parser.add_argument("--variants", type=int, default=500_000)
    parser.add_argument("--scenario", default="A")
    parser.add_argument("--hidden", type=int, default=20)
    parser.add_argument("--strengths", type=int, default=30)
    parser.add_argument("--ratio", type=float, default=0.3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--backends", default=",".join(BACKENDS),
                        help="all are compared with the last; --growth and --profile take the first")  # fmt: skip
    parser.add_argument("--growth", help="numbers of variants, such as 50000,500000")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    stem = made(options.folder, options.people, options.variants, options.scenario)
    backends = options.backends.split(",")
    spec = Spec(stem, backends[0], options.threads, options.hidden, options.strengths, options.ratio)
    print(f"{stem.name}, {options.threads} threads, {options.hidden} units, {options.strengths} strengths\n")
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(run, spec)
        pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(18)
    elif options.growth:
        growth(spec, options, [int(p) for p in options.growth.split(",")])
    else:
        compare(spec, backends)


if __name__ == "__main__":
    main()
