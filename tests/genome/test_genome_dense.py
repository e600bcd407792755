"""Dense matrices: float64 brute force, missing cells, row subsets, and bounded blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from riata.errors import InputError
from riata.genome import Dense, monomorphic
from riata.genome.dense import Matrix


def brute(raw: np.ndarray) -> np.ndarray:
    """Return the standardised columns of (n, p) with NaN, by numpy alone."""
    filled = np.where(np.isnan(raw), np.nanmean(raw, 0), raw)
    spread = filled.std(0)
    flat = np.nanmin(raw, 0) == np.nanmax(raw, 0)
    return np.where(flat, 0.0, (filled - filled.mean(0)) / np.where(flat, 1.0, spread))


def table(n: int = 61, p: int = 23) -> np.ndarray:
    draw = np.random.default_rng(3)
    raw = draw.normal(size=(n, p)) * draw.uniform(0.1, 5, p) + draw.uniform(-2000, 2000, p)
    raw[draw.random((n, p)) < 0.1] = np.nan
    raw[:, 4] = 0.1
    raw[3, 4] = np.nan
    return raw


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("first", [False, True])
def test_dot_and_columns_are_brute_force(dtype: torch.dtype, first: bool) -> None:
    raw = table()
    x = Dense.of(raw.T.copy() if first else raw, variables_first=first)
    right = torch.randn(61, 3, generator=torch.Generator().manual_seed(0), dtype=dtype)
    truth = brute(raw)
    error = torch.from_numpy(truth.T @ right.double().numpy()) - x.dot(right).double()
    assert (error.abs().amax(0) <= x.bound(right)).all()
    np.testing.assert_allclose(x.columns(torch.tensor([22, 4, 0, 0])), truth[:, [22, 4, 0, 0]], atol=2e-6)
    assert monomorphic(x).tolist() == [4]
    assert x.missing.tolist() == np.isnan(raw).sum(0).tolist()
    assert (x.n, x.p, x.names[22]) == (61, 23, "x22")


@pytest.mark.parametrize("rows", [[5, 3, 60, 3, 0, 9], list(range(0, 61, 2))])
def test_rows_are_a_matrix_of_their_own(rows: list[int]) -> None:
    raw = table()
    part, alone = Dense.of(raw).take(torch.tensor(rows)), Dense.of(raw[rows])
    right = torch.ones(len(rows), 2) * torch.arange(2.0)
    assert np.shares_memory(part.store.cells, raw)
    assert torch.equal(part.mean, alone.mean)
    assert torch.equal(part.scale, alone.scale)
    assert torch.equal(part.dot(right), alone.dot(right))


def test_blocks_do_not_change_the_columns_and_a_mapped_file_is_enough(tmp_path: Path) -> None:
    counts = np.random.default_rng(1).integers(0, 3, (40, 31)).astype(np.int8)
    counts[5, 7] = -127
    np.save(tmp_path / "x.npy", counts)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    whole, small = Dense.of(counts, absent=-127), Dense.of(mapped, absent=-127, block_bytes=1)
    ids = torch.arange(31)
    assert torch.equal(whole.columns(ids), small.columns(ids))
    assert torch.equal(whole.scale, small.scale)
    assert small.missing.sum() == 1
    assert small.columns(ids)[5, 7] == 0.0


def test_no_block_is_larger_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    block = Matrix.block
    monkeypatch.setattr(Matrix, "block", lambda self, part: seen.append(block(self, part)) or seen[-1])
    x = Dense.of(table(), block_bytes=8000)
    x.dot(torch.ones(61, 1))
    x.columns(torch.arange(23))
    assert max(block.numel() * 8 for block in seen) <= 8000 / 4


@pytest.mark.parametrize(
    ("matrix", "names", "words"),
    [
        (np.ones(3), None, "rows and columns"),
        (np.ones((0, 3)), None, "rows and columns"),
        (np.array([["a"]]), None, "real numbers"),
        (np.ones((2, 2)), ["a"], "1 names for 2 columns"),
        (np.array([[1.0, np.inf], [0.0, 1.0]]), None, "infinite"),
    ],
)
def test_other_matrices_are_refused(matrix: np.ndarray, names: list[str] | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Dense.of(matrix, names)
