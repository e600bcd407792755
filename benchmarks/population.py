"""How fast is a population? The same networks by a plain torch loop and by train_population.

python benchmarks/population.py            about two minutes on two cores
python benchmarks/population.py --quick    a check that it runs
python benchmarks/population.py --device cuda --members 10000 --chunk 1000

The table is scikit-learn's breast cancer, the network 30-64-64-1 with a skip, group lasso on the inputs, unit norms
above, batch 64, no early stopping, the validation loss after every epoch. The plain loop is what one would write:
an nn.Module, autograd, the penalty in the loss, torch.optim.Adam, torch.renorm after the step; one process a core, one
thread each.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from riata.engines import BatchedEngine, LoopEngine, Loss, Network, NetworkSpec, VmapEngine, initial
from riata.population.design import Design, Member, Split, Training
from riata.population.run import Blocks, fit_chunk, train_population
from riata.population.train import Rows, batches, rate, start

HIDDEN = (64, 64)
LR = 0.01
PENALTY = "group_lasso"
T = TypeVar("T")


class PlainNetwork(nn.Module):
    """The network as most people would write it."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.first, self.second, self.out = nn.Linear(inputs, 64), nn.Linear(64, 64), nn.Linear(64, 1)
        self.skip = nn.Linear(inputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        hidden = torch.relu(self.second(torch.relu(self.first(x))))
        return (self.out(hidden) + self.skip(x)).squeeze(1)

    def penalty(self) -> Tensor:
        """Return the sum over the inputs of the norm of all their weights."""
        return torch.cat([self.first.weight, self.skip.weight]).norm(dim=0).sum()


def plain_fit(blocks: Blocks, design: Design, member: Member) -> float:
    """Train one network by the plain loop and return its validation loss."""
    split, training = design.splits[member.split], design.training
    x, y = torch.from_numpy(blocks.x[0]), torch.from_numpy(blocks.y[0])
    train_x, train_y, valid_x, valid_y = x[split.train], y[split.train], x[split.valid], y[split.valid]
    torch.manual_seed(member.seed)
    model, loss = PlainNetwork(x.shape[1]), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=member.lr)
    total = max(1, round(len(train_y) / training.batch_size)) * training.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: rate(min(s, total), total, training.warmup))
    seen = math.nan
    for epoch in range(training.epochs):
        for index in batches(member.seed, epoch, len(train_y), training.batch_size):
            optimizer.zero_grad()
            (loss(model(train_x[index]), train_y[index]) + member.lam * model.penalty()).backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                for layer in (model.second, model.out):
                    layer.weight.copy_(torch.renorm(layer.weight, 2, 0, 1.0))
        with torch.no_grad():
            seen = float(loss(model(valid_x), valid_y))
    return seen


_DATA: dict[str, object] = {}


def _prepare(blocks: Blocks, design: Design) -> None:
    torch.set_num_threads(1)
    _DATA["blocks"], _DATA["design"] = blocks, design


def _plain(ids: list[int]) -> float:
    began, blocks, design = time.process_time(), _DATA["blocks"], _DATA["design"]
    assert isinstance(blocks, Blocks) and isinstance(design, Design)
    for i in ids:
        plain_fit(blocks, design, design.members[i])
    return time.process_time() - began


def _batched(ids: list[int]) -> float:
    began, blocks, design = time.process_time(), _DATA["blocks"], _DATA["design"]
    assert isinstance(blocks, Blocks) and isinstance(design, Design)
    fit_chunk(blocks, design, ids)
    return time.process_time() - began


def problem(members: int, epochs: int, device: str, paths: int) -> tuple[Blocks, Design]:
    """Return breast cancer and a design of lasso paths, ``paths`` strengths for each seed."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))
    train, valid, test = rows[:455], rows[455:512], rows[512:]
    x = ((x - x[train].mean(0)) / x[train].std(0)).astype(np.float32)
    names = tuple(str(i) for i in range(x.shape[1]))
    blocks = Blocks(x[None], y[None].astype(np.float32), np.arange(x.shape[1]), names, Loss("logistic", 1), device)
    lams = np.geomspace(1e-3, 0.3, paths)
    chosen = tuple(Member(PENALTY, float(lams[i % paths]), seed=i // paths, lr=LR) for i in range(members))
    training = Training(epochs=epochs, batch_size=64, hidden=HIDDEN, early_stopping=False)
    return blocks, Design(chosen, (Split(0, train, valid, test),), training)


Work = Callable[[list[int]], float]


def in_pool(blocks: Blocks, design: Design, work: Work, pieces: list[list[int]], workers: int) -> np.ndarray:
    """Return networks per second, and per second of one core, of ``work`` in processes that are already up."""
    with ProcessPoolExecutor(workers, get_context("spawn"), _prepare, (blocks, design)) as pool:
        list(pool.map(time.sleep, [0.5] * workers))
        list(pool.map(work, [pieces[0][:1]] * workers))
        began = time.perf_counter()
        used = sum(pool.map(work, pieces))
        return sum(map(len, pieces)) / np.array([time.perf_counter() - began, used])


def best_of(repeats: int, measure: Callable[[], T]) -> T:
    """Return the highest rates of so many runs."""
    return np.max([measure() for _ in range(repeats)], axis=0)


def gemm_rate(size: int = 2048) -> float:
    """Return the flops per second of one core on a large float32 matrix product."""
    a, rates = torch.randn(size, size), []
    for _ in range(4):
        began = time.perf_counter()
        _ = a @ a
        rates.append(2 * size**3 / (time.perf_counter() - began))
    return max(rates)


def engines(members: int) -> dict[str, float]:
    """Return the seconds of one gradient of a batch of 64, by engine."""
    spec, loss = NetworkSpec(30, 1, HIDDEN), Loss("logistic", 1)
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(64, 30, generator=draw), torch.ones(64)
    params = start(spec, loss, Rows(x, y), 0, members)
    module = Network(spec, initial(spec, 0))
    found = {}
    for engine in (BatchedEngine(spec, loss), VmapEngine(module, loss, chunk=16), LoopEngine(module, loss)):
        times = []
        for _ in range(8):
            began = time.perf_counter()
            engine.grads(params, x, y)
            times.append(time.perf_counter() - began)
        found[type(engine).__name__] = min(times)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few networks and epochs, once")
    parser.add_argument("--members", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--plain", type=int, default=16, help="networks that the plain loop trains")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chunk", type=int, default=32)
    parser.add_argument("--chunks", default="", help="also measure these chunk sizes, e.g. 8,16,32,64,128")
    parser.add_argument("--repeats", type=int, default=3, help="the best of so many runs counts")
    parser.add_argument("--device", default="cpu")
    a = parser.parse_args()
    if a.quick:
        a.members, a.epochs, a.plain, a.repeats = 16, 3, 2, 1
    torch.set_num_threads(1)
    paths = a.chunk if a.device != "cpu" else 30
    blocks, design = problem(a.members, a.epochs, a.device, paths)
    spec = blocks.spec(design)
    weights = sum(math.prod(s) for s in spec.shapes().values() if len(s) == 2)
    work = 6 * weights * len(design.splits[0].train) * a.epochs
    print(f"{a.members} networks 30-64-64-1, {a.epochs} epochs of batch 64 on 455 rows, {PENALTY}; best of {a.repeats}")
    whole = best_of(
        a.repeats,
        lambda: a.members / train_population(blocks, design, workers=a.workers, chunk=a.chunk).seconds,
    )
    data = replace(blocks, device="cpu")
    plain_ids = [[i] for i in range(min(a.plain, a.members))]
    plain = best_of(a.repeats, lambda: in_pool(data, design, _plain, plain_ids, a.workers))
    print(f"{'':58s} networks/s         networks/CPU-second")
    loop = f"plain torch loop, {a.workers} processes of one thread"
    print(f"{loop:58s} {plain[0]:8.2f}   1.0x   {plain[1]:8.2f}   1.0x")
    call = f"train_population on {a.device}, from the call to the result"
    print(f"{call:58s} {whole:8.2f} {whole / plain[0]:5.1f}x")
    if a.device != "cpu":
        return
    steady = best_of(a.repeats, lambda: in_pool(blocks, design, _batched, design.chunks(a.chunk), a.workers))
    ratio, peak = steady / plain, gemm_rate()
    again = "the same in processes that are up"
    print(f"{again:58s} {steady[0]:8.2f} {ratio[0]:5.1f}x   {steady[1]:8.2f} {ratio[1]:5.1f}x")
    share = steady[1] * work / peak
    print(f"one core multiplies large matrices at {peak / 1e9:.0f} GF/s; the population reaches {share:.0%} of it")
    seconds = engines(32)
    for name, used in seconds.items():
        gain = seconds["LoopEngine"] / used
        print(f"{name:14s} {used / 32 * 1e6:8.1f} us a network and gradient  {gain:5.1f}x the loop")
    for size in [int(c) for c in a.chunks.split(",") if c]:
        data, plan = problem(max(2 * size, 32), a.epochs, "cpu", size)
        pieces = plan.chunks(size)
        speed = best_of(a.repeats, partial(in_pool, data, plan, _batched, pieces, a.workers))
        print(f"chunks of {size:4d}: {speed[1]:8.2f} networks/CPU-second")


if __name__ == "__main__":
    main()
