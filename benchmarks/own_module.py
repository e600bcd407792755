"""Networks of a user's module: trained as a population, against the same loop written by hand.

    python benchmarks/own_module.py [--members 64] [--epochs 20]

Prints seconds per network and the ratio, from one run on one thread: a small MLP, and convolutions. By hand means:
for each strength a module, a proximal Adam, batches of the same size and a validation loss an epoch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from riata.choice.own_data import own_body, own_table
from riata.penalties import GroupLasso
from riata.population.design import Design, Member, Split, Training
from riata.population.run import Blocks, train_population
from riata.torch import ProxAdam, adopt

BATCH = 64


def mlp() -> nn.Module:
    """Return 20-32-1."""
    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 1))


class Convolutions(nn.Module):
    """Two convolutions on 8 x 8 pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.out = nn.Linear(32, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return one number."""
        x = torch.max_pool2d(torch.relu(self.one(x)), 2)
        return self.out(torch.max_pool2d(torch.relu(self.two(x)), 2).flatten(1))


def by_hand(factory: Callable[[], nn.Module], x: Tensor, y: Tensor, held: slice, lam: float, epochs: int) -> float:
    """Train one network and return its best validation loss."""
    module = factory()
    groups = adopt(module, GroupLasso(), lam).param_groups()
    optimizer = ProxAdam(groups, lr=0.01)
    rows, best = torch.arange(held.start), float("inf")
    for _ in range(epochs):
        for part in rows[torch.randperm(len(rows))].split(BATCH):
            optimizer.zero_grad()
            (0.5 * (module(x[part])[:, 0] - y[part]).square().mean()).backward()
            optimizer.step()
        with torch.no_grad():
            best = min(best, float(0.5 * (module(x[held])[:, 0] - y[held]).square().mean()))
    return best


def population(
    factory: Callable[[], nn.Module], x: Tensor, y: Tensor, held: slice, lams: list[float], epochs: int
) -> None:
    """Train all networks at once."""
    own = own_body(factory, x, y, own_table(x, y, "benchmark"), "cpu", None)
    flat = x.reshape(len(x), -1).numpy()
    blocks = Blocks(flat[None], y[None].numpy(), np.arange(flat.shape[1]), own.groups.names, own.loss, "cpu", own)
    split = Split(0, np.arange(held.start), np.arange(held.start, len(y)), np.zeros(0, dtype=np.int64))
    training = Training(epochs=epochs, batch_size=BATCH, patience=epochs)
    train_population(blocks, Design(tuple(Member("group_lasso", lam) for lam in lams), (split,), training))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--members", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    torch.set_num_threads(1)
    lams = np.geomspace(0.3, 3e-4, args.members).tolist()
    print("| module | run by | population, s a network | by hand, s a network | ratio |")
    print("|---|---|---|---|---|")
    draw = torch.Generator().manual_seed(0)
    for name, factory, shape in (("20-32-1", mlp, (20,)), ("two convolutions", Convolutions, (1, 8, 8))):
        x = torch.randn(1200, *shape, generator=draw)
        y = x.reshape(1200, -1)[:, 0] + 0.3 * torch.randn(1200, generator=draw)
        held, few = slice(1000, 1200), max(4, args.members // 8)
        run_by = own_body(factory, x, y, own_table(x, y, "benchmark"), "cpu", None).reason or "vmap"
        began = time.perf_counter()
        population(factory, x, y, held, lams, args.epochs)
        together = (time.perf_counter() - began) / args.members
        began = time.perf_counter()
        for lam in lams[:: args.members // few][:few]:
            by_hand(factory, x, y, held, lam, args.epochs)
        alone = (time.perf_counter() - began) / few
        print(f"| {name} | {run_by} | {together:.3f} | {alone:.3f} | {alone / together:.1f} |", flush=True)


if __name__ == "__main__":
    main()
