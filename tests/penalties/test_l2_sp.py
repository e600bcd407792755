"""L2-SP, alone and with the group lasso: shifted ridge, exact zeros against the pull, identities."""

from __future__ import annotations

import pytest
import torch

from riata.errors import InputError
from riata.groups import by_input
from riata.penalties import L2, L2SP, GroupLasso, GroupLassoL2SP, Penalty
from riata.testing import CHECKS, GROUPINGS, STEPS, case, check_zero_in
from riata.torch import ProxSGD as TorchProxSGD
from riata.updates import ProxAdam, ProxSGD, Term

SHAPE = (6, 5)


def start(seed: int = 3) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


PENALTIES = [L2SP(start()), GroupLassoL2SP(start(), alpha=0.5), GroupLassoL2SP(start(), alpha=0.0)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("form", STEPS)
@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_contract(penalty, form, dtype):
    """All checks, for every form of the step, but check_zero_in: what stays and costs nothing is w0, not zero."""
    assert isinstance(penalty, Penalty)
    for grouping in GROUPINGS:
        for check in CHECKS:
            if check is not check_zero_in:
                check(penalty, case(grouping, form, dtype))


@pytest.mark.parametrize("form", STEPS)
def test_start_stays_exactly_and_costs_nothing(form):
    problem = case("inputs", form)
    w = start().expand_as(problem.w).contiguous()
    x = L2SP(start()).prox(w, problem.step, problem.lam, problem.groups)
    assert torch.equal(x, w)
    assert not bool(L2SP(start()).value(w, problem.lam, problem.groups).any())
    assert not bool(L2SP(start()).residual(w, 0 * w, problem.lam, problem.groups).any())


@pytest.mark.parametrize("form", STEPS)
def test_l2_sp_is_ridge_around_the_start(form):
    problem, ridge = case("variables", form), L2()
    penalty, shifted = L2SP(start()), problem.w - start()
    expected = start() + ridge.prox(shifted, problem.step, problem.lam, problem.groups)
    torch.testing.assert_close(problem.prox(penalty), expected, rtol=1e-13, atol=1e-13)
    for what in ("value", "residual"):
        more = (problem.grad,) if what == "residual" else ()
        ours = getattr(penalty, what)(problem.w, *more, problem.lam, problem.groups)
        theirs = getattr(ridge, what)(shifted, *more, problem.lam, problem.groups)
        torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)
    assert bool(penalty.lam_max(problem.grad, problem.groups).isinf().all())


def test_stationary_point_of_the_exact_prox():
    """``(x - w)/s + alpha (x - w0) + lam weight x/||x|| = 0`` on live groups, its norm test on dead ones."""
    problem, alpha = case("weighted", "entry"), 0.8
    x = problem.prox(GroupLassoL2SP(start(), alpha))
    groups, lam = problem.groups, problem.lam[:, None]
    pull = (x - problem.w) / problem.step + alpha * (x - start())
    norm, weight = groups.norms(x), groups.weight
    alive = norm > 0
    unit = x / groups.spread(torch.where(alive, norm, 1.0))
    left = groups.norms(pull + groups.spread(lam * weight) * unit)
    assert bool(alive.any()) and bool((~alive).any())
    assert float(left[alive].max()) < 1e-12
    assert bool((groups.norms(pull) <= lam * weight + 1e-12)[~alive].all())


def test_alpha_0_and_start_0():
    problem = case("variables", "entry")
    assert torch.equal(problem.prox(GroupLassoL2SP(start(), alpha=0.0)), problem.prox(GroupLasso()))
    ridge = GroupLassoL2SP(torch.zeros(SHAPE), alpha=0.7)
    shorter = problem.step / (1 + 0.7 * problem.step)
    by_hand = GroupLasso().prox(problem.w / (1 + 0.7 * problem.step), shorter, problem.lam, problem.groups)
    torch.testing.assert_close(problem.prox(ridge), by_hand, rtol=1e-14, atol=1e-15)
    check_zero_in(ridge, problem)


def test_start_and_alpha_change_the_fit():
    problem = case("inputs")
    one = problem.prox(GroupLassoL2SP(start(), 0.5))
    assert not torch.equal(one, problem.prox(GroupLassoL2SP(start(), 0.6)))
    assert not torch.equal(one, problem.prox(GroupLassoL2SP(start(4), 0.5)))
    assert not torch.equal(problem.prox(L2SP(start())), problem.prox(L2SP(start(4))))


@pytest.mark.parametrize("update", [ProxSGD(momentum=0.0), ProxAdam()], ids=lambda u: u.name)
def test_a_dropped_input_goes_to_zero_not_to_the_start(update):
    """Two inputs without a signal: both die above lam_max, and below it the one with w0 = 0 stays dead."""
    groups, w0 = by_input((2, 3)), torch.zeros(2, 3, dtype=torch.float64)
    w0[0] = 1.0
    penalty = GroupLassoL2SP(w0, alpha=1.0)
    top = penalty.lam_max(torch.zeros(1, 2, 3, dtype=torch.float64), groups)
    assert float(top) == pytest.approx(3**0.5)
    lam = torch.tensor([1.01, 0.5], dtype=torch.float64) * top
    params, terms = {"w": w0.expand(2, 2, 3) + 0.1}, {"w": Term(penalty, lam, groups)}
    state = update.init(params, terms)
    for i in range(2000):
        update.step(params, {"w": 0 * params["w"]}, state, torch.full((2,), 0.02).double() * (1 - i / 2000), terms)
    w = params["w"]
    assert (groups.norms(w) > 0).tolist() == [[False, False], [True, False]]
    torch.testing.assert_close(w[1, 0], torch.full((3,), 0.5, dtype=torch.float64), rtol=0, atol=1e-3)


def test_start_is_a_copy():
    source = torch.nn.Parameter(torch.ones(2, 3))
    penalty = L2SP(source)
    with torch.no_grad():
        source.zero_()
    assert not penalty.start.requires_grad and bool((penalty.start == 1).all())


@pytest.mark.parametrize("penalty", [L2SP, GroupLassoL2SP])
def test_large_parameters_of_a_torch_optimizer_are_not_cut(penalty):
    """Optimizers cut entrywise penalties into blocks of rows; these two need all rows of w0 at once."""
    w = torch.nn.Parameter(torch.zeros(300, 1000))
    w0 = torch.arange(300.0)[:, None].expand(300, 1000)
    optimizer = TorchProxSGD([w], lr=0.5, momentum=0.0, penalty=penalty(w0), lam=1.0, groups=by_input(w.shape))
    w.grad = torch.zeros_like(w)
    optimizer.step()
    expected = penalty(w0).prox(torch.zeros(1, 300, 1000), torch.tensor([0.5]), torch.ones(1), by_input(w.shape))[0]
    torch.testing.assert_close(w.detach(), expected)
    assert bool((w[-1] != 0).all())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: L2SP([1.0]), "l2_sp with a start that is not a tensor"),
        (lambda: L2SP(torch.ones(3, dtype=torch.int64)), "not a tensor of finite floats"),
        (lambda: GroupLassoL2SP(torch.tensor([torch.nan])), "group_lasso_l2_sp with a start"),
        (lambda: GroupLassoL2SP(torch.ones(3), alpha=-1.0), "alpha -1.0"),
        (lambda: case("inputs").prox(L2SP(torch.ones(5, 6))), r"expected \(6, 5\), without the member axis"),
    ],
)
def test_refusals(make, says):
    with pytest.raises(InputError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)
