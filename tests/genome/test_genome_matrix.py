"""A matrix means the same in memory and in a file: which number is a missing cell, and what is refused."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from riata.errors import InputError
from riata.genome import Dense, Whole, matrix, open_wide, parquet
from riata.genome.matrix import MISSING, columns_of, missing_in

N, P = 23, 9


def counts(gone: int | None, dtype: type = np.int8) -> np.ndarray:
    """Numbers 0 to 2 with some missing cells."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, 3, (N, P)).astype(dtype)
    if gone is not None:
        x[rng.random((N, P)) < 0.1] = gone
    return x


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
@pytest.mark.parametrize("gone", [None, *MISSING])
def test_arrays_and_files_have_the_same_missing_cells(dtype: type, gone: int | None, tmp_path: Path) -> None:
    x = counts(gone, dtype)
    want = np.where(x < 0, np.nan, x.astype(float))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "turned.npy", np.asfortranarray(x))
    np.savez(tmp_path / "x.npz", X=x)
    right = torch.randn(N, 3, generator=torch.Generator().manual_seed(0))
    found = [columns_of(x), *(open_wide(tmp_path / name)[0] for name in ("x.npy", "turned.npy", "x.npz"))]
    for columns in found:
        assert isinstance(columns, Whole if dtype is np.int8 else Dense)
        np.testing.assert_array_equal(columns.raw(torch.arange(P)), want.astype(np.float32))
        assert columns.missing.tolist() == np.isnan(want).sum(0).tolist()
        assert torch.equal(columns.dot(right), found[0].dot(right))  # the same bits


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int64])
@pytest.mark.parametrize("gone", [None, *MISSING])
@pytest.mark.parametrize("large", [False, True])
def test_a_parquet_has_the_same_missing_cells(
    dtype: type, gone: int | None, large: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside nulls, in one block or several, and where a number does not fit into int8."""
    x = counts(gone, dtype)
    if large:
        x[5, 3] = 127 if dtype is np.int8 else 300
    frame = pl.DataFrame({f"v{i}": x[:, i] for i in range(P)})
    frame = frame.with_columns(pl.when(pl.int_range(N) == 7).then(None).otherwise(pl.col("v1")).alias("v1"))
    want = np.where(x < 0, np.nan, x.astype(float))
    want[7, 1] = np.nan
    frame.with_columns(id=pl.int_range(N)).write_parquet(tmp_path / "x.parquet")
    for cells in (parquet.READ, 8 * N):
        monkeypatch.setattr(parquet, "READ", cells)
        columns, ids = open_wide(tmp_path / "x.parquet")
        assert ids is not None and columns.p == P
        np.testing.assert_array_equal(columns.raw(torch.arange(P)), want.astype(np.float32))
        assert columns.missing.tolist() == np.isnan(want).sum(0).tolist()
    frame.with_columns(dose=0.5).write_parquet(tmp_path / "mixed.parquet")
    if gone is not None:
        assert float(open_wide(tmp_path / "mixed.parquet")[0].raw(torch.arange(P)).nan_to_num().min()) == gone


@pytest.mark.parametrize(("below", "low"), [((-1, -9), -9), ((-1, -2), -2), ((-3,), -3), ((-128, -127), -128)])
@pytest.mark.parametrize("dtype", [np.int8, np.int32])
def test_other_numbers_below_0_are_refused(
    below: tuple[int, ...], low: int, dtype: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first of them and the second are in different blocks."""
    x = counts(None, dtype)
    for i, number in enumerate(below):
        x[i * (N - 1), 2] = number
    np.save(tmp_path / "x.npy", x)
    pl.DataFrame(x).write_parquet(tmp_path / "x.parquet")
    calls = {name: partial(open_wide, tmp_path / name) for name in ("x.npy", "x.parquet")}
    for cells in (matrix.CELLS, P):
        monkeypatch.setattr(matrix, "CELLS", cells)
        monkeypatch.setattr(parquet, "READ", cells)
        for label, call in (("the matrix", partial(columns_of, x)), *calls.items()):
            with pytest.raises(InputError, match=rf"{label}: whole numbers down to {low}; expected 0 or more"):
                call()


def test_what_is_said_to_be_missing_is_not_looked_for(tmp_path: Path) -> None:
    x = counts(-1)
    x[0, 0] = -5
    np.save(tmp_path / "x.npy", x)
    columns, _ = open_wide(tmp_path / "x.npy", absent=-5)
    assert int(columns.missing.sum()) == 1 and float(columns.raw(torch.arange(P)).nan_to_num().min()) == -1


def test_floats_may_be_below_0(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(N, P))
    x[4, 4] = np.nan
    np.save(tmp_path / "x.npy", x)
    for columns in (columns_of(x), open_wide(tmp_path / "x.npy")[0]):
        assert int(columns.missing.sum()) == 1
        np.testing.assert_array_equal(columns.raw(torch.arange(P)), x.astype(np.float32))


def test_one_number_is_found_in_every_layout() -> None:
    x = counts(None, np.int16)
    x[[0, -1], [0, -1]] = -9
    for view in (x, x.T, np.asfortranarray(x), x[::-1], x[:, ::-1], np.repeat(x, 2, 1)[:, ::2]):
        assert missing_in(view) == -9
    assert missing_in(np.abs(x)) is None and missing_in(x[1:-1]) is None


@pytest.mark.parametrize("wrong", [np.zeros(3, np.int8), np.zeros((0, 2), np.int8), np.array([["a"]]), np.eye(2) > 0])
def test_what_is_no_matrix_of_numbers_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected rows and columns of real numbers"):
        columns_of(wrong)
