"""Genotypes: columns from a PLINK set, a matrix or a Parquet file, with the IDs and places that come with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from torch import Tensor

from riata.data.say import quoted, refuse
from riata.errors import one_line
from riata.genome import Columns, Samples, open_bed, open_wide, read_bim, read_fam
from riata.genome import Variants as Places
from riata.genome.matrix import columns_of
from riata.genome.memory import require
from riata.genome.plink import beside

__all__ = ["WIDE", "Genotypes", "Places", "check_memory", "id_asked", "open_genotypes"]

WIDE = (".parquet", ".pq", ".npy", ".npz")
"""Endings of files with a column a variant."""


@dataclass(frozen=True, eq=False)
class Genotypes:
    """Columns with what came beside them: a label for messages, IDs, places, the .fam and what a genotype counts."""

    columns: Columns
    label: str
    ids: Sequence[str] | None = None
    places: Places | None = None
    samples: Samples | None = None
    allele: str = ""


def open_genotypes(genotypes: Any, id: str | None = None, threads: int = 1) -> Genotypes:  # noqa: A002
    """Return genotypes as columns, with the IDs, the places and the .fam that came with them.

    ``id`` is the column of a Parquet file that names the people, if it has one of that name.

    Raises
    ------
    InputError
        If they cannot be read.
    """
    if isinstance(genotypes, str | Path):
        return _opened(Path(genotypes), id, threads)
    if isinstance(genotypes, Tensor):
        genotypes = genotypes.numpy(force=True)
    if isinstance(genotypes, np.ndarray):
        return Genotypes(columns_of(genotypes, label="the genotypes", threads=threads), "the genotypes")
    columns: Columns = genotypes
    try:
        int(columns.n), int(columns.p), len(columns.names)
    except (AttributeError, TypeError, ValueError):
        what = f"genotypes as {quoted(type(genotypes).__name__)}"
        raise refuse(f"{what}; expected a path, a matrix or columns: pass frame.to_numpy(), or write a file") from None
    return Genotypes(columns, "the genotypes")


def _opened(path: Path, id: str | None, threads: int) -> Genotypes:  # noqa: A002
    """Return the genotypes of a file, decided by its ending."""
    ending, label = path.suffix.lower(), str(path)
    if ending in WIDE:
        wide, ids = open_wide(path, id=id_asked(path, id), threads=threads)
        return Genotypes(wide, label, ids)
    if path.exists() and ending not in (".bed", ".bim", ".fam") and not beside(path, ".bed").exists():
        then = "plink2 --make-bed writes a .bed from a .vcf, .bgen or .pgen"
        raise refuse(f"{label}: unknown kind of genotypes; expected .bed, .parquet, .npy or .npz; {then}")
    places, samples = read_bim(beside(path, ".bim")), read_fam(beside(path, ".fam"))
    allele = "a genotype counts copies of the first allele of the .bim (A1)"
    return Genotypes(open_bed(path, threads=threads), label, samples.ids, places, samples, allele)


def id_asked(path: Path, id: str | None) -> str | None:  # noqa: A002
    """Return the ID column for :func:`riata.genome.open_wide`, where a Parquet has one of that name."""
    if path.suffix.lower() not in WIDE[:2]:
        return None
    try:
        return id if id in pl.read_parquet_schema(path) else None
    except (OSError, pl.exceptions.PolarsError):
        return None  # what is wrong with it is said where it is opened


def check_memory(variants: int, label: str) -> None:
    """Refuse more variants than fit: a cache of 96 float32 and 200 bytes of names and numbers each, and the blocks.

    Raises
    ------
    ResourceError
        Above 70% of the memory that is available.
    """
    require(variants * (96 * 4 + 200) + 2**28, f"{one_line(label, 100)}: {variants} variants", "take fewer variants")
