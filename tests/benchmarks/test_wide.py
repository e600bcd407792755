"""Short forms of the benchmarks of wide tables: what they time is the same answer, and what they count is right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl
import pytest
import torch
from load_modules import benchmark

from riata.choice.options import Options
from riata.genome import Cohort, Dense, open_bed, simulate


@pytest.fixture(scope="module")
def genome() -> Iterator[ModuleType]:
    with benchmark("genome") as module:
        yield module


@pytest.fixture(scope="module")
def cohorts() -> Iterator[ModuleType]:
    with benchmark("cohorts") as module:
        yield module


@pytest.fixture(scope="module")
def mice() -> Iterator[ModuleType]:
    with benchmark("mice") as module:
        yield module


@pytest.fixture(scope="module")
def stem(genome: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found: Path = genome.made(tmp_path_factory.mktemp("sets"), 200, 3000, "A")
    return found


def test_a_set_is_made_once(genome: ModuleType, stem: Path) -> None:
    before = stem.with_suffix(".bed").stat().st_mtime_ns
    assert genome.made(stem.parent, 200, 3000, "A") == stem
    assert stem.with_suffix(".bed").stat().st_mtime_ns == before
    assert not list(stem.parent.glob("part-*"))


def test_every_way_to_store_the_genotypes_gives_the_same_path(genome: ModuleType, stem: Path) -> None:
    runs = [genome.run(genome.Spec(stem, name, certified=True)) for name in genome.BACKENDS]
    assert {(r.people, r.variants, r.strengths) for r in runs} == {(200, 3000, 30)}
    assert {r.kept for r in runs} == {runs[0].kept} and runs[0].kept > 20
    assert all("(0 above lam)" in r.certificate for r in runs)


def test_float_blocks_multiply_the_same_columns(genome: ModuleType, tmp_path: Path) -> None:
    simulate(tmp_path / "holes", Cohort(people=90, variants=700, effects=4, background=10, missing=0.05))
    bed = open_bed(tmp_path / "holes", threads=2)
    blocks = genome.stored(bed, "float32")
    assert int(bed.missing.sum()) > 1000
    right = torch.randn(90, 3, generator=torch.Generator().manual_seed(0))
    exact = bed.columns(torch.arange(700)).double().T @ right.double()
    assert ((blocks.dot(right) - exact).abs().amax(0) < blocks.bound(right)).all()
    part = torch.arange(0, 90, 2)
    assert torch.allclose(blocks.take(part).dot(right[part]), bed.take(part).dot(right[part]), atol=2e-2)


def test_families_are_found_by_their_genotypes(mice: ModuleType) -> None:
    draw = np.random.default_rng(0)
    parents = draw.integers(0, 2, (6, 4, 2000))  # four chromosomes a family
    mine = np.repeat(np.arange(6), 5)
    passed = draw.integers(0, 2, (30, 2, 2000))
    calls = parents[mine[:, None, None], passed + np.array([0, 2])[:, None], np.arange(2000)].sum(1)
    found = mice.families(mice.kinship(Dense.of(calls.astype(np.int8))))
    assert len(set(found.tolist())) == 6
    assert (np.equal.outer(found, found) == np.equal.outer(mine, mine)).all()


def test_cages_within_one_family_are_counted(mice: ModuleType) -> None:
    frame = pl.DataFrame({"cage": ["a", "a", "b", "b", "c"], "family": ["1", "1", "1", "2", "3"]})
    kin = np.eye(5)
    kin[0, 1], kin[2, 3] = 0.6, 0.1
    assert mice.describe(frame, kin) == (
        "5 mice in 3 cages and 3 families of 1 to 3; 50% of the cages with several mice are one family's;"
        " median kinship of two mice of a cage 0.35"
    )


def test_an_expression_matrix_is_decided_on_without_clinical_columns(
    cohorts: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(1)
    y = np.repeat(["ill", "well"], 30)
    x = draw.normal(size=(60, 150)).astype(np.float32)
    x[:, 7] += 3 * (y == "ill")
    np.savez(tmp_path / "genes.npz", x=x, y=y)
    options = Options(penalties=("group_lasso",), folds=5, workers=1, hidden=())
    row = dict(zip(cohorts.HEADS, cohorts.decide(tmp_path / "genes.npz", options), strict=True))
    said = capsys.readouterr().out
    assert row["set"] == "genes" and row["rows x variables"] == "60 x 150"
    assert row["verdict"] == "genetic, group_lasso" and row["stable"] == 1
    assert float(row["nested"].split()[1]) > 0.9
    assert "genes, 5 folds" in said and "half-samples" in said and "| genetic | group_lasso |" in said
