"""Rows beyond memory: a Parquet file read block by block, and what each of its rows is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.encode import Encoder
from riata.data.fetch import shown
from riata.data.read import Source
from riata.data.roles import SEALED, TRAIN, VALID, Roles
from riata.data.rows import values_from_frame
from riata.data.say import listed, near, quoted, refuse
from riata.data.table import Table
from riata.errors import one_line

BLOCK_ROWS, BLOCK_CELLS = 131_072, 4_194_304
"""Rows, and cells, of a block at most."""


@dataclass(frozen=True)
class Stream:
    """A Parquet file that is never in memory as a whole; open one with `open_stream`.

    Attributes
    ----------
    path : Path
    label : str
        What messages call it.
    kinds : mapping of str to polars type
        Every column, in order.
    rows : int
    block : int
        Rows that are read at once; it depends on the number of columns alone, so it is the same on every machine.
    """

    path: Path
    label: str
    kinds: Mapping[str, Any]
    rows: int
    block: int
    stamp: tuple[int, int] = (0, 0)
    lazy: pl.LazyFrame = field(default_factory=pl.LazyFrame, repr=False, compare=False)

    @property
    def starts(self) -> range:
        """First row of every block."""
        return range(0, self.rows, self.block)

    def read(self, start: int, columns: Sequence[str]) -> Source:
        """Return some columns of the block that begins at row ``start``.

        Raises
        ------
        InputError
            The file changed since it was opened, or a part of it is damaged.
        """
        if _stamp(self.path) != self.stamp:
            raise refuse(f"{self.label}: the file changed while it was read; type the command again")
        try:
            frame = self.lazy.select(list(columns)).slice(start, self.block).collect()
        except MemoryError:
            raise
        except (Exception, pl.exceptions.PanicException) as error:
            raise refuse(f"{self.label}: damaged Parquet file ({one_line(error, 120)}); copy it again") from None
        lines = np.arange(start + 1, start + 1 + frame.height, dtype=np.int64)
        return Source(self.path.stem, self.label, frame, lines)

    def blocks(self, columns: Sequence[str]) -> Iterator[tuple[int, Source]]:
        """Yield (first row, block) over the whole file, in its order."""
        for start in self.starts:
            yield start, self.read(start, columns)


def open_stream(path: str | Path, block: int | None = None) -> Stream:
    """Open a Parquet file to be read block by block; only its footer is read here.

    Parameters
    ----------
    path : str or Path
    block : int, optional
        Rows of a block; by default 131,072, fewer where there are more than 32 columns.

    Raises
    ------
    InputError
        No such file, no Parquet file, no rows, or names that are blank or have spaces around them.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "t.parquet"
    >>> pl.DataFrame({"x": range(10), "y": [0, 1] * 5}).write_parquet(file)
    >>> stream = open_stream(file, block=4)
    >>> stream.rows, list(stream.starts), stream.read(8, ["x"]).frame["x"].to_list()
    (10, [0, 4, 8], [8, 9])
    """
    path, label = Path(path).expanduser(), shown(path)
    stamp = _stamp(path)
    lazy, kinds, rows = footer(path)
    if not rows or not kinds:
        raise refuse(f"{label}: the Parquet file has no rows; expected at least 10")
    odd = [name for name in kinds if not name.strip() or name != name.strip()]
    if odd:
        raise refuse(f"{label}: columns {listed(odd)} are blank or have spaces around them; rename them")
    size = block or max(1024, min(BLOCK_ROWS, BLOCK_CELLS // len(kinds)))
    return Stream(path, label, kinds, rows, size, stamp, lazy)


def footer(path: Path) -> tuple[pl.LazyFrame, dict[str, Any], int]:
    """Return a lazy frame of a Parquet file, its columns and its number of rows; no cell is read.

    Raises
    ------
    InputError
        If there is no footer that can be read.
    """
    try:
        lazy = pl.scan_parquet(path, glob=False)
        return lazy, dict(lazy.collect_schema()), int(lazy.select(pl.len()).collect().item())
    except MemoryError:
        raise
    except (Exception, pl.exceptions.PanicException) as error:
        reason = one_line(error, 120)
        raise refuse(f"{shown(path)}: no Parquet file that can be read ({reason}); write or copy it again") from None


def _stamp(path: Path) -> tuple[int, int]:
    try:
        facts = path.stat()
    except OSError as error:
        raise refuse(f"{shown(path)}: cannot be read ({error.strerror or error}); check the name") from None
    return facts.st_size, facts.st_mtime_ns


@dataclass(frozen=True)
class Block:
    """Encoded rows that have a target: inputs (b, d) float32, targets (b,), row numbers and what they are for."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    role: npt.NDArray[np.uint8]
    unseen: int = 0
    """Cells with a category that the sub-sample did not have."""

    def take(self, role: int) -> Block:
        """Return the rows of one role."""
        at = np.flatnonzero(self.role == role)
        return Block(self.x[at], self.y[at], self.rows[at], self.role[at])


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads blocks by the schema of the sub-sample's table and encodes them by its encoder.

    Attributes
    ----------
    stream : Stream
    table : Table
        Of the sub-sample: names, kinds, levels and classes.
    encoder : Encoder
    roles : Roles
    """

    stream: Stream
    table: Table
    encoder: Encoder
    roles: Roles

    def block(self, start: int, roles: Sequence[int] = (SEALED, VALID, TRAIN)) -> Block:
        """Return the rows of a block that have a target and one of ``roles``.

        Raises
        ------
        InputError
            A cell is no finite number where the sub-sample had numbers, or a class was not in the sub-sample.
        """
        schema = self.table.schema()
        names = [c["name"] for c in schema["columns"]]
        source = self.stream.read(start, [*names, self.table.target])
        rows = source.lines - 1
        role = self.roles.of(rows)
        y = targets(source, self.table)
        at = np.flatnonzero(np.isin(role, roles) & ~np.isnan(y))
        if len(at) == 0:
            return Block(np.zeros((0, len(self.encoder.layout.columns)), np.float32), y[at], rows[at], role[at])
        part = Source(source.name, source.label, source.frame[at], source.lines[at])
        values, _ = values_from_frame(schema, part)
        kinds = np.array([c.kind == "categorical" for c in self.table.columns])
        unseen = int((values[:, kinds] == -1).sum())
        return Block(self.encoder.transform(values), y[at], rows[at], role[at], unseen)


def targets(source: Source, table: Table) -> npt.NDArray[np.float64]:
    """Return class codes or values of a block's target, NaN where it is missing.

    Raises
    ------
    InputError
        A class that the table does not have, or a value that is no finite number.
    """
    kind = "numeric" if table.task == "regression" else "categorical"
    schema = {"columns": [{"name": table.target, "kind": kind, "levels": list(table.classes), "note": ""}]}
    if kind == "numeric":
        return values_from_frame(schema, source)[0][:, 0]
    cells = source.frame[table.target]
    distinct = cells.unique()
    codes = values_from_frame(schema, distinct.to_frame())[0][:, 0]
    if (codes == -1).any():
        what = quoted(distinct[int(np.flatnonzero(codes == -1)[0])])
        raise refuse(f"{source.label}: class {what} of {quoted(table.target)} is too rare: no row of it that is not "
                     "sealed was drawn; merge it with another class, or drop its rows")  # fmt: skip
    pairs = pl.DataFrame({"cell": distinct, "code": codes})
    joined = cells.to_frame("cell").join(pairs, on="cell", how="left", maintain_order="left", nulls_equal=True)
    return joined["code"].fill_null(float("nan")).to_numpy().astype(np.float64)


def check_columns(stream: Stream, target: str, categorical: Sequence[str], drop: Sequence[str]) -> list[str]:
    """Return the columns to read: all but the dropped ones.

    Raises
    ------
    InputError
        A name is not in the file.
    """
    for option, names in (("--target", [target]), ("--categorical", categorical), ("--drop", drop)):
        for name in names:
            if name not in stream.kinds:
                raise refuse(f"{stream.label}: {option} {quoted(name)} is no column; {near(name, stream.kinds)}")
    if target in drop:
        raise refuse(f"--drop names the target {quoted(target)}; name another column")
    return [name for name in stream.kinds if name not in drop]
