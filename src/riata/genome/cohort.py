"""Cohort: which row of a clinical table is which person of a .fam."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from riata.errors import InputError, one_line

__all__ = ["Match", "join"]


@dataclass(frozen=True, eq=False)
class Match:
    """People who are on both sides, in the order of the clinical table.

    Attributes
    ----------
    table : Tensor of int64, (m,)
        Rows of the clinical table.
    people : Tensor of int64, (m,)
        The same people's rows in the .fam: what ``Columns.take`` wants.
    only_table, only_people : tuple of str
        IDs without a partner on the other side.
    """

    table: Tensor
    people: Tensor
    only_table: tuple[str, ...]
    only_people: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of people on both sides."""
        return len(self.table)

    def __str__(self) -> str:
        """Say in one sentence who is used and who is not."""
        sides = [("the clinical table", self.only_table), ("the genotypes", self.only_people)]
        lone = [f"{len(ids)} only in {side} ({_some(ids)})" for side, ids in sides if ids]
        both = "1 person is in both" if len(self) == 1 else f"{len(self)} people are in both"
        return both + ("" if not lone else "; left out: " + ", ".join(lone))


def join(table_ids: Sequence[object], people_ids: Sequence[object]) -> Match:
    """Match the ID column of a clinical table with the persons (IID) of a .fam, as text.

    A whole number that was read as a float, 7.0, is "7". Nobody may occur twice on a side.

    Raises
    ------
    InputError
        If an ID is empty or occurs twice on one side, or no ID is on both.

    Examples
    --------
    >>> match = join(["b", "x", "a"], ["a", "b", "c"])
    >>> match.table.tolist(), match.people.tolist()
    ([0, 2], [1, 0])
    >>> print(match)
    2 people are in both; left out: 1 only in the clinical table (x), 1 only in the genotypes (c)
    """
    left, right = _places(table_ids, "the clinical table"), _places(people_ids, "the .fam")
    both = [name for name in left if name in right]
    if not both:
        raise InputError(
            f"no ID is in both: the clinical table has {_some(tuple(left))}, the .fam {_some(tuple(right))};"
            " expected the IID of the .fam: name the column that holds it"
        )
    return Match(
        torch.tensor([left[name] for name in both]),
        torch.tensor([right[name] for name in both]),
        tuple(name for name in left if name not in right),
        tuple(name for name in right if name not in left),
    )


def _places(ids: Sequence[object], side: str) -> dict[str, int]:
    places = dict[str, int]()
    for row, cell in enumerate(ids):
        name = _text(cell)
        if not name:
            raise InputError(f"row {row + 1} of {side} has no ID; expected one in every row: remove the row")
        if name in places:
            raise InputError(f"{one_line(name)} occurs twice in {side}; expected one row a person: keep one of them")
        places[name] = row
    return places


def _text(cell: object) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _some(ids: tuple[str, ...]) -> str:
    return one_line(", ".join(ids[:3]) + (", ..." if len(ids) > 3 else ""), 80)
