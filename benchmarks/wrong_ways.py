"""Wrong ways to regularize, shown wrong: against the lasso's known solution, and on a network.

    python benchmarks/wrong_ways.py            about a minute on one core
    python benchmarks/wrong_ways.py --quick    a check that it runs

1. The lasso by seven loops of equal length, from w = 0, all rows at a time or in batches, against scikit-learn.
2. The first layer divided by c and the second multiplied by it: the same network, a penalty divided by c.
3. A group lasso on the first layer of a ReLU network, with and without a ridge on the layer above.
"""

from __future__ import annotations

import argparse
import copy
import statistics
from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
import torch
from sklearn.linear_model import Lasso
from torch import Tensor, nn

from riata.penalties import L1, L2, GroupLasso
from riata.torch import ProxAdam, ProxSGD, adopt

LAM = 0.1
LOOPS = {
    "SGD on loss + lam·‖w‖₁": "subgradient SGD",
    "Adam on loss + lam·‖w‖₁": "subgradient Adam",
    "SGD, then S(w, lr·lam)": "threshold SGD",
    "SGD with momentum .9, then S(w, lr·lam)": "threshold momentum",
    "Adam, then S(w, lr·lam)": "threshold Adam",
    "`ProxSGD`, momentum .9": "ProxSGD",
    "`ProxAdam`": "ProxAdam",
}
"""What the table says, and the name of the loop."""


@dataclass(frozen=True)
class Problem:
    """A regression whose lasso solutions are known to rounding."""

    x: Tensor
    y: Tensor
    at_lam: Tensor
    at_tenth: Tensor


@dataclass(frozen=True)
class Outcome:
    """One loop's end: exact zeros, distances to the lasso for lam and lam/10, objective above the least."""

    zeros: int
    to_lam: float
    to_tenth: float
    excess: float


@dataclass(frozen=True)
class Network:
    """One network's end: inputs dropped, true ones among them, the penalty, the norm of the layer above, test error."""

    dropped: int
    lost: int
    penalty: float
    above: float
    error: float


def problem(n: int = 200, p: int = 50, seed: int = 0) -> Problem:
    """Return rows with correlated standardized columns, 6 of 50 true, noise; and scikit-learn's lasso."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) + 0.7 * rng.normal(size=(n, 1))
    x = (x - x.mean(0)) / x.std(0)
    y = x[:, :6] @ np.array([1.5, -1.0, 0.8, -0.6, 0.4, 0.3]) + rng.normal(size=n)
    y -= y.mean()
    known = [Lasso(alpha=a, tol=1e-12, max_iter=100_000, fit_intercept=False).fit(x, y).coef_ for a in (LAM, LAM / 10)]
    return Problem(*(torch.from_numpy(a) for a in (x, y, *known)))


def objective(task: Problem, w: Tensor) -> float:
    """Return ``1/2 mean (x w - y)^2 + lam ||w||_1``."""
    return float((task.x @ w - task.y).square().mean() / 2 + LAM * w.abs().sum())


def run_loop(task: Problem, loop: str, steps: int, batch: int) -> Outcome:
    """Train by one loop; the rate falls from 1e-2 to 0 as a cosine."""
    w = nn.Parameter(torch.zeros_like(task.at_lam))
    optimizer = _optimizer(loop, w)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    draw = torch.Generator().manual_seed(0)
    for _ in range(steps):
        rows = torch.randperm(len(task.y), generator=draw)[:batch] if batch < len(task.y) else slice(None)
        optimizer.zero_grad()
        loss = (task.x[rows] @ w - task.y[rows]).square().mean() / 2
        (loss + LAM * w.abs().sum() if loop.startswith("subgradient") else loss).backward()
        optimizer.step()
        if loop.startswith("threshold"):
            with torch.no_grad():
                w.copy_(torch.nn.functional.softshrink(w, optimizer.param_groups[0]["lr"] * LAM))
        schedule.step()
    found = w.detach()
    return Outcome(
        zeros=int((found == 0).sum()),
        to_lam=float((found - task.at_lam).abs().max()),
        to_tenth=float((found - task.at_tenth).abs().max()),
        excess=objective(task, found) - objective(task, task.at_lam),
    )


def _optimizer(loop: str, w: nn.Parameter) -> torch.optim.Optimizer:
    rate = 1e-2
    make: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "subgradient SGD": lambda: torch.optim.SGD([w], lr=rate),
        "subgradient Adam": lambda: torch.optim.Adam([w], lr=rate),
        "threshold SGD": lambda: torch.optim.SGD([w], lr=rate),
        "threshold momentum": lambda: torch.optim.SGD([w], lr=rate, momentum=0.9),
        "threshold Adam": lambda: torch.optim.Adam([w], lr=rate),
        "ProxSGD": lambda: ProxSGD([w], lr=rate, momentum=0.9, penalty=L1(), lam=LAM),
        "ProxAdam": lambda: ProxAdam([w], lr=rate, penalty=L1(), lam=LAM),
    }
    return make[loop]()


def rows_of(n: int, seed: int, inputs: int = 40) -> tuple[Tensor, Tensor]:
    """Return n rows of 40 inputs, 4 of them true, and a nonlinear target of variance 1 plus noise of .25."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, inputs, generator=draw)
    signal = 2 * x[:, 0].relu() + torch.sin(2 * x[:, 1]) + x[:, 2] * (x[:, 3] > 0)
    return x, (signal / 1.6 - 0.5 + 0.5 * torch.randn(n, generator=draw))[:, None]


def first_layer(ridge: float, seed: int, steps: int, lam: float) -> tuple[nn.Sequential, Network]:
    """Train 40-32-1 with a group lasso on the inputs, and a ridge on the second layer or none."""
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(40, 32), nn.ReLU(), nn.Linear(32, 1))
    x, y = rows_of(400, seed)
    x_test, y_test = rows_of(2000, seed + 1000)
    held = (L2(), ridge) if ridge else None
    adopted = adopt(net, rules={"0.weight": ("input", GroupLasso(), lam), "2.weight": held})
    optimizer = ProxAdam(adopted.param_groups(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        ((net(x) - y).square().mean() / 2).backward()
        optimizer.step()
        schedule.step()
    weight, above = weights_of(net)
    dead = (weight != 0).any(0).logical_not()
    with torch.no_grad():
        error = float((net(x_test) - y_test).square().mean())
    sizes = float(weight.norm(dim=0).sum()), float(above.norm())
    return net, Network(int(dead.sum()), int(dead[:4].sum()), *sizes, error)


def weights_of(net: nn.Sequential) -> tuple[Tensor, Tensor]:
    """Return the weights of both layers."""
    return net.get_parameter("0.weight").detach(), net.get_parameter("2.weight").detach()


def rescaled(net: nn.Sequential, c: float) -> nn.Sequential:
    """Return the network with the first layer divided by c and the second's weight multiplied by it."""
    other = copy.deepcopy(net)
    weight, above = weights_of(other)
    weight.div_(c)
    other.get_parameter("0.bias").detach().div_(c)
    above.mul_(c)
    return other


def show_loops(steps: int) -> None:
    """Print the lasso's tables."""
    task = problem()
    for batch in (len(task.y), 20):
        kind = "all rows at a time" if batch == len(task.y) else f"batches of {batch}"
        zeros = int((task.at_lam == 0).sum())
        print(f"\nThe lasso for lam {LAM:g}, {steps} steps, {kind}; the solution has {zeros} zeros of 50.\n")
        print("| loop | exact zeros | distance to the lasso for lam | for lam/10 | objective above the least |")
        print("|---|---|---|---|---|")
        for label, loop in LOOPS.items():
            end = run_loop(task, loop, steps, batch)
            print(
                f"| {label} | {end.zeros} | {end.to_lam:.0e} | {end.to_tenth:.0e} | {max(end.excess, 0):.0e} |",
                flush=True,
            )


def show_rescaling() -> None:
    """Print what dividing the first layer by c does to the outputs and to the penalty."""
    net = first_layer(0.0, 0, 0, 0.0)[0].double()
    x = rows_of(400, 0)[0].double()
    before = net(x).detach()
    print("\nThe first layer divided by c, the second multiplied by it.\n")
    print("| c | difference of the outputs, of their size | Σ‖w_g‖ of the first layer | norm of the second |")
    print("|---|---|---|---|")
    for c in (1.0, 10.0, 1000.0):
        other = rescaled(net, c)
        away = float((other(x) - before).detach().abs().max() / before.abs().max())
        weight, above = weights_of(other)
        print(f"| {c:g} | {away:.0e} | {weight.norm(dim=0).sum().item():.3g} | {above.norm().item():.3g} |")


def show_networks(seeds: int, steps: tuple[int, ...]) -> None:
    """Print the table of the networks, means over seeds."""
    print(f"\nA group lasso on the first layer of 40-32-1; 40 inputs, 4 of them true; mean of {seeds} seeds.\n")
    print("| lam | ridge above | steps | inputs dropped | true ones lost | Σ‖w_g‖ | norm above | test error |")
    print("|---|---|---|---|---|---|---|---|")
    for lam in (0.03, 0.1):
        for ridge in (0.0, 1e-2):
            for count in steps:
                ends = [astuple(first_layer(ridge, seed, count, lam)[1]) for seed in range(seeds)]
                dropped, lost, penalty, above, error = (statistics.mean(v) for v in zip(*ends, strict=True))
                told = f"{dropped:.1f} | {lost:.1f} | {penalty:.2f} | {above:.1f} | {error:.2f}"
                print(f"| {lam:g} | {ridge or 'none'} | {count} | {told} |", flush=True)


def main() -> None:
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few steps, one seed")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    show_loops(100 if quick else 5000)
    show_rescaling()
    show_networks(1 if quick else 3, (50,) if quick else (2000, 8000))


if __name__ == "__main__":
    main()
