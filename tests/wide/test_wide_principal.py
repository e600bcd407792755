"""Principal directions: equal to numpy's SVD, shared passes change nothing, other rows leave no trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from riata.errors import InputError
from riata.genome import Bed, Cohort, Columns, Dense, Joined, Whole, grams, open_bed, simulate
from riata.genome.plink import write_bed, write_bim
from riata.wide.principal import principal, principals, project

K = 4


def matrix(n: int = 60, p: int = 300, seed: int = 0) -> np.ndarray:
    """Return numbers with six strong directions, and some missing."""
    draw = np.random.default_rng(seed)
    strong = draw.normal(size=(n, 6)) * 2.0 ** -np.arange(6)
    x = strong @ draw.normal(size=(6, p)) * 4 + draw.normal(size=(n, p)) + 3
    x[draw.random(x.shape) < 0.02] = np.nan
    return x


def standard(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return a matrix standardised by some rows, missing cells at their mean."""
    mean = np.nanmean(x[train], 0)
    filled = np.where(np.isnan(x), mean, x)
    spread = np.where(np.ptp(filled[train], 0) > 1e-12, filled[train].std(0), 0)
    return np.where(spread > 0, (filled - mean) / np.where(spread > 0, spread, 1), 0)


def test_it_is_numpys_svd() -> None:
    x = matrix()
    u, s, _ = np.linalg.svd(standard(x, np.arange(60)), full_matrices=False)
    found = principal(Dense.of(x), K, seed=0, passes=12)
    np.testing.assert_allclose(found.values.numpy(), s[:K], rtol=1e-6)
    sign = np.sign((found.left.numpy() * u[:, :K]).sum(0))
    np.testing.assert_allclose(found.left.numpy(), u[:, :K] * sign, atol=1e-5)
    np.testing.assert_allclose(found.scores.numpy(), u[:, :K] * sign * s[:K], atol=1e-4)


def test_every_pass_brings_the_values_up_to_the_exact_ones() -> None:
    x = Dense.of(matrix())
    exact = torch.linalg.svdvals(x.columns(torch.arange(300)).double())[:K]
    short = [float(((exact - principal(x, K, 0, passes).values) / exact).max()) for passes in (1, 2, 4)]
    assert short[0] > short[1] > short[2] >= -1e-6
    assert float((exact - principal(x, K, 0, 1).values).min()) > 0  # from below: a projection loses length


def test_held_out_scores_are_the_direct_projection() -> None:
    x = matrix()
    train, other = np.arange(10, 50), np.r_[0:10, 50:60]
    rows = torch.from_numpy(train)
    found = principal(Dense.of(x).take(rows), K, seed=1, passes=12)
    scores = project(Dense.of(x), rows, found).numpy()
    z = standard(x, train)
    direct = z @ (z[train].T @ found.left.numpy() / found.values.numpy())
    np.testing.assert_allclose(scores[other], direct[other], atol=1e-5 * np.abs(direct).max())
    np.testing.assert_allclose(scores[train], found.scores.numpy(), atol=1e-5 * np.abs(direct).max())


def test_held_out_rows_leave_no_trace_in_the_others() -> None:
    x = matrix()
    rows = torch.arange(10, 50)
    changed = x.copy()
    changed[:10] = 40 + 7 * changed[:10]
    before, after = (project(c := Dense.of(v), rows, principal(c.take(rows), K, 2, 6)) for v in (x, changed))
    assert torch.equal(before[10:], after[10:])
    assert not torch.allclose(before[:10], after[:10])


def test_shared_passes_give_what_each_part_gives_alone() -> None:
    parts = [Dense.of(matrix()).take(torch.arange(a, a + 40)) for a in (0, 10, 20)]
    for part, found in zip(parts, principals(parts, K, 3, 3), strict=True):
        alone = principal(part, K, 3, 3)
        torch.testing.assert_close(found.values, alone.values, rtol=1e-12, atol=0)
        torch.testing.assert_close(found.left, alone.left, rtol=1e-9, atol=1e-11)


def test_genotypes_of_a_bed(tmp_path: Path) -> None:
    simulate(tmp_path / "c", Cohort(people=80, variants=600, effects=2, background=5, missing=0.03, seed=1))
    bed = open_bed(tmp_path / "c")
    assert isinstance(bed, Bed)
    rows = torch.arange(0, 60)
    part = bed.take(rows)
    found = principal(part, K, 0, passes=40)
    exact = torch.linalg.svdvals(part.columns(torch.arange(600)).double())[:K]
    np.testing.assert_allclose(found.values.numpy(), exact.numpy(), rtol=1e-3)
    x, mean, scale = bed.columns(torch.arange(600)).numpy(), bed.mean.numpy(), bed.scale.numpy()
    counts = np.where((x == 0) & (mean % 1 != 0), np.nan, (x * scale + mean).round())
    z = standard(counts, rows.numpy())
    direct = z @ (z[rows].T @ found.left.numpy() / found.values.numpy())
    np.testing.assert_allclose(project(bed, rows, found).numpy(), direct, atol=2e-3 * np.abs(direct).max())


def test_matrices_side_by_side_are_one_matrix() -> None:
    x, rows = matrix(), torch.arange(10, 50)
    names = [f"v{i}" for i in range(300)]
    halves = Joined.of([Dense.of(x[:, :120], names[:120]), Dense.of(x[:, 120:], names[120:])])
    whole = Dense.of(x)
    scores, expected = (project(c, rows, principal(c.take(rows), K, 0, 12)) for c in (halves, whole))
    torch.testing.assert_close(scores, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", ["bed", "dense", "joined", "int8"])
def test_held_out_rows_are_standardised_by_the_part(kind: str, tmp_path: Path) -> None:
    counts = np.random.default_rng(3).integers(0, 3, (90, 40)).astype(np.int8)
    counts[counts.cumsum(0) % 11 == 5] = -1
    counts[4] = 2  # one value only
    counts[5, :25] = 1  # one value only in the part
    columns = opened(kind, counts, tmp_path)
    x, rows = np.where(counts < 0, np.nan, counts).T.astype(float), np.arange(25)
    like = columns.like(columns.take(torch.from_numpy(rows)))
    direct = standard(x, rows)
    np.testing.assert_allclose(like.columns(torch.arange(90)).numpy(), direct, atol=1e-5)
    right = np.random.default_rng(4).normal(size=(40, 3))
    np.testing.assert_allclose(like.dot(torch.from_numpy(right)).numpy(), direct.T @ right, atol=1e-3)
    found = grams([(like, torch.from_numpy(right))])[0].numpy()
    np.testing.assert_allclose(found, direct @ (direct.T @ right), atol=1e-5 * np.abs(found).max())
    assert not torch.equal(like.scale, columns.scale)  # the columns that it was asked of stay as they are


def opened(kind: str, counts: np.ndarray, folder: Path) -> Columns:
    """Return counts (p, n), -1 where missing, as columns of some kind."""
    if kind == "int8":
        return Whole.of(counts)
    cells = np.where(counts < 0, np.nan, counts).T.astype(np.float32)
    if kind == "dense":
        return Dense.of(cells)
    write_bed(folder / "c.bed", [counts[30:] if kind == "joined" else counts])
    count = 60 if kind == "joined" else 90
    write_bim(folder / "c.bim", (("1", f"rs{i}", i + 1, "A", "C") for i in range(count)))
    (folder / "c.fam").write_text("".join(f"F P{i} 0 0 0 1\n" for i in range(counts.shape[1])))
    bed = open_bed(folder / "c")
    return Joined.of([Dense.of(cells[:, :30]), bed]) if kind == "joined" else bed


def test_a_direction_that_is_not_there_scores_zero() -> None:
    x = np.outer(np.arange(12.0), np.ones(5))  # one direction only
    rows = torch.arange(8)
    found = principal(Dense.of(x).take(rows), 3, 0)
    assert found.values[1:].tolist() == [0.0, 0.0]
    scores = project(Dense.of(x), rows, found)
    assert float(scores[:, 0].abs().max()) > 1
    assert scores[:, 1:].eq(0.0).all()


@pytest.mark.parametrize(("k", "passes"), [(0, 3), (61, 3), (2, 0)])
def test_impossible_sizes_are_refused(k: int, passes: int) -> None:
    with pytest.raises(InputError, match="expected 1 to 60 directions"):
        principal(Dense.of(matrix()), k, 0, passes)
