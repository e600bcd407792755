"""Inference: what each column is taken for, and what is said about it."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from riata.data import Table, make_table
from riata.errors import InputError

N = 60
GOOD = [str(v) for v in np.random.default_rng(1).normal(size=N).round(3)]
ILL = ["yes", "no"] * (N // 2)


def build(cells: Any, name: str = "v", **options: Any) -> Table:
    frame = pl.DataFrame({"x": GOOD, "ill": ILL}).with_columns(pl.Series(name, cells))
    return make_table(frame, "ill", **options)


def judged(cells: Any, name: str = "v", **options: Any) -> tuple[str, str]:
    """Return (kind or "out", levels or reason) of the column under test."""
    table = build(cells, name, **options)
    for column in table.columns:
        if column.name == name:
            return column.kind, ",".join(column.levels)
    return "out", next(o.reason for o in table.left_out if o.name == name)


def cycle(*cells: Any) -> list[Any]:
    return (list(cells) * N)[:N]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (cycle("1", "2", "3"), ("numeric", "")),
        (cycle("1e3", "-.5", "+2.", "NA"), ("numeric", "")),
        (cycle("1", "2", "."), ("numeric", "")),
        (cycle("1", "2", "-"), ("numeric", "")),
        (cycle("a", "b", "."), ("categorical", ".,a,b")),
        (cycle("a10", "a9", "?"), ("categorical", "a9,a10")),
        (cycle("007", "08", "7"), ("categorical", "007,7,08")),
        (cycle("3,14", "2", "2,5"), ("numeric", "")),
        (cycle("0,123", "0,456"), ("numeric", "")),
        (cycle(True, False), ("categorical", "False,True")),
        (cycle(True, None, False), ("categorical", "False,True")),
        (cycle(0, 1), ("numeric", "")),
        (cycle(1, 2, None), ("numeric", "")),
        ([str(k) for k in range(N)], ("out", "a running number from 0 to 59")),
        (list(range(N, 0, -1)), ("out", "a running number from 1 to 60")),
        ([f"name {k}" for k in range(N)], ("out", "an id: all 60 values are different")),
        (cycle(*[f"w{k}" for k in range(40)]), ("out", "an id or free text: 40 different values in 60 rows")),
        (cycle("5"), ("out", "constant: always 5")),
        (cycle("u"), ("out", "constant: always 'u'")),
        ([1.0 + 1e-14 * k for k in range(N)], ("out", "constant: always 1")),
        (cycle("", "NA", None), ("out", "all missing")),
        (cycle("2020-01-31", "2021-02-28T10:00:00"), ("out", "dates or times")),
        (cycle("31.12.2020", "1.1.2021"), ("out", "dates or times")),
        (cycle(datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)), ("out", "dates or times")),
        (cycle([1], [2]), ("out", "cells are not single values (List(Int64))")),
    ],
)
def test_kind(cells: list[Any], expected: tuple[str, str]) -> None:
    assert judged(cells) == expected


def test_numbers_are_the_numbers_written() -> None:
    table = build(cycle("3,14", "NA", "-2"))
    assert table.columns[1].missing == N // 3 and table.columns[1].note == "decimal commas"
    np.testing.assert_array_equal(table.values[:3, 1], [3.14, np.nan, -2.0])
    assert any("decimal commas" in w and "3.14" in w for w in table.warnings)
    table = build(cycle("b", "a", "?"))
    np.testing.assert_array_equal(table.values[:3, 1], [1.0, 0.0, np.nan])


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (cycle("inf", "1", "2"), "row 1, column v: 'inf' is not a finite number"),
        (cycle("1", "1e999", "2"), "row 2, column v: '1e999' is not a finite number"),
        (cycle(1.0, 2.0, float("inf")), "row 3, column v: 'inf'"),
        ([*GOOD[:-1], "oops"], "row 60, column v: 'oops' among numbers .* type --categorical v or fix"),
        (cycle("1,234", "2,345"), "row 1, column v: '1,234' may be a decimal comma or a thousands"),
    ],
)
def test_cells_that_are_refused(cells: list[Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        build(cells)


def test_the_user_decides() -> None:
    assert judged(cycle(1, 2, 10), categorical=["v"]) == ("categorical", "1,2,10")
    assert judged(cycle("1.0", "2", "10"), categorical=["v"]) == ("categorical", "1,2,10")
    assert judged([*GOOD[:-1], "oops"], categorical=["v"])[0] == "categorical"
    assert judged(GOOD, drop=["v"]) == ("out", "dropped by request")
    with pytest.raises(InputError, match="column v: all missing"):
        build(cycle(""), categorical=["v"])


@pytest.mark.parametrize("option", ["categorical", "drop"])
def test_options_that_name_nothing(option: str) -> None:
    with pytest.raises(InputError, match=rf"--{option}: no column 'agee'; did you mean 'age'\?"):
        build(GOOD, "age", **{option: ["agee"]})
    with pytest.raises(InputError, match="expected a list"):
        build(GOOD, "age", **{option: "age"})


def test_ids_by_name_only_where_the_name_says_so() -> None:
    numbers = [int(v) for v in np.random.default_rng(0).permutation(10_000)[:N]]
    assert judged(numbers, "PatientID")[0] == "out"
    assert judged(numbers, "patient_id")[0] == "out"
    assert judged(numbers, "citric acid") == ("numeric", "")
    assert judged([float(v) + 0.5 for v in numbers], "humid")[0] == "numeric"


def test_repeated_subjects_are_pointed_out() -> None:
    table = build([f"{300 + k // 5}_{k % 5}" for k in range(N)], "MouseID")
    assert any("repeated measurements of MouseID (12 subjects" in w for w in table.warnings)
    table = build([k // 3 + 100 for k in range(N)], "subject")
    assert [o.name for o in table.left_out] == ["subject"]
    assert any("use --group-column subject" in w for w in table.warnings)
    table = build([k // 3 + 100 for k in range(N)], "height")
    assert not any("repeated" in w for w in table.warnings)
    assert not any("repeated" in w for w in build([f"row_{k}" for k in range(N)]).warnings)


def test_group_column() -> None:
    table = build([f"m{k // 5}_{k % 5}" for k in range(N)], "mouse", group_column="mouse")
    assert table.subject is not None and len(np.unique(table.subject)) == 12
    assert np.array_equal(table.subject[:5], [table.subject[0]] * 5)
    assert any("part before the last mark" in w for w in table.warnings)
    assert not any("--group-column" in w for w in table.warnings)
    table = build([k // 4 for k in range(N)], "mouse", group_column="mouse")
    assert table.subject is not None and np.array_equal(table.subject, np.arange(N) // 4)
    with pytest.raises(InputError, match="1 rows have no subject"):
        build([None, *[1, 2] * 29, 1], "mouse", group_column="mouse")
    with pytest.raises(InputError, match="same subject"):
        build([1] * N, "mouse", group_column="mouse")
    with pytest.raises(InputError, match="did you mean 'mouse'"):
        build([1, 2] * 30, "mouse", group_column="mousse")


def test_words_read_as_missing_are_named() -> None:
    table = build(cycle("mild", "None", "severe"))
    assert table.columns[1].levels == ("mild", "severe") and table.columns[1].missing == N // 3
    assert any("20 cells 'None' are read as missing" in w for w in table.warnings)
    assert not any("read as missing" in w for w in build(cycle("1", "NA")).warnings)
    assert any("'007'" in w and "codes" in w for w in build(cycle("007", "8")).warnings)


def test_whole_table_warnings() -> None:
    assert any("tells the target one to one" in w for w in build(cycle("u", "v")).warnings)
    assert any("numbers as large as 1e+35" in w for w in build(cycle(1.0, 2.0, 1e35)).warnings)
    frame = pl.DataFrame({"a": cycle(1, 2, 3), "y": cycle("p", "q")})
    assert any("90.0% of the rows repeat" in w for w in make_table(frame, "y").warnings)
    y = np.random.default_rng(0).normal(size=N)
    warnings = make_table(np.column_stack([3 * y + 1, y**2]), y).warnings
    assert len(warnings) == 1 and "x1 is the target but for its scale" in warnings[0]


def test_frames_of_all_kinds_agree() -> None:
    plain: dict[str, Any] = {
        "x": np.random.default_rng(0).normal(size=N),
        "b": cycle(True, False, False),
        "c": cycle("u", "v", "w", None),
        "k": cycle(1, 2, 3, 4, 5),
        "y": cycle("p", "q"),
    }
    reference = make_table(pl.DataFrame(plain), "y")
    frame = pd.DataFrame(plain)
    for other in (
        frame,
        frame.astype({"c": "category"}),
        frame.astype({"b": "boolean", "k": "Int64"}),
        frame.astype({"b": object, "k": object}),
        pl.DataFrame(plain).lazy(),
        pl.DataFrame(plain).with_columns(pl.col("c").cast(pl.Categorical)),
    ):
        assert make_table(other, "y").sha256 == reference.sha256
    assert make_table(frame.drop(columns="y"), frame["y"]).columns == reference.columns
    assert make_table(pl.read_csv(pl.DataFrame(plain).write_csv().encode()), "y").n == N


def test_arrays() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    table = make_table(x, np.arange(20) % 2)
    assert [c.name for c in table.columns] == ["x1", "x2", "x3"] and table.target == "y"
    np.testing.assert_array_equal(table.values, x)
    x[3, 1] = np.inf
    with pytest.raises(InputError, match="row 4, column x2"):
        make_table(x, np.arange(20) % 2)
    with pytest.raises(InputError, match="reshape"):
        make_table(x[:, 0], np.arange(20) % 2)
    with pytest.raises(InputError, match="19 values"):
        make_table(x, np.arange(19) % 2)
    with pytest.raises(InputError, match="no target"):
        make_table(x)
    with pytest.raises(InputError, match="expected a data frame"):
        make_table("t.csv", "y")


def test_hostile_names_stay_on_one_line() -> None:
    name = "\x1b[31mred\n" + "n" * 400
    assert all(w.isprintable() and len(w) <= 300 for w in build(cycle("007", "8"), name).warnings)
    with pytest.raises(InputError) as caught:
        build(cycle("inf", "1"), name)
    assert str(caught.value).isprintable() and "not a finite number" in str(caught.value)


@pytest.mark.parametrize("cells", [cycle("5%", "7.5 %"), [f"${k}.5" for k in range(N)], cycle("3 kg", "12kg")])
def test_numbers_with_a_unit_are_pointed_out(cells: list[str]) -> None:
    assert any("write plain numbers" in w for w in build(cells).warnings)


@pytest.mark.parametrize("cells", [cycle("a", "b"), cycle("1st", "2nd"), cycle(1, 2), [str(k) for k in range(N)]])
def test_no_unit_is_seen_where_there_is_none(cells: list[Any]) -> None:
    assert not any("write plain numbers" in w for w in build(cells).warnings)
