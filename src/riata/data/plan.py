"""Which encoded columns a table gives: the same ones in every fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from riata.data.say import refuse
from riata.data.table import Column, Table

NUMBER = -3
"""``code`` of a column that holds a variable's number."""
BINARY = -2
"""``code`` of the single column of a variable with two levels: 0 for the first, 1 for the second."""
MISSING = -1
"""``code`` of a missing-value indicator. Codes from 0 are one-hot columns of that level."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The encoded columns and the variables they belong to.

    Attributes
    ----------
    columns : tuple of str, length d
        Such as ``"age"``, ``"age=missing"``, ``"sex=male"``.
    group : ndarray of int64, shape (d,)
        Index of the variable in ``variables``; non-decreasing.
    variables : tuple of str, length V
    code : ndarray of int64, shape (d,)
        `NUMBER`, `BINARY`, `MISSING`, or the level of a one-hot column.
    """

    columns: tuple[str, ...]
    group: npt.NDArray[np.int64]
    variables: tuple[str, ...]
    code: npt.NDArray[np.int64]

    def to_state(self) -> dict[str, Any]:
        """Return the layout as a JSON-able dictionary."""
        return {
            "columns": list(self.columns),
            "group": self.group.tolist(),
            "variables": list(self.variables),
            "code": self.code.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Layout:
        """Return the layout that `to_state` described.

        Raises
        ------
        InputError
            The lengths do not agree, or an index points nowhere.
        """
        try:
            columns, variables = tuple(map(str, state["columns"])), tuple(map(str, state["variables"]))
            group = np.asarray(state["group"], dtype=np.int64)
            code = np.asarray(state["code"], dtype=np.int64)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise refuse(f"the stored layout is damaged ({error!r}); write the model again") from None
        if not group.shape == code.shape == (len(columns),):
            raise refuse("the stored layout is damaged (lengths differ); write the model again")
        if len(group) and (group.min() < 0 or group.max() >= len(variables) or code.min() < NUMBER):
            raise refuse("the stored layout is damaged (an index points nowhere); write the model again")
        return cls(columns, group, variables, code)


def layout(table: Table) -> Layout:
    """Return the encoded columns of a table; decided on all its rows, so that every fold has the same.

    A number is one column. A category with two levels and no blank is one column, any other one column per
    level. A variable with blanks has one more column that says so, in its own group.

    Parameters
    ----------
    table : Table

    Returns
    -------
    Layout

    Examples
    --------
    >>> import polars as pl
    >>> from riata.data.build import make_table
    >>> frame = pl.DataFrame({"age": [41.5, None, 30] * 6, "sex": ["m", "f"] * 9, "ill": [0, 0, 1] * 6})
    >>> layout(make_table(frame, "ill")).columns
    ('age', 'age=missing', 'sex=m')
    """
    columns: dict[str, None] = {}
    group: list[int] = []
    code: list[int] = []
    for index, column in enumerate(table.columns):
        for name, part in _parts(column):
            while name in columns:
                name += "'"
            columns[name] = None
            group.append(index)
            code.append(part)
    return Layout(
        tuple(columns),
        np.asarray(group, dtype=np.int64),
        tuple(c.name for c in table.columns),
        np.asarray(code, dtype=np.int64),
    )


def _parts(column: Column) -> list[tuple[str, int]]:
    """Return the (name, code) of each encoded column of a variable."""
    if column.kind == "numeric":
        parts = [(column.name, NUMBER)]
    elif len(column.levels) == 2 and not column.missing:
        parts = [(f"{column.name}={column.levels[1]}", BINARY)]
    else:
        parts = [(f"{column.name}={level}", k) for k, level in enumerate(column.levels)]
    return [*parts, (f"{column.name}=missing", MISSING)] if column.missing else parts
