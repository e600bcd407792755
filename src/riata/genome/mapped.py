"""Mapped: arrays over a file travel to another process as the file's path and place, never as its bytes."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riata.errors import InputError

__all__ = ["Mapped", "home", "travelling"]


@dataclass(frozen=True)
class Mapped:
    """Where an array lies in a file: the place of its first cell, its type, shape and strides in bytes."""

    file: Path
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def open(self) -> NDArray[Any]:
        """Return the array, read-only, over the file.

        Raises
        ------
        InputError
            If the file is not there any more or has become shorter.
        """
        try:
            content = np.memmap(self.file, np.uint8, "r")
            return np.ndarray(self.shape, self.dtype, content, self.offset, self.strides)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{self.file} cannot be mapped again ({error}); expected the file as it was") from None


def travelling(array: NDArray[Any]) -> NDArray[Any] | Mapped:
    """Return what to pickle: where the array lies in its file, or the array itself where it is in memory.

    Views count too, transposed or sliced; a map that was opened copy-on-write stays an array, since the file may
    say something else.
    """
    root, at = None, array
    while isinstance(at, np.ndarray):
        if isinstance(at, np.memmap) and isinstance(at.base, mmap.mmap):
            root = at
        at = at.base  # type: ignore[assignment]
    if root is None or root.filename is None or root.mode == "c":
        return array
    start: int = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return Mapped(Path(root.filename), root.offset + start, array.dtype, array.shape, array.strides)


def home(array: NDArray[Any] | Mapped) -> NDArray[Any]:
    """Return the array that travelled."""
    return array.open() if isinstance(array, Mapped) else array
