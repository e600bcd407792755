"""Train a whole design, chunk by chunk, here or in worker processes; the answer is the same."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from types import ModuleType
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..engines import Loss, NetworkSpec, Params
from ..errors import InputError
from ..penalties import by_name
from ..results import MemberResult, Population
from ..updates import Terms
from .body import Body, BuiltIn, Own
from .design import Design, Member, Split, Training
from .solve import certificate, solve
from .train import Arms, Engine, Fitted, Rows, Task, Watch, fit_minibatch

CHUNK = 32
CHUNK_WEIGHTS = 2**22
FULL_BATCH_TOL = 1e-5
Progress = Callable[[int, int], None]
Finished = Callable[[list[MemberResult]], None]


class Keep(Protocol):
    """Remembers finished members between runs."""

    def known(self, blocks: Blocks, design: Design) -> dict[int, MemberResult]:
        """Return the members of a design that are already there."""
        ...

    def add(self, blocks: Blocks, design: Design, ids: list[int], results: list[MemberResult]) -> None:
        """Remember a finished chunk."""
        ...


class Hands(Protocol):
    """Trains the chunks of a design somewhere."""

    def train(self, design: Design, chunks: list[list[int]]) -> Iterator[tuple[list[int], list[MemberResult]]]:
        """Yield every chunk's members and results as they are finished, in any order."""
        ...


@dataclass(frozen=True)
class Blocks:
    """The data every worker needs once.

    Attributes
    ----------
    x : ndarray (B, n, d) float32
        Inputs, encoded and standardized by the training rows of each block's splits.
    y : ndarray (B, n)
        Targets: values, standardized by the training rows of the block, or class codes.
    group : ndarray (d,)
        Variable of each input column.
    variables : tuple of str
    loss : Loss
    device : str
    own : Own, optional
        A user's module that is trained instead of the built-in network.
    """

    x: np.ndarray
    y: np.ndarray
    group: np.ndarray
    variables: tuple[str, ...]
    loss: Loss
    device: str = "cpu"
    own: Own | None = None

    def columns_of(self, groups: np.ndarray) -> np.ndarray:
        """Return the mask (G,) of some groups as :class:`Split` has it."""
        return groups if self.own is not None else groups[self.group]

    def body(self, t: Training) -> Body:
        """Return the networks of a training on this data."""
        if self.own is not None:
            return self.own
        sizes = self.x.shape[2], self.loss.outputs
        spec = NetworkSpec(*sizes, t.hidden, t.activation, t.form, t.skip, t.upper_ridge)
        return BuiltIn(spec, self.loss, self.group, self.variables, self.device)

    def rows(self, split: Split, which: np.ndarray) -> Rows:
        """Return some rows of a split's block on the device."""
        x = torch.as_tensor(self.x[split.block][which]).to(self.device)
        if split.columns is not None and self.own is None:
            x = x * torch.as_tensor(split.columns).to(x)
        return Rows(x, torch.as_tensor(self.y[split.block][which], dtype=torch.float32).to(self.device))


def arms_of(members: list[Member], device: str) -> Arms:
    """Return the arms of some members as tensors."""

    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)

    return Arms(column([m.lam for m in members]), column([m.dropout for m in members]), column([m.lr for m in members]))


def fit_chunk(
    blocks: Blocks, design: Design, ids: list[int], start_from: Params | None = None, watch: Watch | None = None
) -> tuple[Fitted, list[MemberResult]]:
    """Train members that share split, seed and penalty; return their weights and their results."""
    members = [design.members[i] for i in ids]
    first = members[0]
    split, body = design.splits[first.split], blocks.body(design.training)
    engine, arms = body.engine(split.columns), arms_of(members, blocks.device)
    terms = body.terms(by_name(first.penalty), arms.lam)
    train = blocks.rows(split, split.train)
    valid = blocks.rows(split, split.valid) if len(split.valid) else None
    params = start_from or body.start(train, first.seed, len(ids))
    if split.columns is not None:
        body.restrict(params, split.columns)
    task = Task(engine, train, valid, terms, arms, design.training, first.seed, body.masks)
    fitted = (fit_full_batch if design.training.update == "apg" else fit_minibatch)(task, params, watch)
    return fitted, describe(engine, fitted, members, split, terms, train, blocks)


def fit_full_batch(task: Task, params: Params, watch: Watch | None = None) -> Fitted:
    """Solve a chunk with all rows at once; ``epochs`` are iterations, and the last weights are kept."""
    if bool((task.arms.dropout > 0).any()):
        raise InputError("update apg with dropout; expected dropout 0; drop it or pass update='prox_adam'")
    engine, rows, most = task.engine, task.monitor, task.training.epochs
    solved = solve(engine, task.train, task.terms, params, tol=FULL_BATCH_TOL, iterations=most, watch=watch)
    loss = engine.losses(solved.params, rows.x, rows.y, rows.weight)
    return Fitted(solved.params, loss, solved.iterations, solved.iterations, solved.status)


def describe(
    engine: Engine,
    fitted: Fitted,
    members: list[Member],
    split: Split,
    terms: Terms,
    train: Rows,
    blocks: Blocks,
) -> list[MemberResult]:
    """Return one result per member of a fitted chunk."""
    outputs = np.empty((len(members), 0, 1), dtype=np.float32)
    if len(split.test):
        outputs = engine.predict(fitted.params, blocks.rows(split, split.test).x).cpu().numpy()
    first = fitted.params["first"]
    norms = terms["first"].groups.norms(first).cpu().numpy()
    nonzero = (first != 0).flatten(1).sum(1).tolist()
    train_loss = engine.losses(fitted.params, train.x, train.y, train.weight).tolist()
    kkt = certificate(engine, fitted.params, train, terms).tolist()
    return [
        MemberResult(
            m.penalty, m.lam, m.dropout, m.split, split.fold, m.seed, float(fitted.valid_loss[i]), train_loss[i],
            outputs[i], norms[i], int(nonzero[i]), int(fitted.best_epoch[i]), int(fitted.epochs[i]), kkt[i],
            fitted.status[i],
        )
        for i, m in enumerate(members)
    ]  # fmt: skip


_WORKER: dict[str, Blocks] = {}


def _leave_with_parent() -> None:
    """End this worker when the process that started it is gone, also where that one was killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def begin_worker() -> None:
    """Make this process a worker: it ends with its parent, and has one torch thread."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    torch.set_num_threads(1)


def _prepare(blocks: Blocks) -> None:
    begin_worker()
    _WORKER["blocks"] = blocks


def _work(piece: Design) -> list[MemberResult]:
    return fit_chunk(_WORKER["blocks"], piece, list(range(len(piece.members))))[1]


@contextmanager
def main_hidden() -> Iterator[None]:
    """Keep new processes from importing the user's script again, which would run it again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class Crew:
    """Worker processes of one torch thread each that hold the data; they start when first needed.

    Used as a context: leaving it ends the processes.
    """

    def __init__(self, blocks: Blocks, workers: int):
        self.blocks, self.workers = blocks, workers
        self._pool: ProcessPoolExecutor | None = None
        self._warm = False

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=kind is None, cancel_futures=True)
            self._pool = None

    def train(self, design: Design, chunks: list[list[int]]) -> Iterator[tuple[list[int], list[MemberResult]]]:
        """Yield every chunk's members and results as they are finished."""
        with main_hidden():
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    self.workers, get_context("spawn"), initializer=_prepare, initargs=(self.blocks,)
                )
            jobs: dict[Future[list[MemberResult]], list[int]] = {
                self._pool.submit(_work, design.piece(ids)): ids for ids in chunks
            }
        while jobs:
            done, _ = wait(jobs, timeout=None if self._warm else 0, return_when=FIRST_COMPLETED)
            self._warm = self._warm or bool(done)
            for job in done:
                ids = jobs.pop(job)
                split = design.members[ids[0]].split
                yield ids, [replace(r, split=split) for r in job.result()]
            if not self._warm:
                yield from self._meanwhile(design, jobs)

    def _meanwhile(
        self, design: Design, jobs: dict[Future[list[MemberResult]], list[int]]
    ) -> Iterator[tuple[list[int], list[MemberResult]]]:
        """Train one waiting chunk here: starting a process takes longer than many chunks do."""
        waiting = next((job for job in reversed(jobs) if job.cancel()), None)
        if waiting is None:
            self._warm = True
            return
        ids = jobs.pop(waiting)
        yield ids, fit_chunk(self.blocks, design, ids)[1]


def _here(blocks: Blocks, design: Design, chunks: list[list[int]]) -> Iterator[tuple[list[int], list[MemberResult]]]:
    for ids in chunks:
        yield ids, fit_chunk(blocks, design, ids)[1]


def chunk_size(weights: int) -> int:
    """Return how many networks of so many weights are trained in one piece: 32, fewer where they are large.

    >>> chunk_size(6_000), chunk_size(800_000)
    (32, 5)
    """
    return max(1, min(CHUNK, CHUNK_WEIGHTS // weights))


def train_population(
    blocks: Blocks,
    design: Design,
    *,
    workers: int = 1,
    crew: Hands | None = None,
    chunk: int | None = None,
    progress: Progress | None = None,
    finished: Finished | None = None,
    keep: Keep | None = None,
) -> Population:
    """Train every member of ``design`` and return the results in its order.

    Parameters
    ----------
    workers : int
        Processes, one torch thread each; 1 trains here. The result does not depend on it, nor on ``chunk``.
    chunk : int
        Members trained in one piece; None is :func:`chunk_size`.
    crew : Hands
        Workers that hold ``blocks`` already, for several designs on the same data: processes, or a cluster.
    progress : callable (done, total)
        Called when a chunk is finished.
    finished : callable (results)
        Given the members that are already there, then every finished chunk before ``progress`` is called.
    keep : Keep
        Asked for members that are already there and given every finished chunk, in the calling process.
    """
    began = time.perf_counter()
    size = chunk or chunk_size(blocks.body(design.training).weights)
    found = keep.known(blocks, design) if keep is not None else {}
    if finished is not None and found:
        finished(list(found.values()))
    chunks = [c for c in ([i for i in ids if i not in found] for ids in design.chunks(size)) if c]
    own = Crew(blocks, workers) if crew is None and workers > 1 and blocks.device == "cpu" else None
    with own or nullcontext():
        hands = crew or own
        share = hands is not None and len(chunks) > 1
        for ids, results in hands.train(design, chunks) if hands and share else _here(blocks, design, chunks):
            found.update(zip(ids, results, strict=True))
            if keep is not None:
                keep.add(blocks, design, ids, results)
            if finished is not None:
                finished(results)
            if progress is not None:
                progress(len(found), len(design.members))
    return Population(tuple(found[i] for i in range(len(design.members))), time.perf_counter() - began)
