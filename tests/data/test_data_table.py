"""The target, the rows that are used, the schema and the hash."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from riata.data import Table, make_table, read_source, values_from_frame
from riata.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 2)).round(4)


def target(y: Any, **options: Any) -> Table:
    y = list(y)
    return make_table(X[: len(y)], y, **options)


@pytest.mark.parametrize(
    ("y", "task", "classes"),
    [
        ([0, 1] * 20, "classification", ("0", "1")),
        ([0.5, 1.5] * 20, "classification", ("0.5", "1.5")),
        (["1", "0"] * 20, "classification", ("0", "1")),
        (["01", "02"] * 20, "classification", ("01", "02")),
        ([True, False] * 20, "classification", ("False", "True")),
        (["b", "a", "c10", "c9"] * 10, "classification", ("a", "b", "c9", "c10")),
        (list(range(10)) * 20, "classification", tuple(str(k) for k in range(10))),
        (list(range(8)) * 5, "regression", ()),
        ([*range(3)] * 20 + [7], "regression", ()),
        (list(range(40)), "regression", ()),
        (list(X[:50, 0]), "regression", ()),
        (["1,5", "2,25", "3"] * 10, "regression", ()),
    ],
)
def test_task(y: list[Any], task: str, classes: tuple[str, ...]) -> None:
    table = target(y)
    assert (table.task, table.classes) == (task, classes)
    assert table.y.dtype == (np.int64 if classes else np.float64)
    if classes:
        names = [table.classes[code] for code in table.y]
        assert names == [str(v) for v in y]


def test_task_can_be_told() -> None:
    assert target([0, 1] * 20, task="regression").y.dtype == np.float64
    assert target(list(range(8)) * 5, task="classification").classes[-1] == "7"
    assert any("--task regression" in w for w in target([0, 1, 2] * 20).warnings)
    with pytest.raises(InputError, match="task is 'regress'"):
        target([0, 1] * 20, task="regress")


@pytest.mark.parametrize(
    ("y", "options", "words"),
    [
        (["a"] * 20, {}, "constant"),
        ([1.0] * 20, {}, "constant"),
        (["a"] * 19 + [None], {}, "one class"),
        ([3.0] * 19 + [None], {}, "always 3"),
        (["a", "b"] * 10 + ["c"], {}, "row 21, column y: class 'c' has one row.*merge"),
        ([0, 1] * 10 + [2], {"task": "classification"}, "class '2' has one row"),
        (["a", "b"] * 10, {"task": "regression"}, "holds texts such as 'a'"),
        ([f"n{k}" for k in range(40)], {}, "40 classes in 40 rows"),
        (["2020-01-01", "2020-01-02"] * 10, {}, "dates"),
        ([np.inf, 1.0] * 10, {}, "not a finite number"),
        ([0, 1] * 4, {}, "8 rows; expected at least 10"),
        ([0, 1] * 4 + [None] * 10, {}, "8 rows with a target"),
    ],
)
def test_targets_that_are_refused(y: list[Any], options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        target(y, **options)


def test_unknown_target() -> None:
    frame = pl.DataFrame({"age": X[:, 0], "TenYearCHD": [0, 1] * 100})
    with pytest.raises(InputError, match=r"no column 'TenYearChd' for the target; did you mean 'TenYearCHD'\?"):
        make_table(frame, "TenYearChd")
    with pytest.raises(InputError, match="no column is left to learn from"):
        make_table(frame, "TenYearCHD", drop=["age"])
    with pytest.raises(InputError, match="--drop names the target"):
        make_table(frame, "TenYearCHD", drop=["TenYearCHD"])


def test_rows_without_a_target_are_dropped_before_columns_are_judged(tmp_path: Any) -> None:
    rows = [f"{k},{k % 7 + 0.5},{'NA' if k < 5 else k % 2},{1 if k < 5 else 2}" for k in range(30)]
    path = tmp_path / "ward.csv"
    path.write_text("\n".join(["id,x,ill,only", *rows]) + "\n")
    table = make_table(read_source(path), "ill")
    assert (table.n, table.dropped_rows, table.name) == (25, 5, "ward")
    assert table.row_numbers[0] == 7
    assert {o.name: o.reason for o in table.left_out}["only"] == "constant: always 2"
    assert any("5 rows without a target" in w for w in table.warnings)


def test_errors_name_the_line_of_the_file(tmp_path: Any) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{v},{k % 2}" for k, v in enumerate(X[:, 0])]
    path.write_text("\n".join(["x,y", *rows[:40], "", "bad,1", *rows[40:]]))
    with pytest.raises(InputError, match=r"t\.csv, row 43, column x: 'bad'"):
        make_table(read_source(path), "y")


def mixed() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "x": [None if k % 9 == 0 else float(v) for k, v in enumerate(X[:60, 0])],
            "c": [None if k % 7 == 0 else "uvw"[k % 3] for k in range(60)],
            "b": ["m", "f"] * 30,
            "code": [1, 2, 3] * 20,
            "y": ["p", "p", "q", "q"] * 15,
        }
    )


def test_take_and_hash() -> None:
    table = make_table(mixed(), "y", categorical=["code"])
    part = table.take(np.arange(60) % 2 == 0)
    assert part.n == 30 and part.columns == table.columns and part.classes == table.classes
    np.testing.assert_array_equal(part.values, table.values[::2])
    assert part.sha256 != table.sha256
    assert table.take(np.arange(60)).sha256 == table.sha256
    assert make_table(mixed(), "y", categorical=["code"]).sha256 == table.sha256
    changed = mixed().with_columns(pl.when(pl.col("x") == pl.col("x").max()).then(9.0).otherwise("x").alias("x"))
    assert make_table(changed, "y", categorical=["code"]).sha256 != table.sha256


def test_schema_is_json_and_reads_rows_back() -> None:
    table = make_table(mixed(), "y", categorical=["code"])
    schema = json.loads(json.dumps(table.schema(), allow_nan=False))
    shuffled = mixed().select("code", "b", "x", "c").with_columns(extra=pl.lit(1))
    values, warnings = values_from_frame(schema, shuffled)
    np.testing.assert_array_equal(values, table.values)
    assert warnings == ()
    texts = pl.read_csv(mixed().write_csv().encode(), infer_schema=False)
    np.testing.assert_array_equal(values_from_frame(schema, texts)[0], table.values)
    floats = mixed().with_columns(pl.col("code").cast(pl.Float64))
    np.testing.assert_array_equal(values_from_frame(schema, floats)[0], table.values)


def test_new_rows_that_do_not_fit() -> None:
    schema = make_table(mixed(), "y", categorical=["code"]).schema()
    new = mixed().drop("y")
    values, warnings = values_from_frame(schema, new.with_columns(c=pl.lit("zz")))
    assert (values[:, 1] == -1).all() and "60 cells" in warnings[0] and "'zz'" in warnings[0]
    with pytest.raises(InputError, match=r"no column 'code', .*did you mean 'Code'\?"):
        values_from_frame(schema, new.rename({"code": "Code"}))
    bad = new.with_columns(pl.Series("x", ["1.5"] * 58 + ["oops", "NA"]))
    with pytest.raises(InputError, match="row 59, column x: 'oops' is not a number"):
        values_from_frame(schema, bad)
    with pytest.raises(InputError, match="row 2, column x: 'inf' is not a finite number"):
        values_from_frame(schema, new.with_columns(pl.Series("x", ["1", "inf"] * 30)))
    with pytest.raises(InputError, match="no rows"):
        values_from_frame(schema, new.head(0))
