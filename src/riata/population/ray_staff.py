"""Independent tasks on a Ray cluster: tried again where a worker or a node is lost; whoever calls gets the results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import torch

from ..errors import ResourceError, RiataError, one_line
from ..version import __version__
from .cluster import Cluster, resource

__all__ = ["RETRIES", "RayStaff", "Versions", "versions", "work"]

K = TypeVar("K")
T = TypeVar("T")
RETRIES = 10
"""How often a task is tried again when its worker or its node is lost."""
AHEAD = 1000
"""Tasks that Ray knows of at a time; a longer queue would only cost memory."""
PATROL = 5.0
"""Seconds of silence after which the nodes are looked at."""
ALONE = 45.0
"""Seconds without a node that could take a task after which the run ends."""
RESUME = "go on with --resume"
Versions = tuple[str, str, str]


def versions() -> Versions:
    """Return what must be equal on all nodes: the versions of riata, torch and numpy."""
    return __version__, str(torch.__version__), np.__version__


def work(expected: Versions, task: Callable[..., T], *given: Any) -> T:
    """Do a task in a worker of Ray, with one torch thread.

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
    return task(*given)


class RayStaff:
    """Workers of a Ray cluster; they may come and go while they work.

    A task whose worker or node is lost is done again elsewhere. Nothing is kept on the cluster: results come back as
    they are finished, and only the driver writes.

    Used as a context: leaving it takes back what waits and closes a connection that was opened for it.

    Parameters
    ----------
    cluster : Cluster
    device : str
        A task takes one core, or one GPU where this is ``cuda``.
    then : str
        What to type when the cluster was lost.
    """

    def __init__(self, cluster: Cluster, device: str = "cpu", then: str = RESUME):
        self.cluster, self.device, self.then = cluster, device, then
        self._waiting: dict[Any, Any] = {}
        self._lonely: float | None = None

    def __enter__(self) -> RayStaff:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):
            self._take_back()
        self.cluster.close()

    @property
    def size(self) -> int:
        """How many tasks run at once, now."""
        return max(1, self.cluster.cores(self.device))

    def share(self, value: Any) -> Any:
        """Put something that several tasks read into Ray's store, once; return what to hand them in its place."""
        return self.cluster.ray.put(value)

    def each(self, task: Callable[..., T], jobs: Iterable[tuple[K, tuple[Any, ...]]]) -> Iterator[tuple[K, T]]:
        """Yield every job's key and ``task(*given)``, as they are finished; jobs are asked for as there is room.

        Raises
        ------
        ResourceError
            Ray lost a task too often, cannot be reached any more, or has no node left that could take one.
        """
        ray, submit, todo = self.cluster.ray, self.submitter(task), iter(jobs)
        try:
            self._waiting.update((submit(*given), key) for key, given in islice(todo, AHEAD))
            while self._waiting:
                done, _ = ray.wait(list(self._waiting), num_returns=1, timeout=PATROL)
                self._patrol(bool(done))
                for job in done:
                    key, found = self._waiting.pop(job), self._result(job)
                    self._waiting.update((submit(*given), more) for more, given in islice(todo, 1))
                    yield key, found
        finally:
            self._take_back()

    def submitter(self, task: Callable[..., Any]) -> Callable[..., Any]:
        """Return what hands one job of a task to Ray."""
        need: dict[str, Any] = {"num_cpus": 1}
        if resource(self.device) == "GPU":
            need["num_gpus"] = 1
        asked = {"max_retries": RETRIES, "scheduling_strategy": "SPREAD", "name": task.__name__}
        remote, expected = self.cluster.ray.remote(work).options(**asked, **need), versions()
        return lambda *given: remote.remote(expected, task, *given)

    def _result(self, job: Any) -> Any:
        """Return what a finished task gave, or raise what went wrong in words of ours."""
        ray = self.cluster.ray
        try:
            return ray.get(job)
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, RiataError | MemoryError):
                raise cause from None
            if isinstance(cause, ray.exceptions.RaySystemError) and isinstance(cause.client_exc, RiataError):
                why = f"a node of Ray cannot open what the work needs: {one_line(cause.client_exc, 160)}"
                raise ResourceError(f"{why}; put the file at the same path on every node") from None
            if isinstance(cause, ray.exceptions.RaySystemError) or "failed to import" in str(cause):
                what = " ".join(versions())
                why = f"a node of Ray cannot read the work: {one_line(str(cause).partition('traceback:')[0], 90)}"
                raise ResourceError(f"{why}; install riata, torch and numpy {what} on every node") from None
            raise
        except ray.exceptions.RayError as error:
            why = f"Ray gave up on a piece after {RETRIES} retries ({one_line(type(error).__name__, 60)})"
            raise ResourceError(f"{why}; look at the memory of its nodes, then {self.then}") from None

    def _patrol(self, heard: bool) -> None:
        """End the run where for a while no node could have taken a task."""
        if heard or self.cluster.cores(self.device) > 0:
            self._lonely = None
            return
        now = time.monotonic()
        self._lonely = now if self._lonely is None else self._lonely
        if now - self._lonely > ALONE:
            kind = resource(self.device)
            why = f"no node of Ray at {one_line(self.cluster.address, 60)} has had a {kind} for {ALONE:.0f} s"
            raise ResourceError(f"{why}; add a node (ray start --address=...), then {self.then}")

    def _take_back(self) -> None:
        """Cancel what is still with Ray; where the connection is ours, closing it does."""
        jobs, self._waiting = list(self._waiting), {}
        for job in [] if self.cluster.mine else jobs:
            with suppress(Exception):
                self.cluster.ray.cancel(job, force=True)
