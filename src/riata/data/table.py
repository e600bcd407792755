"""The table every other part works on: numbers and codes, a target, and what was left out and why."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from riata.data.infer import Kind
from riata.data.target import Task


@dataclass(frozen=True)
class Column:
    """A variable that is used.

    Attributes
    ----------
    name : str
    kind : {"numeric", "categorical"}
    levels : tuple of str
        Of a categorical variable, sorted; its codes are their positions.
    missing : int
        Blank cells in the whole table (a subset made by `Table.take` keeps this number).
    note : str
        How the cells were read, where that is not obvious.
    """

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    missing: int = 0
    note: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A column that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Table:
    """A table as it was understood; build one with `make_table`.

    Attributes
    ----------
    name, target : str
        The table's and the target column's name.
    columns : tuple of Column, length V
        The variables, in the order of the file.
    left_out : tuple of LeftOut
    values : ndarray of float64, shape (n, V)
        Numbers, or level codes; NaN is missing.
    y : ndarray, shape (n,)
        int64 class codes, or float64 numbers.
    task : {"classification", "regression"}
    classes : tuple of str
        Names of the class codes; of two classes the last is the positive one. Empty for regression.
    subject : ndarray of int64, shape (n,), or None
        Rows with equal codes belong to one subject.
    row_numbers : ndarray of int64, shape (n,)
        1-based line in the text file, or 1-based row of the frame.
    warnings : tuple of str
    sha256 : str
        Hash of the content that is used (names, kinds, values, target, subjects).
    dropped_rows : int
        Rows without a target.
    inputs : tuple of str
        All columns of the file beside the target and the subject, in order: those left out for what they hold
        (constant, ids) are among them, those dropped by request are not.
    """

    name: str
    target: str
    columns: tuple[Column, ...]
    left_out: tuple[LeftOut, ...]
    values: npt.NDArray[np.float64]
    y: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    task: Task
    classes: tuple[str, ...]
    subject: npt.NDArray[np.int64] | None
    row_numbers: npt.NDArray[np.int64]
    warnings: tuple[str, ...]
    sha256: str
    dropped_rows: int = 0
    inputs: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    def take(self, rows: npt.ArrayLike) -> Table:
        """Return the same table for some of its rows, in the given order.

        Parameters
        ----------
        rows : array-like
            Row positions, or a boolean mask of length n.

        Returns
        -------
        Table
            Columns, levels and classes stay as they are, also where a level no longer occurs.

        Examples
        --------
        >>> from riata.data.build import make_table
        >>> table = make_table(np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2)
        >>> table.take([3, 1]).y.tolist()
        [1, 1]
        """
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == np.bool_ else index.astype(np.int64)
        subject = None if self.subject is None else self.subject[index]
        part = replace(self, values=self.values[index], y=self.y[index], subject=subject,
                       row_numbers=self.row_numbers[index])  # fmt: skip
        return replace(part, sha256=content_hash(part))

    def schema(self) -> dict[str, Any]:
        """Return everything but the rows as a JSON-able dictionary; `values_from_frame` reads new rows by it.

        Returns
        -------
        dict
            ``name, target, task, classes, columns, left_out, n, dropped_rows, subjects, warnings, sha256``.
        """
        return {
            "name": self.name,
            "target": self.target,
            "task": self.task,
            "classes": list(self.classes),
            "columns": [{**asdict(c), "levels": list(c.levels)} for c in self.columns],
            "left_out": [asdict(c) for c in self.left_out],
            "n": self.n,
            "dropped_rows": self.dropped_rows,
            "subjects": None if self.subject is None else len(np.unique(self.subject)),
            "warnings": list(self.warnings),
            "sha256": self.sha256,
        }


def content_hash(table: Table) -> str:
    """Return the SHA-256 of what a table holds: names, kinds, levels, values, target and subjects.

    The row numbers, the table's own name and the warnings do not enter.
    """
    head = [
        table.target,
        table.task,
        list(table.classes),
        [[c.name, c.kind, list(c.levels)] for c in table.columns],
    ]
    digest = hashlib.sha256(json.dumps(head, ensure_ascii=True).encode())
    arrays: list[tuple[npt.NDArray[Any], Literal["<f8", "<i8"]]] = [(table.values, "<f8"), (table.y, "<f8")]
    if table.subject is not None:
        arrays.append((table.subject, "<i8"))
    for array, kind in arrays:
        clean = np.where(np.isnan(array), np.nan, array) + 0.0 if kind == "<f8" else array
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(clean, dtype=kind).tobytes())
    return digest.hexdigest()
