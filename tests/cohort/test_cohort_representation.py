"""The representation study: rows in order, exact zeros, intervals, and nothing that was not to be looked at."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from riata.choice.options import Options
from riata.choice.prepare import arena
from riata.cohort.dimensions import Representation, joined, representations
from riata.cohort.maps import MAPS, strongest
from riata.cohort.representation import PENALTIES, VIEWS, learned, spliced, study_representation
from riata.data import Table, make_table
from riata.errors import InputError
from riata.genome import Bed, Cohort, Dense, open_bed, simulate
from riata.results import MemberResult
from riata.wide.autoencoder import Autoencoder

PEOPLE = 400
OPTIONS = Options(folds=3, workers=1, seed=3, epochs=30)
PLAN = Representation(Autoencoder(epochs=20), strengths=5)
TINY = Representation(Autoencoder(dimensions=3, hidden=8, epochs=5), scores=6, passes=1, strengths=2)
NOBODY = np.zeros(0, dtype=np.int64)
QUICK = Options(folds=3, workers=1, epochs=4)

Cohorts = tuple[Table, Bed]
Found = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohorts:
    path = tmp_path_factory.mktemp("cohort") / "c"
    simulate(path, Cohort.scenario("B", people=PEOPLE, variants=2000, background=500, seed=7))
    return make_table(pl.read_csv(f"{path}.csv"), "outcome", drop=["id"]), open_bed(path)


@pytest.fixture(scope="module")
def found(cohort: Cohorts) -> Found:
    return study_representation(*cohort, np.arange(40), OPTIONS, PLAN)


def small(seed: int = 0, n: int = 60) -> tuple[np.ndarray, Dense]:
    draw = np.random.default_rng(seed)
    return draw.normal(size=(n, 3)), Dense.of(draw.integers(0, 3, (n, 80)).astype(np.float64))


def test_rows_are_the_learned_dimensions_then_the_clinical_columns(cohort: Cohorts, found: Found) -> None:
    rows = found[0]["rows"]
    assert rows[:20] == [f"g{i:02d}" for i in range(1, 21)]
    assert rows[20:25] == ["ldl", "sbp", "bmi", "hba1c", "hba1c=missing"]
    assert [name for name in rows[20:] if "=" not in name] == [c.name for c in cohort[0].columns]
    assert found[0]["genetic"] == 20


def test_maps_come_in_order_with_the_zeros_of_their_penalty(found: Found) -> None:
    maps = found[0]["maps"]
    assert tuple((m["penalty"], m["seed"]) for m in maps) == MAPS
    weights = [np.array(m["weights"]) for m in maps]
    assert all(w.shape == (len(found[0]["rows"]), 65) for w in weights)
    zeros = [w == 0.0 for w in weights]
    none, l1, l2, elastic_net, *lassos = zeros
    assert not none.any()
    assert not l2.any()
    for sparse in (l1, elastic_net):  # scattered: rows with some zeros and some weights
        assert ((sparse.mean(1) > 0) & (sparse.mean(1) < 1)).sum() > 5
    for lasso in lassos:  # whole rows
        assert 0 < lasso.all(1).sum() < len(lasso)
    assert not np.array_equal(weights[4], weights[5])
    assert maps[0]["lam"] is None
    assert all(m["lam"] > 0 for m in maps[1:])
    dropped = [name for name, out in zip(found[0]["rows"], zeros[4].all(1), strict=True) if out]
    assert maps[4]["kept"] == 40 - sum("=" not in name for name in dropped)


def test_views_have_scores_with_intervals(found: Found) -> None:
    views = found[1]
    assert tuple(views) == VIEWS
    for view in VIEWS:
        assert tuple(views[view]) == PENALTIES
        for penalty in PENALTIES:
            here = views[view][penalty]
            for metric in ("auroc", "accuracy", "average_precision"):
                assert here[metric]["low"] <= here[metric]["mean"] <= here[metric]["high"]
                assert len(here["per_fold"][metric]) == 3
                np.testing.assert_allclose(np.mean(here["per_fold"][metric]), here[metric]["mean"], atol=2e-3)
            assert len(here["lam"]) == 3
            assert here["kept_variants"] <= (0 if view == "clinical" else 20)
            assert here["kept_clinical"] <= (0 if view == "genetic" else 20)
    assert views["combined"]["none"]["kept_variants"] == 20.0
    assert views["combined"]["none"]["kept_clinical"] == 20.0
    assert views["clinical"]["group_lasso"]["auroc"]["mean"] > 0.7
    assert views["genetic"]["group_lasso"]["auroc"]["mean"] < views["clinical"]["group_lasso"]["auroc"]["mean"]


def test_the_answer_is_plain_and_repeats(found: Found) -> None:
    assert json.loads(json.dumps(found, allow_nan=False)) == list(found)
    clinical, variants = small()
    table = make_table(clinical, np.arange(60) % 2)
    first, again = (study_representation(table, variants, (), QUICK, TINY) for _ in range(2))
    assert first == again


def test_the_outcome_does_not_enter_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    clinical, variants = small()
    table = make_table(clinical, np.arange(60) % 2)
    seen: list[list[np.ndarray]] = []
    sets: list[list[np.ndarray]] = []

    def note(*given: Any) -> list[np.ndarray]:
        sets.append(given[1])
        seen.append(representations(*given))
        return seen[-1]

    monkeypatch.setattr("riata.cohort.representation.representations", note)
    monkeypatch.setattr("riata.cohort.representation.fold_ids", lambda table, k, seed: np.arange(table.n) % k)
    shuffled = replace(table, y=np.random.default_rng(0).permutation(table.y))
    for each in (table, shuffled):
        study_representation(each, variants, (), QUICK, TINY)
    expected = [np.flatnonzero(np.arange(60) % 3 != k) for k in range(3)] + [np.arange(60)]
    assert all(np.array_equal(a, b) for a, b in zip(sets[0], expected, strict=True))  # a fold's own rows are not in
    assert all(np.array_equal(a, b) for a, b in zip(*seen, strict=True))


def test_only_training_rows_teach_the_representation() -> None:
    _, variants = small()
    changed = Dense.of(np.where(np.arange(60)[:, None] < 20, 9.0, variants.columns(torch.arange(80)).numpy()))
    base = Dense.of(variants.columns(torch.arange(80)).numpy())
    train = np.arange(20, 60)
    before, after = (representations(x, [train], 0, TINY)[0] for x in (base, changed))
    assert np.array_equal(before[train], after[train])
    assert not np.allclose(before[:20], after[:20])
    np.testing.assert_allclose(before[train].mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(before[train].std(0), 1, atol=1e-9)


def test_a_set_gets_the_same_dimensions_alone_and_beside_others() -> None:
    _, variants = small()
    sets = [np.arange(40), np.arange(20, 60), np.arange(60)]
    together = representations(variants, sets, 0, TINY)
    for rows, code in zip(sets, together, strict=True):
        np.testing.assert_allclose(code, representations(variants, [rows], 0, TINY)[0], atol=1e-4)


def test_each_fold_reads_its_own_representation_scaled_by_its_training_rows() -> None:
    clinical, _ = small()
    table = make_table(clinical, np.arange(60) % 2)
    draw = np.random.default_rng(1)
    tables = [joined(table, draw.normal(size=(60, 2)) + fold) for fold in range(3)]
    field = spliced(tables, Options(folds=3, workers=1), 2)
    assert field.blocks.x.shape == (6, 60, 5)
    for fold, _, split in field.splits:
        values = tables[fold].values
        train = values[split.train]
        expected = (values - train.mean(0)) / train.std(0)
        np.testing.assert_allclose(field.blocks.x[split.block], expected, atol=1e-5)


def test_with_one_representation_the_folds_are_those_of_every_comparison() -> None:
    clinical, _ = small()
    table = joined(make_table(clinical, clinical[:, 0] + 1), np.zeros((60, 2)))
    options = Options(folds=3, workers=1)
    ours, usual = spliced([table] * 3, options, 2), arena(table, np.arange(60), options, 2, 1, "cpu", None)
    for (_, _, mine), (_, _, theirs) in zip(ours.splits, usual.splits, strict=True):
        assert np.array_equal(mine.train, theirs.train)
        assert np.array_equal(mine.test, theirs.test)
        assert np.array_equal(ours.blocks.x[mine.block], usual.blocks.x[theirs.block])
        assert np.array_equal(ours.blocks.y[mine.block], usual.blocks.y[theirs.block])
        assert ours.y_centre[mine.block] == usual.y_centre[theirs.block]


def test_sealed_rows_are_not_looked_at() -> None:
    clinical, variants = small(n=90)
    raw = variants.columns(torch.arange(80)).numpy()
    y = clinical[:, 0] + np.random.default_rng(5).normal(size=90)
    sealed = [0, 7, 31]
    other_raw, other_clinical, other_y = raw.copy(), clinical.copy(), y.copy()
    other_raw[sealed], other_clinical[sealed], other_y[sealed] = 5, -9, 50
    first = study_representation(make_table(clinical, y), Dense.of(raw), sealed, QUICK, TINY)
    second = study_representation(make_table(other_clinical, other_y), Dense.of(other_raw), sealed, QUICK, TINY)
    assert first == second


@pytest.mark.parametrize("classes", [0, 3])
def test_numbers_and_several_classes(classes: int) -> None:
    clinical, variants = small(n=120)
    y = clinical[:, 0] + 0.3 * np.random.default_rng(2).normal(size=120)
    target = np.searchsorted(np.quantile(y, [1 / 3, 2 / 3]), y) if classes else y
    maps, views = study_representation(make_table(clinical, target), variants, (), QUICK, TINY)
    metrics = {"auroc", "accuracy", "average_precision"} if classes else {"r2", "rmse", "mae"}
    assert set(views["combined"]["l1"]["per_fold"]) == metrics
    assert np.array(maps["maps"][0]["weights"]).shape == (6, 64 + (classes or 1))
    json.dumps([maps, views], allow_nan=False)


def test_without_clinical_columns_only_that_view_is_missing() -> None:
    clinical, variants = small()
    table = replace(make_table(clinical, np.arange(60) % 2), columns=(), values=np.empty((60, 0)), inputs=())
    maps, views = study_representation(table, variants, (), QUICK, TINY)
    assert views["clinical"]["l1"] == {"why_not": "the table has no clinical column"}
    assert views["combined"]["l1"] == views["genetic"]["l1"]
    assert maps["rows"] == ["g01", "g02", "g03"]


def test_too_few_rows_are_said_and_not_trained() -> None:
    clinical, variants = small(n=40)
    maps, views = study_representation(make_table(clinical, np.arange(40) % 2), variants, (), QUICK, TINY)
    assert views["combined"]["none"]["why_not"].startswith("40 rows")
    assert maps["maps"] == []


def member(lam: float, fold: int, loss: float) -> MemberResult:
    nothing = np.zeros(0)
    return MemberResult("l1", lam, 0.0, fold, fold, 0, loss, loss, nothing, nothing, 0, 0, 0, 0.0, "ok")


def test_a_map_takes_the_largest_strength_within_one_standard_error() -> None:
    losses = {4.0: (0.9, 0.9, 0.9), 2.0: (0.6, 0.6, 0.6), 1.0: (0.4, 0.5, 0.6), 0.5: (0.5, 0.5, 0.53)}
    members = [member(lam, fold, loss) for lam, each in losses.items() for fold, loss in enumerate(each)]
    assert strongest(members) == [1.0, 0.5]  # least .5 at 1; its standard error .1 / sqrt(3) = .058 does not reach .6
    nearer = [member(2.0, fold, 0.557) if m.lam == 2.0 else m for fold, m in enumerate(members)]
    assert strongest(nearer) == [2.0, 1.0, 0.5]
    assert strongest(members[:4]) == [2.0]  # only one fold knows it: no standard error, the least loss
    diverged = [member(lam, fold, np.inf) for lam in (2.0, 1.0) for fold in range(3)]
    assert strongest(diverged) == [2.0, 1.0]


def test_views_in_other_processes_are_the_same() -> None:
    clinical, variants = small()
    table = make_table(clinical, np.arange(60) % 2)
    assert learned(table, variants, NOBODY, QUICK, TINY) == learned(
        table, variants, NOBODY, replace(QUICK, workers=2), TINY
    )


def test_what_cannot_be_learned_is_said() -> None:
    clinical, variants = small()
    table = make_table(clinical, np.arange(60) % 2)
    figures, said = learned(table, variants, NOBODY, QUICK)
    assert figures == {"representation": None, "representation_views": None}
    assert said == [
        "no representation was learned from the variants: 40 training rows in a fold; 20 dimensions want at least 80"
    ]
    assert learned(table, variants.take(torch.arange(50)), NOBODY, QUICK)[1][0].endswith("join them first")


def test_what_cannot_be_is_refused() -> None:
    clinical, variants = small()
    with pytest.raises(InputError, match="50 rows and 60 people"):
        study_representation(make_table(clinical[:50], np.arange(50) % 2), variants)
    with pytest.raises(InputError, match="expected at least 1"):
        Representation(strengths=1)


def test_a_clinical_column_may_be_called_like_a_dimension() -> None:
    table = make_table(pl.DataFrame({"g01": np.arange(20.0) ** 2, "age": np.arange(20.0)}), y=np.arange(20) % 2)
    assert [c.name for c in joined(table, np.zeros((20, 1))).columns] == ["g01'", "g01", "age"]
