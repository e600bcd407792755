from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d
from sklearn import datasets

from riata.choice import look
from riata.choice.chart import Context
from riata.choice.options import Options
from riata.choice.probes import correlation, picture, sparsity, subsample, two_sample
from riata.data import make_table
from riata.errors import InputError


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return np.asarray(datasets.load_digits().data)


def test_digits_are_an_image_of_width_8(digits: np.ndarray) -> None:
    assert picture.detect(digits).detail["kind"] == "image"
    assert picture.detect(digits).detail["width"] == 8


def test_shuffled_digits_are_none(digits: np.ndarray) -> None:
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(64)
        assert picture.detect(digits[:, order], seed).detail["kind"] == "no"


@pytest.mark.parametrize("load", [datasets.load_breast_cancer, datasets.load_wine, datasets.load_diabetes])
def test_ordinary_tables_are_none(load) -> None:  # type: ignore[no-untyped-def]
    X = load().data
    assert picture.detect(X).detail["kind"] == "no"
    assert picture.detect((X - X.mean(0)) / X.std(0)).detail["kind"] == "no"


def test_smooth_curves_are_a_sequence() -> None:
    curves = gaussian_filter1d(np.random.default_rng(0).standard_normal((200, 120)), 6, axis=1)[:, 30:90]
    assert picture.detect(curves).detail["kind"] == "sequence"
    odd_scales = curves * np.logspace(0, 3, 60)
    assert picture.detect(odd_scales).detail["kind"] == "no"
    assert picture.detect(curves[:, :15]).detail["kind"] == "no"


def test_dropped_constant_pixels_are_put_back_and_scales_are_read(digits: np.ndarray) -> None:
    alive = np.flatnonzero(digits.std(0) > 0)
    center, scale = digits[:, alive].mean(0), digits[:, alive].std(0)
    X = ((digits[:, alive] - center) / scale).astype(np.float32)
    bare = Context(X, np.zeros(len(X)), np.arange(len(alive)))
    told = Context(X, np.zeros(len(X)), np.arange(len(alive)), center=center, scale=scale, position=alive, n_columns=64)
    assert picture.branch(picture.probe(bare)) == "no"
    assert picture.probe(told).detail["width"] == 8
    np.testing.assert_allclose(picture.raw_columns(told)[:, alive], digits[:, alive], atol=1e-4)


def test_the_users_word_wins(digits: np.ndarray) -> None:
    context = Context(digits, np.zeros(len(digits)), np.arange(64), picture="no")
    assert picture.branch(picture.probe(context)) == "no"
    noise = np.random.default_rng(0).standard_normal((50, 64))
    assert picture.branch(picture.probe(Context(noise, noise[:, 0], np.arange(64), picture="16x4"))) == "yes"
    for word in ("9x9", "8by8", "0x4", ""):
        with pytest.raises(InputError):
            picture.probe(Context(noise, noise[:, 0], np.arange(64), picture=word))


def test_one_hot_neighbours_are_no_picture() -> None:
    levels = np.random.default_rng(0).integers(0, 8, (300, 5))
    X = (levels[:, :, None] == np.arange(8)).reshape(300, 40).astype(float)
    assert picture.branch(picture.probe(Context(X, levels[:, 0], np.repeat(np.arange(5), 8)))) == "no"


def blocks(n: int, d: int, share: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    twins = int(share * d) // 2
    X[:, :twins] = X[:, twins : 2 * twins] + 0.3 * rng.standard_normal((n, twins))
    return X


def test_correlated_blocks_are_found_and_independent_columns_are_not() -> None:
    found = correlation.correlation(blocks(300, 100, 0.4), np.arange(100))
    assert found.estimate == pytest.approx(0.4) and correlation.branch(found) == "yes"
    assert found.detail["effective_rank_ratio"] < 0.95
    free = correlation.correlation(blocks(300, 100, 0.0), np.arange(100))
    assert free.estimate == 0.0 and correlation.branch(free) == "no"
    assert free.detail["vif_max"] is None


@pytest.mark.parametrize(
    ("share", "answer", "unsure"), [(0.10, "yes", "yes"), (0.08, "no", "unsure"), (0.04, "no", "no")]
)
def test_share_at_its_edges(share: float, answer: str, unsure: str) -> None:
    found = correlation.correlation(blocks(400, 100, share), np.arange(100))
    assert found.estimate == pytest.approx(share)
    assert (correlation.branch(found), correlation.branch_unsure(found)) == (answer, unsure)


@pytest.mark.parametrize(("n", "d"), [(12, 2000), (30, 5000), (60, 20_000)])
def test_wide_noise_is_not_called_correlated(n: int, d: int) -> None:
    X = np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)
    found = correlation.correlation(X, np.arange(d))
    assert found.estimate is not None and found.estimate < 0.01
    assert found.detail["capped"] == (d > correlation.MAX_COLUMNS)


def test_wide_and_correlated() -> None:
    rng = np.random.default_rng(0)
    X = np.repeat(rng.standard_normal((100, 1000)), 5, axis=1) + 0.2 * rng.standard_normal((100, 5000))
    assert correlation.correlation(X, np.arange(5000)).estimate == pytest.approx(1.0, abs=0.02)


def test_collinearity_without_pairs_shows_in_the_variance_inflation() -> None:
    X = np.random.default_rng(0).standard_normal((400, 12))
    X[:, 0] = X[:, 1:].sum(axis=1) + 0.1 * np.random.default_rng(1).standard_normal(400)
    found = correlation.correlation(X, np.arange(12))
    assert found.estimate == 0.0 and found.detail["vif_share"] == 1.0
    assert correlation.branch(found) == "yes"
    inflation, _ = correlation.collinearity(X, np.arange(12))
    r2 = [1 - 1 / v for v in inflation]
    fit = np.linalg.lstsq(np.c_[np.ones(400), X[:, 1:]], X[:, 0], rcond=None)[0]
    residual = X[:, 0] - np.c_[np.ones(400), X[:, 1:]] @ fit
    assert r2[0] == pytest.approx(1 - residual.var() / X[:, 0].var(), rel=1e-3)


def test_columns_of_one_variable_are_no_partners() -> None:
    level = np.random.default_rng(0).integers(0, 2, (300, 10))
    X = np.stack([level, 1 - level], axis=2).reshape(300, 20).astype(float)
    assert correlation.branch(correlation.correlation(X, np.repeat(np.arange(10), 2))) == "no"
    assert correlation.branch(correlation.correlation(X, np.arange(20))) == "yes"


def test_constant_columns_do_no_harm() -> None:
    X = np.random.default_rng(0).standard_normal((200, 10))
    X[:, 3] = 7.0
    found = correlation.correlation(X, np.arange(10))
    assert found.estimate == 0.0 and np.isfinite(found.detail["condition_index"])
    assert correlation.correlation(np.zeros((20, 3)), np.arange(3)).estimate == 0.0


def test_sparsity_counts_a_category_once() -> None:
    level = np.repeat(np.arange(4), 50)
    X = (level[:, None] == np.arange(4)).astype(float)
    assert sparsity.most_common_share(X, np.zeros(4, int)).estimate == pytest.approx(0.25)
    assert sparsity.most_common_share(X, np.arange(4)).estimate == pytest.approx(0.75)


@pytest.mark.parametrize(("filled", "answer"), [(9, "yes"), (10, "unsure"), (49, "unsure"), (50, "no")])
def test_sparsity_at_its_edges(filled: int, answer: str) -> None:
    X = np.zeros((100, 3))
    X[:filled] = np.random.default_rng(0).random((filled, 3)) + 1
    assert sparsity.branch_sparse(sparsity.most_common_share(X, np.arange(3))) == answer


def test_wide_is_strict_and_counts_all_rows() -> None:
    def answer(n: int, d: int, rows: int | None = None) -> str:
        context = Context(np.zeros((n, d)), np.zeros(n), np.arange(d), n_rows=rows)
        return sparsity.branch_wide(sparsity.probe_wide(context))

    assert (answer(10, 10), answer(10, 11), answer(10, 11, 100)) == ("no", "yes", "no")


def test_missing_indicators_and_mirrored_pairs_are_no_groups() -> None:
    rng = np.random.default_rng(0)
    number, missing = rng.standard_normal((200, 1)), rng.random((200, 1)) < 0.2
    binary = rng.random((200, 1)) < 0.5
    X = np.hstack([number, missing, binary, ~binary]).astype(float)
    assert sparsity.probe_grouped(Context(X, X[:, 0], np.array([0, 0, 1, 1]))).estimate == 0.0
    pair = rng.standard_normal((200, 4))
    assert sparsity.probe_grouped(Context(pair, X[:, 0], np.array([0, 0, 1, 2]))).estimate == 0.5


def test_honest_draws_pass_at_100_columns() -> None:
    passed = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((700, 100)).astype(np.float32)
        X[:, 50:] = np.exp(X[:, 50:])
        passed += subsample.representative(X, rng.permutation(700)[:200], seed).ok
    assert passed >= 95


def test_sorted_head_of_a_file_fails() -> None:
    X = np.random.default_rng(0).standard_normal((2000, 20))
    X[:, 3].sort()
    got = subsample.representative(X, np.arange(400))
    assert not got.ok and got.columns_off == (3,) and got.drift_columns == (3,)
    assert got.smd_p < 0.025 and len(got.warnings) == 2
    assert subsample.branch(got.evidence()) == "no"


def test_a_shifted_column_fails_even_without_rows_for_a_classifier() -> None:
    X = np.random.default_rng(0).standard_normal((100, 4))
    X[:20, 1] += 2.0
    got = subsample.representative(X, np.arange(20))
    assert got.auc is None and got.columns_off == (1,) and not got.ok


def test_same_means_other_shape_is_told_apart() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 5))
    X[:600, 0] = rng.choice([-1.0, 1.0], 600)
    got = subsample.representative(X, np.arange(600))
    assert got.columns_off == () and got.auc_low is not None and got.auc_low > subsample.AUC_LOW
    assert not got.ok


def test_subsample_edges() -> None:
    X = np.random.default_rng(0).standard_normal((50, 3))
    everything = subsample.representative(X, np.arange(50))
    assert everything.ok and subsample.branch(everything.evidence()) == "all"
    small = subsample.representative(X, np.arange(0, 50, 5))
    assert small.auc is None and small.ok
    constant = subsample.representative(np.c_[X, np.full(50, 3.0)], np.arange(0, 50, 2))
    assert 3 not in constant.columns_off
    for rows in ([], [0, 0], [50], [-1]):
        with pytest.raises(InputError):
            subsample.representative(X, np.array(rows, dtype=int))


def looked_at(monkeypatch: pytest.MonkeyPatch, most: int) -> tuple[look.Look, list[int]]:
    """Look at 300 rows, at most so many in the first draw; return what was seen and the size of every draw tested."""
    tested: list[int] = []

    def test(X: np.ndarray, rows: np.ndarray, seed: int) -> subsample.Representative:
        tested.append(len(rows))
        return subsample.representative(X, rows, seed)

    monkeypatch.setattr(look, "MOST_ROWS", most)
    monkeypatch.setattr(look, "representative", test)
    X = np.random.default_rng(0).standard_normal((300, 2))
    return look.look(make_table(X, X[:, 0] - X[:, 1]), Options(workers=1), None), tested


def test_a_good_draw_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, tested = looked_at(monkeypatch, 100)
    assert tested == [100] == [len(seen.rows)] == [len(seen.context.X)]
    assert seen.context.subsample is not None and seen.context.subsample.detail["total"] == 300


def test_a_failed_draw_is_doubled_until_all_rows_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subsample, "AUC_LOW", -1.0)
    seen, tested = looked_at(monkeypatch, 100)
    assert tested == [100, 200] and len(seen.rows) == len(seen.context.X) == 300
    assert subsample.branch(subsample.probe(seen.context)) == "all"


def test_all_rows_need_no_test(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, tested = looked_at(monkeypatch, 300)
    assert tested == [] and len(seen.rows) == 300 and seen.context.subsample is None


def test_auc_error_at_one_half() -> None:
    assert two_sample.auc_error(0.5, 200, 200) == pytest.approx(np.sqrt(401 / (12 * 200 * 200)), rel=0.01)
