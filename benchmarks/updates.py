"""Which update is the default at which size? Seconds to an equal objective, and the KKT residual reached.

python benchmarks/updates.py            under three minutes on one core
python benchmarks/updates.py --quick    a check that it runs

Four strengths of the group lasso are trained together. Every rule gets growing budgets (the rate decays to zero over
each) and its best rate of two; a rule has arrived when the objectives of its four members add up to within 1% of the
best sum that any run found. CPU seconds of one thread. On networks different runs end in different stationary points.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from riata.engines import BatchedEngine, Loss, NetworkSpec, Params
from riata.groups import by_variable
from riata.penalties import GroupLasso
from riata.population.design import Training
from riata.population.solve import certificate, objective, solve
from riata.population.train import Arms, Rows, Task, fit_minibatch, start, terms_for
from riata.updates import Terms

SHARES = (0.5, 0.2, 0.07, 0.02)
"""Strengths, as shares of the strength that removes every input of the linear model."""
WITHIN = 0.01
RULES: dict[str, tuple[dict[str, str], tuple[float, ...]]] = {
    "ProxAdam, group metric": ({"update": "prox_adam", "metric": "group"}, (0.01, 0.03)),
    "ProxAdam, entry metric": ({"update": "prox_adam", "metric": "entry"}, (0.01, 0.03)),
    "ProxSGD": ({"update": "prox_sgd"}, (0.1, 0.5)),
}


@dataclass(frozen=True)
class Run:
    """One budget of one rule: CPU seconds, objectives (4,) and the worst KKT residual."""

    seconds: float
    objective: Tensor
    kkt: float


@dataclass(frozen=True)
class Problem:
    """A table, an engine and the group lasso at four strengths."""

    engine: BatchedEngine
    rows: Rows
    arms: Arms
    terms: Terms

    def start(self) -> Params:
        """Return the common start."""
        return start(self.engine.spec, self.engine.loss, self.rows, 0, len(SHARES))

    def judge(self, params: Params, began: float) -> Run:
        """Return what was reached since the CPU time ``began``."""
        used = time.process_time() - began
        worst = float(certificate(self.engine, params, self.rows, self.terms).max())
        return Run(used, objective(self.engine, params, self.rows, self.terms), worst)


def tables() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return breast cancer (455 rows) and a made table of 4000 x 50 with ten useful inputs."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    rows, draw = np.random.default_rng(0).permutation(len(y))[:455], np.random.default_rng(1)
    z = draw.standard_normal((4000, 50))
    z[:, 1::2] = 0.7 * z[:, ::2] + 0.7 * z[:, 1::2]
    signal = z[:, :10] @ np.linspace(1, 0.2, 10) + np.abs(z[:, 0]) * z[:, 3] + draw.logistic(size=4000)
    return {"455 x 30": (x[rows], y[rows]), "4000 x 50": (z, signal > 0)}


def problem(x: np.ndarray, y: np.ndarray, hidden: tuple[int, ...]) -> Problem:
    """Return the training problem on one table."""
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    rows = Rows(torch.from_numpy(x), torch.from_numpy(y.astype(np.float32)))
    spec = NetworkSpec(x.shape[1], 1, hidden)
    top = float((rows.x.T @ (rows.y - rows.y.mean()) / len(y)).abs().max())
    lam = top * torch.tensor(SHARES)
    groups = by_variable((spec.inputs, spec.first_width), range(spec.inputs), [str(i) for i in range(spec.inputs)])
    terms = terms_for(spec, GroupLasso(), lam, groups.to("cpu", torch.float32))
    arms = Arms(lam, torch.zeros_like(lam), torch.zeros_like(lam))
    return Problem(BatchedEngine(spec, Loss("logistic", 1)), rows, arms, terms)


def minibatch(p: Problem, options: dict[str, str], lr: float, epochs: int) -> Run:
    """Run one mini-batch rule over a budget of epochs."""
    training = Training(epochs=epochs, hidden=p.engine.spec.hidden, early_stopping=False, **options)  # type: ignore[arg-type]
    few = Rows(p.rows.x[:8], p.rows.y[:8])  # the monitor costs nothing
    arms, began = Arms(p.arms.lam, p.arms.dropout, torch.full_like(p.arms.lam, lr)), time.process_time()
    task = Task(p.engine, p.rows, few, p.terms, arms, training, 0)
    return p.judge(fit_minibatch(task, p.start()).params, began)


def full_batch(p: Problem, iterations: int) -> Run:
    """Run APG over a budget of iterations."""
    began = time.process_time()
    return p.judge(solve(p.engine, p.rows, p.terms, p.start(), tol=1e-6, iterations=iterations).params, began)


def runs(p: Problem, quick: bool) -> dict[str, list[Run]]:
    """Return the runs of every rule, by growing budget."""
    large = len(p.rows.y) > 1000
    epochs = (2, 4) if quick else (3, 10, 30, 100) if large else (10, 30, 100, 300)
    found: dict[str, list[Run]] = {}
    for name, (options, rates) in RULES.items():
        found[name] = [minibatch(p, options, lr, budget) for budget in epochs for lr in rates]
    most = 300 if large and p.engine.spec.hidden else 3000
    steps = (10,) if quick else tuple(n for n in (30, 100, 300, 1000, 3000) if n <= most)
    found["APG"] = [full_batch(p, n) for n in steps]
    return found


def lines(found: dict[str, list[Run]]) -> list[str]:
    """Return a row of the table for each rule."""
    best = min(float(run.objective.sum()) for rs in found.values() for run in rs)
    rows = []
    for name, rs in found.items():
        gaps = [float(run.objective.sum()) / best - 1 for run in rs]
        arrived = [run.seconds for run, gap in zip(rs, gaps, strict=True) if gap <= WITHIN]
        first = f"{min(arrived):.2f} s" if arrived else "not reached"
        rows.append(f"{name} | {first} | {100 * max(min(gaps), 0):.2f}% | {min(r.kkt for r in rs):.1e}")
    return rows


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny budgets")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    minibatch(problem(*tables()["455 x 30"], (8,)), {}, 0.01, 1)  # the first call of everything is slow
    print("| rows x inputs | hidden | update | seconds to within 1% | smallest gap | smallest KKT residual |")
    print("|---|---|---|---|---|---|")
    for size, (x, y) in tables().items():
        for hidden in ((), (64, 64)):
            for line in lines(runs(problem(x, y, hidden), quick)):
                print(f"| {size} | {hidden} | {line} |", flush=True)


if __name__ == "__main__":
    main()
