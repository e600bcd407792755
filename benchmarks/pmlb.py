"""The decided network beside linear models, boosting, a forest and a plain MLP on the PMLB tables.

    python benchmarks/pmlb.py DATA/pmlb --to scores.csv [--splits 0,1,2] [--budget 30s] [--summary]

Three 75/25 splits of every table; AUROC (macro one-vs-rest) or r2 on the test rows. Rows are appended to the file as
they come, and what is already there is not run again.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import riata
from riata.choice.score import score

OTHERS = {
    "linear": (
        lambda s: make_pipeline(StandardScaler(), LogisticRegressionCV(max_iter=1000)),
        lambda s: make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))),
    ),
    "boosting": (
        lambda s: HistGradientBoostingClassifier(random_state=s),
        lambda s: HistGradientBoostingRegressor(random_state=s),
    ),
    "forest": (
        lambda s: RandomForestClassifier(500, random_state=s),
        lambda s: RandomForestRegressor(500, random_state=s),
    ),
    "mlp": (
        lambda s: make_pipeline(
            StandardScaler(), MLPClassifier(hidden_layer_sizes=(64, 64), early_stopping=True, random_state=s)
        ),
        lambda s: make_pipeline(
            StandardScaler(), MLPRegressor(hidden_layer_sizes=(64, 64), early_stopping=True, random_state=s)
        ),
    ),
}


def read(path: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """Return X, y and the task of one table; the last column called target is the target."""
    frame = pd.read_csv(path, sep="\t")
    name = [c for c in frame.columns if c.startswith("target")][-1]
    y = frame.pop(name)
    if y.nunique() <= 20:
        codes = np.unique(y, return_inverse=True)[1]
        keep = np.isin(codes, np.flatnonzero(np.bincount(codes) >= 8))
        return frame[keep].to_numpy(float), np.unique(codes[keep], return_inverse=True)[1], "classification"
    return frame.to_numpy(float), y.to_numpy(float), "regression"


def decide(
    x: np.ndarray, y: np.ndarray, task: str, test: np.ndarray, budget: str, seed: int, workers: int
) -> tuple[np.ndarray, str]:
    """Return the decided network's prediction on the test rows, and its penalty."""
    target = y if task == "regression" else np.array([f"{v:03d}" for v in y])
    made = riata.choose(x, target, task=task, budget=budget, seed=seed, workers=workers)
    rows = pd.DataFrame(test, columns=[f"x{i + 1}" for i in range(test.shape[1])])
    said = made.model.predict_proba(rows) if task == "classification" else made.model.predict(rows)[:, None]
    return said, made.verdict["penalty"]


def one(name: str, path: Path, split: int, budget: str, workers: int) -> list[dict[str, object]]:
    """Score every method on one split of one table."""
    x, y, task = read(path)
    stratify = y if task == "classification" else None
    x, xt, y, yt = train_test_split(x, y, test_size=0.25, random_state=split, stratify=stratify)
    metric = "auroc" if task == "classification" else "r2"
    rows = []
    for method in ["riata", *OTHERS]:
        began, note = time.perf_counter(), ""
        if method == "riata":
            said, note = decide(x, y, task, xt, budget, split, workers)
        else:
            model = OTHERS[method][task == "regression"](split).fit(x, y)
            said = model.predict_proba(xt) if task == "classification" else model.predict(xt)[:, None]
        value = score(task, yt, said)[metric]
        seconds = time.perf_counter() - began
        rows.append({"table": name, "split": split, "method": method, "metric": metric, "score": round(value, 5),
                     "seconds": round(seconds, 1), "note": note})  # fmt: skip
    return rows


def summary(path: Path) -> None:
    """Print mean score and mean rank of every method, over the tables' mean scores."""
    frame = pd.read_csv(path)
    for metric, part in [("all", frame), *frame.groupby("metric")]:
        means = part.groupby(["table", "method"]).score.mean().unstack()
        ranks = means.rank(axis=1, ascending=False)
        print(f"\n{metric}: {len(means)} tables, {len(part) // len(means.columns)} splits")
        table = pd.DataFrame({"mean": means.mean(), "median": means.median(), "mean rank": ranks.mean()})
        print(table.sort_values("mean rank").round(4).to_string())


def main() -> None:
    """Run what is missing, then summarize."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, default=Path("pmlb.csv"))
    parser.add_argument("--splits", default="0,1,2")
    parser.add_argument("--budget", default="30s")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--summary", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    done = set()
    if args.to.exists():
        done = {(r["table"], int(r["split"])) for r in csv.DictReader(args.to.open())}
    for split in [] if args.summary else map(int, args.splits.split(",")):
        for path in sorted(args.folder.glob("*.tsv.gz")):
            name = path.name.removesuffix(".tsv.gz")
            if (name, split) in done:
                continue
            rows = one(name, path, split, args.budget, args.workers)
            fresh = not args.to.exists()
            with args.to.open("a", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                if fresh:
                    writer.writeheader()
                writer.writerows(rows)
            print(name, split, " ".join(f"{r['method']} {r['score']:.3f}" for r in rows), rows[0]["note"], flush=True)
    summary(args.to)


if __name__ == "__main__":
    main()
