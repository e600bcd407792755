"""Simulated cohorts: the same bytes for a seed, and what was asked for is in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from riata.errors import InputError
from riata.genome import Cohort, join, open_bed, read_bim, read_fam, simulate
from riata.genome.simulate import _genotypes

SMALL = Cohort(people=203, variants=240, effects=5, background=30, background_share=0.1, missing=0.02, seed=4)


def contents(folder: Path, cohort: Cohort) -> dict[str, bytes]:
    folder.mkdir()
    simulate(folder / "c", cohort)
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_seed_fixes_every_byte_and_another_changes_them(tmp_path: Path) -> None:
    first, again = contents(tmp_path / "a", SMALL), contents(tmp_path / "b", SMALL)
    other = contents(tmp_path / "c", replace(SMALL, seed=5))
    assert first == again
    assert [name for name in sorted(first) if first[name] != other[name]] == ["c.bed", "c.csv", "c.fam"]


def test_the_files_read_back_as_what_was_drawn(tmp_path: Path) -> None:
    truth = simulate(tmp_path / "c", SMALL)
    bed, samples, table = open_bed(tmp_path / "c"), read_fam(tmp_path / "c.fam"), pl.read_csv(tmp_path / "c.csv")
    match = join(table["id"].to_list(), samples.ids)
    assert match.people.tolist() == list(range(203))
    assert table["outcome"].to_list() == truth.outcome.tolist()
    assert truth.outcome.sum() == round(0.4 * 203)
    assert table.width == 22
    assert tuple(bed.names) == read_bim(tmp_path / "c.bim").names
    assert 0.01 < float(bed.missing.sum()) / (203 * 240) < 0.03


def test_the_scores_are_the_effects_on_the_written_genotypes(tmp_path: Path) -> None:
    truth = simulate(tmp_path / "c", replace(SMALL, missing=0.0))
    bed = open_bed(tmp_path / "c")
    for ids, effects, score in [
        (truth.strong, truth.strong_effect, truth.genetic),
        (truth.weak, truth.weak_effect, truth.background),
    ]:
        again = bed.columns(torch.from_numpy(ids)).double().numpy() @ effects
        np.testing.assert_allclose((again - again.mean()) / again.std(), score, atol=1e-5)


def test_variants_are_linked_within_a_block_only(tmp_path: Path) -> None:
    cohort = Cohort(people=2000, variants=200, effects=0, background=0, seed=1)
    simulate(tmp_path / "c", cohort)
    x = open_bed(tmp_path / "c").columns(torch.arange(200))
    r = (x.T @ x / 2000).abs()
    neighbours = r.diagonal(1)
    borders = torch.arange(49, 199, 50)
    inside = torch.ones(199, dtype=torch.bool).index_fill(0, borders, False)
    assert neighbours[inside].mean() > 0.2
    assert neighbours[borders].max() < 0.12  # 5 standard errors of 1 / sqrt(2000)


def test_clinical_variables_summarise_the_genetics(tmp_path: Path) -> None:
    truth = simulate(tmp_path / "c", Cohort(people=3000, variants=300, effects=10, background=50, summary_share=0.3))
    r = np.array([np.corrcoef(column, truth.genetic + truth.background)[0, 1] for column in truth.clinical.T])
    np.testing.assert_allclose(r[:4] ** 2, 0.3, atol=0.07)
    assert np.abs(r[4:]).max() < 0.1
    assert np.corrcoef(truth.outcome, truth.genetic)[0, 1] > 0.4


def test_one_linkage_block_is_drawn_at_a_time() -> None:
    cohort = Cohort(people=30, variants=500_000, effects=0, background=0)
    nothing = np.zeros((2, 500_000))
    blocks = _genotypes(cohort, np.full(500_000, 0.3), nothing, np.zeros((2, 30)))
    assert [next(blocks).shape for _ in range(3)] == [(50, 30)] * 3


@pytest.mark.parametrize(
    "settings",
    [{"people": 3}, {"summaries": 30}, {"variants": 100}, {"genetic_share": 0.9}, {"missing": 1.0}, {"cases": 0.0}],
)
def test_impossible_cohorts_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InputError, match="expected"):
        Cohort(**settings)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        simulate(tmp_path / "none" / "c", SMALL)
