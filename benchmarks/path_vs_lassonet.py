"""A group-lasso path of networks by Riata, against LassoNetClassifierCV, on the breast-cancer table.

Run: ``python benchmarks/path_vs_lassonet.py [--skip-lassonet]``. One thread each. LassoNet is no dependency of Riata:
``pip install lassonet`` first.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import importlib.util
import os
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import riata

HIDDEN = (64, 64)


def accuracy(right: np.ndarray) -> tuple[float, float]:
    """Return the share of right answers and its standard error."""
    p = float(right.mean())
    return p, float(np.sqrt(p * (1 - p) / len(right)))


def split(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return X_train (455 rows), X_test, y_train, y_test, standardized by the training rows."""
    X, y = load_breast_cancer(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=seed)
    centre, scale = X.mean(0), X.std(0)
    return (X - centre) / scale, (X_test - centre) / scale, y, y_test


def run_riata(seed: int, seeds: int) -> tuple[float, np.ndarray, int]:
    """Return seconds, which test rows are right, and how many variables are kept."""
    X, X_test, y, y_test = split(seed)
    began = time.perf_counter()
    path = riata.fit_path(X, y, riata.GroupLasso(), hidden=HIDDEN, folds=5, seeds=seeds)
    said = path.predict(X_test, path.lam_min).argmax(1)
    return time.perf_counter() - began, said == y_test, len(path.kept(path.lam_min))


def run_lassonet(seed: int) -> tuple[float, np.ndarray, int]:
    """Return the same of LassoNet's cross-validated classifier with its defaults."""
    from lassonet import LassoNetClassifierCV

    X, X_test, y, y_test = split(seed)
    model = LassoNetClassifierCV(hidden_dims=HIDDEN, verbose=0, random_state=seed, torch_seed=seed)
    began = time.perf_counter()
    model.fit(X.astype(np.float32), y)
    said = np.asarray(model.predict(X_test.astype(np.float32)))
    return time.perf_counter() - began, said == y_test, int(model.best_selected_.sum())


def line(name: str, found: tuple[float, np.ndarray, int]) -> str:
    """Return one line of the table."""
    seconds, right, kept = found
    share, error = accuracy(right)
    return f"{name:24s} {seconds:7.1f} s   test accuracy {share:.3f} +- {error:.3f}   keeps {kept} of 30"


def main() -> None:
    """Run both and print seconds, ratio and test accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--skip-lassonet", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    ours = {seeds: run_riata(options.seed, seeds) for seeds in (1, 3)}
    for seeds, found in ours.items():
        print(line(f"riata, {seeds} seed(s) a fold", found), flush=True)
    if options.skip_lassonet:
        return
    if importlib.util.find_spec("lassonet") is None:
        print("lassonet is not installed: pip install lassonet, and run again")
        return
    theirs = run_lassonet(options.seed)
    print(line("LassoNetClassifierCV", theirs))
    print("ratio " + ", ".join(f"{theirs[0] / f[0]:.1f}x ({s} seed(s))" for s, f in ours.items()))


if __name__ == "__main__":
    main()
