"""What does the prox cost? Seconds per step against torch's own optimizers, as ratios measured in one run.

python benchmarks/optimizers.py            about a minute on one core
python benchmarks/optimizers.py --quick    a check that it runs

A 784-2048-2048-2048-10 network (10 million weights) with fixed gradients; only ``optimizer.step()`` is timed, on one
thread. Steps of all optimizers alternate and each ratio is taken within a round, so that a busy machine slows both
sides; its median is printed.
The group lasso acts on the input columns of every weight matrix.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time

import torch
from torch import nn

from riata.penalties import L1, GroupLasso
from riata.torch import ProxAdam, ProxSGD
from riata.torch.groups import by_output, groups_by_input

WIDTHS = (784, 2048, 2048, 2048, 10)


def network(widths: tuple[int, ...]) -> nn.Sequential:
    """Return a network with a gradient on every parameter."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    net = nn.Sequential(*layers[:-1])
    for p in net.parameters():
        p.grad = 1e-2 * torch.randn_like(p)
    return net


def penalised(net: nn.Sequential, kind: str) -> list[dict[str, object]]:
    """Return parameter groups with a term on every weight matrix."""
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    weights, biases = [layer.weight for layer in layers], [layer.bias for layer in layers]
    if kind == "L1":
        return [{"params": weights, "penalty": L1(), "lam": 1e-4}, {"params": biases}]
    build = groups_by_input if kind == "columns" else by_output
    groups = {layer.weight: build(layer) for layer in layers}
    return [{"params": weights, "penalty": GroupLasso(), "lam": 1e-3, "groups": groups}, {"params": biases}]


def contestants(widths: tuple[int, ...]) -> dict[str, torch.optim.Optimizer]:
    """Return the optimizers, each on a network of its own."""
    nets = [network(widths) for _ in range(9)]
    lr = 1e-3
    return {
        "torch Adam": torch.optim.Adam(nets[0].parameters(), lr=lr, foreach=True),
        "torch Adam, fused": torch.optim.Adam(nets[8].parameters(), lr=lr, fused=True),
        "torch SGD": torch.optim.SGD(nets[1].parameters(), lr=lr, momentum=0.9, dampening=0.9, foreach=True),
        "ProxAdam, no penalty": ProxAdam(nets[2].parameters(), lr=lr),
        "ProxAdam, group lasso on inputs": ProxAdam(penalised(nets[3], "columns"), lr=lr),
        "ProxAdam, group lasso on neurons": ProxAdam(penalised(nets[4], "rows"), lr=lr),
        "ProxAdam, L1": ProxAdam(penalised(nets[5], "L1"), lr=lr),
        "ProxSGD, group lasso on inputs": ProxSGD(penalised(nets[6], "columns"), lr=lr),
        "ProxSGD, group lasso on neurons": ProxSGD(penalised(nets[7], "rows"), lr=lr),
    }


def measure(optimizers: dict[str, torch.optim.Optimizer], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each step of each, from alternating steps."""
    seconds: dict[str, list[float]] = {name: [] for name in optimizers}
    for turn in range(rounds + 3):
        for name, optimizer in optimizers.items():
            began = time.perf_counter()
            optimizer.step()
            if turn >= 3:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def ratio(a: list[float], b: list[float]) -> float:
    """Return the median of the ratios within a round."""
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small network and few steps")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    found = measure(contestants((64, 64, 10) if quick else WIDTHS), 5 if quick else 60)
    print("| optimizer | ms per step | of torch's Adam | of torch's SGD |")
    print("|---|---|---|---|")
    for name, seconds in found.items():
        adam, sgd = ratio(seconds, found["torch Adam"]), ratio(seconds, found["torch SGD"])
        print(f"| {name} | {1e3 * statistics.median(seconds):.1f} | {adam:.2f} | {sgd:.2f} |")


if __name__ == "__main__":
    main()
