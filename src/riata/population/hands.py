"""Who works: this process, its worker processes, or Ray. The answer does not depend on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from multiprocessing import get_context
from typing import Any, Protocol, Self, TypeVar

from .cluster import Cluster, cores_here, reach
from .ray_crew import RayCrew
from .ray_staff import RESUME, RayStaff
from .run import Blocks, Crew, begin_worker, main_hidden

__all__ = ["Processes", "Staff", "hands", "staff"]

K = TypeVar("K")
T = TypeVar("T")


class Staff(Protocol):
    """Does independent jobs somewhere; used as a context, which ends it."""

    @property
    def size(self) -> int:
        """How many jobs are done at once."""

    def share(self, value: Any) -> Any:
        """Return what to hand jobs in place of something that several of them read."""

    def each(self, task: Callable[..., T], jobs: Iterable[tuple[K, tuple[Any, ...]]]) -> Iterator[tuple[K, T]]:
        """Yield every job's key and ``task(*given)``, in any order; task and results can be pickled."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None: ...


class Processes:
    """Processes of one torch thread each, which start when first needed; a job that is alone stays in this one.

    Parameters
    ----------
    size : int
        How many; with 1 all jobs stay here.
    script : bool
        They import the user's script, which must then be guarded, because jobs need its classes.
    """

    def __init__(self, size: int, script: bool = False):
        self.size, self.script = size, script
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=kind is None, cancel_futures=True)
            self._pool = None

    def share(self, value: Any) -> Any:
        """Return it: it travels with every job."""
        return value

    def each(self, task: Callable[..., T], jobs: Iterable[tuple[K, tuple[Any, ...]]]) -> Iterator[tuple[K, T]]:
        """Yield every job's key and result as they are finished."""
        todo = list(jobs)
        if min(self.size, len(todo)) <= 1:
            yield from ((key, task(*given)) for key, given in todo)
            return
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.size, get_context("spawn"), initializer=begin_worker)
        with nullcontext() if self.script else main_hidden():  # processes start as work is handed to them
            keys: dict[Future[T], K] = {self._pool.submit(task, *given): key for key, given in todo}
        for future in as_completed(keys):
            yield keys[future], future.result()


def staff(workers: int | str | None, device: str = "cpu", *, script: bool = False, then: str = RESUME) -> Staff:
    """Return who does a list of independent jobs, to be entered as a context.

    Parameters
    ----------
    workers : int, str or None
        Processes, all cores for None; or the Ray of :func:`riata.population.cluster.reach`, which even one job goes to.
    device : str
        What a job takes one of; other devices than ``cpu`` are left to this process or to Ray.
    script : bool
        See :class:`Processes`.
    then : str
        What to type when a cluster was lost.

    Raises
    ------
    ResourceError
        Ray is not installed, or does not answer in time.

    Examples
    --------
    >>> with staff(1) as here:
    ...     sorted(here.each(pow, [("a", (2, 3)), ("b", (3, 2))]))
    [('a', 8), ('b', 9)]
    """
    cluster = reach(workers)
    if cluster is not None:
        return RayStaff(cluster, device, then)
    return Processes(int(workers or cores_here()) if device == "cpu" else 1, script)


def hands(blocks: Blocks, workers: int, cluster: Cluster | None = None) -> Crew | RayCrew | None:
    """Return the crew for some data, to be entered as a context; None where this process trains alone.

    Parameters
    ----------
    blocks : Blocks
    workers : int
        Processes where there is no cluster.
    cluster : Cluster, optional
        From :func:`riata.population.cluster.reach`; the crew closes it if it was opened there.

    Examples
    --------
    >>> import numpy as np
    >>> from riata.engines import Loss
    >>> data = Blocks(np.zeros((1, 4, 2), np.float32), np.zeros((1, 4)), np.arange(2), ("a", "b"), Loss("squared", 1))
    >>> hands(data, 1) is None, type(hands(data, 2)).__name__
    (True, 'Crew')
    """
    if cluster is not None:
        return RayCrew(blocks, cluster)
    return Crew(blocks, workers) if workers > 1 and blocks.device == "cpu" else None
