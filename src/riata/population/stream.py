"""Train networks on rows that come block by block, and certify them in one more pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ..engines import Params, generator
from ..engines.memory import Scratch, aligned, keep_freed_memory
from ..updates import Term, Terms
from .design import Training
from .solve import residuals
from .standing import Standing
from .train import DIVERGED, OK, Arms, Engine, Fitted, Noise, Rows, make_update, noise, rate

WINDOW = 4
"""Blocks that are mixed at a time."""
CHUNK = 8192
"""Rows of one gradient of a pass that changes nothing."""


@dataclass(frozen=True)
class Feed:
    """The training rows of a file as mini-batches, in an order that depends on (seed, epoch) alone.

    The blocks come in random order; each :data:`WINDOW` of them is mixed, cut into batches, and what is left over
    goes into the next. No more than the window is ever in memory.

    Attributes
    ----------
    read : callable (block) -> Rows
        The training rows of a block.
    blocks : int
    rows : int
        Training rows of all blocks together, at least one.
    size : int
        Rows of a batch; the sizes of an epoch differ by at most one.
    seed : int
    """

    read: Callable[[int], Rows]
    blocks: int
    rows: int
    size: int
    seed: int

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return max(1, round(self.rows / self.size))

    def sizes(self) -> Iterator[int]:
        """Yield the size of every batch of an epoch, as ``torch.tensor_split`` cuts."""
        small, larger = divmod(self.rows, self.steps)
        yield from (small + 1 if i < larger else small for i in range(self.steps))

    def epoch(self, epoch: int) -> Iterator[Rows]:
        """Yield the batches of one pass over the file."""
        order = torch.randperm(self.blocks, generator=generator(self.seed, "blocks", epoch)).tolist()
        sizes = self.sizes()
        wanted, left = next(sizes), None
        for first in range(0, self.blocks, WINDOW):
            parts = [self.read(i) for i in order[first : first + WINDOW]] + ([left] if left is not None else [])
            x, y = torch.cat([p.x for p in parts]), torch.cat([p.y for p in parts])
            del parts
            mixed = torch.randperm(len(y), generator=generator(self.seed, "mixed", epoch, first))
            at = 0
            while 0 < wanted <= len(y) - at:
                index = mixed[at : at + wanted]
                yield Rows(x[index], y[index])
                at, wanted = at + wanted, next(sizes, 0)
            left = Rows(x[mixed[at:]], y[mixed[at:]])


Told = Callable[[int, int], None]
"""Told how far a training is: (steps done, steps of all passes)."""
Kept = Callable[[bytes], None]
"""Given where a training stands after each pass, see :class:`~riata.population.standing.Standing`."""


@dataclass(frozen=True)
class Streamed:
    """What is trained on a feed and how: as :class:`~riata.population.train.Task`, with the rows on disk.

    ``training.epochs`` is the number of passes. After each, ``keep`` is given where the training stands; with such
    bytes as ``known``, the passes that they hold are not made again.
    """

    engine: Engine
    feed: Feed
    valid: Rows
    terms: Terms
    arms: Arms
    training: Training
    seed: int
    masks: Noise | None = None
    told: Told | None = None
    known: bytes | None = None
    keep: Kept | None = None


def fit_stream(task: Streamed, params: Params) -> tuple[Fitted, list[list[float]]]:
    """Train with mini-batches of a file and a decaying rate; keep each member's weights of the best pass.

    The steps are those of :func:`~riata.population.train.fit_minibatch` on the same batches. Pass 0 is the start, so
    no member's validation loss ends above the one it began with; all members go on to the last pass.

    Returns
    -------
    tuple of (Fitted, list of list of float)
        The best weights, and the members' validation losses at the start and after every pass.
    """
    keep_freed_memory()
    engine, training, terms, arms, valid = task.engine, task.training, task.terms, task.arms, task.valid
    draw, update, scratch = task.masks or partial(noise, engine.spec), make_update(training), Scratch()
    params = {k: aligned(w.clone()) for k, w in params.items()}
    loss = engine.losses(params, valid.x, valid.y, scratch=scratch)
    now = Standing.begun(params, update.init(params, terms), loss)
    if task.known is not None:
        now.unpack(task.known)
    total = task.feed.steps * training.epochs
    for epoch in range(now.passes + 1, training.epochs + 1):
        for step, rows in enumerate(task.feed.epoch(epoch), (epoch - 1) * task.feed.steps):
            masks = draw(arms, task.seed, step, len(rows.y), scratch)
            _, grads = engine.grads(params, rows.x, rows.y, None, masks, scratch)
            update.step(params, grads, now.state, arms.lr * rate(step, total, training.warmup), terms)
            if task.told is not None:
                task.told(step + 1, total)
        now.judge(engine.losses(params, valid.x, valid.y, scratch=scratch), training.min_delta)
        if task.keep is not None:
            task.keep(now.pack())
    status = [OK if good else DIVERGED for good in now.finite.tolist()]
    epochs = torch.full_like(now.won_at, training.epochs)
    return Fitted(now.best, now.least, now.won_at, epochs, status), now.losses


class Certifier:
    """Gathers the gradient of the mean loss over all rows, block by block, summed in float64.

    Examples
    --------
    >>> from riata.engines import BatchedEngine, Loss, NetworkSpec, initial
    >>> spec = NetworkSpec(3, hidden=())
    >>> params = {k: w[None] for k, w in initial(spec, 0).items()}
    >>> sums = Certifier(BatchedEngine(spec, Loss("squared", 1)), params)
    >>> sums.add(Rows(torch.ones(5, 3), torch.zeros(5)))
    >>> sums.rows, sums.loss().shape
    (5, torch.Size([1]))
    """

    def __init__(self, engine: Engine, params: Params) -> None:
        self.engine, self.params, self.rows = engine, params, 0
        self._grads = {k: torch.zeros_like(w, dtype=torch.float64) for k, w in params.items()}
        self._loss = params["b_out"].new_zeros(len(params["b_out"]), dtype=torch.float64)
        self._scratch = Scratch()

    def add(self, rows: Rows) -> None:
        """Take in some rows."""
        for x, y in zip(rows.x.split(CHUNK), rows.y.split(CHUNK), strict=True):
            if len(y) == 0:
                continue
            outputs, grads = self.engine.grads(self.params, x, y, None, None, self._scratch)
            self._loss += self.engine.loss.value(outputs, y).double() * len(y)
            for k, g in grads.items():
                self._grads[k] += g.double() * len(y)
            self.rows += len(y)

    def loss(self) -> Tensor:
        """Return the mean loss of every member, (M,)."""
        return self._loss / max(1, self.rows)

    def grads(self) -> Params:
        """Return the gradient of the mean loss in every parameter, float64."""
        return {k: g / max(1, self.rows) for k, g in self._grads.items()}

    def kkt(self, terms: Terms) -> Tensor:
        """Return the KKT residual of every member, (M,), as :func:`~riata.population.solve.certificate` has it."""
        exact = {k: Term(t.penalty, t.lam.double(), t.groups.to(t.lam.device, torch.float64)) for k, t in terms.items()}
        return residuals({k: w.double() for k, w in self.params.items()}, self.grads(), exact)
