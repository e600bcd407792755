"""A small convolutional network on digits: group lasso and compact, against dense and magnitude pruning.

python benchmarks/compact.py            about two minutes on one core
python benchmarks/compact.py --quick    a check that it runs

All get the same epochs. Half of the learning plain and half with the group lasso on filters and neurons (ProxAdam),
compacted, then fine-tuned; the dense network
pruned by torch-pruning's magnitudes to at most the same number of parameters, then fine-tuned; the dense network
itself. Accuracy on 30% of the rows, averaged over seeds, with the standard error over the rows; times are medians and
ratios of one run on one thread.
"""

from __future__ import annotations

import argparse
import copy
from dataclasses import dataclass

import numpy as np
import torch
import torch_pruning
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn

from riata.compact import compact, measure
from riata.groups import from_index
from riata.penalties import GroupLasso
from riata.torch import ProxAdam

LEARN, TUNE = 20, 10
LAM = 1e-3


@dataclass(frozen=True)
class Rows:
    """Training and test images (n, 1, 8, 8) and digits."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


def rows() -> Rows:
    """Return scikit-learn's digits, 70% to train."""
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x.reshape(-1, 1, 8, 8) / 16 - 0.3, y, test_size=0.3, random_state=0, stratify=y)
    x, x_test, y, y_test = (torch.as_tensor(p) for p in parts)
    return Rows(x.float(), y, x_test.float(), y_test)


def network(seed: int) -> nn.Sequential:
    """Return the dense network; convolutions have no bias, so that a zero filter is a zero channel."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(1024, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def penalized(net: nn.Sequential, lam: float) -> list[dict[str, object]]:
    """Return the optimizer's groups: filters and neurons under the group lasso, by the root of their size."""
    found: list[dict[str, object]] = []
    for layer in net[:-1]:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            shape, size = tuple(layer.weight.shape), layer.weight[0].numel()
            groups = from_index(shape, range(shape[0]), axis=0, weight=torch.full((shape[0],), size**0.5).double())
            found.append({"params": [layer.weight], "penalty": GroupLasso(), "lam": lam, "groups": groups})
    taken = {id(p) for part in found for p in part["params"]}  # type: ignore[attr-defined]
    return [*found, {"params": [p for p in net.parameters() if id(p) not in taken]}]


def train(net: nn.Module, data: Rows, epochs: int, seed: int, lam: float | None = None, lr: float = 2e-3) -> None:
    """Train in place with Adam, or ProxAdam where ``lam`` is given; the rate falls to zero."""
    if lam is None:
        optimizer: torch.optim.Optimizer = torch.optim.Adam(net.parameters(), lr)
    else:
        optimizer = ProxAdam(penalized(net, lam), lr=lr)  # type: ignore[arg-type]
    steps = epochs * -(-len(data.x) // 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    draw = torch.Generator().manual_seed(seed)
    net.train()
    for _ in range(epochs):
        for part in torch.randperm(len(data.x), generator=draw).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(data.x[part]), data.y[part]).backward()
            optimizer.step()
            schedule.step()


def pruned(net: nn.Module, data: Rows, parameters: int) -> nn.Module:
    """Return the network pruned by magnitude to at most ``parameters``: the least global ratio that gets there."""
    low, high, best = 0.0, 0.99, net
    for _ in range(12):
        ratio, small = (low + high) / 2, copy.deepcopy(net)
        importance = torch_pruning.importance.MagnitudeImportance(p=2)
        torch_pruning.pruner.MagnitudePruner(
            small, data.x[:2], importance, global_pruning=True, pruning_ratio=ratio, max_pruning_ratio=0.98,
            ignored_layers=[small[-1]],
        ).step()  # fmt: skip
        if sum(p.numel() for p in small.parameters()) <= parameters:
            high, best = ratio, small
        else:
            low = ratio
    return best


def hits(net: nn.Module, data: Rows) -> np.ndarray:
    """Return which test rows are right."""
    with torch.no_grad():
        return (net.eval()(data.x_test).argmax(1) == data.y_test).double().numpy()


def one_seed(seed: int, data: Rows, learn: int, tune: int, lam: float) -> dict[str, nn.Module]:
    """Return the networks of one seed."""
    dense, sparse = network(seed), network(seed)
    train(dense, data, learn, seed)
    train(sparse, data, learn // 2, seed)
    train(sparse, data, learn - learn // 2, seed + 50, lam)
    done = compact(sparse, data.x[:8])
    print(f"seed {seed}: " + "; ".join(f"{n} {w} {a}->{b}" for n, (w, a, b) in done.report.sizes.items()))
    print(f"  outputs differ by {done.report.difference:.1e} of their size")
    before = {"group lasso, compacted, not tuned": copy.deepcopy(done.module)}
    magnitude = pruned(dense, data, done.report.parameters[1])
    for net in (dense, done.module, magnitude):
        train(net, data, tune, seed + 100, lr=1e-3)
    return {"dense": dense, **before, "group lasso, compacted": done.module, "magnitude pruned": magnitude}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lam", type=float, default=LAM)
    options = parser.parse_args()
    torch.set_num_threads(1)
    learn, tune, seeds = (1, 1, 1) if options.quick else (LEARN, TUNE, options.seeds)
    data = rows()
    found = [one_seed(seed, data, learn, tune, options.lam) for seed in range(seeds)]
    table(found, data)


def table(found: list[dict[str, nn.Module]], data: Rows) -> None:
    """Print a line for each kind of network; the timed runs take turns, so that all see the same machine."""
    names = list(found[0])
    many: dict[str, list[float]] = {name: [] for name in names}
    one: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(7):
        for nets in found:
            for name in names:
                many[name].append(measure(nets[name], data.x[:256], runs=10).milliseconds)
                one[name].append(measure(nets[name], data.x[:1], runs=50).milliseconds)
    heads = f"{'accuracy':>18}{'parameters':>12}{'mult-adds':>12}{'ms, 256 rows':>14}{'ms, 1 row':>11}{'ratios':>14}"
    print(f"{'':34}{heads}")
    for name in names:
        right = np.mean([hits(nets[name], data) for nets in found], axis=0)
        sizes = [measure(nets[name], data.x[:1], runs=1) for nets in found]
        slow, fast = float(np.median(many[name])), float(np.median(one[name]))
        ratios = f"{np.median(many['dense']) / slow:.1f}x, {np.median(one['dense']) / fast:.1f}x"
        score = f"{right.mean():.4f} +- {right.std(ddof=1) / len(right) ** 0.5:.4f}"
        size = f"{np.mean([s.parameters for s in sizes]):>12,.0f}{np.mean([s.multiply_adds for s in sizes]):>12,.0f}"
        print(f"{name:34}{score:>18}{size}{slow:>14.2f}{fast:>11.3f}{ratios:>14}")


if __name__ == "__main__":
    main()
