"""Tables whose truth is known: which variables are found, which are false, over ten seeds.

    python benchmarks/simulated.py [--seeds 10] [--goal selection]

n = 300, p = 40 variables, 5 of them true (one a category of four levels), nonlinear signal, noise.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

import riata


def simulate(seed: int, n: int = 300, p: int = 40) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Return a table, its target and the true variables."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, p - 6)), columns=[f"x{i}" for i in range(p - 6)])
    for i in range(6):
        frame[f"c{i}"] = rng.choice(list("abcd"), n)
    level = frame["c0"].map({"a": -1.5, "b": 1.5, "c": 0.5, "d": -0.5}).to_numpy()
    signal = (
        2 * np.maximum(frame.x0, 0)
        + 1.5 * np.sin(1.5 * frame.x1)
        + 1.2 * frame.x2
        + frame.x3 * (frame.x3 > -0.5)
        + level
    )
    noise = rng.normal(size=n) * signal.std() * 0.5
    return frame, (signal + noise).to_numpy(), ["x0", "x1", "x2", "x3", "c0"]


def main() -> None:
    """Print found and false variables for each seed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--goal", default="selection")
    parser.add_argument("--budget", default="60s")
    args = parser.parse_args()
    print("| seed | verdict | evidence | r2 | true found | false kept | seconds |")
    print("|---|---|---|---|---|---|---|", flush=True)
    counts = []
    for seed in range(args.seeds):
        frame, y, truth = simulate(seed)
        made = riata.choose(frame, y, goal=args.goal, seed=seed, budget=args.budget)
        found = sum(v in made.kept for v in truth)
        false = len(made.kept) - found
        counts.append((found, false))
        v, s = made.verdict, made.summary
        row = [
            seed,
            f"{v['penalty']} {v['lam']:.3g}",
            made.evidence,
            f"{s['final']['r2']['mean']:.3f}",
            f"{found} of {len(truth)}",
            f"{false} of {frame.shape[1] - len(truth)}",
            f"{s['seconds']:.0f}",
        ]
        print("|", " | ".join(map(str, row)), "|", flush=True)
    found, false = np.mean(counts, axis=0)
    print(f"mean: {found:.1f} of 5 true found, {false:.1f} of 35 false kept")


if __name__ == "__main__":
    main()
