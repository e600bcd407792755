"""Averages that keep exact zeros: the average is torch's, the support is the model's."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from riata.errors import InputError
from riata.torch.averaging import Averaged


def walk(seed: int = 0, count: int = 6):
    """Yield a model whose weights move and whose zeros come and go."""
    draw = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    yield model
    for _ in range(count):
        with torch.no_grad():
            for w in model.parameters():
                w.copy_(torch.randn(w.shape, generator=draw) * (torch.rand(w.shape, generator=draw) > 0.4))
        yield model


def averaged(decay, masked="*"):
    """Return the average, the model and the plain average computed by hand."""
    steps = walk()
    model = next(steps)
    average = Averaged(model, decay, masked)
    by_hand = {}
    for seen, now in enumerate(steps, 1):
        average.update(now)
        share = 1.0 / seen if decay is None or seen == 1 else 1 - decay
        for name, w in now.named_parameters():
            last = by_hand.get(name, torch.zeros_like(w))
            by_hand[name] = (last + share * (w - last)).detach()
    return average, model, by_hand


@pytest.mark.parametrize("decay", [None, 0.9, 0.0])
def test_alive_weights_have_the_average_and_dead_ones_are_zero(decay):
    average, model, by_hand = averaged(decay)
    sparse = dict(average.sparse(model).named_parameters())
    for name, now in model.named_parameters():
        dead = now == 0
        assert bool((sparse[name][dead] == 0.0).all())
        torch.testing.assert_close(sparse[name][~dead], by_hand[name][~dead], rtol=1e-5, atol=1e-6)
    dead = model[0].weight == 0
    assert bool(dead.any()) and (decay == 0.0 or bool((by_hand["0.weight"][dead] != 0).any()))


def test_masking_leaves_the_average_and_the_model_alone():
    average, model, by_hand = averaged(0.9)
    before = [w.clone() for w in model.parameters()]
    sparse = average.sparse(model)
    with torch.no_grad():
        for w in sparse.parameters():
            w.fill_(7.0)
    for name, w in average.average.module.named_parameters():
        torch.testing.assert_close(w.detach(), by_hand[name], rtol=1e-5, atol=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))


def test_only_parameters_that_are_asked_for_are_masked():
    average, model, by_hand = averaged(0.9, masked="0.*")
    sparse = average.sparse(model)
    assert torch.equal(sparse[0].weight == 0, model[0].weight == 0)
    torch.testing.assert_close(sparse[2].weight.detach(), by_hand["2.weight"], rtol=1e-5, atol=1e-6)
    assert not torch.equal(sparse[2].weight == 0, model[2].weight == 0)


@pytest.mark.parametrize("masked", ["*", "0.*"])
def test_copy_to_writes_the_same_into_the_model(masked):
    average, model, _ = averaged(None, masked)
    expected = average.sparse(model)
    average.copy_to(model)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), expected.parameters(), strict=True))


def test_state_dict_round_trip():
    average, model, _ = averaged(0.9)
    again = Averaged(model, 0.9)
    again.load_state_dict(average.state_dict())
    again.update(model)
    average.update(model)
    pairs = zip(again.sparse(model).parameters(), average.sparse(model).parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_dropped_input_has_no_influence_after_averaging_and_batch_norm():
    average, model, _ = averaged(0.9)
    with torch.no_grad():
        model[0].weight[:, 2] = 0.0
    sparse = average.sparse(model)
    rows = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    update_bn([rows], sparse)
    sparse.eval()
    other = rows.clone()
    other[:, 2] = 100.0
    assert torch.equal(sparse(rows), sparse(other))
    assert not torch.equal(average.average.module.eval()(rows), average.average.module.eval()(other))


def test_refusals():
    model = nn.Linear(2, 1)
    for make, says in (
        (lambda: Averaged(model, decay=1.0), "decay 1.0"),
        (lambda: Averaged(model, masked="first.*"), "masked 'first.*' fits no parameter"),
        (lambda: Averaged(model).sparse(nn.Linear(3, 1)), "another model than the averaged one .weight."),
        (lambda: Averaged(model).copy_to(nn.Linear(2, 1, bias=False)), "another model than the averaged one .bias."),
    ):
        with pytest.raises(InputError, match=says) as caught:
            make()
        assert "\n" not in str(caught.value)
