"""Bounds of stability selection against the worst case by linear programming, and the halves themselves."""

from __future__ import annotations

from math import ceil, inf

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from riata.errors import InputError
from riata.wide.halves import bound, complementary_halves, q_for, selected


def worst_tail(pairs: int, mean: float, tau: float, one_mode: bool) -> float:
    """Return the largest P(X >= 2 tau - 1) of X on 0, 1/B, .., 1 with E X <= mean, by linear programming."""
    at = np.arange(pairs + 1) / pairs
    tail = (at >= 2 * tau - 1 - 1e-12).astype(float)
    best = -inf
    for mode in range(pairs + 1) if one_mode else (None,):
        rows, limits = [at], [mean]
        for k in range(pairs) if mode is not None else ():
            step = np.zeros(pairs + 1)
            step[k], step[k + 1] = (1, -1) if k < mode else (-1, 1)  # rising before the mode, falling after
            rows.append(step)
            limits.append(0.0)
        found = linprog(-tail, np.array(rows), limits, np.ones((1, pairs + 1)), [1.0], bounds=(0, 1))
        best = max(best, -found.fun if found.status == 0 else -inf)
    return float(best)


@pytest.mark.parametrize("pairs", [5, 8, 20])
@pytest.mark.parametrize("theta", [0.02, 0.1, 0.3])
def test_the_bounds_hold_for_the_worst_distribution_and_are_reached(pairs, theta):
    p = 1000
    tightest = {"any": inf, "unimodal": inf}
    for steps in range(pairs + 2, 2 * pairs + 1):
        tau = steps / (2 * pairs)
        for method in tightest:
            # a variable's expected share of simultaneous selections is at most theta^2
            worst = p * worst_tail(pairs, theta**2, tau, method == "unimodal")
            stated = bound(theta * p, p, tau, method, pairs=pairs)
            assert worst <= min(stated, p) * (1 + 1e-9)
            tightest[method] = min(tightest[method], stated / worst)
    assert tightest["any"] == pytest.approx(1.0) and tightest["unimodal"] < 1.02


def test_the_bounds_are_those_of_the_papers():
    assert bound(np.sqrt(0.8 * 1000), 1000, 0.9, "any") == pytest.approx(1.0)  # Meinshausen & Buhlmann, section 2.4
    assert bound(30, 1000, 0.7, "any") == pytest.approx(0.9 / 0.4)
    assert bound(30, 1000, 0.7, pairs=50) == pytest.approx(0.9 / (2 * (0.4 - 0.01)))
    assert bound(30, 1000, 0.9, pairs=50) == pytest.approx(0.9 * 4 * 0.11 / 1.02)
    low, high = (4 * 0.26 / 1.02, 1 / (2 * 0.49))
    assert bound(30, 1000, 0.75, pairs=50) == pytest.approx(0.9 * high) and low == pytest.approx(high, rel=1e-3)


def test_where_one_mode_says_nothing_the_bound_is_that_without_it():
    for tau in (0.505, 0.51):
        assert bound(10, 1000, tau, pairs=50) == bound(10, 1000, 0.51 if tau > 0.505 else tau, "any")
    assert bound(600, 1000, 0.9) == bound(600, 1000, 0.9, "any")  # q / p above 1 / sqrt(3)
    assert bound(300, 1000, 0.55) == bound(300, 1000, 0.55, "any")  # tau below 1/2 + min(...)
    assert bound(10, 1000, 0.9, pairs=1) <= bound(10, 1000, 0.9, "any", pairs=1)


def test_a_threshold_between_two_shares_is_the_higher_one():
    assert bound(30, 1000, 0.731, pairs=10) == bound(30, 1000, 0.75, pairs=10)
    assert bound(30, 1000, 0.7, pairs=5) == bound(30, 1000, 7 / 10, pairs=5) != bound(30, 1000, 0.8, pairs=5)


@pytest.mark.parametrize("method", ["any", "unimodal"])
@pytest.mark.parametrize(("p", "tau", "wanted"), [(50, 0.6, 1), (1000, 0.75, 1), (500_000, 0.9, 5), (20, 1.0, 100)])
def test_q_is_the_largest_that_is_allowed(p, tau, wanted, method):
    q = q_for(p, tau, wanted, method)
    assert 1 <= q <= p and bound(q, p, tau, method) <= wanted * (1 + 1e-9)
    assert q == p or bound(q + 1, p, tau, method) > wanted


def test_pure_noise_is_selected_no_more_often_than_the_bound_says():
    rng = np.random.default_rng(0)
    p, q, pairs, tau, runs = 60, 12, 10, 0.6, 400
    false = 0
    for _ in range(runs):
        picks = rng.random((2 * pairs, p)).argsort(1) < q  # every half picks q of p at random
        false += len(selected(torch.from_numpy(picks.mean(0)), tau))
    assert 0 < false / runs <= bound(q, p, tau, pairs=pairs) < bound(q, p, tau, "any", pairs=pairs)


@pytest.mark.parametrize(("n", "counts"), [(20, (12, 8)), (21, (11, 10)), (23, (9, 7, 7)), (7, (7,)), (2, (1, 1))])
def test_halves_share_no_row_and_keep_the_classes(n, counts):
    classes = torch.tensor(np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts)))
    halves = complementary_halves(n, 6, classes, seed=3)
    assert len(halves) == 12 and all(len(half) == n // 2 for half in halves)
    for first, second in zip(halves[::2], halves[1::2], strict=True):
        assert not set(first.tolist()) & set(second.tolist())
        for half in (first, second):
            assert torch.equal(half, half.unique()) and int(half.min()) >= 0 and int(half.max()) < n
            for k, count in enumerate(counts):
                assert count // 2 <= int((classes[half] == k).sum()) <= ceil(count / 2)


def test_a_pair_depends_on_the_seed_and_its_number_alone():
    few, many, other = (complementary_halves(50, b, seed=s) for b, s in ((2, 0), (5, 0), (2, 1)))
    assert all(torch.equal(a, b) for a, b in zip(few, many, strict=False))
    assert not torch.equal(few[0], other[0]) and not torch.equal(few[0], few[2])
    counts = torch.bincount(torch.cat(complementary_halves(51, 400)), minlength=51)
    assert int(counts.min()) > 370  # of an odd number a different one is left out each time


def test_a_share_of_exactly_the_threshold_is_selected_whatever_its_rounding():
    votes = torch.zeros(100, 3)
    votes[:75, 0], votes[:74, 1], votes[:, 2] = 1, 1, 1
    assert selected(votes.mean(0), 0.75).tolist() == [0, 2]
    assert selected(votes.double().mean(0), 0.75).tolist() == [0, 2]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: bound(3, 2, 0.9),
        lambda: bound(-1, 2, 0.9),
        lambda: bound(1, 2, 0.5),
        lambda: bound(1, 2, 1.1),
        lambda: bound(1, 2, 0.9, "r-concave"),
        lambda: bound(1, 2, 0.9, pairs=0),
        lambda: q_for(10, 0.9, 0),
        lambda: q_for(10, 0.9, 0.01),
        lambda: complementary_halves(1),
        lambda: complementary_halves(4, 0),
        lambda: complementary_halves(4, 1, torch.zeros(3)),
    ],
)
def test_what_cannot_be_is_refused(ask):
    with pytest.raises(InputError, match=r"expected|raise the threshold"):
        ask()
