"""Kernel: exact sums over two-bit genotypes by compiled code, or none, and then torch makes the same sums."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from riata.errors import InputError, one_line
from riata.genome.library import compiler, opened

__all__ = ["CELLS", "HOLES", "SQUARES", "Kernel", "chosen", "found", "right_sums"]

VARIABLE = "RIATA_KERNEL"
"""Environment variable: which version is used."""

VERSIONS = {"avx512": ("avx512f", "avx512bw", "avx512_vnni"), "avx2": ("avx2",), "plain": ()}
"""What /proc/cpuinfo must name for each version, the fastest first."""

NUMBERS = {"plain": 0, "avx2": 1, "avx512": 2}
"""The versions as kernel.c numbers them."""

Values = tuple[int, int, int, int]
"""What codes 00, 01 (missing), 10 and 11 count."""

CELLS: Values = (0, 1, 1, 2)
SQUARES: Values = (0, 1, 1, 4)
HOLES: Values = (0, 1, 0, 0)

Multiply = Callable[[NDArray[np.uint8], Tensor, Sequence[Values]], Tensor]


class Task(ctypes.Structure):
    """What is to be multiplied, as kernel.c declares it."""

    _fields_ = (
        ("packed", ctypes.c_void_p),
        ("bytes", ctypes.c_int64),
        ("variants", ctypes.c_int64),
        ("digits", ctypes.c_void_p),
        ("wide", ctypes.c_int64),
        ("columns", ctypes.c_int64),
        ("tables", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("out", ctypes.c_void_p),
    )


@dataclass(frozen=True, eq=False)
class Kernel:
    """One version of the compiled sums."""

    version: str
    code: ctypes.CDLL

    @staticmethod
    def fits(people: int) -> bool:
        """Return whether sums over so many people always fit into int32: values to 4, digits to 128.

        >>> Kernel.fits(4_194_303), Kernel.fits(4_194_304)
        (True, False)
        """
        return 4 * 128 * people < 2**31

    @staticmethod
    def arranged(digits: Tensor) -> Tensor:
        """Return digits (people, k) int8 as the kernel reads them: (k, 4, wide), person 4 b + s at [s, b], else 0.

        >>> Kernel.arranged(torch.tensor([[1], [2], [3], [4], [5]], dtype=torch.int8))[0, :, :2].tolist()
        [[1, 5], [2, 0], [3, 0], [4, 0]]
        """
        people, k = digits.shape
        width = -(-people // 4)
        padded = digits.new_zeros(4 * width, k)
        padded[:people] = digits
        out = digits.new_zeros(k, 4, -(-width // 64) * 64)
        out[:, :, :width] = padded.view(width, 4, k).permute(2, 1, 0)
        return out

    def sums(self, packed: NDArray[np.uint8], right: Tensor, tables: Sequence[Values]) -> Tensor:
        """Return the sum over people of value times digit: packed (m, width), right (k, 4, wide) -> (t, m, k) int32.

        Other threads run meanwhile.
        """
        packed, right = np.ascontiguousarray(packed), right.contiguous()
        (m, width), (k, four, wide) = packed.shape, right.shape
        if packed.dtype != np.uint8 or right.dtype != torch.int8 or four != 4 or wide % 64 or width > wide:
            raise ValueError(f"bytes {packed.dtype} {packed.shape} and digits {right.dtype} {tuple(right.shape)}")
        values = np.array(tables, np.uint8)
        out = torch.empty(len(tables), m, k, dtype=torch.int32)
        task = Task(packed.ctypes.data, width, m, right.data_ptr(), wide, k, values.ctypes.data, len(values),
                    out.data_ptr())  # fmt: skip
        if self.code.riata_sums(NUMBERS[self.version], ctypes.byref(task)):
            raise ValueError(f"a library without {self.version}")
        return out


def chosen(people: int) -> Kernel | None:
    """Return the kernel for a set of so many people, as ``RIATA_KERNEL`` and this machine have it; None: plain torch.

    ``auto``, also where it is not set: AVX-512 with VNNI or AVX2, if the processor has it, the extra ``riata[kernel]``
    is installed, and the compiled sums are right (see :func:`right_sums`). ``avx512``, ``avx2`` or ``plain``: this
    version or torch. ``off``: torch.

    Raises
    ------
    InputError
        If the variable says anything else.
    """
    said = os.environ.get(VARIABLE, "") or "auto"
    if said not in ("auto", "off", *VERSIONS):
        raise InputError(
            f"{VARIABLE}={one_line(said, 40)}; expected auto, off, plain, avx2 or avx512: unset {VARIABLE}"
        )
    return None if said == "off" or not Kernel.fits(people) else found(said)


@cache
def found(said: str) -> Kernel | None:
    """Return the kernel of this process for a choice; compiled, loaded and tested once."""
    able, build = versions(), compiler()
    version = able[0] if said == "auto" else said
    if build is None or version not in able or (said == "auto" and version == "plain"):  # plain is slower than torch
        return None
    code = opened(Path(__file__).with_name("kernel.c"), build)
    if code is None:
        return None
    kernel = Kernel(version, code)
    try:
        return kernel if right_sums(kernel.sums) else None
    except (AttributeError, ValueError):  # another library, or one without this version
        return None


def versions(file: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Return the versions that this processor, and its system, can run, the fastest first."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    flags = next((set(line.partition(":")[2].split()) for line in lines if line.startswith("flags")), set())
    return [name for name, needed in VERSIONS.items() if flags.issuperset(needed)]


def right_sums(sums: Multiply) -> bool:
    """Return whether sums are those of int64 arithmetic: extremes, missing calls, odd lengths, noise where nobody is.

    Every person is 2 or missing times 127 or -128 in some of them; lengths are on both sides of every chunk.
    """
    draw = np.random.default_rng(0)
    for people in (1, 2, 3, 4, 5, 127, 128, 129, 255, 256, 257, 1023, 1027):
        packed = draw.integers(0, 256, (9, -(-people // 4)), np.uint8)
        packed[:4] = np.array([0xFF, 0x55, 0xAA, 0x00], np.uint8)[:, None]
        digits = torch.from_numpy(draw.integers(-128, 128, (people, 16), np.int8))
        digits[:, 0], digits[:, 1], digits[:, 2] = 127, -128, 1
        for m, k in ((9, 1), (1, 2), (9, 2), (5, 3), (4, 8), (9, 16)):
            tables = (CELLS, SQUARES, HOLES)
            out = sums(packed[:m], Kernel.arranged(digits[:, :k]), tables)
            if not torch.equal(out.long(), _reference(packed[:m], digits[:, :k], tables)):
                return False
    return True


def _reference(packed: NDArray[np.uint8], digits: Tensor, tables: Sequence[Values]) -> Tensor:
    """Return the same sums in int64 by torch: (t, m, k)."""
    codes = (packed[:, :, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    cells = np.array(tables)[:, codes.reshape(len(packed), -1)[:, : len(digits)]]
    return torch.from_numpy(cells) @ digits.long()
