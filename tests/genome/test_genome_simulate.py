"""Simulated cohorts: the same bytes for a seed, and what was asked for is in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from riata.errors import InputError
from riata.genome import Cohort, join, open_bed, read_bim, read_fam, simulate
from riata.genome.scenario import SCENARIOS
from riata.genome.simulate import _acting, _genotypes

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


@pytest.mark.parametrize(
    ("name", "shares"), [("A", (0.5, 0.0, 0.25)), ("B", (0.1, 0.15, 0.45)), ("C", (0.03, 0.1, 0.45))]
)
def test_scenarios_have_their_shares_and_settings_win(name: str, shares: tuple[float, float, float]) -> None:
    cohort = Cohort.scenario(name, people=50, variants=9000, seed=3)
    assert (cohort.genetic_share, cohort.background_share, cohort.clinical_share) == shares
    assert (cohort.people, cohort.variants, cohort.seed) == (50, 9000, 3)
    assert Cohort.scenario(name, clinical_share=0.2, named=False) == replace(
        Cohort.scenario(name), clinical_share=0.2, named=False
    )


def test_a_scenario_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=f"expected one of {', '.join(SCENARIOS)}"):
        Cohort.scenario("D")


def test_strong_variants_act_as_copies_by_being_carried_and_in_pairs(tmp_path: Path) -> None:
    truth = simulate(tmp_path / "c", Cohort.scenario("A", people=300, variants=2000, seed=2))
    bed = open_bed(tmp_path / "c")
    ids = torch.from_numpy(truth.strong)
    counts = (bed.columns(ids).double() * bed.scale[ids] + bed.mean[ids]).round().numpy()
    role = np.array(truth.strong_role)
    assert {r: int((role == r).sum()) for r in sorted(set(role))} == {
        "additive": 12,
        "dominant": 4,
        "pair 1": 2,
        "pair 2": 2,
    }
    parts = [counts[:, role == "additive"], counts[:, role == "dominant"] > 0]
    parts += [np.all(counts[:, role == pair] > 0, axis=1, keepdims=True) for pair in ("pair 1", "pair 2")]
    effects = np.r_[truth.strong_effect[role == "additive"], truth.strong_effect[role == "dominant"], 1.4, 1.4]
    z = np.hstack([part.astype(float) for part in parts])
    again = (z - z.mean(0)) / z.std(0) @ effects
    np.testing.assert_allclose((again - again.mean()) / again.std(), truth.genetic, atol=1e-9)
    assert set(np.abs(truth.strong_effect[role == "dominant"])) == {1.0}


def test_the_additive_default_has_no_other_roles(tmp_path: Path) -> None:
    assert set(simulate(tmp_path / "c", SMALL).strong_role) == {"additive"}


def test_three_in_ten_variants_of_a_scenario_are_rare(tmp_path: Path) -> None:
    simulate(tmp_path / "c", Cohort.scenario("C", people=1000, variants=4000))
    frequency = open_bed(tmp_path / "c").mean.numpy() / 2
    assert 0.005 < frequency.min() < 0.02
    # rare ones lie below .05 with 1 - (1 - .2)^3 = .488 (Beta(1, 3) at (.05 - .01) / .2), the others never
    np.testing.assert_allclose((frequency < 0.05).mean(), 0.3 * 0.488, atol=0.03)
    np.testing.assert_allclose((frequency > 0.21).mean(), 0.7 * (0.5 - 0.21) / 0.45, atol=0.03)


def test_a_named_clinical_table_is_plausible(tmp_path: Path) -> None:
    cohort = Cohort.scenario("B", people=2000, variants=2100)
    truth = simulate(tmp_path / "c", cohort)
    table = pl.read_csv(tmp_path / "c.csv")
    assert table.columns == ["id", *cohort.clinical_names, "outcome"]
    assert len(cohort.clinical_names) == 20
    ranges = {"age": (25, 100), "sbp": (80, 220), "ldl": (1, 9), "hdl": (0.5, 3.5), "bmi": (13, 55), "glucose": (3, 10)}
    for name, (low, high) in ranges.items():
        values = table[name].to_numpy()
        assert low < values.min() < values.max() < high, name
    for name in ("sex", "smoker", "statin", "family_history"):
        assert sorted(table[name].unique()) == [0, 1]
    blank = {name: table[name].null_count() / 2000 for name in cohort.clinical_names}
    assert {name for name, share in blank.items() if share} == {"hba1c", "crp"}
    np.testing.assert_allclose([blank["hba1c"], blank["crp"]], [0.05, 0.12], atol=0.02)
    place = cohort.clinical_names.index
    assert np.corrcoef(table["sbp"].to_numpy(), truth.clinical[:, place("sbp")])[0, 1] > 0.98
    assert np.corrcoef(table["hdl"].to_numpy(), truth.clinical[:, place("hdl")])[0, 1] < -0.95  # high is healthy
    assert table["sex"].to_list() == truth.clinical[:, place("sex")].tolist()


def test_binary_variables_without_names(tmp_path: Path) -> None:
    plain = Cohort(people=400, variants=100, effects=2, background=5)
    simulate(tmp_path / "a", plain)
    simulate(tmp_path / "b", replace(plain, binary=(1, 7)))
    before, after = pl.read_csv(tmp_path / "a.csv"), pl.read_csv(tmp_path / "b.csv")
    assert [name for name in after.columns if after[name].n_unique() == 2] == ["c02", "c08", "outcome"]
    assert after["c02"].to_list() == [float(value > 0.5) for value in before["c02"]]


@pytest.mark.parametrize("curved", [0.0, 0.5])
def test_the_clinical_part_is_curved_only_where_it_was_asked_for(tmp_path: Path, curved: float) -> None:
    shares = {"genetic_share": 0.0, "background_share": 0.0, "clinical_share": 1.0}
    truth = simulate(tmp_path / "c", Cohort.scenario("B", people=600, variants=2100, curved=curved, **shares))
    product = truth.clinical[:, :1] * truth.clinical[:, 2:3]
    linear, bent = (
        LogisticRegression(C=1e6, max_iter=5000).fit(x, truth.outcome).score(x, truth.outcome)
        for x in (truth.clinical, np.hstack([truth.clinical, product]))
    )
    assert bent > 0.995
    assert (linear > 0.995) == (curved == 0.0)


def test_one_linkage_block_is_drawn_at_a_time() -> None:
    cohort = Cohort(people=30, variants=500_000, effects=0, background=0)
    frequency = np.full(500_000, 0.3)
    blocks = _genotypes(cohort, frequency, _acting(cohort, frequency))
    assert [next(blocks).shape for _ in range(3)] == [(50, 30)] * 3


@pytest.mark.parametrize(
    "settings",
    [
        {"people": 3},
        {"summaries": 30},
        {"variants": 100},
        {"genetic_share": 0.9},
        {"missing": 1.0},
        {"cases": 0.0},
        {"rare": 1.1},
        {"dominant": 19, "pairs": 1},
        {"named": True, "clinical": 21},
        {"binary": (20,)},
    ],
)
def test_impossible_cohorts_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        Cohort(**settings)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        simulate(tmp_path / "none" / "c", SMALL)
