from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from riata.choice import evidence as ev
from riata.errors import InputError


def at(p_better: float, df: int = 4, rope: float = 0.0) -> np.ndarray:
    """Five differences whose corrected posterior gives exactly P(better) = p_better."""
    base = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    scale = base.std(ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    return base + rope + stats.t.ppf(p_better, df) * scale


def test_compare_matches_the_formula() -> None:
    d = np.array([0.03, 0.01, 0.05, -0.01, 0.02, 0.04, 0.0, 0.03, 0.02, 0.01])
    got = ev.compare(d, folds=5, repeats=2, rope=0.01)
    scale = np.sqrt(d.var(ddof=1) * (1 / 10 + 1 / 4))
    assert got.p_better == pytest.approx(1 - stats.t.cdf((0.01 - d.mean()) / scale, 9))
    assert got.p_worse == pytest.approx(stats.t.cdf((-0.01 - d.mean()) / scale, 9))
    assert got.p_better + got.p_equivalent + got.p_worse == pytest.approx(1)
    assert got.high - got.mean == pytest.approx(stats.t.ppf(0.975, 9) * scale)


def test_compare_is_antisymmetric() -> None:
    d = np.array([0.03, 0.01, 0.05, -0.01, 0.02])
    one, two = ev.compare(d, 5, 1, 0.01), ev.compare(-d, 5, 1, 0.01)
    assert one.p_better == pytest.approx(two.p_worse)
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low))
    assert one.word == two.word
    assert two.word_for_first == "tied"


@pytest.mark.parametrize(
    ("p", "word"),
    [
        (0.951, "decisive"),
        (0.949, "leaning"),
        (0.751, "leaning"),
        (0.749, "tied"),
        (0.5, "tied"),
        (0.249, "leaning"),
        (0.049, "decisive"),
    ],
)
def test_words_at_their_edges(p: float, word: str) -> None:
    assert ev.compare(at(p), 5, 1, rope=0.0).word == word


def test_equivalent_needs_95_percent_inside_the_rope() -> None:
    scale = at(0.5).std(ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    half = stats.t.ppf(0.975, 4) * scale
    assert ev.compare(at(0.5), 5, 1, rope=half * 1.001).word == "equivalent"
    assert ev.compare(at(0.5), 5, 1, rope=half * 0.999).word == "tied"


@pytest.mark.parametrize(
    ("value", "rope", "word"),
    [
        (0.0, 0.0, "equivalent"),
        (0.02, 0.01, "decisive"),
        (-0.02, 0.01, "decisive"),
        (0.01, 0.01, "equivalent"),
    ],
)
def test_no_variance_is_a_point_mass(value: float, rope: float, word: str) -> None:
    got = ev.compare(np.full(5, value), 5, 1, rope)
    assert (got.word, got.low, got.high) == (word, value, value)
    assert got.p_better + got.p_equivalent + got.p_worse == 1


@pytest.mark.parametrize(
    ("d", "folds", "rope"),
    [([0.1] * 4, 5, 0.01), ([np.nan] * 5, 5, 0.01), ([0.1] * 5, 5, -1.0), ([0.1], 1, 0.01)],
)
def test_refusals(d: list[float], folds: int, rope: float) -> None:
    with pytest.raises(InputError):
        ev.compare(d, folds, 1, rope)


def test_false_positives_of_equal_learners_are_about_nominal() -> None:
    """Differences of 10 x 10 folds with correlation 1/k: two-sided 5% when corrected, far more without."""
    rng, k, r, draws = np.random.default_rng(0), 10, 10, 2000
    rho = 1 / k
    shared = rng.standard_normal((draws, 1)) * np.sqrt(rho)
    d = shared + rng.standard_normal((draws, k * r)) * np.sqrt(1 - rho)
    decided = [max((c := ev.compare(row, k, r, 0.0)).p_better, c.p_worse) > 0.975 for row in d]
    naive = stats.ttest_1samp(d, 0.0, axis=1).pvalue < 0.05
    assert 0.03 < np.mean(decided) < 0.07
    assert naive.mean() > 0.3


def test_equal_learners_on_real_folds_are_seldom_called_different() -> None:
    """Two least-squares fits, each blind to one of two exchangeable noise columns, on shared folds."""
    rng, k, wrong, draws = np.random.default_rng(1), 5, 0, 300
    for _ in range(draws):
        x, z = rng.standard_normal((60, 4)), rng.standard_normal(60)
        z = z + x[:, 0]
        fold, d = np.arange(60) % k, np.empty(k)
        for f in range(k):
            loss = []
            for columns in ([0, 1, 2], [0, 1, 3]):
                train, test = x[fold != f][:, columns], x[fold == f][:, columns]
                w = np.linalg.lstsq(train, z[fold != f], rcond=None)[0]
                loss.append(np.mean((z[fold == f] - test @ w) ** 2))
            d[f] = loss[1] - loss[0]
        c = ev.compare(d, k, 1, 0.0)
        wrong += max(c.p_better, c.p_worse) > 0.975
    assert wrong / draws < 0.08


def test_interval_covers_and_matches() -> None:
    values = np.array([0.7, 0.8, 0.75, 0.72, 0.78])
    got = ev.interval(values, 5, 1)
    half = stats.t.ppf(0.975, 4) * values.std(ddof=1) * np.sqrt(0.2 + 0.25)
    assert got.mean == pytest.approx(values.mean())
    assert (got.low, got.high) == pytest.approx((values.mean() - half, values.mean() + half))


def test_contenders_keep_exactly_those_at_most_75_percent_beaten() -> None:
    best = np.zeros(5) + 10.0
    scores = {"l1": best, "l2": best - at(0.749), "elastic_net": best - at(0.751)}
    found = ev.leaf_set(scores, 5, 1, rope=0.0)
    assert found.best == "l1"
    assert found.contenders == ("l1", "l2")
    assert found.against_best["elastic_net"].p_better == pytest.approx(0.751)


def test_failed_candidates_never_contend() -> None:
    found = ev.leaf_set({"l1": np.zeros(5), "l2": np.array([np.nan, 1, 1, 1, 1])}, 5, 1, 0.01)
    assert (found.contenders, found.failed) == (("l1",), ("l2",))
    with pytest.raises(InputError):
        ev.leaf_set({"l2": np.full(5, np.nan)}, 5, 1, 0.01)


@pytest.mark.parametrize(
    ("names", "goal", "leaf"),
    [
        (ev.CANDIDATES, "prediction", "elastic_net"),
        (("none", "l1", "l2"), "prediction", "l2"),
        (("none", "l1", "group_lasso"), "prediction", "l1"),
        (("none", "sparse_group_lasso", "group_lasso"), "prediction", "group_lasso"),
        (("none", "sparse_group_lasso"), "prediction", "sparse_group_lasso"),
        (("none",), "prediction", "none"),
        (ev.CANDIDATES, "selection", "group_lasso"),
        (("none", "l2", "l1", "sparse_group_lasso"), "selection", "sparse_group_lasso"),
        (("none", "l2", "elastic_net"), "selection", "elastic_net"),
        (("none", "l2"), "selection", "l2"),
    ],
)
def test_walking_orders(names: tuple[str, ...], goal: str, leaf: str, scores_of) -> None:  # type: ignore[no-untyped-def]
    scores = scores_of(**dict.fromkeys(reversed(names), 0.8))
    pick = ev.pick_leaf(ev.leaf_set(scores, 5, 1, 0.01), goal)
    assert pick.leaf == leaf


def test_pick_says_how_sure(scores_of) -> None:  # type: ignore[no-untyped-def]
    pick = ev.pick_leaf(ev.leaf_set(scores_of(l2=0.8, elastic_net=0.8, none=0.6), 5, 1, 0.02), "prediction")
    assert (pick.leaf, pick.rival, pick.word) == ("elastic_net", "l2", "equivalent")
    assert pick.versus_none is not None and pick.versus_none.word == "decisive"
    alone = ev.pick_leaf(ev.leaf_set(scores_of(none=0.8, l1=0.6), 5, 1, 0.01), "prediction")
    assert (alone.leaf, alone.rival, alone.word, alone.versus_none) == ("none", "l1", "decisive", None)


def test_evidence_against_the_pick_is_never_leaning() -> None:
    scores = {"l1": np.zeros(5) + 10.0, "elastic_net": 10.0 - at(0.74)}
    pick = ev.pick_leaf(ev.leaf_set(scores, 5, 1, 0.0), "prediction")
    assert (pick.leaf, pick.word) == ("elastic_net", "tied")


def test_unknown_goal() -> None:
    with pytest.raises(InputError, match="goal"):
        ev.pick_leaf(ev.leaf_set({"l1": np.zeros(5)}, 5, 1, 0.01), "speed")
