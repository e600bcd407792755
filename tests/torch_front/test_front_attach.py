"""A prox attached to torch's own optimizers: exact where the step is known, refused in words elsewhere."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from riata import updates
from riata.errors import InputError
from riata.groups import by_input
from riata.penalties import L1, GroupLasso, SparseGroupLasso
from riata.penalties.max_norm import MaxNorm
from riata.torch import ProxAdam, adopt, attach_prox

SHAPE = (4, 6)
GROUPS = by_input(SHAPE, 1)


def weight():
    return nn.Parameter(torch.randn(*SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))


def term(p, penalty=None, lam=0.1):
    return [{"params": [p], "penalty": penalty or GroupLasso(), "lam": lam, "groups": {p: GROUPS}}]


@pytest.mark.parametrize("penalty", [L1(), GroupLasso(), SparseGroupLasso()], ids=lambda p: p.name)
@pytest.mark.parametrize("foreach", [False, True])
def test_adam_with_a_prox_is_prox_adam_in_the_entry_metric(penalty, foreach):
    p, update = weight(), updates.ProxAdam(0.9, 0.99, metric="entry")
    optimizer = torch.optim.Adam([p], lr=0.05, betas=(0.9, 0.99), foreach=foreach)
    attach_prox(optimizer, term(p, penalty))
    params, lr = {"w": p.detach().clone()[None]}, torch.tensor([0.05], dtype=torch.float64)
    terms = {"w": updates.Term(penalty, torch.tensor([0.1], dtype=torch.float64), GROUPS)}
    state, draw = update.init(params, terms), torch.Generator().manual_seed(1)
    for _ in range(25):
        p.grad = 0.2 * p.detach() + 0.1 * torch.randn(SHAPE, dtype=torch.float64, generator=draw)
        update.step(params, {"w": p.grad[None]}, state, lr, terms)
        optimizer.step()
        torch.testing.assert_close(p.detach(), params["w"][0], rtol=0, atol=1e-12)
        assert torch.equal(p == 0, params["w"][0] == 0)
    assert bool((p == 0).any()) and bool(p.any())


@pytest.mark.parametrize("options", [{}, {"amsgrad": True}, {"foreach": True, "amsgrad": True}, {"fused": True}])
@pytest.mark.parametrize("cls", [torch.optim.Adam, torch.optim.AdamW])
def test_the_step_of_the_prox_is_the_step_that_was_taken(cls, options):
    p, q = weight(), weight()
    optimizer, plain = (cls([w], lr=0.05, weight_decay=0.0, **options) for w in (p, q))
    attach_prox(optimizer, term(p, L1()))
    for size in (5.0, 0.1, 0.1):  # amsgrad remembers the large one
        with torch.no_grad():
            q.copy_(p)
        before = p.detach().clone()
        for w in (p, q):
            w.grad = size * torch.linspace(-1, 2, 24, dtype=torch.float64).reshape(SHAPE).cos()
            optimizer.step() if w is p else plain.step()
        moment = plain.state[q]["exp_avg"]
        threshold = 0.1 * (before - q.detach()) / moment
        wanted = q.detach().sign() * (q.detach().abs() - threshold).clamp(min=0)
        torch.testing.assert_close(p.detach(), wanted, rtol=0, atol=1e-12)


def test_options_are_read_at_every_step():
    p = weight()
    optimizer = torch.optim.SGD([p], lr=0.1, momentum=0.9, dampening=0.9)
    attach_prox(optimizer, term(p))
    p.grad = torch.ones_like(p)
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.5  # as OneCycleLR does
    with pytest.raises(InputError, match=r"dampening=0\.5"):
        optimizer.step()


def test_the_handle_takes_the_prox_away():
    p = weight()
    optimizer = torch.optim.Adam([p], lr=0.1)
    handle = attach_prox(optimizer, term(p, lam=1e6))
    handle.remove()
    p.grad = torch.ones_like(p)
    optimizer.step()
    assert bool(p.all())


def test_a_parameter_without_gradient_gets_no_prox():
    p, q = weight(), weight()
    optimizer = torch.optim.SGD([p, q], lr=0.1)
    attach_prox(optimizer, term(p, lam=1e6))
    q.grad = torch.ones_like(q)
    optimizer.step()
    assert bool(p.all())


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_the_scaler_skipped_has_no_prox(fused):
    p = nn.Parameter(torch.ones(4, 6))
    optimizer = torch.optim.Adam([p], lr=0.1, fused=fused)
    attach_prox(optimizer, term(p, lam=1e6))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    for poison in (True, False):
        optimizer.zero_grad()
        scaler.scale(p.square().sum()).backward()
        if poison:
            p.grad[0, 0] = torch.inf
        scaler.step(optimizer)
        scaler.update()
        assert bool((p == 1).all()) if poison else not bool(p.any())


def test_low_precision_gets_exact_zeros():
    p = nn.Parameter(torch.ones(4, 6, dtype=torch.bfloat16))
    optimizer = torch.optim.AdamW([p], lr=0.1)
    attach_prox(optimizer, term(p, lam=1e3))
    p.grad = torch.ones_like(p)
    optimizer.step()
    assert not bool(p.any()) and p.dtype == torch.bfloat16


def test_an_adopted_module_is_taken_as_it_is():
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    attach_prox(optimizer, adopt(net, GroupLasso(), 1e3))
    net(torch.randn(8, 5)).square().mean().backward()
    optimizer.step()
    assert not bool(net[0].weight.any()) and bool(net[0].bias.all())


class OwnAdam(torch.optim.Adam):
    """A subclass may change the step."""


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), r"true step lr/\(1 - momentum\)"),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5), "dampening=0.5"),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), "nesterov"),
        (lambda p: torch.optim.SGD(p, lr=0.1, maximize=True), "maximize"),
        (lambda p: torch.optim.Adam(p, lr=0.1, maximize=True), "maximize"),
        (lambda p: torch.optim.Muon(p, lr=0.1), "Muon"),
        (lambda p: torch.optim.LBFGS(p, lr=0.1), "LBFGS"),
        (lambda p: torch.optim.RMSprop(p, lr=0.1), "RMSprop"),
        (lambda p: OwnAdam(p, lr=0.1), "OwnAdam"),
        (lambda p: ProxAdam(p, lr=0.1), "takes its own prox"),
    ],
)
def test_refuses_in_words(make, said):
    p = weight()
    with pytest.raises(InputError, match=said):
        attach_prox(make([p]), term(p))


def test_refuses_terms_that_do_not_fit():
    p, stranger = weight(), weight()
    with pytest.raises(InputError, match="does not train"):
        attach_prox(torch.optim.SGD([p], lr=0.1), term(stranger))
    with pytest.raises(InputError, match="differs inside a group"):
        attach_prox(torch.optim.Adam([p]), term(p, MaxNorm()))
    with pytest.raises(InputError, match="without groups"):
        attach_prox(torch.optim.Adam([p]), [{"params": [p], "penalty": GroupLasso(), "lam": 1.0}])
    attach_prox(torch.optim.SGD([p], lr=0.1), term(p, MaxNorm(0.5)))
