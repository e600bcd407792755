"""Train the pieces of a design as tasks on Ray; whoever calls writes down what comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch

from ..errors import ResourceError, RiataError, one_line
from ..results import MemberResult
from ..version import __version__
from .cluster import Cluster, resource
from .design import Design, Member, Split, Training
from .run import Blocks, fit_chunk

RETRIES = 10
"""How often a piece is tried again when its worker or its node is lost."""
AHEAD = 1000
"""Pieces that Ray knows of at a time; a longer queue would only cost memory."""
PATROL = 5.0
"""Seconds of silence after which the nodes are looked at."""
ALONE = 45.0
"""Seconds without a node that could take a piece after which the run ends."""
Versions = tuple[str, str, str]


def versions() -> Versions:
    """Return what must be equal on all nodes: the versions of riata, torch and numpy."""
    return __version__, str(torch.__version__), np.__version__


def train_piece(
    blocks: Blocks, split: Split, members: tuple[Member, ...], training: Training, expected: Versions
) -> list[MemberResult]:
    """Train the members of one piece in a worker of Ray, with one torch thread.

    Raises
    ------
    ResourceError
        The worker has other versions than the driver.
    """
    if versions() != expected:
        import socket

        here, there = " ".join(versions()), " ".join(expected)
        why = f"riata, torch and numpy are {here} on node {socket.gethostname()} and {there} here"
        raise ResourceError(f"{why}; install the same versions on every node")
    torch.set_num_threads(1)
    piece = Design(members, (split,), training)
    return fit_chunk(blocks, piece, list(range(len(members))))[1]


class RayCrew:
    """Workers of a Ray cluster; they may come and go while pieces are trained.

    The data are put into Ray's object store once. A piece whose worker or node is lost is trained again elsewhere, and
    gives the same bits. Nothing is kept on the cluster: results come back as they are finished.

    Used as a context: leaving it takes back what waits and closes a connection that was opened for it.
    """

    def __init__(self, blocks: Blocks, cluster: Cluster):
        self.blocks, self.cluster = blocks, cluster
        self._blocks: Any = None
        self._jobs: dict[Any, list[int]] = {}
        self._lonely: float | None = None

    def __enter__(self) -> RayCrew:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self._take_back()
        self._blocks = None
        self.cluster.close()

    def train(self, design: Design, chunks: list[list[int]]) -> Iterator[tuple[list[int], list[MemberResult]]]:
        """Yield every chunk's members and results as they are finished.

        Raises
        ------
        ResourceError
            Ray lost a piece too often, cannot be reached any more, or has no node left that could take one.
        """
        ray = self.cluster.ray
        if self._blocks is None:
            self._blocks = ray.put(self.blocks)
        submit = self._submitter(design)
        todo = iter(chunks)
        try:
            self._jobs.update((submit(ids), ids) for ids in islice(todo, AHEAD))
            while self._jobs:
                done, _ = ray.wait(list(self._jobs), num_returns=1, timeout=PATROL)
                self._patrol(bool(done))
                for job in done:
                    ids = self._jobs.pop(job)
                    split = design.members[ids[0]].split
                    results = [replace(r, split=split) for r in self._result(job)]
                    self._jobs.update((submit(more), more) for more in islice(todo, 1))
                    yield ids, results
        finally:
            self._take_back()

    def _submitter(self, design: Design) -> Any:
        """Return what hands one chunk to Ray; the rows of a split are put into the store once."""
        ray = self.cluster.ray
        need: dict[str, Any] = {"num_cpus": 1}
        if resource(self.blocks.device) == "GPU":
            need["num_gpus"] = 1
        task = ray.remote(train_piece).options(max_retries=RETRIES, scheduling_strategy="SPREAD", **need)
        splits: dict[int, Any] = {}

        def submit(ids: list[int]) -> Any:
            piece = design.piece(ids)
            split = design.members[ids[0]].split
            if split not in splits:
                splits[split] = ray.put(piece.splits[0])
            return task.remote(self._blocks, splits[split], piece.members, design.training, versions())

        return submit

    def _result(self, job: Any) -> list[MemberResult]:
        """Return what a finished piece gave, or raise what went wrong in words of ours."""
        ray = self.cluster.ray
        try:
            found: list[MemberResult] = ray.get(job)
            return found
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, RiataError | MemoryError):
                raise cause from None
            if isinstance(cause, ray.exceptions.RaySystemError) or "failed to import" in str(cause):
                what = " ".join(versions())
                why = f"a node of Ray cannot read the work: {one_line(str(cause).partition('traceback:')[0], 90)}"
                raise ResourceError(f"{why}; install riata, torch and numpy {what} on every node") from None
            raise
        except ray.exceptions.RayError as error:
            why = f"Ray gave up on a piece after {RETRIES} retries ({one_line(type(error).__name__, 60)})"
            raise ResourceError(f"{why}; look at the memory of its nodes, then go on with --resume") from None

    def _patrol(self, heard: bool) -> None:
        """End the run where for a while no node could have taken a piece."""
        if heard or self.cluster.cores(self.blocks.device) > 0:
            self._lonely = None
            return
        now = time.monotonic()
        self._lonely = now if self._lonely is None else self._lonely
        if now - self._lonely > ALONE:
            kind = resource(self.blocks.device)
            why = f"no node of Ray at {one_line(self.cluster.address, 60)} has had a {kind} for {ALONE:.0f} s"
            raise ResourceError(f"{why}; add a node (ray start --address=...), then go on with --resume")

    def _take_back(self) -> None:
        """Cancel what is still with Ray; where the connection is ours, closing it does."""
        jobs, self._jobs = list(self._jobs), {}
        for job in [] if self.cluster.mine else jobs:
            with suppress(Exception):
                self.cluster.ray.cancel(job, force=True)
