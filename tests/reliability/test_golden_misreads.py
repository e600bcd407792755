"""The golden list of misreads: each file is refused with its line, or what was assumed is said, or it is read right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_misreads import CASES

from riata.data import Table, make_table, read_source
from riata.errors import InputError


def said(table: Table) -> list[str]:
    """Return everything that the table says about how it was read."""
    return [*table.warnings, *(f"column {o.name}: {o.reason}" for o in table.left_out)]


def first_cells(table: Table) -> str:
    """Return the kind of v and its first cells, as the case words it."""
    at = [c.name for c in table.columns].index("v")
    column, values = table.columns[at], table.values[:, at]
    cells = [column.levels[int(v)] if column.levels else f"{v:.10g}" for v in values[:3]]
    return " ".join([column.kind, *cells])


def test_the_list_is_long_and_its_names_differ() -> None:
    assert len(CASES) >= 60 and len({c.name for c in CASES}) == len(CASES)
    assert sum(c.outcome != "read" for c in CASES) >= 60


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_no_silent_misread(case: Any, tmp_path: Path) -> None:
    path = tmp_path / f"t{case.suffix}"
    path.write_bytes(case.content)
    try:
        table = make_table(read_source(path), case.target)
    except InputError as error:
        message = str(error)
        assert case.outcome == "refused", message
        assert re.search(case.words, message), message
        assert len(message) <= 300 and message.isprintable()
        return
    assert not np.isinf(table.values).any()
    if case.outcome == "read":
        assert first_cells(table).startswith(case.words)
        return
    assert case.outcome == "said", said(table)
    assert any(re.search(case.words, line) for line in said(table)), said(table)


def test_an_ordinary_table_is_read_without_a_doubt(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{rng.integers(20, 90)},{rng.normal():.3f},{rng.choice(['m', 'f'])},{rng.choice(['I', 'II', 'III'])},"
        f"{rng.integers(1950, 2020)},{rng.choice(['0', '1'])},{rng.choice(['ill', 'well'])}"
        for _ in range(200)
    ]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["age,dose,sex,stage,year,smoker,y", *rows]) + "\n")
    table = make_table(read_source(path), "y")
    assert said(table) == [] and len(table.columns) == 6
