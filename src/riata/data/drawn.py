"""A sub-sample of a file that does not fit into memory: drawn over all of it, by class or decile, never its head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.read import Source
from riata.data.roles import addressed, may_be_drawn
from riata.data.say import quoted, refuse
from riata.data.stream import Stream

Ints = npt.NDArray[np.int64]
MOST_VALUES = 100
"""Distinct targets up to which every one is a stratum; beyond, the deciles are."""
LEAST = 20
"""Rows that a stratum gives at least, where it has them."""
_SPARE = 4


@dataclass(frozen=True)
class Drawn:
    """Two disjoint draws over the whole file, and what was counted on the way.

    Attributes
    ----------
    rows, second : ndarray of int64
        Sorted row numbers of the sub-sample, and of the draw that it is compared with; none is sealed, and none
        stops the training.
    known, missing : int
        Rows of the file with a target, and without one.
    strata : int
        Classes or deciles.
    """

    rows: Ints
    second: Ints
    known: int
    missing: int
    strata: int


def draw(stream: Stream, target: str, size: int, seed: int) -> Drawn:
    """Draw a sub-sample and a second sample, in one pass over the target's column.

    Every row has a random number by its own key; a stratum (a class, or a decile of a four times larger uniform
    draw) gives the rows with its smallest numbers, so the draw depends on (file, seed) alone, not on how it was read.

    Parameters
    ----------
    stream : Stream
    target : str
    size : int
        Rows of the sub-sample; the second sample has about as many.
    seed : int

    Raises
    ------
    InputError
        The target has no values, or cells that are no single values.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from riata.data.stream import open_stream
    >>> file = Path(tempfile.mkdtemp()) / "t.parquet"
    >>> pl.DataFrame({"y": [0, 0, 0, 1] * 2500}).write_parquet(file)
    >>> drawn = draw(open_stream(file, block=1000), "y", 400, seed=0)
    >>> len(drawn.rows), len(drawn.second), int((drawn.rows % 4 == 3).sum())
    (400, 400, 100)
    """
    kind = stream.kinds[target]
    if kind.is_nested() or kind.is_temporal() or kind in (pl.Binary, pl.Object):
        raise refuse(f"{stream.label}, column {quoted(target)}: cells are {kind}; expected classes or numbers")
    keep, kept = _SPARE * size, pl.DataFrame()
    counts = pl.DataFrame({"y": pl.Series([], dtype=kind), "n": pl.Series([], dtype=pl.Int64)})
    known = missing = 0
    for start, source in stream.blocks([target]):
        rows = np.arange(start, start + source.frame.height, dtype=np.int64)
        part = pl.DataFrame({"y": source.frame[target], "row": rows, "p": addressed(rows, seed, "sample")})
        there = part["y"].is_not_null()
        if kind.is_float():
            there &= part["y"].is_not_nan()
        known, missing = known + int(there.sum()), missing + int((~there).sum())
        part = part.filter(there & pl.Series(may_be_drawn(rows, seed)))
        if counts.height <= MOST_VALUES:
            some = part.group_by("y").agg(pl.len().cast(pl.Int64).alias("n"))
            counts = pl.concat([counts, some]).group_by("y").agg(pl.col("n").sum())
        kept = _smallest(pl.concat([kept, part]) if kept.height else part, keep, counts.height <= MOST_VALUES)
    if not kept.height:
        raise refuse(f"{stream.label}, column {quoted(target)}: no row has a target; name another --target")
    kept = _with_strata(kept, counts, kind)
    first, second = _take(kept, counts if counts.height <= MOST_VALUES else None, size)
    return Drawn(first, second, known, missing, kept["stratum"].n_unique())


def gather(stream: Stream, rows: Ints, columns: Sequence[str]) -> Source:
    """Return the rows with these (sorted) numbers, in one pass over the blocks that have any."""
    parts, lines = [], []
    for start in stream.starts:
        low, high = np.searchsorted(rows, [start, start + stream.block])
        if low < high:
            frame = stream.read(start, columns).frame
            parts.append(frame[rows[low:high] - start])
            lines.append(rows[low:high] + 1)
    return Source(stream.path.stem, stream.label, pl.concat(parts), np.concatenate(lines))


def _smallest(kept: pl.DataFrame, keep: int, by_value: bool) -> pl.DataFrame:
    """Return the rows with the smallest numbers: ``keep`` of every value, or of all."""
    if by_value:
        return kept.filter(pl.col("p").rank("ordinal").over("y") <= keep)
    return kept.bottom_k(keep, by="p")


def _with_strata(kept: pl.DataFrame, counts: pl.DataFrame, kind: pl.DataType) -> pl.DataFrame:
    if counts.height <= MOST_VALUES:
        return kept.with_columns(pl.col("y").rank("dense").alias("stratum"))
    if not kind.is_numeric():
        return kept.with_columns(pl.lit(1).alias("stratum"))
    decile = (pl.col("y").rank("ordinal") - 1) * 10 // pl.len()
    return kept.with_columns(decile.alias("stratum"))


def _take(kept: pl.DataFrame, counts: pl.DataFrame | None, size: int) -> tuple[Ints, Ints]:
    """Return the sorted rows of the two samples: each stratum's share of ``size``, the smallest numbers first."""
    if counts is None:
        sizes = kept.group_by("stratum").agg(pl.len().alias("n")).sort("stratum")
    else:
        sizes = kept.select("y", "stratum").unique().join(counts, on="y", nulls_equal=True).sort("stratum")
    share = shares(sizes["n"].to_numpy(), size)
    first, second = [], []
    for stratum, many in zip(sizes["stratum"], share.tolist(), strict=True):
        rows = kept.filter(pl.col("stratum") == stratum).sort("p")["row"].to_numpy()
        many = min(many, max(1, len(rows) // 2)) if len(rows) < 2 * many and len(rows) > 2 * LEAST else many
        first.append(rows[:many])
        second.append(rows[many : 2 * many])
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))


def shares(counts: npt.NDArray[np.int64], size: int) -> Ints:
    """Return how many rows of each stratum make ``size``: by its share, largest remainder, at least 20 where it can.

    >>> shares(np.array([900, 95, 5]), 100).tolist()
    [75, 20, 5]
    """
    counts = np.asarray(counts, dtype=np.int64)
    size = min(size, int(counts.sum()))
    least = np.minimum(counts, LEAST)
    share = size * counts / counts.sum()
    take: Ints = np.maximum(np.floor(share).astype(np.int64), least)
    for at in np.argsort(-(share - np.floor(share)), kind="stable"):
        if take.sum() < size and take[at] < counts[at]:
            take[at] += 1
    while take.sum() > max(size, int(least.sum())):
        take[int((take - least).argmax())] -= 1
    return take
