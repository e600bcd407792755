"""Where the numbers of a population lie in memory: every member alike, and the same buffers step after step.

A CPU's matrix product and its vectorized loops sum in an order that depends on where a matrix starts. So every
member's matrix starts at a multiple of :data:`ALIGN` bytes: then a member has the same bits alone and in any
population. (On a GPU the library chooses its kernel by the size of the batch, and nothing is promised.)
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

ALIGN = 128
"""Bytes; two of the widest vectors (AVX-512), the piece in which elementwise loops work."""


@lru_cache(maxsize=1024)
def _strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return strides in which a member is contiguous and members are whole multiples of ALIGN bytes apart."""
    inner = [math.prod(shape[i + 1 :]) for i in range(1, len(shape))]
    unit = ALIGN // itemsize
    return (-(-math.prod(shape[1:]) // unit) * unit, *inner)


class Scratch:
    """Buffers for the intermediate results of a step, kept by name and used again by the next step.

    What is taken stays valid until the same name is taken again.

    Examples
    --------
    >>> import torch
    >>> scratch, like = Scratch(), torch.zeros(1)
    >>> a = scratch.take("a", (3, 5, 7), like)
    >>> a.shape, a.stride()
    (torch.Size([3, 5, 7]), (64, 7, 1))
    >>> scratch.take("a", (2, 5, 7), like).data_ptr() == a.data_ptr()
    True
    """

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}
        self._views: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return uninitialized memory of a shape (M, ...), in the dtype and on the device of ``like``."""
        view = self._views.get((name, shape))
        if view is None or view.dtype != like.dtype or view.device != like.device:
            view = self._views[name, shape] = self._view(name, shape, like)
        return view

    def _view(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        strides, unit = _strides(shape, like.element_size()), ALIGN // like.element_size()
        size = shape[0] * strides[0] + unit
        kept = self._kept.get(name)
        if kept is None or kept.dtype != like.dtype or kept.device != like.device or kept.numel() < size:
            for old in [key for key in self._views if key[0] == name]:
                del self._views[old]
            kept = self._kept[name] = like.new_empty(size)
        # allocators align to 64 bytes only
        return kept.as_strided(shape, strides, (-kept.data_ptr() % ALIGN) // kept.element_size())


def aligned(a: Tensor) -> Tensor:
    """Return ``a`` (M, ...) with every member contiguous and aligned: itself where it is so, else a copy.

    Examples
    --------
    >>> import torch
    >>> a = aligned(torch.ones(3, 5))
    >>> a.stride(), aligned(a) is a
    ((32, 1), True)
    """
    if a.data_ptr() % ALIGN == 0 or a.device.type != "cpu":
        wanted, found = _strides(a.shape, a.element_size()), a.stride()
        if found == wanted or a.device.type != "cpu" or (a.shape[0] == 1 and found[1:] == wanted[1:]):
            return a
    return Scratch().take("", tuple(a.shape), a).copy_(a)


def keep_freed_memory() -> None:
    """Let the process reuse freed memory instead of handing it back to the system after every operation.

    glibc raises its threshold for separate mappings to the size of the largest one freed so far (mallopt(3),
    M_MMAP_THRESHOLD); one untouched block below its limit of 32 MiB costs nothing and saves the page faults of every
    temporary of a step: a quarter of the time. Elsewhere it does nothing.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
