"""Wide tables: Parquet by blocks and numpy's files, as int8 where whole numbers allow it; damaged ones refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from riata.errors import InputError, ResourceError
from riata.genome import Dense, Whole, open_wide
from riata.genome import memory as memory_module
from riata.genome import parquet as module

N, P = 31, 17


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ", 8 * N * 4)  # four columns a block


def frame() -> pl.DataFrame:
    draw = np.random.default_rng(0)
    counts = draw.integers(0, 3, (N, P))
    columns = {f"v{i}": counts[:, i].tolist() for i in range(P)}
    columns["v3"][5] = None
    return pl.DataFrame({"IID": [f"P{i}" for i in range(N)], **columns})


def cells(table: pl.DataFrame) -> np.ndarray:
    return np.array([[np.nan if v is None else float(v) for v in row] for row in table.rows()])


def saved(folder: Path, table: pl.DataFrame) -> Path:
    table.write_parquet(folder / "w.parquet")
    return folder / "w.parquet"


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int64, pl.Float32, pl.UInt8])
def test_whole_numbers_are_int8(dtype: type[pl.DataType], tmp_path: Path) -> None:
    table = frame().with_columns(pl.exclude("IID").cast(dtype))
    x, ids = open_wide(saved(tmp_path, table), threads=2)
    assert isinstance(x, Whole)
    assert ids == tuple(f"P{i}" for i in range(N))
    assert tuple(x.names) == tuple(f"v{i}" for i in range(P))
    np.testing.assert_array_equal(x.raw(torch.arange(P)), cells(table.drop("IID")))
    assert x.missing.tolist() == [0, 0, 0, 1] + [0] * 13
    assert x.threads == 2


@pytest.mark.parametrize(
    "change", [pl.col("v9") + 0.5, pl.col("v9") + 126, pl.col("v9") * 100, pl.lit(1e9).alias("v9"), pl.col("v9") * 1e6]
)
def test_other_numbers_are_float32_from_the_first_block_on(change: pl.Expr, tmp_path: Path) -> None:
    table = frame().with_columns(change)
    x, _ = open_wide(saved(tmp_path, table))
    assert isinstance(x, Dense)
    assert x.store.cells.dtype == np.float32
    np.testing.assert_array_equal(x.raw(torch.arange(P)), cells(table.drop("IID")).astype(np.float32))
    assert int(x.missing[3]) == 1


def test_minus_one_beside_other_kinds_is_a_number_unless_it_is_said_to_be_missing(tmp_path: Path) -> None:
    table = frame().with_columns(pl.col("v0") - 1, (pl.col("v1") > 0))
    path = saved(tmp_path, table)
    gone = int((table["v0"] == -1).sum())
    assert gone > 0
    assert int(open_wide(path)[0].missing[0]) == 0
    assert int(open_wide(path, absent=-1)[0].missing[0]) == gone
    assert open_wide(path)[0].raw(torch.tensor([1])).unique().tolist() == [0, 1]


def test_which_column_holds_the_ids(tmp_path: Path) -> None:
    bare = frame().drop("IID")
    assert open_wide(saved(tmp_path, bare))[1] is None
    numbers = bare.with_columns(pl.Series("Id", [float(i) for i in range(N - 1)] + [None]))
    found = open_wide(saved(tmp_path, numbers))
    assert (found[1][7], found[1][-1], found[0].p) == ("7", "", P)
    both = frame().rename({"IID": "who"}).with_columns(pl.lit("F").alias("FID"))
    assert open_wide(saved(tmp_path, both), id="who", drop=["FID", "v0"])[0].p == P - 1
    with pytest.raises(InputError, match=r"column who is String; expected numbers: name it as id or drop"):
        open_wide(saved(tmp_path, both))


def test_numpy_files(tmp_path: Path) -> None:
    counts = np.random.default_rng(1).integers(0, 3, (N, P)).astype(np.int8)
    counts[3, 5] = -1
    np.save(tmp_path / "x.npy", counts)
    np.savez(tmp_path / "x.npz", X=counts, names=[f"rs{i}" for i in range(P)], ids=np.arange(N))
    np.save(tmp_path / "f.npy", counts.astype(np.float64))
    mapped, none = open_wide(tmp_path / "x.npy")
    packed, ids = open_wide(tmp_path / "x.npz")
    floats, _ = open_wide(tmp_path / "f.npy", absent=-1)
    assert isinstance(mapped, Whole)
    assert isinstance(floats, Dense)
    assert (none, ids[4], packed.names[2], mapped.names[2]) == (None, "4", "rs2", "x2")
    right = torch.randn(N, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(mapped.dot(right), packed.dot(right))
    torch.testing.assert_close(floats.dot(right), mapped.dot(right), rtol=1e-4, atol=1e-3)
    assert mapped.missing.tolist() == floats.missing.tolist() == [0] * 5 + [1] + [0] * 11


def damaged(folder: Path, name: str) -> Path:
    path = folder / name
    if path.suffix == ".parquet":
        frame().write_parquet(path)
    elif path.suffix == ".npy":
        np.save(path, np.ones((9, 9)))
    else:
        np.savez(path, X=np.ones((9, 9)))
    path.write_bytes(path.read_bytes()[:-40])
    return path


@pytest.mark.parametrize("name", ["a.parquet", "a.npy", "a.npz"])
def test_damaged_files_are_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"{name} cannot be read") as caught:
        open_wide(damaged(tmp_path, name))
    assert "\n" not in str(caught.value)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=rf"{name} cannot be read"):
        open_wide(tmp_path / name)


@pytest.mark.parametrize(
    ("save", "options", "words"),
    [
        (lambda p: saved(p, frame()), {"drop": ["v99"]}, "no column v99"),
        (lambda p: saved(p, frame()), {"id": "who"}, "no column who"),
        (lambda p: saved(p, frame().select("IID")), {}, "31 rows and 0 columns"),
        (lambda p: saved(p, frame().head(0)), {}, "0 rows and 17 columns"),
        (lambda p: p / "x.csv", {}, "unknown kind of table"),
        (lambda p: np.save(p / "x.npy", np.ones((3, 3))) or p / "x.npy", {"id": "a"}, "id=a"),
        (lambda p: np.save(p / "x.npy", np.ones((3, 3))) or p / "x.npy", {"drop": ["x0"]}, "expected none"),
        (lambda p: np.save(p / "x.npy", np.ones(3, np.int8)) or p / "x.npy", {}, "expected int8|rows and columns"),
        (lambda p: np.save(p / "x.npy", np.array([{}])) or p / "x.npy", {}, "cannot be read"),
        (lambda p: np.savez(p / "x.npz", Y=np.ones((3, 3))) or p / "x.npz", {}, "expected X"),
        (lambda p: np.savez(p / "x.npz", X=np.ones((3, 3)), ids=[1]) or p / "x.npz", {}, "1 ids for 3 rows"),
        (lambda p: np.savez(p / "x.npz", X=np.ones((3, 3)), names=["a"]) or p / "x.npz", {}, "1 names for 3"),
    ],
)
def test_other_tables_are_refused(save, options: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        open_wide(save(tmp_path), **options)


def test_too_little_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "x.npz", X=np.ones((9, 9)))
    path, half = saved(tmp_path, frame()), saved(tmp_path / "..", frame().with_columns(pl.col("v9") + 0.5))
    monkeypatch.setattr(memory_module, "available", lambda: N * P)
    for file in (path, tmp_path / "x.npz"):
        with pytest.raises(ResourceError, match="expected at most 70%"):
            open_wide(file)
    monkeypatch.setattr(memory_module, "available", lambda: 2 * N * P)
    assert open_wide(path)[0].p == P
    with pytest.raises(ResourceError, match="in float32 needs"):
        open_wide(half)
