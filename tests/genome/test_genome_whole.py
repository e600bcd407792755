"""int8 columns: float64 brute force, the same as the .bed they came from, and travel to another process."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from riata.errors import InputError, ResourceError
from riata.genome import Columns, Dense, Whole, dots, grams, monomorphic, open_bed, takes
from riata.genome import bed as bed_module
from riata.genome import memory as memory_module
from riata.genome import whole as module
from riata.genome.bed import Bed
from riata.genome.mapped import Mapped, travelling
from riata.genome.plink import write_bed, write_bim


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 1)  # 16 columns a block
    monkeypatch.setattr(bed_module, "BLOCK", 1)


def values(p: int = 45, n: int = 63, least: int = -127, most: int = 127, absent: int = -128) -> np.ndarray:
    draw = np.random.default_rng(2)
    cells = draw.integers(least, most + 1, (p, n)).astype(np.int8)
    cells[5:9][draw.random((4, n)) < 0.3] = absent
    cells[1], cells[2] = absent, 7
    return cells


def brute(cells: np.ndarray, absent: int, rows: np.ndarray | None = None) -> np.ndarray:
    raw = np.where(cells == absent, np.nan, cells.astype(np.float64))
    raw = raw if rows is None else raw[:, rows]
    out = np.zeros_like(raw)
    for row, line in zip(out, raw, strict=True):
        seen = line[~np.isnan(line)]
        if len(seen) and seen.min() < seen.max():
            filled = np.where(np.isnan(line), seen.mean(), line)
            row[:] = (filled - filled.mean()) / filled.std()
    return out.T


def bed_of(folder: Path, n: int = 63, p: int = 45) -> Bed:
    draw = np.random.default_rng(0)
    counts = draw.binomial(2, draw.uniform(0.05, 0.95, (p, 1)), (p, n)).astype(np.int8)
    counts[::3][draw.random(counts[::3].shape) < 0.1] = -1
    write_bed(folder / "c.bed", [counts])
    write_bim(folder / "c.bim", ((str(1 + i % 3), f"rs{i}", i, "A", "C") for i in range(p)))
    (folder / "c.fam").write_text("".join(f"F P{i} 0 0 0 -9\n" for i in range(n)))
    return open_bed(folder / "c")


def right_of(n: int, k: int = 3, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(n, k, generator=torch.Generator().manual_seed(7), dtype=dtype)


@pytest.mark.parametrize(("least", "most", "absent"), [(-127, 127, -128), (-128, 127, 5), (0, 2, -1), (-128, -126, 0)])
@pytest.mark.parametrize("layout", ["variables first", "rows first", "read-only", "every other"])
def test_whole_numbers_are_brute_force(least: int, most: int, absent: int, layout: str) -> None:
    cells = values(least=least, most=most, absent=absent)
    if layout == "rows first":
        cells = np.ascontiguousarray(cells.T).T
    if layout == "every other":
        cells = np.repeat(cells, 2, 1)[:, ::2]
    cells.flags.writeable = layout != "read-only"
    for threads in (1, 2):
        x = Whole.of(cells, absent=absent, threads=threads)
        rows = torch.tensor([3, 3, 0, 62, 17, 40, 41])
        truth = brute(cells, absent)
        live = truth.any(0)
        for part, want in [(x, truth), (x.take(rows), brute(cells, absent, rows.numpy()))]:
            right = right_of(part.n)
            error = torch.from_numpy(want.T @ right.numpy()) - part.dot(right)
            assert (error.abs().amax(0) <= part.bound(right)).all()
            np.testing.assert_allclose(part.columns(torch.arange(45)), want, atol=2e-5)
            gram = want @ (want.T @ right.numpy())
            assert np.linalg.norm(grams([(part, right)])[0].numpy() - gram) <= 1e-5 * np.linalg.norm(gram)
        assert monomorphic(x).tolist() == np.flatnonzero(~live).tolist()
        assert x.missing.tolist() == (cells == absent).sum(1).tolist()
        with_gaps = np.where(cells == absent, np.nan, cells.astype(np.float32))
        np.testing.assert_array_equal(x.raw(torch.arange(45)), with_gaps.T)


def test_the_bound_is_of_use() -> None:
    x = Whole.of(values(), absent=-128)
    assert (x.bound(right_of(63)) <= 1e-3 * 63**0.5 * right_of(63).norm(dim=0)).all()


def test_a_resident_bed_is_the_same_columns(tmp_path: Path) -> None:
    bed = bed_of(tmp_path)
    rows = torch.tensor([5, 3, 62, 3, 3, 0])
    ids = torch.arange(45)
    for packed in (bed, bed.take(rows)):
        whole = packed.resident()
        assert isinstance(whole, Whole)
        assert whole.store.cells.nbytes == 45 * 63
        for name in ("mean", "scale", "missing"):
            assert getattr(whole, name) is getattr(packed, name)
        right = right_of(packed.n)
        torch.testing.assert_close(whole.dot(right), packed.dot(right), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(
            grams([(whole, right)])[0], grams([(packed, right)])[0], rtol=1e-5, atol=1e-5 * packed.p
        )
        assert torch.equal(whole.columns(ids), packed.columns(ids))
        assert torch.equal(whole.raw(ids).nan_to_num(-1), packed.raw(ids).nan_to_num(-1))
        for one, other in zip(takes(whole, [rows % packed.n]), takes(packed, [rows % packed.n]), strict=True):
            assert torch.equal(one.mean, other.mean)
            assert torch.equal(one.scale, other.scale)


def test_too_little_memory_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = bed_of(tmp_path)
    monkeypatch.setattr(memory_module, "available", lambda: 45 * 63)
    with pytest.raises(ResourceError, match=r"c.bed unpacked needs .* expected at most 70%: use the .bed as it is"):
        bed.resident()


def check_travel(x: Columns, limit: int) -> Columns:
    content = pickle.dumps(x)
    assert len(content) < limit
    again: Columns = pickle.loads(content)
    right = right_of(x.n)
    assert torch.equal(again.dot(right), x.dot(right))
    rows = torch.tensor([1, 0, 2])
    assert torch.equal(again.take(rows).dot(right[:3]), x.take(rows).dot(right[:3]))
    return again


def test_a_bed_travels_as_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed_of(tmp_path, n=4003, p=80)
    monkeypatch.chdir(tmp_path)
    bed = open_bed("c")
    (tmp_path / "elsewhere").mkdir()
    content = pickle.dumps(bed)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert torch.equal(pickle.loads(content).dot(right_of(4003)), bed.dot(right_of(4003)))
    monkeypatch.chdir(tmp_path)
    size = (tmp_path / "c.bed").stat().st_size
    again = check_travel(bed, size // 4)
    assert isinstance(again, Bed)
    takes_again = pickle.loads(pickle.dumps(takes(bed, [torch.arange(9), torch.arange(5)])))
    assert takes_again[0].store is takes_again[1].store  # so one pass still serves both
    assert [len(out) for out in dots([(part, right_of(part.n)) for part in takes_again])] == [80, 80]
    (tmp_path / "c.bed").write_bytes((tmp_path / "c.bed").read_bytes()[:-1])
    with pytest.raises(InputError, match="bytes"):
        pickle.loads(pickle.dumps(bed))


@pytest.mark.parametrize("kind", ["whole", "dense"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_mapped_matrices_travel_as_their_place(kind: str, order: str, tmp_path: Path) -> None:
    cells = np.asarray(values(40, 5000, absent=-1, least=0, most=9), order=order)
    np.save(tmp_path / "x.npy", cells)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")[3:37, 5:4990]
    view = mapped if kind == "whole" else mapped.T.astype(np.int8, copy=False)
    x = Whole.of(view) if kind == "whole" else Dense.of(view, absent=-1)
    check_travel(x, cells.nbytes // 4)
    (tmp_path / "x.npy").unlink()
    with pytest.raises(InputError, match="mapped again"):
        pickle.loads(pickle.dumps(x))


def test_arrays_in_memory_travel_themselves(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", values())
    assert isinstance(travelling(values()), np.ndarray)
    assert isinstance(travelling(np.load(tmp_path / "x.npy", mmap_mode="c")), np.ndarray)  # perhaps changed since
    at = travelling(np.load(tmp_path / "x.npy", mmap_mode="r")[::-2, 3:].T)
    assert isinstance(at, Mapped)
    np.testing.assert_array_equal(at.open(), values()[::-2, 3:].T)
    check_travel(Whole.of(values(), absent=-128), 100_000)


@pytest.mark.parametrize(
    ("matrix", "options", "words"),
    [
        (np.ones((2, 2)), {}, "expected int8"),
        (np.ones(3, np.int8), {}, "expected int8"),
        (np.ones((2, 2), np.int8), {"absent": 300}, "absent=300"),
        (np.ones((2, 2), np.int8), {"names": ["a"]}, "1 names for 2 columns"),
        (np.ones((2, 2), np.int8), {"threads": 0}, "0 threads"),
    ],
)
def test_other_matrices_are_refused(matrix: np.ndarray, options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Whole.of(matrix, **options)
