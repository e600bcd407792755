"""One pass for several row subsets: the same values as each on its own, for any number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from riata.errors import InputError
from riata.genome import Columns, Dense, Joined, Whole, dots, grams, open_bed, takes
from riata.genome import bed as module
from riata.genome import whole as whole_module
from riata.genome.plink import write_bed, write_bim

N, P = 97, 60
ROWS = [torch.arange(0, N, 2), torch.tensor([5, 3, 96, 3, 3, 0, 11, 12]), torch.arange(N), torch.tensor([8])]


def some_counts(seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    counts = draw.binomial(2, draw.uniform(0.05, 0.95, (P, 1)), (P, N)).astype(np.int8)
    counts[draw.random((P, N)) < 0.05] = -1
    counts[::2][counts[::2] < 0] = 0  # half of the columns have no missing cell
    counts[1], counts[2] = -1, 2  # all missing; a single value
    return counts


def of_bed(folder: Path, counts: np.ndarray, threads: int = 1) -> Columns:
    write_bed(folder / "c.bed", [counts])
    write_bim(folder / "c.bim", ((str(1 + i % 3), f"rs{i}", i, "A", "C") for i in range(len(counts))))
    (folder / "c.fam").write_text("".join(f"F P{i} 0 0 0 -9\n" for i in range(counts.shape[1])))
    return open_bed(folder / "c", threads=threads)


def of_dense(folder: Path, counts: np.ndarray, threads: int = 1) -> Columns:
    return Dense.of(counts, variables_first=True, absent=-1, block_bytes=32 * 7 * N, threads=threads)


def of_whole(folder: Path, counts: np.ndarray, threads: int = 1) -> Columns:
    return Whole.of(counts, threads=threads)


def of_joined(folder: Path, counts: np.ndarray, threads: int = 1) -> Columns:
    clinical = Dense.of(counts[:20], variables_first=True, absent=-1, names=[f"c{i}" for i in range(20)])
    return Joined.of([clinical, of_bed(folder, counts[20:], threads)])


class Plain:
    """A user's columns: nothing but the protocol."""

    store = None
    threads = 1

    def __init__(self, inner: Columns) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def take(self, rows: Tensor) -> Plain:
        return Plain(self.inner.take(rows))

    def like(self, other: Plain) -> Plain:
        return Plain(self.inner.like(other.inner))


def of_plain(folder: Path, counts: np.ndarray, threads: int = 1) -> Columns:
    return Plain(of_dense(folder, counts))


MAKERS = [of_bed, of_dense, of_whole, of_joined, of_plain]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 1)  # 16 variants a block
    monkeypatch.setattr(whole_module, "BLOCK", 1)


def brute(counts: np.ndarray, rows: Tensor) -> np.ndarray:
    """Return the standardised columns (n, p) in float64, by numpy alone."""
    raw = np.where(counts < 0, np.nan, counts.astype(np.float64))[:, rows.numpy()]
    out = np.zeros_like(raw)
    for row, values in zip(out, raw, strict=True):
        seen = values[~np.isnan(values)]
        if len(seen) and seen.min() < seen.max():
            filled = np.where(np.isnan(values), seen.mean(), values)
            row[:] = (filled - filled.mean()) / filled.std()
    return out.T


def rights(parts: Sequence[Columns], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    draw = torch.Generator().manual_seed(1)
    return [torch.randn(part.n, 1 + i, generator=draw, dtype=dtype) * 10.0 ** (3 - i) for i, part in enumerate(parts)]


@pytest.mark.parametrize("make", MAKERS)
def test_takes_are_what_take_gives(make, tmp_path: Path) -> None:
    whole = make(tmp_path, some_counts()).take(torch.arange(N - 1, -1, -1))
    for part, rows in zip(takes(whole, ROWS), ROWS, strict=True):
        alone = whole.take(rows)
        assert torch.equal(part.mean, alone.mean)
        assert torch.equal(part.scale, alone.scale)
        assert torch.equal(part.missing, alone.missing)
        assert torch.equal(part.columns(torch.arange(P)), alone.columns(torch.arange(P)))
    assert takes(whole, []) == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", MAKERS)
def test_dots_are_the_bits_of_each_dot(make, dtype: torch.dtype, tmp_path: Path) -> None:
    counts = some_counts()
    whole = make(tmp_path, counts)
    parts = [whole, *takes(whole, ROWS)]
    sides = rights(parts, dtype)
    for part, right, out, rows in zip(
        parts, sides, dots(list(zip(parts, sides, strict=True))), [ROWS[2], *ROWS], strict=True
    ):
        assert torch.equal(out, part.dot(right))
        assert out.dtype == dtype
        error = torch.from_numpy(brute(counts, rows).T @ right.double().numpy()) - out.double()
        assert (error.abs().amax(0) <= part.bound(right)).all()


@pytest.mark.parametrize("within", [None, slice(3, 47), slice(17, 18), slice(50, None), slice(9, 9)])
@pytest.mark.parametrize("make", MAKERS)
def test_grams_are_brute_force(make, within: slice | None, tmp_path: Path) -> None:
    counts = some_counts()
    whole = make(tmp_path, counts)
    parts = [whole, *takes(whole, ROWS)]
    sides = rights(parts)
    outs = grams(list(zip(parts, sides, strict=True)), within)
    for right, out, rows in zip(sides, outs, [ROWS[2], *ROWS], strict=True):
        x = brute(counts, rows)[:, within or slice(None)]
        truth = x @ (x.T @ right.numpy())
        assert out.dtype == torch.float64
        assert np.linalg.norm(out.numpy() - truth) <= 1e-5 * np.linalg.norm(truth) + 1e-12 * len(rows)


@pytest.mark.parametrize("make", MAKERS)
def test_raw_is_what_was_stored(make, tmp_path: Path) -> None:
    counts = some_counts()
    ids, rows = torch.tensor([59, 1, 0, 21, 21]), ROWS[1]
    truth = np.where(counts < 0, np.nan, counts.astype(np.float32))
    whole = make(tmp_path, counts)
    assert whole.raw(ids).dtype == torch.float32
    np.testing.assert_array_equal(whole.raw(ids), truth[ids.numpy()].T)
    np.testing.assert_array_equal(whole.take(rows).raw(ids), truth[ids.numpy()][:, rows.numpy()].T)


@pytest.mark.parametrize("make", MAKERS[:4])
def test_threads_do_not_change_a_bit(make, tmp_path: Path) -> None:
    counts = some_counts()
    one, two = make(tmp_path, counts), make(tmp_path, counts, threads=3)
    assert two.threads == 3
    for first, second in zip([one, *takes(one, ROWS)], [two, *takes(two, ROWS)], strict=True):
        right = rights([first])[0]
        assert torch.equal(first.scale, second.scale)
        assert torch.equal(first.dot(right), second.dot(right))
        assert torch.equal(grams([(first, right)])[0], grams([(second, right)])[0])


@pytest.mark.parametrize("make", MAKERS)
def test_everyone_on_the_scale_of_some(make, tmp_path: Path) -> None:
    counts, rows, ids = some_counts(), ROWS[0], torch.arange(P)
    whole = make(tmp_path, counts)
    on = whole.like(whole.take(rows))
    some = np.where(counts < 0, np.nan, counts.astype(np.float64))[:, rows.numpy()]
    seen = ~np.isnan(some)
    mean = np.where(seen, some, 0).sum(1) / seen.sum(1).clip(1)
    scale = np.where(seen, some - mean[:, None], 0).std(1)
    centred = np.where(counts < 0, 0, counts - mean[:, None]) / np.where(scale > 0, scale, np.inf)[:, None]
    np.testing.assert_allclose(on.columns(ids), centred.T, atol=1e-5)
    right = rights([on])[0]
    np.testing.assert_allclose(on.dot(right), centred @ right.numpy(), rtol=1e-3, atol=1e-3 * float(right.norm()))
    assert torch.equal(on.missing, whole.missing)


def test_torch_keeps_its_number_of_threads(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        of_bed(tmp_path, some_counts(), threads=2).dot(torch.ones(N, 1))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_several_stores_and_plain_columns_in_one_call(tmp_path: Path) -> None:
    counts, other = some_counts(), some_counts(1)
    (tmp_path / "b").mkdir()
    bed, second = of_bed(tmp_path, counts), of_bed(tmp_path / "b", other)
    parts = [second, bed, of_plain(tmp_path, counts), bed.take(ROWS[1]), of_dense(tmp_path, other)]
    pairs = list(zip(parts, rights(parts), strict=True))
    for (part, right), out, gram in zip(pairs, dots(pairs), grams(pairs), strict=True):
        assert torch.equal(out, part.dot(right))
        torch.testing.assert_close(gram, grams([(part, right)])[0], rtol=1e-5, atol=1e-5 * float(gram.abs().max()))
    assert dots([]) == grams([]) == []


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    bed, narrow = of_bed(tmp_path, some_counts()), Dense.of(np.eye(N)[:, :3])
    right = torch.ones(N, 1)
    with pytest.raises(InputError, match=r"\[3, 60\] columns"):
        grams([(bed, right), (narrow, right)])
    with pytest.raises(InputError, match="steps of 2"):
        grams([(bed, right)], slice(0, 10, 2))
    with pytest.raises(InputError, match=r"expected .97, k."):
        dots([(bed, right), (bed, right[1:])])
    with pytest.raises(InputError, match="0 threads"):
        open_bed(tmp_path / "c", threads=0)
    with pytest.raises(InputError, match="x1 is a column of two"):
        Joined.of([narrow, replace(narrow, names=("a", "x1", "b"))])
    with pytest.raises(InputError, match=r"matrices of \[96, 97\] rows"):
        Joined.of([narrow, bed.take(torch.arange(96))])
