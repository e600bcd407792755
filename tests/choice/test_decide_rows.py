"""Which rows train, tune, score and are sealed; whole subjects stay together."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import riata
from riata.choice import prepare
from riata.choice.options import Options
from riata.choice.prepare import arena, part
from riata.choice.score import bootstrap
from riata.data import make_table

SMALL: dict[str, Any] = {
    "hidden": (8,), "epochs": 5, "folds": 3, "seeds": 2, "path_length": 3, "workers": 1, "dropout": (0.0,),
    "device": "cpu", "penalties": ["l2"],
}  # fmt: skip


def binary(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, (X[:, 0] + rng.normal(size=n) > 0).astype(int)


def test_rows_are_sealed_from_a_thousand_on() -> None:
    for n, sealed in ((999, None), (1000, 200)):
        parts = part(make_table(*binary(n)), Options(workers=1))
        assert (parts.sealed and parts.sealed.n) == sealed
        assert parts.pool.n == n - (sealed or 0)
    assert part(make_table(*binary(1000)), Options(workers=1, no_validation=True)).sealed is None


def test_below_a_thousand_rows_the_score_is_nested() -> None:
    found = riata.choose(*binary(120), **SMALL)
    final = found.summary["final"]
    assert final["method"] == "nested" and final["rows"] == 120 and len(final["picks"]) == 3
    assert set(final["picks"]) <= {"none", "l2"}


def test_the_targets_of_sealed_rows_reach_nothing_but_the_final_score(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.arange(1000) % 5 == 3
    monkeypatch.setattr(prepare, "seal", lambda table, share, seed: mask)
    X, y = binary(1000)
    found = [riata.choose(X, labels, **SMALL) for labels in (y, np.where(mask, 1 - y, y))]
    first, second = (f.summary for f in found)
    assert first["verdict"] == second["verdict"] and first["contenders"] == second["contenders"]
    assert first["scores"] == second["scores"] and first["final"]["nested"] == second["final"]["nested"]
    compared = [[m for m in f.population.members if m.fold >= 0] for f in found if f.population is not None]
    for a, b in zip(*compared, strict=True):
        assert a.valid_loss == b.valid_loss and np.array_equal(a.test_outputs, b.test_outputs)
    assert first["final"]["method"] == "sealed rows" and first["final"]["rows"] == 200
    assert first["final"]["auroc"]["mean"] > 0.6
    assert second["final"]["auroc"]["mean"] == pytest.approx(1 - first["final"]["auroc"]["mean"])
    assert first["final"]["auroc"]["low"] < first["final"]["auroc"]["mean"] < first["final"]["auroc"]["high"]
    norms = [f.model.norms for f in found if f.model is not None]
    assert not np.array_equal(norms[0], norms[1])  # the model that is handed back is fitted on all rows


def test_the_model_is_refitted_on_all_rows_with_a_network_a_fold() -> None:
    X, y = binary(1000)
    found = riata.choose(X, y, **SMALL)
    model = found.model
    assert model is not None
    np.testing.assert_allclose(model.encoder.centre, X.mean(0))
    np.testing.assert_allclose(model.encoder.scale, X.std(0))
    assert {len(w) for w in model.params.values()} == {3} and len(model.facts["kkt"]) == 3
    assert found.summary["table"]["rows"] == 1000 and found.summary["plan"]["rows"] == 800


def subjects(rows: int, each: int, seed: int = 0) -> pl.DataFrame:
    """Rows of a subject look alike, and the label belongs to the subject: only its own rows tell."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.repeat(np.arange(rows // each), each))
    middle, label = rng.normal(size=(rows // each, 4)), rng.permutation(np.arange(rows // each) % 2)
    X = middle[who] + 0.05 * rng.normal(size=(rows, 4))
    frame = pl.DataFrame({f"x{i}": X[:, i] for i in range(4)})
    return frame.with_columns(who=pl.Series([f"s{i}" for i in who]), ill=pl.Series(label[who]))


def test_a_subject_stays_in_one_fold_and_on_one_side_of_every_split() -> None:
    table = make_table(subjects(120, 6), "ill", group_column="who")
    assert "who" not in [c.name for c in table.columns] and table.subject is not None
    field = arena(table, np.arange(120), Options(folds=4, workers=1), 3, 2, "cpu", None)
    assert len(field.splits) == 4 * 3 * 2
    for folds in field.folds:
        assert all(len(set(folds[table.subject == s])) == 1 for s in range(20))
    for _, _, split in field.splits:
        sides = [set(table.subject[rows]) for rows in (split.train, split.valid, split.test)]
        assert sum(map(len, sides)) == len(set.union(*sides)) == 20


def test_sealed_rows_hold_whole_subjects() -> None:
    parts = part(make_table(subjects(1000, 5), "ill", group_column="who"), Options(workers=1))
    assert parts.sealed is not None and parts.pool.subject is not None and parts.sealed.subject is not None
    assert not set(parts.pool.subject) & set(parts.sealed.subject)
    assert 150 <= parts.sealed.n <= 250


def test_repeated_rows_are_no_evidence_once_subjects_are_named() -> None:
    frame, options = subjects(200, 10), {**SMALL, "hidden": (32,), "epochs": 80, "seeds": 1}
    fooled = riata.choose(frame.drop("who"), "ill", **options).scores["none"]["auroc"]["mean"]
    found = riata.choose(frame, "ill", group_column="who", **options).summary
    assert fooled > 0.75 and found["scores"]["none"]["auroc"]["mean"] < fooled - 0.15
    assert found["table"]["subjects"] is not None


def test_the_bootstrap_draws_whole_subjects() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 200), rng.uniform(0.1, 0.9, 200)
    shares = np.column_stack([1 - p, p])
    rows = bootstrap("classification", y, shares, 0, draws=200)
    assert bootstrap("classification", y, shares, 0, np.arange(200), draws=200) == rows
    many, who = np.repeat(np.arange(20), 10), np.repeat(np.arange(20), 10)  # every subject ten times the same row
    by_row = bootstrap("classification", y[:20][many], shares[:20][many], 0, draws=200)
    by_subject = bootstrap("classification", y[:20][many], shares[:20][many], 0, who, draws=200)
    width = {k: by_subject[k][1] - by_subject[k][0] for k in by_subject}
    assert all(width[k] > 2 * (by_row[k][1] - by_row[k][0]) for k in width)


def test_groups_live_and_die_together() -> None:
    X, _ = binary(80)
    groups = {"x1": "pair", "x2": "pair"}
    found = riata.choose(X, X[:, 0], groups=groups, **{**SMALL, "penalties": ["group_lasso"]})
    shares = found.summary["selection"]["shares"]
    assert set(shares) == {"pair", "x3", "x4"}
    assert ("x1" in found.kept) == ("x2" in found.kept)
    with pytest.raises(riata.errors.InputError, match="'x9'"):
        riata.choose(X, X[:, 0], groups={"x9": "a"}, **SMALL)
