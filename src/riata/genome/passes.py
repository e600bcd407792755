"""Passes: blocks of columns one after another or on a few threads, with the same results in the same order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

__all__ = ["blocks", "in_order", "through"]

T = TypeVar("T")


def blocks(start: int, stop: int, step: int) -> Iterator[slice]:
    """Yield start..stop in steps.

    >>> list(blocks(2, 7, 3))
    [slice(2, 5, None), slice(5, 7, None)]
    """
    return (slice(a, min(a + step, stop)) for a in range(start, stop, step))


def in_order(task: Callable[[slice], T], parts: Iterator[slice], threads: int) -> Iterator[T]:
    """Yield what the task returns for each part, in the order of the parts; only a few results wait at a time.

    >>> list(in_order(lambda part: part.stop, blocks(0, 7, 3), 2))
    [3, 6, 7]
    """
    with _one_torch_thread():
        if threads == 1:
            yield from map(task, parts)
            return
        with ThreadPoolExecutor(threads) as pool:
            waiting = deque[Future[T]]()
            for part in parts:
                waiting.append(pool.submit(task, part))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def through(task: Callable[[slice], None], parts: Iterator[slice], threads: int) -> None:
    """Run the task on each part, for what it writes."""
    for _ in in_order(task, parts, threads):
        pass


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Keep torch at one thread: several pools on the same cores are slower, and sums then keep their order."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
