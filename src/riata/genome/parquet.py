"""Wide tables as columns: a Parquet with a column a variable, or a matrix that numpy saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import polars as pl
from numpy.typing import NDArray

from riata.errors import InputError, RiataError, one_line
from riata.genome.columns import Columns
from riata.genome.dense import Dense
from riata.genome.matrix import Below, columns_of
from riata.genome.memory import require
from riata.genome.passes import blocks
from riata.genome.whole import Whole

__all__ = ["open_wide"]

READ = 128_000_000
"""Bytes of a block of a Parquet, at 8 bytes a cell."""

GONE = -128
"""The int8 that stands for a missing cell of a Parquet; values go from -127 to 127."""

LESS = "drop columns, or write a PLINK .bed"


def open_wide(
    path: Path | str,
    *,
    id: str | None = None,  # noqa: A002 - the name that the command line has
    drop: Sequence[str] = (),
    absent: int | None = None,
    threads: int = 1,
) -> tuple[Columns, tuple[str, ...] | None]:
    """Return the columns of a wide table, rows people and columns variables, and its ids as text.

    Whole numbers from -127 to 127 become an int8 matrix, others float32; a Parquet is read by blocks of columns, an
    .npy is memory-mapped, an .npz holds ``X`` (n, p) and perhaps ``names`` and ``ids``.

    Parameters
    ----------
    path : path
        Ends in .parquet, .pq, .npy or .npz.
    id : str, optional
        Column of a Parquet that names the people. Without it one called IID or id, or else the only column of text.
    drop : sequence of str
        Columns to leave out.
    absent : int, optional
        A value that means missing beside null and NaN; without it the one that
        :func:`riata.genome.matrix.missing_in` finds, in a Parquet where all columns are of whole numbers.
    threads : int
        Threads of every pass, at least 1.

    Raises
    ------
    InputError
        If it cannot be read, a name is not in it, or a column holds no numbers.
    ResourceError
        If it would need more than 70% of the memory that is available.
    """
    path = Path(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        return _parquet(path, id, tuple(drop), absent, threads)
    if path.suffix.lower() not in (".npy", ".npz"):
        raise InputError(f"{path}: unknown kind of table; expected .parquet, .npy or .npz: write one of these")
    if id is not None:
        raise InputError(f"{path}: id={one_line(id, 80)} of a matrix of numbers; expected no id, or a Parquet")
    matrix, names, ids = _saved(path)
    if matrix.ndim == 2 and ids is not None and len(ids) != len(matrix):
        raise InputError(f"{path}: {len(ids)} ids for {len(matrix)} rows; expected one id a row")
    if drop:
        raise InputError(f"{path}: columns to drop from a matrix; expected none: leave them out when it is saved")
    return columns_of(matrix, names, label=str(path), absent=absent, threads=threads), ids


def _saved(path: Path) -> tuple[NDArray[Any], tuple[str, ...] | None, tuple[str, ...] | None]:
    """Return the matrix that numpy saved, with names and ids if an .npz has them."""
    try:
        if path.suffix.lower() == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False), None, None
        with ZipFile(path) as packed:
            require(sum(part.file_size for part in packed.infolist()), str(path), "save an .npy: it stays in its file")
        with np.load(path, allow_pickle=False) as parts:
            if "X" not in parts.files:
                raise InputError(
                    f"{path} has {one_line(', '.join(parts.files), 80)}; expected X (n, p): np.savez(file, X=X)"
                )
            lists = (tuple(map(str, parts[key].ravel().tolist())) if key in parts else None for key in ("names", "ids"))
            names, ids = lists
            return parts["X"], names, ids
    except RiataError:
        raise
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InputError(f"{path} cannot be read ({one_line(error, 120)}); expected what numpy.save wrote") from None


def _parquet(
    path: Path, asked: str | None, drop: tuple[str, ...], absent: int | None, threads: int
) -> tuple[Columns, tuple[str, ...] | None]:
    try:
        lazy = pl.scan_parquet(path, glob=False)
        schema = dict(lazy.collect_schema())
        n = int(lazy.select(pl.len()).collect().item())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path} cannot be read ({one_line(error, 120)}); expected a Parquet file") from None
    people = _id_column(path, schema, asked, drop)
    names = [name for name in schema if name != people and name not in drop]
    text = [name for name in names if not (schema[name].is_numeric() or schema[name] == pl.Boolean)]
    if text:
        what = f"{one_line(text[0], 80)} is {one_line(schema[text[0]], 40)}"
        raise InputError(f"{path}: column {what}; expected numbers: name it as id or drop")
    if not names or not n:
        raise InputError(f"{path} has {n} rows and {len(names)} columns of numbers; expected at least one of each")
    ids = None if people is None else _ids(lazy.select(people).collect().to_series())
    matrix = _read(path, lazy, names, n, absent)
    if matrix.dtype == np.int8:
        return Whole.of(matrix, names, absent=GONE, threads=threads), ids
    return Dense.of(matrix, names, variables_first=True, threads=threads), ids


def _id_column(path: Path, schema: dict[str, pl.DataType], asked: str | None, drop: tuple[str, ...]) -> str | None:
    """Return the column that names the people: the one asked for, IID or id, or the only one of text."""
    for name in (*drop, *([] if asked is None else [asked])):
        if name not in schema:
            few = one_line(", ".join(list(schema)[:5]), 80)
            raise InputError(f"{path} has no column {one_line(name, 80)}; expected one of {few}, ...: check the name")
    if asked is not None:
        return asked
    left = [name for name in schema if name not in drop]
    for wanted in ("iid", "id"):
        if len(found := [name for name in left if name.casefold() == wanted]) == 1:
            return found[0]
    text = [name for name in left if schema[name] == pl.String]
    return text[0] if len(text) == 1 else None


def _ids(column: pl.Series) -> tuple[str, ...]:
    """Return ids as text; a whole number that was stored as a float, 7.0, is "7", and none is empty."""
    cells = column.to_list()
    whole = (int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in cells)
    return tuple("" if cell is None else str(cell).strip() for cell in whole)


def _read(path: Path, lazy: pl.LazyFrame, names: list[str], n: int, absent: int | None) -> NDArray[Any]:
    """Return the cells, (p, n): int8 as long as all of them fit, float32 from the first block on that does not.

    Without ``absent``, the only number below 0 of columns that are all of whole numbers means missing too.
    """
    require(len(names) * n, str(path), LESS)
    kinds = lazy.collect_schema()
    below = Below() if absent is None and all(kinds[name].is_integer() for name in names) else None
    out: NDArray[Any] = np.empty((len(names), n), np.int8)
    for part in blocks(0, len(names), max(1, READ // (8 * n))):
        block = _numbers(lazy.select(names[part]).collect(), absent)
        if below is not None:
            below.see(block)
        if out.dtype == np.int8 and not _fits(block):
            require(4 * out.size, f"{path} in float32", LESS)
            out = out.astype(np.float32)
            out[out == GONE] = np.nan
        if out.dtype == np.int8:
            block = np.where(np.isnan(block), GONE, block) if block.dtype.kind == "f" else block
        out[part] = block
    if below is not None and (missing := below.meaning(str(path))) is not None:
        for part in blocks(0, len(names), max(1, READ // n)):
            out[part][out[part] == missing] = GONE if out.dtype == np.int8 else np.nan
    return out


def _numbers(frame: pl.DataFrame, absent: int | None) -> NDArray[Any]:
    """Return the cells of a block, (m, n), whole numbers or floats with NaN where missing."""
    cells = frame.cast({pl.Boolean: pl.Int8, pl.Decimal: pl.Float64}).to_numpy().T
    if absent is not None and bool((gone := cells == absent).any()):
        cells = np.where(gone, np.nan, cells)
    return cells


def _fits(cells: NDArray[Any]) -> bool:
    """Whether every cell that is present is a whole number from -127 to 127."""
    if cells.dtype.kind in "iu":
        return bool(cells.min() > GONE and cells.max() < -GONE)
    seen = np.nan_to_num(cells, nan=0.0)  # infinity becomes a large number
    return bool((np.abs(seen) < -GONE).all() and (np.rint(seen) == seen).all())
