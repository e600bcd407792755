"""The text files beside a .bed, .bim (variants) and .fam (people), and the writing of all three."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from riata.errors import InputError, one_line
from riata.genome.fields import fields

__all__ = [
    "MAGIC",
    "Samples",
    "Variants",
    "beside",
    "map_bed",
    "pack",
    "read_bim",
    "read_fam",
    "write_bed",
    "write_bim",
]

MAGIC = bytes([0x6C, 0x1B, 0x01])
"""The first three bytes of a variant-major .bed."""

CODES = np.array([3, 2, 0, 1], np.uint8)
"""Two bits for 0, 1, 2 copies of the first allele, and for a missing call (-1, the last)."""


@dataclass(frozen=True, eq=False)
class Variants:
    """The rows of a .bim: unique names, chromosome, position and the two alleles (the first is counted)."""

    names: tuple[str, ...]
    chromosome: tuple[str, ...]
    position: NDArray[np.int64]
    first: tuple[str, ...]
    second: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of variants."""
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Samples:
    """The rows of a .fam: family, person (IID), sex as written, and the last column as written."""

    family: tuple[str, ...]
    ids: tuple[str, ...]
    sex: tuple[str, ...]
    phenotype: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of people."""
        return len(self.ids)


def beside(path: Path | str, suffix: str) -> Path:
    """Return the file of a PLINK set with another ending; the set may be named with or without one.

    >>> beside("data/cohort.v2", ".bim").name
    'cohort.v2.bim'
    """
    text = str(path)
    for known in (".bed", ".bim", ".fam"):
        text = text.removesuffix(known)
    return Path(text + suffix)


def read_bim(path: Path | str, duplicates: Literal["number", "refuse"] = "number") -> Variants:
    """Read a .bim: chromosome, name, centimorgan, position, first and second allele.

    A name ``.`` becomes ``chromosome:position:first:second``. Of names that occur again the second becomes
    ``name#2`` and so on, or the file is refused.

    Raises
    ------
    InputError
        If a line does not have six fields, a position is no whole number, or names repeat and are refused.
    """
    chromosome, ids, _, position, first, second = fields(path, "chromosome, name, centimorgan, position, two alleles")
    try:
        places = np.array(position, dtype=np.int64)
    except ValueError as error:
        raise InputError(f"{path}: a position is not a whole number ({one_line(error)}); expected base pairs") from None
    names = ids
    if "." in ids:
        parts = zip(chromosome, ids, position, first, second, strict=True)
        names = tuple(f"{c}:{at}:{a}:{b}" if name == "." else name for c, name, at, a, b in parts)
    if duplicates == "refuse" and len(set(names)) < len(names):
        again = next(name for name, count in _counts(names).items() if count > 1)
        raise InputError(f'{path}: variant {one_line(again)} occurs twice; expected unique names: duplicates="number"')
    return Variants(unique(names), chromosome, places, first, second)


def read_fam(path: Path | str) -> Samples:
    """Read a .fam: family, person, father, mother, sex, phenotype.

    Raises
    ------
    InputError
        If a line does not have six fields or the file cannot be read.
    """
    family, ids, _, _, sex, phenotype = fields(path, "family, person, father, mother, sex, phenotype")
    return Samples(family, ids, sex, phenotype)


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Return names made unique by numbering those that occur again.

    >>> unique(["a", "b", "a", "a#2"])
    ('a', 'b', 'a#3', 'a#2')
    """
    taken, seen = set(names), dict[str, int]()
    if len(taken) == len(names):
        return tuple(names)
    out = []
    for name in names:
        number = seen.get(name, 0) + 1
        label = name
        while number > 1 and label in taken:
            label = f"{name}#{number}"
            number += label in taken
        taken.add(label)
        seen[name] = number
        out.append(label)
    return tuple(out)


def pack(counts: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return two bits a call: counts (m, n) of the first allele in 0, 1, 2, or -1 if missing -> (m, ceil(n / 4)).

    >>> pack(np.array([[2, -1, 1, 0, 2]], np.int8)).tolist()
    [[228, 0]]
    """
    m, n = counts.shape
    codes = np.zeros((m, -(-n // 4) * 4), np.uint8)
    codes[:, :n] = CODES[counts]
    c = codes.reshape(m, -(-n // 4), 4)
    packed: NDArray[np.uint8] = c[..., 0] | (c[..., 1] << 2) | (c[..., 2] << 4) | (c[..., 3] << 6)
    return packed


def map_bed(file: Path, p: int, width: int) -> np.memmap[Any, np.dtype[np.uint8]]:
    """Return the calls of a .bed as a read-only map of its bytes, (p, width).

    Raises
    ------
    InputError
        If it cannot be read, is no variant-major .bed, or has another size.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            start = opened.read(3)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); expected .bed, .bim and .fam together") from None
    if start[:2] != MAGIC[:2]:
        raise InputError(f"{file} starts with {start.hex(' ')}; expected a PLINK .bed (6c 1b 01): check the file")
    if start != MAGIC:
        raise InputError(f"{file} is sample-major; expected variant-major: plink --file NAME --make-bed")
    if size != 3 + p * width:
        raise InputError(f"{file} has {size} bytes; expected {3 + p * width} from its .bim and .fam: copy it again")
    return np.memmap(file, np.uint8, "r", 3, (p, width))


def write_bed(path: Path | str, blocks: Iterable[NDArray[np.int8]]) -> int:
    """Write a variant-major .bed from blocks of counts (m, n), as in :func:`pack`; return how many variants."""
    written = 0
    with Path(path).open("wb") as file:
        file.write(MAGIC)
        for block in blocks:
            file.write(pack(block).tobytes())
            written += len(block)
    return written


def write_bim(path: Path | str, rows: Iterable[tuple[str, str, int, str, str]]) -> None:
    """Write a .bim from rows of chromosome, name, position, first and second allele."""
    with Path(path).open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{c}\t{name}\t0\t{at}\t{first}\t{second}\n" for c, name, at, first, second in rows)


def _counts(names: Sequence[str]) -> dict[str, int]:
    counts = dict[str, int]()
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts
