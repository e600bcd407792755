"""Splits: stratified, seeded, and a subject is never on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from riata.data import Table, fold_ids, make_table, seal, subsample
from riata.errors import InputError


def classes(counts: list[int], subjects: int = 0) -> Table:
    y = np.repeat(np.arange(len(counts)), counts)
    frame = {f"x{j}": np.random.default_rng(j).normal(size=len(y)) for j in range(2)}
    import polars as pl

    data = pl.DataFrame(frame).with_columns(pl.Series("y", [f"k{v}" for v in y]))
    if not subjects:
        return make_table(data, "y")
    who = np.arange(len(y)) % subjects if subjects > 0 else y
    return make_table(data.with_columns(pl.Series("who", who)), "y", group_column="who")


def numbers(n: int) -> Table:
    rng = np.random.default_rng(0)
    return make_table(rng.normal(size=(n, 2)), np.exp(rng.normal(size=n) * 2))


@pytest.mark.parametrize("k", [2, 3, 5])
def test_folds_are_stratified(k: int) -> None:
    table = classes([60, 30])
    ids = fold_ids(table, k, seed=0)
    assert set(ids) == set(range(k)) and ids.dtype == np.int64
    for fold in range(k):
        assert np.bincount(table.y[ids == fold]).tolist() == [60 // k, 30 // k]


def test_folds_of_a_regression_are_stratified() -> None:
    table = numbers(200)
    ids = fold_ids(table, 5, seed=0)
    decile = np.argsort(np.argsort(table.y)) // 20
    for fold in range(5):
        assert np.bincount(decile[ids == fold], minlength=10).tolist() == [4] * 10
    assert len(np.unique(fold_ids(numbers(11), 5, seed=0))) == 5


def test_seeds() -> None:
    table = classes([60, 30])
    for draw in (
        lambda s: fold_ids(table, 5, s),
        lambda s: seal(table, 0.2, s),
        lambda s: subsample(table, 30, s),
    ):
        np.testing.assert_array_equal(draw(1), draw(1))
        assert not np.array_equal(draw(1), draw(2))


def test_subjects_stay_together() -> None:
    table = classes([120, 80], subjects=25)
    assert table.subject is not None
    ids = fold_ids(table, 5, seed=3)
    sealed = seal(table, 0.2, seed=3)
    for who in np.unique(table.subject):
        assert len(np.unique(ids[table.subject == who])) == 1
        assert len(np.unique(sealed[table.subject == who])) == 1
    assert 0.1 <= sealed.mean() <= 0.3


@pytest.mark.parametrize(
    ("table", "k", "words"),
    [
        (classes([30, 3]), 5, "class 'k1' has 3 rows, fewer than the 5 folds; use --folds 3"),
        (classes([30, 2]), 5, "use --folds 2"),
        (numbers(11), 6, "11 rows for 6 folds; expected at least 12; use --folds 3"),
        (numbers(20), 1, "at least 2"),
        (classes([30, 30], subjects=4), 5, "4 subjects for 5 folds"),
        (classes([30, 30], subjects=-1), 2, "class 'k0' comes from one subject"),
    ],
)
def test_folds_that_cannot_be(table: Table, k: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fold_ids(table, k, seed=0)


def test_seal() -> None:
    table = classes([160, 40])
    sealed = seal(table, 0.2, seed=0)
    assert np.bincount(table.y[sealed]).tolist() == [32, 8]
    assert seal(numbers(100), 0.3, seed=0).sum() == 30
    with pytest.raises(InputError, match="fraction"):
        seal(table, 0.0, seed=0)


def test_subsample() -> None:
    table = classes([900, 95, 5])
    rows = subsample(table, 100, seed=0)
    assert len(rows) == 100 and (np.diff(rows) > 0).all()
    counts = np.bincount(table.y[rows])
    assert counts[2] == 2 and abs(counts[0] - 90) <= 2
    assert rows.max() > 500  # not the head of the file
    np.testing.assert_array_equal(subsample(table, 5000, seed=0), np.arange(1000))
    np.testing.assert_array_equal(subsample(table, 1000, seed=0), np.arange(1000))
    for size in range(6, 60):
        assert len(subsample(table, size, seed=1)) == size
    decile = np.argsort(np.argsort(numbers(200).y)) // 20
    assert np.bincount(decile[subsample(numbers(200), 50, seed=0)]).tolist() == [5] * 10
    uneven = subsample(numbers(200), 53, seed=0)
    assert len(np.unique(uneven)) == 53 and set(np.bincount(decile[uneven]).tolist()) <= {5, 6}
    with pytest.raises(InputError, match="at least 6"):
        subsample(table, 5, seed=0)
