"""What each penalty leaves of the DIGITS network, 64-40-20-10: accuracy, zeros, inputs and neurons kept.

    python benchmarks/digits_network.py [--seeds 10] [--epochs 200] [--lam 3.16e-4] [--lr 3e-3]

scikit-learn's 8x8 digits, a quarter of the rows to test; each seed has its own split, start and batches. The network
and the groups are those of Scardapane et al. 2017, *Group sparse regularization for deep neural networks*: one group
for all weights that leave an input or a hidden neuron, with the square root of its size as weight, and one for each
bias. Here zeros are exact, because the prox makes them; no weight is cut off afterwards. What is kept is what
``riata.compact.compact`` leaves, so that a neuron counts only if it is read and is no constant.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import astuple, dataclass

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from riata.compact import compact
from riata.groups import Groups, from_index
from riata.penalties import L1, L2, GroupLasso, Penalty, SparseGroupLasso
from riata.torch import Adopted, ProxAdam, adopt

LAM = 10**-3.5
ARMS: dict[str, tuple[Penalty | None, float]] = {
    "none": (None, 0.0),
    "L2": (L2(), 1.0),
    "L1": (L1(), 1.0),
    "group lasso": (GroupLasso(), 1.0),
    "sparse group lasso": (SparseGroupLasso(mix=0.5), 2.0),
}
"""Penalty and factor of lam: the sparse group lasso is L1 and group lasso with lam each, as in the paper."""


@dataclass(frozen=True)
class Fit:
    """What one trained network is worth: shares, and counts of what is kept."""

    accuracy: float
    zeros: float
    inputs: float
    first: float
    second: float
    parameters: float


def split(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return rows and classes to train and to test, pixels in [0, 1]."""
    x, y = load_digits(return_X_y=True)
    parts = train_test_split(x / 16, y, test_size=0.25, stratify=y, random_state=seed)
    train, test = (torch.tensor(part, dtype=torch.float32) for part in parts[:2])
    return train, test, torch.tensor(parts[2]), torch.tensor(parts[3])


def network(seed: int) -> nn.Sequential:
    """Return the network, 64-40-20-10 with ReLU."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 20), nn.ReLU(), nn.Linear(20, 10))


def outgoing(weight: Tensor) -> Groups:
    """Return one group for all weights that leave an input of the layer: a column, weighted by sqrt(outputs)."""
    out, width = weight.shape
    return from_index(weight.shape, torch.arange(width), axis=1, weight=torch.full((width,), float(out)).sqrt())


def penalise(net: nn.Sequential, penalty: Penalty | None, lam: float) -> Adopted:
    """Put the penalty on every weight and bias."""
    if penalty is None:
        return adopt(net)
    kinds = {name: outgoing(p) if p.ndim == 2 else "entry" for name, p in net.named_parameters()}
    return adopt(net, rules={name: (kind, penalty, lam) for name, kind in kinds.items()})


def train(net: nn.Sequential, adopted: Adopted, x: Tensor, y: Tensor, epochs: int, lr: float, seed: int) -> None:
    """Train with proximal Adam, batches of 128, a rate that falls from lr to 0 as a cosine."""
    optimizer = ProxAdam(adopted.param_groups(), lr=lr)
    steps = -(-len(x) // 128)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps)
    draw = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=draw).split(128):
            optimizer.zero_grad()
            cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()


def fit(arm: str, seed: int, lam: float = LAM, epochs: int = 200, lr: float = 3e-3) -> Fit:
    """Train one network and say what is left of it."""
    x, x_test, y, y_test = split(seed)
    net = network(seed)
    penalty, factor = ARMS[arm]
    train(net, penalise(net, penalty, factor * lam), x, y, epochs, lr, seed)
    with torch.no_grad():
        accuracy = float((net(x_test).argmax(1) == y_test).double().mean())
    weights = torch.cat([p.detach().flatten() for p in net.parameters() if p.ndim == 2])
    small = compact(net)
    first, second = small.module[0], small.module[2]  # type: ignore[index]
    sizes = (len(small.kept_inputs), first.out_features, second.out_features, small.report.parameters[1])
    return Fit(accuracy, float((weights == 0.0).double().mean()), *sizes)


def cell(values: list[float], digits: int) -> str:
    """Return mean ± standard deviation."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {spread:.{digits}f}"


def main() -> None:
    """Train every arm with every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--lam", type=float, default=LAM)
    parser.add_argument("--lr", type=float, default=3e-3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| penalty | test accuracy | weights that are 0.0 | inputs of 64 | neurons of 40 | of 20 | parameters |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for arm in ARMS:
        fits = [fit(arm, seed, args.lam, args.epochs, args.lr) for seed in range(args.seeds)]
        columns = zip(*map(astuple, fits), strict=True)
        cells = [cell(list(values), digits) for values, digits in zip(columns, (3, 3, 1, 1, 1, 0), strict=True)]
        print("|", " | ".join([arm, *cells]), "|", flush=True)


if __name__ == "__main__":
    main()
