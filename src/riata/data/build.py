"""From a frame to a `Table`: the target, the variables, what is left out, what to warn of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.alike import doubts_about_names, same_columns
from riata.data.audit import duplicate_share, leaks, words_read_as_missing
from riata.data.frames import Where, to_frame, to_series
from riata.data.infer import infer_column, texts
from riata.data.read import Source
from riata.data.say import listed, near, quoted, refuse
from riata.data.subjects import repeat_warning, subject_codes
from riata.data.table import Column, LeftOut, Table, content_hash
from riata.data.target import Target, infer_target
from riata.errors import one_line

BY_REQUEST, NAMES_SUBJECT = "dropped by request", "names the subject of each row"
_FEWEST_ROWS = 10


@dataclass
class _Draft:
    """What is gathered column by column."""

    columns: list[Column] = field(default_factory=list)
    values: list[npt.NDArray[np.float64]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)


def make_table(
    frame: Any,
    target: Any = None,
    *,
    y: Any = None,
    task: str = "auto",
    categorical: Sequence[str] = (),
    drop: Sequence[str] = (),
    group_column: str | None = None,
    name: str = "table",
) -> Table:
    """Understand a table.

    Parameters
    ----------
    frame : Source, polars, pandas or other narwhals-supported frame, or 2-D array
        Arrays get the columns ``x1..xp``. A `Source` (from `read_source`) brings its name, lines
        and warnings.
    target : str or array-like, optional
        Name of the column to predict, or its values.
    y : array-like, optional
        The values to predict, where they are no column of ``frame``.
    task : {"auto", "classification", "regression"}
        ``auto``: texts and few distinct whole numbers are classes.
    categorical, drop : sequence of str
        Columns whose cells are categories whatever they look like; columns to leave out.
    group_column : str, optional
        Column that names the subject of each row. It is not used as a variable. Where all its values differ
        but repeat before their last ``_``, that part is the subject.
    name : str
        What to call the table.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        Whatever cannot be used as it is; the message names row and column and what to type next.

    Examples
    --------
    >>> frame = pl.DataFrame({"age": ["41", "52", "NA"] * 6, "sex": ["m", "f"] * 9, "ill": [0, 0, 1] * 6})
    >>> table = make_table(frame, "ill")
    >>> [(c.name, c.kind, c.missing) for c in table.columns], table.classes
    ([('age', 'numeric', 6), ('sex', 'categorical', 0)], ('0', '1'))
    """
    if isinstance(frame, Source) and name == "table":
        name = frame.name
    data, where, said = to_frame(frame)
    goal, label, features = _split_target(data, target, y)
    _check_names(features, label, categorical=categorical, drop=drop, group=group_column)
    answer = _answer(goal, data.height, where, task, label in categorical)
    features, where = features.filter(pl.Series(answer.keep)), where.take(answer.keep)
    draft = _gather(features, where, set(categorical), set(drop), group_column)
    subject = _subjects(features, where, group_column, draft)
    if not draft.columns:
        out = listed([f"{o.name}: {o.reason}" for o in draft.left_out], 3)
        raise refuse(f"{where.table()}: no column is left to learn from ({out}); type --categorical COL to keep one")
    return _finish(name, label, answer, draft, subject, where, said, data.height, features.columns)


def _answer(goal: pl.Series, rows: int, where: Where, task: str, named: bool) -> Target:
    """Return the target as it is understood; refuse another length than the table's, and too few rows."""
    if not 0 < rows == len(goal):
        raise refuse(f"the target has {len(goal)} values, {where.table()} has {rows} rows; expected as many")
    if rows < _FEWEST_ROWS:
        raise refuse(f"{where.table()}: {rows} rows; expected at least {_FEWEST_ROWS}; add rows")
    answer = infer_target(goal, where, task, named)
    known = int(answer.keep.sum())
    if known < _FEWEST_ROWS:
        raise refuse(f"{where.table()}: {known} rows with a target; expected at least {_FEWEST_ROWS}; add rows")
    return answer


def _subjects(features: pl.DataFrame, where: Where, group: str | None, draft: _Draft) -> npt.NDArray[np.int64] | None:
    """Return the subject of every row, dates and times as texts; where none is named, warn of columns that repeat."""
    if group is None:
        draft.warnings.extend(draft.repeats)
        return None
    series = features[group]
    cells = texts(series.cast(pl.String) if series.dtype.is_temporal() else series)
    subject, assumed = subject_codes(cells, series.name, where.column(series.name))
    draft.warnings.extend([assumed] if assumed else [])
    return subject


def _split_target(data: pl.DataFrame, target: Any, y: Any) -> tuple[pl.Series, str, pl.DataFrame]:
    """Return the target's cells, its name, and the frame without it."""
    if isinstance(target, str) and y is None:
        if target not in data.columns:
            raise refuse(f"no column {quoted(target)} for the target; {near(target, data.columns)}")
        return data[target], target, data.drop(target)
    values = y if y is not None else target
    if values is None:
        raise refuse(f"no target is named; type --target COL; {near('', data.columns)}")
    if y is not None and target is not None and not isinstance(target, str):
        raise refuse("both target and y hold values; expected one of them; leave out y")
    label = target if isinstance(target, str) else "y"
    if label in data.columns and not isinstance(target, str):
        label = "target"
    if label in data.columns:
        raise refuse(f"y is given, and the table has a column {quoted(label)} too; drop that column, or leave out y")
    return to_series(values, label), label, data


def _check_names(
    features: pl.DataFrame, target: str, *, categorical: Sequence[str], drop: Sequence[str], group: str | None
) -> None:
    """Refuse options that name no column."""
    for option, names in (
        ("--categorical", categorical),
        ("--drop", drop),
        ("--group-column", [group] if group else []),
    ):
        if isinstance(names, str):
            raise refuse(f"{option} is the text {quoted(names)}; expected a list of column names")
        for name in names:
            if name == target and option != "--categorical":
                raise refuse(f"{option} names the target {quoted(name)}; name another column")
            if name not in features.columns and name != target:
                raise refuse(f"{option}: no column {quoted(name)}; {near(name, features.columns)}")
    both = [n for n in drop if n in categorical or n == group]
    if both:
        raise refuse(f"--drop names {quoted(both[0])}, and another option needs it; name it in one of them")


def _gather(features: pl.DataFrame, where: Where, categorical: set[str], drop: set[str], group: str | None) -> _Draft:
    """Judge every column."""
    draft = _Draft()
    for series in features.iter_columns():
        name = series.name
        if name in drop:
            draft.left_out.append(LeftOut(name, BY_REQUEST))
            continue
        if name == group:
            draft.left_out.append(LeftOut(name, NAMES_SUBJECT))
            continue
        named = name in categorical
        found = infer_column(series, where, named, ids=not named)
        draft.warnings.extend(found.warnings)
        if found.kind is None:
            if named:
                raise refuse(
                    f"{where.column(name)}: {found.reason}, so it cannot be a category; leave it out of --categorical"
                )
            draft.left_out.append(LeftOut(name, found.reason))
            _note_repeats(series, draft)
            continue
        words = words_read_as_missing(series) if found.kind == "categorical" else None
        draft.warnings.extend([words] if words else [])
        missing = int(np.isnan(found.values).sum())
        draft.columns.append(Column(name, found.kind, found.levels, missing, found.note))
        draft.values.append(found.values)
    return draft


def _note_repeats(series: pl.Series, draft: _Draft) -> None:
    """Remember where a left-out column says that rows repeat subjects."""
    if series.dtype.is_nested() or series.dtype.is_temporal() or series.dtype in (pl.Binary, pl.Object):
        return
    cells = texts(series).drop_nulls()
    if len(cells) == 0:
        return
    warning = repeat_warning(series.name, cells, not series.dtype.is_numeric())
    if warning:
        draft.repeats.append(warning)


def _finish(
    name: str, target: str, answer: Target, draft: _Draft, subject: npt.NDArray[np.int64] | None,
    where: Where, said: tuple[str, ...], rows: int, inputs: list[str],
) -> Table:  # fmt: skip
    """Put the parts together, look for duplicates and leaks, and hash the content."""
    values = np.column_stack(draft.values)
    names = tuple(c.name for c in draft.columns)
    warnings = [*said, *answer.warnings, *draft.warnings]
    share = duplicate_share(values, answer.y)
    if share > 0.01:
        warnings.append(f"{share:.1%} of the rows repeat another row; a repeat in two folds flatters every score")
    warnings.extend(leaks(values, names, answer.y, tuple(c.kind == "categorical" for c in draft.columns)))
    warnings.extend([*doubts_about_names([*inputs, target]), *same_columns(values, names)])
    outside = {o.name for o in draft.left_out if o.reason in (BY_REQUEST, NAMES_SUBJECT)}
    table = Table(
        name=name, target=target, columns=tuple(draft.columns), left_out=tuple(draft.left_out), values=values,
        y=answer.y, task=answer.task, classes=answer.classes, subject=subject, row_numbers=where.lines,
        warnings=tuple(one_line(w) for w in warnings), sha256="", dropped_rows=rows - len(answer.y),
        inputs=tuple(n for n in inputs if n not in outside),
    )  # fmt: skip
    return replace(table, sha256=content_hash(table))
