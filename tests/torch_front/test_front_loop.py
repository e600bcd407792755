"""What a training loop does to an optimizer: schedules, accumulation, clipping, scalers, masters, resuming."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import nn

from riata.groups import by_input
from riata.penalties import L1, GroupLasso
from riata.torch import ProxAdam, ProxSGD, adopt

RULES = {"sgd": lambda g, **k: ProxSGD(g, lr=0.05, **k), "adam": lambda g, **k: ProxAdam(g, lr=0.01, **k)}
both = pytest.mark.parametrize("rule", RULES)


def network(dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 1)).to(dtype)


def terms(net, lam=0.05):
    rules = {"0.weight": ("input", GroupLasso(), lam), "2.weight": (L1(), lam / 10)}
    return adopt(net, rules=rules).param_groups()


def batch(step, dtype=torch.float32):
    draw = torch.Generator().manual_seed(step)
    x = torch.randn(32, 6, generator=draw)
    return x.to(dtype), (x[:, :1] - x[:, 1:2]).to(dtype)


def loss_of(net, step):
    dtype = next(net.parameters()).dtype
    x, y = batch(step, dtype)
    return 0.5 * (net(x) - y).square().mean()


def run(net, optimizer, steps):
    for step in steps:
        optimizer.zero_grad()
        loss_of(net, step).backward()
        optimizer.step()


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@both
@pytest.mark.parametrize("master", [False, True])
def test_resuming_is_going_on_bit_by_bit(rule, master):
    dtype = torch.bfloat16 if master else torch.float32
    whole = network(dtype)
    run(whole, RULES[rule](terms(whole), master=master), range(20))
    first = network(dtype)
    optimizer = RULES[rule](terms(first), master=master)
    run(first, optimizer, range(9))
    file = io.BytesIO()
    torch.save({"net": first.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    second = network(dtype)
    again = RULES[rule](terms(second, lam=9.0), master=master)  # the saved strength counts
    second.load_state_dict(saved["net"])
    again.load_state_dict(saved["optimizer"])
    run(second, again, range(9, 20))
    assert same(whole, second)
    assert not same(whole, first)


@both
def test_a_loaded_state_is_a_copy(rule):
    net = network()
    optimizer = RULES[rule](terms(net))
    run(net, optimizer, range(3))
    saved = copy.deepcopy(optimizer.state_dict())
    kept = copy.deepcopy(saved)
    optimizer.load_state_dict(saved)
    run(net, optimizer, range(3, 6))
    assert saved["state"][0]["step"] == 3
    assert torch.equal(saved["state"][0]["m"], kept["state"][0]["m"])


def test_a_state_of_other_groups_is_refused_in_words():
    net, other = network(), network()
    optimizer = RULES["adam"](terms(net))
    run(net, optimizer, range(2))
    changed = terms(other)
    changed[0]["groups"] = {other[0].weight: by_input((10, 6), 0)}
    again = RULES["adam"](changed)
    again.load_state_dict(optimizer.state_dict())
    with pytest.raises(ValueError, match="make a new optimizer"):
        run(other, again, range(1))


@both
def test_a_schedule_changes_the_step_of_the_prox(rule):
    net = network()
    optimizer = RULES[rule](terms(net, 0.5))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.0)
    run(net, optimizer, range(2))
    schedule.step()
    before = copy.deepcopy(net)
    run(net, optimizer, range(2, 4))
    assert same(net, before), "with a rate of 0 neither the step nor the prox moves a weight"


@both
def test_a_strength_can_be_changed_between_steps(rule):
    net = network()
    optimizer = RULES[rule](terms(net, 0.0))
    run(net, optimizer, range(5))
    assert not bool((net[0].weight == 0).any())
    optimizer.param_groups[0]["lam"] = 1e4
    run(net, optimizer, range(5, 6))
    assert not bool(net[0].weight.any())


@both
def test_a_penalty_can_be_changed_between_steps(rule):
    net = network()
    optimizer = RULES[rule](terms(net, 0.0))
    run(net, optimizer, range(3))
    options = optimizer.param_groups[0]
    options.update(penalty=L1(), lam={"sgd": 0.3, "adam": 0.03}[rule])
    run(net, optimizer, range(3, 15))
    single = net[0].weight == 0
    assert bool((single.any(0) & ~single.all(0)).any()), "a group lasso would have left whole columns"


@both
def test_accumulated_gradients_are_one_step_on_their_sum(rule):
    one, two = network(torch.float64), network(torch.float64)
    a, b = RULES[rule](terms(one)), RULES[rule](terms(two))
    for step in range(5):
        (loss_of(one, step) / 2).backward()
        (loss_of(one, step + 50) / 2).backward()
        a.step()
        a.zero_grad()
        ((loss_of(two, step) + loss_of(two, step + 50)) / 2).backward()
        b.step()
        b.zero_grad()
    for p, q in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def test_clipped_gradients_move_less():
    moved = []
    for bound in (1e-3, 1e9):
        net = network()
        optimizer = ProxSGD(terms(net, 0.0), lr=0.1)
        start = net[0].weight.detach().clone()
        loss_of(net, 0).backward()
        nn.utils.clip_grad_norm_(net.parameters(), bound)
        optimizer.step()
        moved.append(float((net[0].weight.detach() - start).norm()))
    assert 0 < moved[0] <= 1.001e-4 < moved[1]


@both
def test_a_closure_is_run_once_and_its_loss_returned(rule):
    net, plain = network(), network()
    optimizer = RULES[rule](terms(net))
    seen = []

    def closure():
        optimizer.zero_grad()
        loss = loss_of(net, 0)
        loss.backward()
        seen.append(loss.item())
        return loss

    value = optimizer.step(closure)
    run(plain, RULES[rule](terms(plain)), range(1))
    assert seen == [value.item()] and same(net, plain)


@both
def test_a_step_that_the_scaler_skipped_has_no_prox(rule):
    net = network()
    optimizer = RULES[rule](terms(net, 0.5))
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    for poisoned in (False, True, False):
        before, steps = copy.deepcopy(net), [s["step"] for s in optimizer.state.values()]
        optimizer.zero_grad()
        scaler.scale(loss_of(net, 1)).backward()
        if poisoned:
            net[0].bias.grad[0] = torch.inf
        scaler.step(optimizer)
        scaler.update()
        assert same(net, before) == poisoned
        if poisoned:
            assert steps == [s["step"] for s in optimizer.state.values()]


@both
def test_parameters_without_gradient_are_left_alone(rule):
    net = network()
    optimizer = RULES[rule](terms(net, 100.0))
    before = net[0].weight.detach().clone()
    loss_of(net, 0).backward()
    net[0].weight.grad = None
    optimizer.step()
    assert torch.equal(net[0].weight, before)
    assert not bool(net[2].weight.any())
    assert net[0].weight not in optimizer.state


@both
def test_masters_keep_what_bfloat16_rounds_away(rule):
    net, exact = network(torch.bfloat16), network(torch.bfloat16).float()
    lam = {"sgd": 0.25, "adam": 0.037}[rule]
    optimizer, reference = RULES[rule](terms(net, lam), master=True), RULES[rule](terms(exact, lam))
    draw = torch.Generator().manual_seed(0)
    for _ in range(60):
        for p, q in zip(net.parameters(), exact.parameters(), strict=True):
            p.grad = (0.03 * torch.randn(p.shape, generator=draw)).bfloat16()
            q.grad = p.grad.float()
        optimizer.step()
        reference.step()
    for p, q in zip(net.parameters(), exact.parameters(), strict=True):
        assert torch.equal(p, q.bfloat16())
        assert optimizer.state[p]["master"].dtype == optimizer.state[p]["m"].dtype == torch.float32
    column = net[0].weight == 0.0
    assert torch.equal(column, exact[0].weight == 0.0) and bool(column.all(0).any()) and not bool(column.all())


@both
def test_without_masters_bfloat16_still_gets_exact_zeros(rule):
    net = network(torch.bfloat16)
    run(net, RULES[rule](terms(net, 1e3)), range(3))
    assert not bool(net[0].weight.any())


@both
def test_a_nan_stays_visible(rule):
    net = network()
    optimizer = RULES[rule](terms(net))
    loss_of(net, 0).backward()
    net[0].weight.grad[0, 0] = torch.nan
    optimizer.step()
    assert bool(net[0].weight[0, 0].isnan()) and not bool(net[0].weight[:, 1:].isnan().any())


@both
def test_a_copied_optimizer_goes_on_alone(rule):
    net = network()
    optimizer = RULES[rule](terms(net))
    run(net, optimizer, range(3))
    twin_net, twin = copy.deepcopy((net, optimizer))
    run(net, optimizer, range(3, 6))
    run(twin_net, twin, range(3, 6))
    assert same(net, twin_net)
