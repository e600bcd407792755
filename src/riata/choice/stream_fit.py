"""From a decision on a sub-sample to a model of all rows of a file: count, train, certify and score, pass by pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ..data import layout
from ..data.roles import SEALED, SEALED_SHARE, TRAIN, VALID, VALID_SHARE, Roles
from ..data.stream import Block, Reader
from ..engines import Params
from ..model import Model
from ..penalties import by_name
from ..population.body import BuiltIn
from ..population.design import Member, Training
from ..population.run import arms_of
from ..population.stream import Certifier, Feed, Streamed, fit_stream
from ..population.train import Fitted, Rows
from ..updates import Terms
from .plan_memory import Notes
from .prepare import grouping
from .stream import Large
from .stream_scores import Scores, scores_for
from .training import LEARNING_RATE

BATCH = 1024
VALID_ROWS, VALID_CELLS = 100_000, 2**24
"""Most rows and cells that stop the training; they stay in memory."""
STANDING = "networks after the last pass over the file"
"""The note of where the training stands."""
TIMED, STEP_COST = 8192, 1.4
"""Rows that a pass is timed on, and what a step costs beside its gradient."""


@dataclass
class Counted:
    """What one pass over the unsealed rows found.

    ``mean`` and ``square`` (d,) are of the encoded columns of all unsealed rows: 0 and 1 where the sub-sample is like
    them. ``valid`` are the rows that stop the training.
    """

    train: int = 0
    valid: list[Block] = field(default_factory=list)
    rows: int = 0
    mean: np.ndarray | float = 0.0
    square: np.ndarray | float = 0.0
    unseen: int = 0
    seconds: float = 0.0

    def add(self, block: Block) -> None:
        """Take in a block; moments by the pairwise update (Chan, Golub & LeVeque 1983, equation 2.1)."""
        self.train += int((block.role == TRAIN).sum())
        self.valid.append(block.take(VALID))
        self.unseen += block.unseen
        n = len(block.y)
        if n == 0:
            return
        x = block.x.astype(np.float64)
        mean = x.mean(0)
        off, all_rows = mean - self.mean, self.rows + n
        self.square = self.square + np.square(x - mean).sum(0) + off**2 * (self.rows * n / all_rows)
        self.mean = self.mean + off * (n / all_rows)
        self.rows = all_rows

    @property
    def variance(self) -> np.ndarray:
        """Variance of the encoded columns, (d,)."""
        return np.asarray(self.square / max(1, self.rows))

    def differences(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the standardised mean difference to the sub-sample and |log variance ratio| per column, (d,)."""
        known = self.variance > 0
        smd = np.abs(np.asarray(self.mean)) / np.sqrt((1 + self.variance) / 2)
        return np.where(known, smd, 0.0), np.abs(np.log(np.where(known, self.variance, 1.0)))


@dataclass(frozen=True)
class Run:
    """What is trained: the sub-sample's networks, on the rows of the file that are not sealed."""

    reader: Reader
    model: Model
    body: BuiltIn
    terms: Terms
    alive: np.ndarray | None
    device: str

    def rows(self, block: Block) -> Rows:
        """Return a block as the networks read it."""
        x = block.x if self.alive is None else block.x * self.alive
        y = (block.y - self.model.y_centre) / self.model.y_scale
        return Rows(torch.as_tensor(x).to(self.device), torch.as_tensor(y, dtype=torch.float32).to(self.device))

    @property
    def params(self) -> Params:
        """The sub-sample's networks on the device."""
        return {k: w.to(self.device) for k, w in self.model.params.items()}


def start_run(
    large: Large, model: Model, selected: bool, groups: Mapping[str, str] | None, seed: int, device: str
) -> Run:
    """Return the networks of a sub-sample's decision, ready to be trained on.

    Where variables were ``selected``, those that are out stay out: their columns are read as 0.
    """
    group, names, _ = grouping(layout(large.table), groups)
    body = BuiltIn(model.spec, model.loss, group, names, device)
    count = model.params["first"].shape[0]
    lam = torch.full((count,), float(model.facts["lam"]), device=device)
    terms = body.terms(by_name(str(model.facts["penalty"])), lam)
    alive = (model.norms > 0)[model.encoder.layout.group].astype(np.float32) if selected else None
    open_rows = large.stream.rows * (1 - SEALED_SHARE)
    most = min(VALID_ROWS, VALID_CELLS // max(1, len(group)), VALID_SHARE * open_rows)
    reader = Reader(large.stream, large.table, model.encoder, Roles(seed, most / open_rows))
    return Run(reader, model, body, terms, alive, device)


def count(run: Run, told: Callable[[int, int], None]) -> Counted:
    """Read all unsealed rows once: how many train, their moments, and the rows that stop the training."""
    found, began, starts = Counted(), time.perf_counter(), run.reader.stream.starts
    for i, start in enumerate(starts):
        found.add(run.reader.block(start, (VALID, TRAIN)))
        told(i + 1, len(starts))
    found.seconds = time.perf_counter() - began
    return found


def joined(blocks: list[Block]) -> Block:
    """Return blocks as one."""
    return Block(
        np.concatenate([b.x for b in blocks]),
        np.concatenate([b.y for b in blocks]),
        np.concatenate([b.rows for b in blocks]),
        np.concatenate([b.role for b in blocks]),
    )


def pass_seconds(run: Run, counted: Counted, valid: Rows) -> float:
    """Return about how long one training pass takes: a timed gradient for the steps, the counting pass for reading."""
    timed = Rows(valid.x[:TIMED], valid.y[:TIMED])
    sums = Certifier(run.body.engine(), run.params)
    sums.add(timed)
    began = time.perf_counter()
    sums.add(timed)
    each = (time.perf_counter() - began) / max(1, len(timed.y))
    return STEP_COST * each * counted.train + counted.seconds


def train(
    run: Run,
    counted: Counted,
    valid: Rows,
    passes: int,
    size: int,
    seed: int,
    told: Callable[[int, int], None],
    notes: Notes | None = None,
) -> tuple[Fitted, list[list[float]]]:
    """Train the sub-sample's networks on all training rows of the file, from the last pass that ``notes`` have."""
    starts = run.reader.stream.starts

    def read(i: int) -> Rows:
        return run.rows(run.reader.block(starts[i], (TRAIN,)))

    feed = Feed(read, len(starts), counted.train, min(size, counted.train), seed)
    facts, m = run.model.facts, run.model.params["first"].shape[0]
    member = Member(str(facts["penalty"]), float(facts["lam"]), float(facts["dropout"]), 0, seed, LEARNING_RATE)
    spec = run.model.spec
    training = Training(epochs=passes, batch_size=feed.size, hidden=spec.hidden, form=spec.form)
    task = Streamed(
        run.body.engine(),
        feed,
        valid,
        run.terms,
        arms_of([member] * m, run.device),
        training,
        seed,
        run.body.masks,
        told,
        None if notes is None else notes.recall(STANDING),
        None if notes is None else partial(notes.remember, STANDING),
    )
    return fit_stream(task, run.params)


@dataclass(frozen=True)
class Judged:
    """What the last pass found: the loss and the KKT residual of every network (M,), and scores on the sealed rows."""

    loss: Tensor
    kkt: Tensor
    before: Scores
    after: Scores
    sealed: int
    unseen: int


def judge(run: Run, params: Params, model: Model, told: Callable[[int, int], None]) -> Judged:
    """Read the file once more: the certificate from the training rows, both models' scores from the sealed ones."""
    sums, sealed, unseen = Certifier(run.body.engine(), params), 0, 0
    task, classes = run.reader.table.task, len(run.reader.table.classes)
    before, after = scores_for(task, classes), scores_for(task, classes)
    starts = run.reader.stream.starts
    for i, start in enumerate(starts):
        block = run.reader.block(start, (SEALED, TRAIN))
        sums.add(run.rows(block.take(TRAIN)))
        held = block.take(SEALED)
        if len(held.y):
            before.add(held.y, run.model.outputs(held.x), held.rows)
            after.add(held.y, model.outputs(held.x), held.rows)
        sealed, unseen = sealed + len(held.y), unseen + block.unseen
        told(i + 1, len(starts))
    return Judged(sums.loss(), sums.kkt(run.terms), before, after, sealed, unseen)
