"""Short forms of two benchmark programs: the claims of their tables hold in direction."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from load_modules import benchmark

from riata.compact import compact

STEPS = 3000


@pytest.fixture(scope="module")
def wrong() -> Iterator[ModuleType]:
    with benchmark("wrong_ways") as module:
        yield module


@pytest.fixture(scope="module")
def digits() -> Iterator[ModuleType]:
    with benchmark("digits_network") as module:
        yield module


def test_the_reference_is_the_lasso(wrong: ModuleType) -> None:
    task = wrong.problem()
    for w, lam in ((task.at_lam, wrong.LAM), (task.at_tenth, wrong.LAM / 10)):
        gradient = task.x.T @ (task.x @ w - task.y) / len(task.y)
        assert (gradient[w != 0] + lam * w[w != 0].sign()).abs().max() < 1e-9
        assert gradient[w == 0].abs().max() <= lam
    assert int((task.at_lam == 0).sum()) == 39 < 50


@pytest.mark.parametrize("loop", ["threshold SGD", "ProxSGD", "ProxAdam"])
def test_right_loops_find_the_lasso_and_its_zeros(wrong: ModuleType, loop: str) -> None:
    end = wrong.run_loop(wrong.problem(), loop, STEPS, 200)
    assert end.zeros == 39
    assert end.to_lam < 1e-3 < end.to_tenth
    assert end.excess < 1e-6


@pytest.mark.parametrize("loop", ["subgradient SGD", "subgradient Adam"])
def test_a_subgradient_leaves_no_zeros(wrong: ModuleType, loop: str) -> None:
    end = wrong.run_loop(wrong.problem(), loop, STEPS, 200)
    assert end.zeros == 0
    assert end.to_lam < 2e-3


def test_a_threshold_after_momentum_fits_a_tenth_of_lam(wrong: ModuleType) -> None:
    end = wrong.run_loop(wrong.problem(), "threshold momentum", STEPS, 200)
    assert end.to_tenth < 1e-8
    assert end.to_lam > 0.1 and end.zeros < 10


@pytest.mark.parametrize("batch", [200, 20])
def test_a_threshold_after_adam_fits_no_lasso(wrong: ModuleType, batch: int) -> None:
    end = wrong.run_loop(wrong.problem(), "threshold Adam", 1000, batch)
    assert min(end.to_lam, end.to_tenth) > 0.02
    assert end.zeros < 5 and end.excess > 0.1


def test_in_batches_only_the_prox_keeps_zeros(wrong: ModuleType) -> None:
    ends = {loop: wrong.run_loop(wrong.problem(), loop, 1000, 20).zeros for loop in wrong.LOOPS.values()}
    assert min(ends.pop("ProxSGD"), ends.pop("ProxAdam")) > 10
    assert max(ends.values()) <= 5


def test_rescaling_keeps_the_network_and_divides_the_penalty(wrong: ModuleType) -> None:
    net = wrong.first_layer(0.0, 0, 10, 0.0)[0].double()
    other = wrong.rescaled(net, 1000.0)
    x = wrong.rows_of(50, 0)[0].double()
    assert torch.allclose(net(x), other(x), rtol=1e-12, atol=1e-13)
    assert torch.allclose(1000 * other[0].weight, net[0].weight)


def test_without_a_ridge_above_the_norm_moves_up_and_no_input_is_dropped(wrong: ModuleType) -> None:
    early, late = (wrong.first_layer(0.0, 0, steps, 0.1)[1] for steps in (800, 1600))
    held = wrong.first_layer(0.01, 0, 1600, 0.1)[1]
    assert late.above > 1.3 * early.above
    assert late.above > 4 * held.above
    assert late.dropped <= 2 and held.dropped >= 25
    assert late.penalty / late.above < early.penalty / early.above


def test_outgoing_weights_are_one_group_of_weight_root_size(digits: ModuleType) -> None:
    net = digits.network(0)
    groups = digits.outgoing(net[0].weight)
    assert len(groups) == 64 and torch.allclose(groups.weight, torch.tensor(40.0).sqrt())
    assert torch.allclose(groups.norms(net[0].weight[None])[0], net[0].weight.norm(dim=0))
    adopted = digits.penalise(net, *digits.ARMS["group lasso"])
    assert {row.name: row.penalty.name for row in adopted.rows} == dict.fromkeys(
        dict(net.named_parameters()), "group_lasso"
    )


def test_penalties_leave_less_of_the_digits_network(digits: ModuleType) -> None:
    fits = {arm: digits.fit(arm, 0, epochs=25) for arm in digits.ARMS}
    none, sparse = fits["none"], [fits[arm] for arm in ("L1", "group lasso", "sparse group lasso")]
    assert none.zeros == 0 and (none.inputs, none.first, none.second, none.parameters) == (64, 40, 20, 3630)
    assert min(f.accuracy for f in fits.values()) > 0.9
    assert all(f.zeros > 0.15 and f.inputs < 56 and f.parameters < 2700 for f in sparse)
    assert fits["L2"].zeros < 0.1
    assert fits["sparse group lasso"].parameters < fits["L1"].parameters


def test_the_counts_are_those_of_a_smaller_network_with_the_same_outputs(digits: ModuleType) -> None:
    x, _, y, _ = digits.split(0)
    net = digits.network(0)
    digits.train(net, digits.penalise(net, *digits.ARMS["group lasso"][:1], digits.LAM), x, y, 5, 3e-3, 0)
    small = compact(net)
    assert len(small.kept_inputs) < 64
    assert torch.allclose(small.full()(x), net(x), atol=1e-4)
