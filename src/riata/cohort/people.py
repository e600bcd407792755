"""People: which row of a clinical table is which person of the genotypes, and what PLINK calls missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl
import torch
from torch import Tensor

from riata.data import Source
from riata.data.frames import Where
from riata.data.say import listed, near, quoted, refuse
from riata.errors import one_line
from riata.genome import Samples, join

__all__ = ["Pairs", "minus_nines", "pair", "refuse_minus_nine", "with_phenotype"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Rows of a clinical table without their ID, and the same people's places in the genotypes, (m,) int64."""

    source: Source
    people: Tensor
    id: str | None
    match: str
    said: tuple[str, ...]


def pair(source: Source, ids: Sequence[str] | None, people: int, label: str, id: str | None, target: str) -> Pairs:  # noqa: A002
    """Match the rows of a clinical table with people, by their IDs or, where these have none, by position.

    Raises
    ------
    InputError
        If no column names the people, an ID occurs twice, nobody is on both sides, or the rows are not equally many.
    """
    frame = source.frame
    column = _id_column(frame, ids, label, id, target)
    if ids is None or column is None:
        if frame.height != people:
            at = source.label or "the clinical table"
            raise refuse(
                f"{at} has {frame.height} rows, {label} {people}, and no IDs; expected as many rows in the same order"
            )
        rows, places, sentence = torch.arange(people), torch.arange(people), f"{people} people, matched by row"
    else:
        match = join(_names(frame[column]).to_list(), ids)
        rows, places, sentence = match.table, match.people, str(match)
    said = () if ids is None else (f"people are matched by the column {one_line(column or '', 60)}",)
    frame = frame[rows.numpy()]
    taken = replace(source, frame=frame if column is None else frame.drop(column), lines=source.lines[rows.numpy()])
    return Pairs(taken, places, column, sentence, (*said, sentence))


def _id_column(frame: pl.DataFrame, ids: Sequence[str] | None, label: str, id: str | None, target: str) -> str | None:  # noqa: A002
    """Return the column that names the person; None only where the genotypes have no IDs either."""
    if id is not None:
        if id not in frame.columns:
            raise refuse(f"--id: no column {quoted(id)}; {near(id, frame.columns)}")
        if id == target:
            raise refuse(f"--id names the target {quoted(id)}; name the column that holds the person's ID")
        return id
    free = [c for c in frame.columns if c != target]
    for known in ("iid", "id"):
        named = [c for c in free if c.lower() == known]
        if named:
            return named[0]
    if ids is None:
        return None
    there = set(ids)
    half = [c for c in free if 2 * len(there.intersection(_names(frame[c]).drop_nulls())) >= len(there)]
    if len(half) != 1:
        found = "no column holds" if not half else f"columns {listed(half, 3)} hold"
        raise refuse(f"{found} at least half of the IDs of {label} ({listed(sorted(there), 2)}); type --id COL")
    return half[0]


def _names(series: pl.Series) -> pl.Series:
    """Return IDs as texts; whole numbers that were read as floats lose their ``.0``."""
    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary):
        return pl.Series(series.name, [None] * len(series), dtype=pl.String)
    if series.dtype.is_float() and bool((series.drop_nulls().drop_nans() % 1 == 0).all()):
        series = series.fill_nan(None).cast(pl.Int64, strict=False)
    return series.cast(pl.String).str.strip_chars()


def with_phenotype(
    source: Source, target: str, samples: Samples | None, people: Tensor, task: str
) -> tuple[Source, str, tuple[str, ...]]:
    """Return the source with the .fam's last column as its target, where that was asked, the task and what to say.

    1 and 2 are control and case, 0 and -9 missing; other numbers are amounts, and -9 is missing.

    Raises
    ------
    InputError
        If the .fam holds no phenotype.
    """
    if samples is None or target in source.frame.columns or target.lower() not in ("pheno", "fam"):
        return source, task, ()
    values = pl.Series(target, [samples.phenotype[i] for i in people.tolist()]).cast(pl.Float64, strict=False)
    binary = set(values.drop_nulls().unique()) <= {-9.0, 0.0, 1.0, 2.0}
    kept = [None if v is None or v == -9 or (binary and v == 0) else v for v in values]
    if all(v is None for v in kept):
        raise refuse(f"--target {target}: the .fam has no phenotype of the people in both; name a clinical column")
    coding = "1 is a control, 2 a case" if binary else "numbers"
    said = f"the target is the last column of the .fam ({coding}); {sum(v is None for v in kept)} people without it"
    task = "regression" if task == "auto" and not binary else task
    frame = source.frame.with_columns(pl.Series(target, kept, dtype=pl.Float64))
    return replace(source, frame=frame), task, (f"{said} are left out",)


def refuse_minus_nine(source: Source, names: Sequence[str]) -> None:
    """Refuse a column with -9, which is missing in PLINK's files, where it is the column's only negative number.

    Raises
    ------
    InputError
        Names the column and how many cells there are.
    """
    for name in names:
        count = minus_nines(source.frame[name])
        if count:
            at = Where(source.label, source.lines).column(name)
            raise refuse(
                f"{at}: {count} cells are -9, which means missing in PLINK's files; expected blank cells: blank them"
            )


def minus_nines(series: pl.Series) -> int:
    """Return how many cells of a column are -9; 0 where it has other numbers below 0.

    >>> minus_nines(pl.Series(["3", "-9", "x"])), minus_nines(pl.Series([-9.0, -8.0]))
    (1, 0)
    """
    if not (series.dtype.is_numeric() or series.dtype == pl.String):
        return 0
    numbers = series.cast(pl.Float64, strict=False).drop_nulls()
    below = numbers.filter(numbers < 0)
    return len(below) if bool((below == -9).all()) else 0
