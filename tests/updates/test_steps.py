"""One step at a time: the formulas, the metric, the bounds, and who sees whom."""

from __future__ import annotations

import pytest
import torch

from riata.groups import by_input, by_neuron, by_variable
from riata.penalties import L1, L2, GroupLasso
from riata.penalties.max_norm import MaxNorm
from riata.testing import (
    case,
    check_batch_is_loop,
    check_beats_perturbations,
    check_fixed_point,
    check_input_kept,
    check_lam_huge,
    check_lam_zero,
    check_nan_kept,
    check_zero_in,
)
from riata.updates import APG, ProxAdam, ProxSGD, Term, take_state

F = torch.float64


def draw_params(members, shape=(6, 5), seed=0):
    draw = torch.Generator().manual_seed(seed)
    return (
        {
            "a": torch.randn(members, *shape, generator=draw, dtype=F),
            "b": torch.randn(members, 5, generator=draw, dtype=F),
        },
        draw,
    )


def run(update, members=4, steps=20, take=None, penalty=None, lr=None):
    params, draw = draw_params(members)
    lam = torch.logspace(-2, 0, members, dtype=F)
    lr = torch.full((members,), 0.05, dtype=F) if lr is None else lr
    terms = {"a": Term(penalty or L1(), lam, by_input((6, 5)))}
    slopes = [{k: torch.randn(w.shape, generator=draw, dtype=F) for k, w in params.items()} for _ in range(steps)]
    if take is not None:
        params, terms = {k: w[take] for k, w in params.items()}, {"a": terms["a"].take(take)}
        slopes, lr = [{k: g[take] for k, g in s.items()} for s in slopes], lr[take]
    state = update.init(params, terms)
    for grads in slopes:
        update.step(params, grads, state, lr, terms)
    return params, state


def test_first_steps_are_the_formulas():
    params, draw = draw_params(2)
    grads = {k: torch.randn(w.shape, generator=draw, dtype=F) for k, w in params.items()}
    lr, before = torch.tensor([0.1, 0.01], dtype=F), {k: w.clone() for k, w in params.items()}
    rates = lr[:, None, None]
    for update, want in (
        (ProxSGD(), before["a"] - rates * grads["a"]),
        (ProxAdam(), before["a"] - rates * grads["a"] / (grads["a"].abs() + 1e-8)),
    ):
        now = {k: w.clone() for k, w in before.items()}
        update.step(now, grads, update.init(now, {}), lr, {})
        torch.testing.assert_close(now["a"], want)


def test_adam_without_terms_is_torchs_adam():
    params, draw = draw_params(1)
    mine = {k: w.clone() for k, w in params.items()}
    theirs = [w.clone().requires_grad_() for w in params.values()]
    optimizer = torch.optim.Adam(theirs, lr=0.02, betas=(0.9, 0.99), eps=1e-8)
    update = ProxAdam()
    state = update.init(mine, {})
    for _ in range(30):
        grads = {k: torch.randn(w.shape, generator=draw, dtype=F) for k, w in params.items()}
        for p, g in zip(theirs, grads.values(), strict=True):
            p.grad = g.clone()
        optimizer.step()
        update.step(mine, grads, state, torch.full((1,), 0.02, dtype=F), {})
    for p, w in zip(theirs, mine.values(), strict=True):
        torch.testing.assert_close(w, p.detach())


@pytest.mark.parametrize("grouping", ["inputs", "variables", "neurons"])
def test_group_metric_is_one_second_moment_a_group(grouping):
    """v_g is the moving mean of the mean of g^2 over the group, and the step is constant on it."""
    shape = (6, 5)
    groups = {
        "inputs": by_input(shape), "neurons": by_neuron(shape),
        "variables": by_variable(shape, [1, 0, 1, 2, 2, 1], list("abc")),
    }[grouping]  # fmt: skip
    params, draw = draw_params(3)
    w = {"a": params["a"]}
    terms = {"a": Term(GroupLasso(), torch.zeros(3, dtype=F), groups.to(dtype=F))}
    update, lr = ProxAdam(), torch.tensor([0.1, 0.2, 0.3], dtype=F)
    state, v, m = update.init(w, terms), torch.zeros(3, len(groups), dtype=F), torch.zeros(3, 6, 5, dtype=F)
    member_of = groups.spread(torch.arange(len(groups))[None]).expand(1, 6, 5)[0]
    for t in range(1, 4):
        g, before = torch.randn(3, 6, 5, generator=draw, dtype=F), w["a"].clone()
        update.step(w, {"a": g}, state, lr, terms)
        mean = torch.stack([g[:, member_of == j].square().mean(1) for j in range(len(groups))], 1)
        v, m = 0.99 * v + 0.01 * mean, 0.9 * m + 0.1 * g
        step = lr[:, None] / ((v / (1 - 0.99**t)).sqrt() + 1e-8)
        torch.testing.assert_close(w["a"], before - step[:, member_of] * m / (1 - 0.9**t))


@pytest.mark.parametrize("update", [ProxSGD(), ProxAdam(), ProxAdam(metric="entry"), APG()], ids=repr)
@pytest.mark.parametrize("penalty", [L1(), GroupLasso(), L2()], ids=repr)
def test_members_do_not_see_each_other(update, penalty):
    whole, _ = run(update, penalty=penalty)
    for take in ([0], [3], [2, 1], [1, 2, 3]):
        part, _ = run(update, penalty=penalty, take=torch.tensor(take))
        assert all(torch.equal(part[k], whole[k][take]) for k in whole), take


@pytest.mark.parametrize("update", [ProxSGD(), ProxAdam(), ProxAdam(metric="entry")], ids=repr)
def test_a_diverging_member_stays_alone(update):
    lr = torch.full((4,), 0.05, dtype=F)
    calm, _ = run(update, lr=lr)
    wild, _ = run(update, lr=torch.cat([lr[:1] * 1e308, lr[1:]]))
    assert all(torch.equal(calm[k][1:], wild[k][1:]) for k in calm)


@pytest.mark.parametrize(
    "update, changed",
    [
        (ProxSGD(), ProxSGD(momentum=0.5)),
        (ProxAdam(), ProxAdam(beta1=0.5)),
        (ProxAdam(), ProxAdam(beta2=0.9)),
        (ProxAdam(), ProxAdam(eps=1e-1)),
        (ProxAdam(), ProxAdam(metric="entry")),
    ],
    ids=str,
)
def test_every_option_changes_the_step(update, changed):
    a, b = run(update)[0], run(changed)[0]
    assert not torch.equal(a["a"], b["a"])


@pytest.mark.parametrize("update", [ProxSGD(), ProxAdam(), APG()], ids=repr)
def test_take_state(update):
    _params, state = run(update)
    kept = take_state(state, torch.tensor([2, 0]))
    assert kept["t"] == state["t"]
    tensors = {k: v for k, v in state.items() if isinstance(v, dict)}
    for key, inner in tensors.items():
        for name, value in inner.items():
            assert torch.equal(kept[key][name], value[[2, 0]])


def test_a_dead_weight_is_exactly_zero():
    for update in (ProxSGD(), ProxAdam(), ProxAdam(metric="entry")):
        params, draw = draw_params(2)
        terms = {"a": Term(L1(), torch.tensor([50.0, 0.0], dtype=F), by_input((6, 5)))}
        state = update.init(params, terms)
        for _ in range(60):
            grads = {k: 0.01 * torch.randn(w.shape, generator=draw, dtype=F) for k, w in params.items()}
            update.step(params, grads, state, torch.full((2,), 0.05, dtype=F), terms)
        assert bool((params["a"][0] == 0.0).all()) and not bool((params["a"][1] == 0.0).any())


@pytest.mark.parametrize(
    "check",
    [
        check_beats_perturbations,
        check_fixed_point,
        check_zero_in,
        check_lam_zero,
        check_lam_huge,
        check_batch_is_loop,
        check_input_kept,
        check_nan_kept,
    ],
    ids=lambda c: c.__name__,
)
@pytest.mark.parametrize("form", ["member", "group"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_max_norm_keeps_the_contract(check, form, dtype):
    for grouping in ("inputs", "neurons", "variables", "entries"):
        check(MaxNorm(), case(grouping, form, dtype))


def test_max_norm_projects_exactly():
    problem = case("neurons")
    x = MaxNorm(bound=0.7).prox(problem.w, problem.step, problem.lam, problem.groups)
    norm = problem.w.norm(dim=1, keepdim=True)
    torch.testing.assert_close(x, torch.where(norm > 0.7, problem.w * 0.7 / norm, problem.w))
    inside = (norm <= 0.7).expand_as(x)
    assert torch.equal(x[inside], problem.w[inside]) and bool((norm > 0.7).any())
    assert MaxNorm().needs_constant_step


@pytest.mark.parametrize(
    "update, lr", [(ProxSGD(), 0.2), (ProxAdam(), 0.03), (ProxAdam(metric="entry"), 0.03)], ids=str
)
def test_bounded_units_reach_the_constrained_minimum(update, lr):
    """min 1/2 sum_u ||A w_u - y_u||^2 / n over ||w_u|| <= 1, against a long projected gradient."""
    draw = torch.Generator().manual_seed(0)
    a, y = torch.randn(50, 6, generator=draw, dtype=F), torch.randn(50, 3, generator=draw, dtype=F)
    y[:, 0] *= 10  # the first unit wants to leave the ball
    groups, one = by_neuron((6, 3)), torch.ones(1, dtype=F)

    def slope(w):
        return (a.T @ (a @ w[0] - y) / 50)[None]

    best = torch.zeros(1, 6, 3, dtype=F)
    for _ in range(5000):
        best = best - 0.2 * slope(best)
        best = best / best.norm(dim=1, keepdim=True).clamp(min=1)
    terms, params = {"w": Term(MaxNorm(), one, groups.to(dtype=F))}, {"w": torch.zeros(1, 6, 3, dtype=F)}
    state = update.init(params, terms)
    for step in range(1500):
        update.step(params, {"w": slope(params["w"])}, state, one * lr * (1 - step / 1500), terms)
        assert float(params["w"].norm(dim=1).max()) <= 1 + 1e-12
    torch.testing.assert_close(params["w"], best, rtol=0, atol=1e-4)
    assert float(MaxNorm().residual(params["w"], slope(params["w"]), one, groups.to(dtype=F)).max()) < 1e-3
    assert best.norm(dim=1)[0, 0] > 1 - 1e-9 > best.norm(dim=1)[0, 1:].max()
