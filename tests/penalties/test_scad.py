"""SCAD and its group version: every regime of the step, against formulas, a dense search and another package."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skglm.utils.prox_funcs import prox_SCAD, value_SCAD

from riata.errors import InputError
from riata.groups import by_input
from riata.penalties import L1, NAMES, SCAD, GroupSCAD, Penalty, by_name
from riata.penalties.scad import scad_prox, scad_slope, scad_value
from riata.testing import CHECKS, GROUPINGS, STEPS, case, check_fixed_point, check_penalty, check_threshold
from riata.updates import ProxAdam, ProxSGD, Term

ONE = torch.ones(1, dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("penalty", [SCAD(), SCAD(a=2.5), GroupSCAD(), GroupSCAD(a=2.5)], ids=repr)
def test_contract_while_a_exceeds_the_step(penalty, dtype):
    """The steps of a case are below 1.2 < a - 1, so the prox problem is convex and every check applies."""
    assert isinstance(penalty, Penalty)
    check_penalty(penalty, dtype)


@pytest.mark.parametrize("penalty", [SCAD(a=1.4), GroupSCAD(a=1.4)], ids=repr)
def test_contract_beyond(penalty):
    """Steps on both sides of a - 1: all checks but two, which assume a convex prox problem.

    With a step >= a - 1 a point may be stationary (residual 0) and yet not the global minimum, so the prox may leave
    it (check_fixed_point; check_threshold for w = 0).
    """
    kept = [check for check in CHECKS if check not in (check_fixed_point, check_threshold)]
    assert len(kept) == len(CHECKS) - 2
    for grouping in GROUPINGS:
        for form in STEPS[:2] if penalty.needs_constant_step else STEPS:
            problem = case(grouping, form)
            assert bool((problem.step > 0.4).any()) and bool((problem.step < 0.4).any() or form == "member")
            for check in kept:
                check(penalty, problem)


@pytest.mark.parametrize("step", [0.3, 1.5, 2.0, 2.5, 4.0, 4.5, 9.0])
@pytest.mark.parametrize("lam", [0.3, 1.0])
def test_global_minimiser(step, lam):
    """Nothing on a dense grid is lower, for a = 3: below, at and above a - 1 and a + 1."""
    v = torch.linspace(-9, 9, 1201, dtype=torch.float64)
    s, strength = torch.tensor(step, dtype=torch.float64), torch.tensor(lam, dtype=torch.float64)
    x, grid = scad_prox(v, s, strength, 3.0), torch.linspace(-9, 9, 4001, dtype=torch.float64)

    def cost(x, v):
        return (x - v).square() / (2 * step) + scad_value(x.abs(), strength, 3.0)

    lowest = cost(grid[None, :], v[:, None]).amin(1)
    assert bool((cost(x, v) <= lowest + 1e-14).all())
    assert bool((x == 0).any()) and bool((x == v).any())


@pytest.mark.parametrize("step", [0.3, 1.0, 1.9])
def test_equals_skglm(step):
    v = np.linspace(-4, 4, 161)
    ours = scad_prox(torch.tensor(v), torch.tensor(step), torch.tensor(0.8), 3.0).numpy()
    np.testing.assert_allclose(ours, [prox_SCAD(value, step, 0.8, 3.0) for value in v], rtol=1e-6, atol=1e-6)
    mine = SCAD().value(torch.tensor(v).reshape(1, -1, 1), 0.8 * ONE, by_input((161, 1)))
    assert mine.item() == pytest.approx(value_SCAD(v, 0.8, 3.7), rel=1e-12)


def test_fan_and_li_28():
    """Step 1: soft up to 2 lam, ``((a - 1) z - sign(z) a lam)/(a - 2)`` up to a lam, z beyond."""
    z = torch.tensor([-0.9, 1.5, -3.0, 3.6, 3.8], dtype=torch.float64)
    x = scad_prox(z, ONE, ONE, 3.7)
    expected = torch.tensor([0.0, 0.5, -(2.7 * 3.0 - 3.7) / 1.7, (2.7 * 3.6 - 3.7) / 1.7, 3.8], dtype=torch.float64)
    torch.testing.assert_close(x, expected, rtol=1e-14, atol=1e-14)


def test_slope_is_the_derivative_of_the_value():
    t = torch.linspace(0.01, 5, 300, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(scad_value(t, ONE, 3.7).sum(), t)
    torch.testing.assert_close(slope, scad_slope(t.detach(), ONE, 3.7), rtol=1e-12, atol=1e-14)


def test_jumps_where_the_two_minima_cost_the_same():
    """Between a - 1 and a + 1 from a shrunk weight, beyond a + 1 from 0; at the tie the smaller one is taken."""
    half, lam = 1e-9, torch.tensor(1.0, dtype=torch.float64)
    for step, edge in ((3.0, 3.5), (9.0, 6.0)):
        v = torch.tensor([edge - half, edge, edge + half], dtype=torch.float64)
        x = scad_prox(v, torch.tensor(step, dtype=torch.float64), lam, 3.0)
        lower = max(edge - step, 0.0)
        assert x.tolist() == pytest.approx([lower, lower, edge], abs=2e-9)
        assert (x[0].item() == 0.0) == (step == 9.0)


def test_large_weights_are_not_shrunk_and_large_a_is_l1():
    problem = case("inputs")
    x = problem.prox(SCAD())
    far = problem.w.abs() > 3.7 * problem.lam.reshape(-1, 1, 1)
    assert bool(far.any()) and torch.equal(x[far], problem.w[far])
    torch.testing.assert_close(problem.prox(SCAD(a=1e12)), problem.prox(L1()), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("a", [1.4, 3.7])
def test_groups_of_one_entry(a):
    for form in STEPS:
        problem = case("entries", form)
        for what in (
            lambda p, c=problem: c.prox(p),
            lambda p, c=problem: p.value(c.w, c.lam, c.groups),
            lambda p, c=problem: p.residual(c.w, c.grad, c.lam, c.groups),
            lambda p, c=problem: p.lam_max(c.grad, c.groups),
        ):
            torch.testing.assert_close(what(GroupSCAD(a)), what(SCAD(a)), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("update", [ProxSGD(momentum=0.0), ProxAdam(eps=0.05)], ids=lambda u: u.name)
@pytest.mark.parametrize("penalty", [SCAD(), GroupSCAD()], ids=repr)
def test_updates_reach_a_certified_and_unbiased_point(penalty, update):
    """On ``1/2 ||w - z||^2`` the solution is known: large groups at z itself, small ones exactly 0.

    An unshrunk weight ends with gradient 0, where Adam's step grows to rate/eps: eps keeps it in the convex regime.
    """
    z = torch.tensor([[[5.0, -6.0], [0.2, 0.1], [4.0, 7.0]]], dtype=torch.float64)
    groups, lam = by_input((3, 2)), 0.7 * ONE
    params, terms = {"w": z + 0.3}, {"w": Term(penalty, lam, groups)}
    state = update.init(params, terms)
    for i in range(1000):
        rate = 0.05 * ONE * (1 - i / 1000)
        update.step(params, {"w": params["w"] - z}, state, rate, terms)
    w = params["w"]
    assert float(penalty.residual(w, w - z, lam, groups).max()) < 1e-6
    assert not bool(w[0, 1].any())
    torch.testing.assert_close(w[:, [0, 2]], z[:, [0, 2]], rtol=0, atol=1e-6)


def test_refusals():
    for make in (lambda: SCAD(a=1.0), lambda: GroupSCAD(a=math.inf), lambda: SCAD(a=math.nan)):
        with pytest.raises(InputError, match="expected a finite number > 1") as caught:
            make()
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="a step per weight for group_scad"):
        case("inputs", "entry").prox(GroupSCAD())


def test_names_are_known_but_not_compared():
    assert by_name("scad", a=3.0) == SCAD(a=3.0)
    assert by_name("group_scad") == GroupSCAD()
    assert not {"scad", "group_scad"} & set(NAMES)
    with pytest.raises(InputError, match="expected options: a; drop it"):
        by_name("scad", gamma=3.0)
