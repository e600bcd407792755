"""Rows beyond memory: a Parquet of many rows is decided from a sub-sample and its networks are trained on all of it.

    python benchmarks/stream.py --rows 10000000              about 1 GB of Parquet, made once, in --folder
    python benchmarks/stream.py --rows 20000 --passes 1      a check that it runs
    python benchmarks/stream.py --rows 1000000 --no-decision reading and one training pass alone

28 columns like those of a physics table: 14 continuous, 6 heavy-tailed (lognormal, Student t with 3 degrees of
freedom), 4 counts, 4 of noise; a column drifts along the file, so its head is not like its tail. The outcome is drawn
from a known function with products, sines and thresholds; the AUROC of that function itself is the most one can get.
Printed: the seconds of reading the file alone (every column, through the same reader), of a training pass, their ratio,
the peak memory of all processes together (proportional set size, sampled), and the scores of the sub-sample's model
and of the streamed model on the same sealed rows.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from peak import Peak
from sklearn.metrics import roc_auc_score

import riata
from riata.choice.decision import Decision
from riata.data.stream import open_stream

PART = 500_000
"""Rows that are drawn at a time."""
TRUE = 24
"""Columns that enter, or may enter, the outcome; the other four are noise."""


def draw(rows: int, seed: int, part: int, along: float) -> tuple[pl.DataFrame, np.ndarray]:
    """Return a part of the table and the probabilities behind its outcome; ``along`` in [0, 1) is its place."""
    rng = np.random.default_rng([seed, part])
    plain = rng.standard_normal((rows, 14))
    plain[:, 13] += 2 * along - 1
    heavy = np.column_stack([np.exp(rng.standard_normal((rows, 3))), rng.standard_t(3, (rows, 3))])
    counts = rng.poisson([1.0, 2.0, 0.3, 4.0], (rows, 4)).astype(np.float64)
    noise = rng.standard_normal((rows, 4))
    a, h, c = plain, heavy, counts
    logit = (
        0.8 * a[:, 0] - 0.6 * a[:, 1] + 0.9 * a[:, 2] * a[:, 3] + 1.1 * np.sin(2 * a[:, 4]) + 0.7 * np.abs(a[:, 5])
        + 0.5 * np.log(h[:, 0]) * a[:, 6] + 0.6 * np.tanh(h[:, 3]) + 0.8 * (c[:, 0] == 2) - 0.5 * (c[:, 2] > 0) - 0.7
    )  # fmt: skip
    p = 1 / (1 + np.exp(-logit))
    names = [f"x{j:02d}" for j in range(14)] + [f"h{j}" for j in range(6)] + [f"n{j}" for j in range(4)]
    names += [f"noise{j}" for j in range(4)]
    table = np.column_stack([plain, heavy, counts, noise]).astype(np.float32)
    frame = pl.DataFrame({name: table[:, j] for j, name in enumerate(names)})
    return frame.with_columns(y=pl.Series((rng.random(rows) < p).astype(np.int8))), p


def made(folder: Path, rows: int, seed: int) -> Path:
    """Return the file, made where it is not there; its best AUROC is beside it."""
    path = folder / f"stream-{rows}-{seed}.parquet"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    parts, best = [], []
    for i, first in enumerate(range(0, rows, PART)):
        frame, p = draw(min(PART, rows - first), seed, i, first / rows)
        best.append(float(roc_auc_score(frame["y"].to_numpy(), p)))
        parts.append(folder / f".{path.stem}.{i}.part")
        frame.write_parquet(parts[-1])
    whole = folder / f".{path.name}.part"
    pl.scan_parquet(parts).sink_parquet(whole)
    for part in parts:
        part.unlink()
    (folder / f"{path.stem}.json").write_text(json.dumps({"auroc": float(np.mean(best))}))
    whole.replace(path)
    return path


def read_alone(path: Path) -> float:
    """Return the seconds of reading every column of every block, nothing else."""
    stream = open_stream(path)
    began = time.perf_counter()
    for _, source in stream.blocks(list(stream.kinds)):
        assert source.frame.height
    return time.perf_counter() - began


def decided(path: Path, args: argparse.Namespace) -> tuple[Decision, float, float]:
    """Return the decision, its seconds and the peak memory in GiB."""
    quick: dict[str, Any] = {"no_validation": True} if args.no_decision else {}
    began = time.perf_counter()
    with Peak() as peak:
        decision = riata.choose(
            path,
            target="y",
            stream=args.passes or True,
            budget=args.budget,
            seed=args.seed,
            workers=args.workers,
            **quick,
        )
    return decision, time.perf_counter() - began, peak.most / 2**30


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the file [1000000]")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(tempfile.gettempdir(), "riata-stream"),
        help="where the file is [%(default)s]",
    )
    parser.add_argument("--passes", type=int, default=0, help="training passes [as the budget allows]")
    parser.add_argument("--budget", default="4m", help="time it may take [4m]")
    parser.add_argument("--workers", type=int, default=2, help="processes of the comparison [2]")
    parser.add_argument("--seed", type=int, default=0, help="seed of the file and of the run [0]")
    parser.add_argument("--no-decision", action="store_true", help="compare nothing: the verdict follows from theory")
    args = parser.parse_args()
    began = time.perf_counter()
    path = made(args.folder, args.rows, args.seed)
    best = json.loads((args.folder / f"{path.stem}.json").read_text())["auroc"]
    print(f"seed {args.seed}; {path}: {args.rows:,} rows, {path.stat().st_size / 1e9:.2f} GB, "
          f"made or found in {time.perf_counter() - began:.1f} s; load {os.getloadavg()[0]:.1f}")  # fmt: skip
    alone = read_alone(path)
    print(f"reading alone {alone:.2f} s", flush=True)
    decision, seconds, gib = decided(path, args)
    show(decision, seconds, gib, alone, best)


def show(decision: Decision, seconds: float, gib: float, alone: float, best: float) -> None:
    """Print what came out."""
    facts, verdict = decision.summary["stream"], decision.verdict
    stages = {stage["stage"]: stage["seconds"] for stage in (decision.figures or {})["stages"]}
    each = stages["training on all rows"] / facts["passes"]
    print(f"verdict {verdict['penalty']}, lam {verdict['lam']:.3g}, dropout {verdict['dropout']}: {decision.evidence}")
    print(f"rows: sub-sample {facts['sample']:,}, train {facts['train']:,}, valid {facts['valid']:,}, "
          f"sealed {facts['sealed']:,}; batch {facts['batch']}")  # fmt: skip
    print(f"representative: {json.dumps(facts['representative'])}; moments: {json.dumps(facts['moments'])}")
    print(f"passes {facts['passes']}, {each:.1f} s each, {each / alone:.1f} times reading; all stages {stages}")
    print(f"validation losses by pass: {[round(float(np.mean(v)), 5) for v in facts['valid_loss']]}")
    for name, scores in facts["scores"].items():
        shown = ", ".join(f"{m} {i['mean']:.4f} ({i['low']:.4f} to {i['high']:.4f})" for m, i in scores.items())
        print(f"{name} on sealed rows: {shown}")
    print(
        f"the outcome's own function: auroc {best:.4f}; binning moves the auroc by {facts['binning_error']:.1e} at most"
    )
    print(f"keeps {len(decision.kept)}, drops {decision.dropped}; KKT residual {max(facts['kkt']):.2e}")
    print(f"{seconds:.0f} s in all; peak memory of all processes {gib:.2f} GiB; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
