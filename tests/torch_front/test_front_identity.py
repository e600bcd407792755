"""With one member the torch optimizers are the updates, step by step, in every metric, layout and penalty."""

from __future__ import annotations

import pytest
import torch

from riata import torch as front
from riata import updates
from riata.errors import InputError
from riata.groups import Groups, by_input, entries, from_index
from riata.penalties import L1, L2, ElasticNet, GroupLasso, NoPenalty, SparseGroupLasso
from riata.penalties.max_norm import MaxNorm
from riata.torch import terms

SHAPE = (6, 8)
GROUPS = {
    "rows": by_input(SHAPE, 0),
    "columns": by_input(SHAPE, 1),
    "variables": from_index(SHAPE, [0, 2, 2, 1, 0, 3, 3, 3], axis=1),
    "units": from_index(SHAPE, [1, 0, 1, 2, 0, 1], axis=0, weight=[0.5, 1.0, 0.0]),
    "scattered": from_index(SHAPE, torch.randperm(48, generator=torch.Generator().manual_seed(1)) % 5),
    "entries": entries(SHAPE),
}
PENALTIES = [L1(), L2(), ElasticNet(), GroupLasso(), SparseGroupLasso(), MaxNorm(0.8), NoPenalty()]
RULES = {
    "sgd": (front.ProxSGD, {"momentum": 0.9}, updates.ProxSGD(0.9)),
    "sgd plain": (front.ProxSGD, {"momentum": 0.0}, updates.ProxSGD(0.0)),
    "adam group": (front.ProxAdam, {"betas": (0.8, 0.95)}, updates.ProxAdam(0.8, 0.95, metric="group")),
    "adam entry": (front.ProxAdam, {"metric": "entry"}, updates.ProxAdam(metric="entry")),
}


def weights(*shape):
    draw = torch.Generator().manual_seed(0)
    return torch.randn(*shape, dtype=torch.float64, generator=draw), draw


def gap(rule, penalty, groups: Groups, foreach=None, steps=25):
    """Return the largest difference over all steps, and how many exact zeros there were at the end."""
    cls, options, update = RULES[rule]
    lam = 0.8 if penalty == GroupLasso() else 0.3
    start, draw = weights(*SHAPE)
    bias = torch.zeros(6, dtype=torch.float64)
    p, b = torch.nn.Parameter(start.clone()), torch.nn.Parameter(bias.clone())
    mine = [{"params": [p], "penalty": penalty, "lam": lam, "groups": groups}, {"params": [b]}]
    optimizer = cls(mine, lr=0.05, foreach=foreach, **options)
    params = {"w": start.clone()[None], "b": bias.clone()[None]}
    term = {"w": updates.Term(penalty, torch.tensor([lam], dtype=torch.float64), groups)}
    state, worst = update.init(params, term), 0.0
    lr = torch.tensor([0.05], dtype=torch.float64)
    for _ in range(steps):
        for q in (p, b):
            q.grad = q.detach() * 0.3 + 0.5 * torch.randn(q.shape, dtype=torch.float64, generator=draw)
        update.step(params, {"w": p.grad[None], "b": b.grad[None]}, state, lr, term)
        optimizer.step()
        worst = max(worst, *(float((q.detach() - params[k][0]).abs().max()) for q, k in ((p, "w"), (b, "b"))))
        assert torch.equal(p == 0, params["w"][0] == 0)
    return worst, int((p == 0).sum())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda p: p.name)
def test_equals_the_update(rule, penalty, monkeypatch):
    monkeypatch.setattr(terms, "BLOCK", 16)  # two rows a block
    zeros = []
    for name, groups in GROUPS.items():
        for foreach in (None, True):
            worst, zero = gap(rule, penalty, groups, foreach)
            zeros.append(zero)
            assert worst <= 1e-12, (name, foreach, worst)
    assert (max(zeros) > 0) == penalty.sparse and min(zeros) < 48


def test_the_comparison_sees_a_wrong_lam():
    p, q = (torch.nn.Parameter(weights(*SHAPE)[0]) for _ in range(2))
    for w, lam in ((p, 0.15), (q, 0.16)):
        w.grad = torch.ones_like(w)
        front.ProxAdam([w], penalty=GroupLasso(), lam=lam, groups=GROUPS["rows"]).step()
    assert float((p - q).detach().abs().max()) > 1e-6


@pytest.mark.parametrize("shape", [(4, 3, 5), (4, 3, 5, 2), (7,)])
@pytest.mark.parametrize("axis", [0, 1])
def test_convolutions_in_blocks_are_the_whole(shape, axis, monkeypatch):
    if axis >= len(shape):
        return
    monkeypatch.setattr(terms, "BLOCK", 7)
    results = []
    for foreach in (False, True):
        p, draw = weights(*shape)
        p = torch.nn.Parameter(p)
        optimizer = front.ProxAdam(
            [p], lr=0.1, penalty=GroupLasso(), lam=0.3, groups=by_input(shape, axis), foreach=foreach
        )
        for _ in range(8):
            p.grad = torch.randn(shape, dtype=torch.float64, generator=draw)
            optimizer.step()
        results.append(p.detach())
    torch.testing.assert_close(*results, rtol=0, atol=1e-13)


def test_free_parameters_get_the_steps_of_torchs_adamw():
    for foreach in (False, True):
        nets = [torch.nn.ParameterList([weights(5, 3)[0], weights(1)[0][0]]) for _ in range(2)]
        mine = front.ProxAdam(nets[0].parameters(), lr=0.02, betas=(0.9, 0.999), weight_decay=0.1, foreach=foreach)
        theirs = torch.optim.AdamW(nets[1].parameters(), lr=0.02, weight_decay=0.1)
        draw = torch.Generator().manual_seed(3)
        for _ in range(10):
            for a, b in zip(nets[0], nets[1], strict=True):
                a.grad = torch.randn(a.shape, dtype=torch.float64, generator=draw)
                b.grad = a.grad.clone()
            mine.step()
            theirs.step()
        for a, b in zip(nets[0], nets[1], strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-13)


def test_sgd_decay_is_decoupled():
    p = torch.nn.Parameter(torch.tensor([[2.0, 4.0]]))
    p.grad = torch.tensor([[1.0, 0.0]])
    front.ProxSGD([p], lr=0.1, momentum=0.5, weight_decay=0.5).step()
    torch.testing.assert_close(p.detach(), torch.tensor([[2 * 0.95 - 0.1, 4 * 0.95]]))


def test_layouts_do_not_matter():
    shape = (4, 3, 5, 2)
    start, _ = weights(*shape)
    found = []
    for layout in (torch.contiguous_format, torch.channels_last):
        p = torch.nn.Parameter(start.clone().to(memory_format=layout))
        p.grad = start.flip(0).clone()
        front.ProxAdam([p], lr=0.1, penalty=GroupLasso(), lam=1.0, groups=by_input(shape, 1)).step()
        found.append(p.detach())
    torch.testing.assert_close(*found, rtol=0, atol=1e-14)


@pytest.mark.parametrize("cls", [front.ProxSGD, front.ProxAdam])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lr": -1.0}, "lr -1"),
        ({"penalty": L1(), "lam": -0.1}, "lam -0.1"),
        ({"penalty": L1(), "lam": float("nan")}, "lam nan"),
        ({"penalty": "l1"}, "expected one of riata.penalties"),
        ({"penalty": GroupLasso(), "lam": 0.1}, "without groups"),
        ({"penalty": GroupLasso(), "lam": 0.1, "groups": by_input((2, 2))}, r"groups of shape \(2, 2\)"),
        ({"weight_decay": -1.0}, "weight_decay"),
    ],
)
def test_refuses_in_words(cls, options, said):
    with pytest.raises(InputError, match=said):
        cls([torch.nn.Parameter(torch.ones(3, 2))], **options)


def test_refuses_numbers_of_the_rules():
    w = [torch.nn.Parameter(torch.ones(3, 2))]
    for bad in ({"betas": (1.0, 0.9)}, {"metric": "row"}, {"eps": -1.0}):
        with pytest.raises(InputError):
            front.ProxAdam(w, **bad)
    with pytest.raises(InputError, match="momentum"):
        front.ProxSGD(w, momentum=1.0)
    with pytest.raises(InputError, match="complex"):
        front.ProxSGD([torch.nn.Parameter(torch.ones(2, dtype=torch.complex64))])


def test_refuses_sparse_gradients():
    layer = torch.nn.Embedding(5, 2, sparse=True)
    layer(torch.tensor([1])).sum().backward()
    with pytest.raises(InputError, match="sparse"):
        front.ProxAdam(layer.parameters()).step()


def test_a_refused_group_is_not_added():
    p, q = (torch.nn.Parameter(torch.ones(3, 2)) for _ in range(2))
    optimizer = front.ProxSGD([p])
    with pytest.raises(InputError):
        optimizer.add_param_group({"params": [q], "penalty": GroupLasso(), "lam": 1.0})
    assert len(optimizer.param_groups) == 1
