"""Decide on real tables and print a row each: the verdict, its honest score, what it keeps, seconds and memory.

    python benchmarks/tables.py DATA [--only framingham,adult] [--budget 60s] [--seed 0]

DATA is a folder that holds the tables under the names below; tables that are not there are said and skipped.
"""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import riata


def csv(path: Path, target: str | int, **how) -> tuple[pd.DataFrame, str]:
    """Read a table with pandas and name its target column."""
    frame = pd.read_csv(path, **how)
    if isinstance(target, int):
        frame.columns = [f"c{i + 1}" for i in range(frame.shape[1])]
        target = frame.columns[target]
    return frame, str(target)


def microarray(path: Path) -> tuple[pd.DataFrame, str]:
    """Read an expression matrix; its arrays are X and y under whatever names they carry."""
    arrays = np.load(path, allow_pickle=False)
    x = next(arrays[k] for k in arrays if arrays[k].ndim == 2)
    y = next(arrays[k] for k in arrays if arrays[k].ndim == 1 and len(arrays[k]) in x.shape)
    x = x if len(x) == len(y) else x.T
    frame = pd.DataFrame(x, columns=[f"g{i}" for i in range(x.shape[1])])
    return frame.assign(target=[f"class {v}" for v in y]), "target"


def matlab(path: Path) -> tuple[pd.DataFrame, str]:
    """Read a MATLAB file with X and Y."""
    from scipy.io import loadmat

    arrays = loadmat(path)
    frame = pd.DataFrame(arrays["X"], columns=[f"v{i}" for i in range(arrays["X"].shape[1])])
    return frame.assign(target=[f"class {int(v)}" for v in arrays["Y"].ravel()]), "target"


TABLES = {
    "framingham": lambda d: csv(d / "framingham/framingham.csv", "TenYearCHD"),
    "saheart": lambda d: csv(d / "esl/South_African_Heart_Disease.txt", "chd", index_col=0),
    "pima": lambda d: csv(d / "tables/pima-indians-diabetes.csv", -1, header=None),
    "spam": lambda d: csv(d / "esl/Spam.txt", "spam", sep=None, engine="python"),
    "adult": lambda d: csv(d / "tables/adult-train.csv.gz", -1, header=None, skipinitialspace=True, na_values="?"),
    "california": lambda d: csv(d / "esl/California_Housing.txt", "medianHouseValue", sep=None, engine="python"),
    "student_dropout": lambda d: (pd.read_parquet(d / "tables/student_dropout.parquet"), "target"),
    **{
        name: (lambda d, name=name: csv(d / f"pmlb/{name}.tsv.gz", "target", sep="\t"))
        for name in ("churn", "satimage", "503_wind", "sonar", "tic_tac_toe")
    },
    "alon": lambda d: microarray(d / "microarray/alon.npz"),
    "madelon": lambda d: matlab(d / "matlab/madelon.mat"),
}


HEAD = (
    "table",
    "rows x variables",
    "verdict",
    "evidence",
    "final",
    "by",
    "nested",
    "kept",
    "networks",
    "seconds",
    "GiB",
)


def row(name: str, found: dict) -> list[object]:
    """Return a table's row: GiB is this process at its peak plus its largest worker."""
    metric, v = found["metric"], found["verdict"]
    final, inner = found["final"][metric], found["final"].get("nested", found["final"])[metric]["mean"]
    dropout = f" dropout {v['dropout']}" if v["dropout"] else ""
    memory = sum(resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 2**20
    return [
        name,
        f"{found['table']['rows']} x {found['table']['variables']}",
        f"{v['penalty']} {v['lam']:.3g}{dropout}",
        found["evidence"],
        f"{metric} {final['mean']:.3f} ({final['low']:.3f}-{final['high']:.3f})",
        found["final"]["method"],
        f"{inner:.3f}",
        len(found["kept"]),
        found["fits"],
        f"{found['seconds']:.0f}",
        f"{memory:.2f}",
    ]


def main() -> None:
    """Print the table of verdicts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(TABLES))
    parser.add_argument("--budget", default=None)
    parser.add_argument("--goal", default="prediction")
    parser.add_argument("--penalties", default=None)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print("|", " | ".join(HEAD), "|")
    print("|" + "---|" * len(HEAD), flush=True)
    for name in args.only.split(","):
        try:
            frame, target = TABLES[name](args.data)
        except FileNotFoundError as error:
            print(f"{name}: skipped, {error.filename} is not there", file=sys.stderr)
            continue
        options = {"penalties": tuple(args.penalties.split(","))} if args.penalties else {}
        found = riata.choose(
            frame, target, name=name, budget=args.budget, seed=args.seed, goal=args.goal, **options
        ).summary
        print("|", " | ".join(map(str, row(name, found))), "|", flush=True)


if __name__ == "__main__":
    main()
