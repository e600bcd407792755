"""MCP and its group version: every regime of the step, against formulas, a dense search and another package."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skglm.utils.prox_funcs import prox_MCP, value_MCP

from riata.errors import InputError
from riata.groups import by_input
from riata.penalties import L1, MCP, NAMES, GroupMCP, Penalty, by_name
from riata.penalties.mcp import mcp_prox, mcp_value
from riata.testing import CHECKS, GROUPINGS, STEPS, case, check_fixed_point, check_penalty, check_threshold
from riata.updates import ProxAdam, ProxSGD, Term

ONE = torch.ones(1, dtype=torch.float64)
STEEP = [0.2, 0.9, 1.0, 1.1, 3.0]
"""Steps below, at and above gamma = 1."""


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("penalty", [MCP(), MCP(gamma=1.5), GroupMCP(), GroupMCP(gamma=1.5)], ids=repr)
def test_contract_while_gamma_exceeds_the_step(penalty, dtype):
    """The steps of a case are below 1.2, so the prox problem is convex and every check applies."""
    assert isinstance(penalty, Penalty)
    check_penalty(penalty, dtype)


@pytest.mark.parametrize("penalty", [MCP(gamma=0.4), GroupMCP(gamma=0.4)], ids=repr)
def test_contract_beyond(penalty):
    """Steps on both sides of gamma: all checks but two, which assume a convex prox problem.

    With a step >= gamma, w = 0 may be stationary (residual 0) and yet not the global minimum: the prox may leave it
    (check_fixed_point), and does so for lam above lam_max too (check_threshold).
    """
    kept = [check for check in CHECKS if check not in (check_fixed_point, check_threshold)]
    assert len(kept) == len(CHECKS) - 2
    for grouping in GROUPINGS:
        for form in STEPS[:2] if penalty.needs_constant_step else STEPS:
            problem = case(grouping, form)
            assert bool((problem.step > 0.4).any()) and bool((problem.step < 0.4).any() or form == "member")
            for check in kept:
                check(penalty, problem)


@pytest.mark.parametrize("step", STEEP)
@pytest.mark.parametrize("lam", [0.3, 1.0])
def test_global_minimiser(step, lam):
    """Nothing on a dense grid is lower, for gamma = 1."""
    v = torch.linspace(-6, 6, 1201, dtype=torch.float64)
    s, strength = torch.tensor(step, dtype=torch.float64), torch.tensor(lam, dtype=torch.float64)
    x, grid = mcp_prox(v, s, strength, 1.0), torch.linspace(-6, 6, 4001, dtype=torch.float64)

    def cost(x, v):
        return (x - v).square() / (2 * step) + mcp_value(x.abs(), strength, 1.0)

    lowest = cost(grid[None, :], v[:, None]).amin(1)
    assert bool((cost(x, v) <= lowest + 1e-14).all())
    assert bool((x == 0).any()) and bool((x == v).any())


@pytest.mark.parametrize("step", [0.2, 0.7, 0.99])
def test_equals_skglm(step):
    v = np.linspace(-4, 4, 161)
    ours = mcp_prox(torch.tensor(v), torch.tensor(step), torch.tensor(0.8), 1.0).numpy()
    np.testing.assert_allclose(ours, [prox_MCP(value, step, 0.8, 1.0) for value in v], rtol=1e-6, atol=1e-7)
    mine = MCP(gamma=1.7).value(torch.tensor(v).reshape(1, -1, 1), 0.8 * ONE, by_input((161, 1)))
    assert mine.item() == pytest.approx(value_MCP(v, 0.8, 1.7), rel=1e-12)


def test_hard_threshold_and_its_tie():
    """At ``lam sqrt(gamma step)`` both minima cost the same and 0 is taken; beyond it the weight keeps its bits."""
    v = torch.tensor([2.9, 3.0, 3.0000002, -3.1])
    x = mcp_prox(v, torch.tensor(9.0), torch.tensor(0.5), 4.0)
    assert x.tolist() == [0.0, 0.0, v[2].item(), v[3].item()]


def test_large_weights_are_not_shrunk_and_large_gamma_is_l1():
    problem = case("inputs")
    x = problem.prox(MCP())
    far = problem.w.abs() > 3 * problem.lam.reshape(-1, 1, 1)
    assert bool(far.any()) and torch.equal(x[far], problem.w[far])
    torch.testing.assert_close(problem.prox(MCP(gamma=1e12)), problem.prox(L1()), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("gamma", [0.4, 3.0])
def test_groups_of_one_entry(gamma):
    for form in STEPS:
        problem = case("entries", form)
        for what in (
            lambda p, c=problem: c.prox(p),
            lambda p, c=problem: p.value(c.w, c.lam, c.groups),
            lambda p, c=problem: p.residual(c.w, c.grad, c.lam, c.groups),
            lambda p, c=problem: p.lam_max(c.grad, c.groups),
        ):
            torch.testing.assert_close(what(GroupMCP(gamma)), what(MCP(gamma)), rtol=1e-13, atol=1e-14)


def test_a_group_moves_along_itself():
    w = torch.tensor([[[3.0, 4.0], [0.3, 0.4]]], dtype=torch.float64)
    x = GroupMCP(gamma=2.0).prox(w, 0.5 * ONE, 3.0 * ONE, by_input((2, 2)))
    length = (5.0 - 0.5 * 3.0) / (1 - 0.5 / 2.0)
    torch.testing.assert_close(x[0, 0], w[0, 0] / 5 * length)
    assert not bool(x[0, 1].any())
    tiny = torch.full((1, 2, 2), 1e-30)
    kept = GroupMCP().prox(tiny, torch.ones(1), torch.zeros(1), by_input((2, 2)))
    assert torch.equal(kept, tiny)


@pytest.mark.parametrize("update", [ProxSGD(momentum=0.0), ProxAdam(eps=0.05)], ids=lambda u: u.name)
@pytest.mark.parametrize("penalty", [MCP(), GroupMCP()], ids=repr)
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
    for make in (lambda: MCP(gamma=0.0), lambda: GroupMCP(gamma=float("inf")), lambda: MCP(gamma=float("nan"))):
        with pytest.raises(InputError, match="expected a finite number > 0") as caught:
            make()
        assert "\n" not in str(caught.value)
    problem = case("inputs", "entry")
    with pytest.raises(InputError, match=r"a step per weight for group_mcp; .* \(4,\) or \(4, 6\)"):
        problem.prox(GroupMCP())


def test_names_are_known_but_not_compared():
    assert by_name("mcp", gamma=2.0) == MCP(gamma=2.0)
    assert by_name("group_mcp") == GroupMCP()
    assert not {"mcp", "group_mcp"} & set(NAMES)
    with pytest.raises(InputError, match="did you mean group_mcp"):
        by_name("Group-MPC")
