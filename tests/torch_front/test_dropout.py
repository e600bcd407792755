"""Dropout by rate: rates by name, where each one acts, and nothing left behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from riata.errors import InputError
from riata.torch.dropout import dropout_places, dropout_rates, input_dropout_off, set_dropout


class TwoRoads(nn.Module):
    """The input dropout runs after a module with parameters, on another road; one dropout is never reached."""

    def __init__(self) -> None:
        super().__init__()
        self.deep = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.2))
        self.wide_drop, self.wide = nn.Dropout(0.1), nn.Linear(3, 4)
        self.norm, self.out = nn.BatchNorm1d(4), nn.Linear(4, 2)
        self.last, self.really_last, self.lonely = nn.Dropout(0.3), nn.AlphaDropout(0.4), nn.Dropout(0.5)

    def forward(self, x):
        return self.really_last(self.last(self.out(self.norm(self.deep(x) + self.wide(self.wide_drop(x))))))


PLACES = {
    "deep.2": "hidden",
    "wide_drop": "input",
    "last": "output",
    "really_last": "output",
    "lonely": "unused",
}


@pytest.mark.parametrize("frozen", [False, True])
def test_places(frozen):
    model = TwoRoads().requires_grad_(not frozen)
    assert dropout_places(model, torch.zeros(2, 3)) == PLACES
    assert dropout_places(model, x=torch.zeros(2, 3, requires_grad=True)) == PLACES


def test_looking_changes_nothing():
    model = TwoRoads()
    model.wide.requires_grad_(False)
    model.deep.eval()
    modes = [m.training for m in model.modules()]
    flags = [w.requires_grad for w in model.parameters()]
    state = {k: v.clone() for k, v in model.state_dict().items()}
    generator = torch.get_rng_state()
    dropout_places(model, torch.ones(2, 3))
    with pytest.raises(RuntimeError):
        dropout_places(model, torch.ones(2, 7))
    assert modes == [m.training for m in model.modules()]
    assert flags == [w.requires_grad for w in model.parameters()]
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
    assert torch.equal(generator, torch.get_rng_state())
    assert not any(m._forward_pre_hooks for m in model.modules())


def test_attention_and_recurrent_modules():
    body = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
    assert set(dropout_rates(body)) == {"self_attn", "dropout", "dropout1", "dropout2"}
    model = nn.Sequential(nn.Linear(8, 8), body, nn.Linear(8, 1))
    assert set(dropout_places(model, torch.zeros(2, 5, 8)).values()) == {"hidden"}
    set_dropout(model, {"*self_attn": 0.0})
    assert body.self_attn.dropout == 0.0 and body.dropout1.p == 0.1
    lstm = nn.LSTM(3, 4, num_layers=2, dropout=0.3)
    assert dropout_places(lstm, torch.zeros(5, 1, 3)) == {"": "hidden"}
    set_dropout(lstm, 0.0)
    lstm.train()
    x = torch.ones(5, 1, 3)
    assert torch.equal(lstm(x)[0], lstm(x)[0])


def test_rates_by_pattern_act_and_go_back():
    model = TwoRoads()
    first = dropout_rates(model)
    assert first == {"deep.2": 0.2, "wide_drop": 0.1, "last": 0.3, "really_last": 0.4, "lonely": 0.5}
    before = set_dropout(model, {"*": 0.9, "*last": 0.0, "deep.2": 0.6})
    assert before == first
    assert dropout_rates(model) == {"deep.2": 0.6, "wide_drop": 0.9, "last": 0.0, "really_last": 0.0, "lonely": 0.9}
    torch.manual_seed(0)
    share = float((model.deep[2](torch.ones(10_000)) == 0).float().mean())
    assert share == pytest.approx(0.6, abs=0.02)
    set_dropout(model, before)
    assert dropout_rates(model) == first


def test_input_dropout_is_off_only_inside():
    model = TwoRoads()
    first = dropout_rates(model)
    with pytest.raises(KeyError), input_dropout_off(model, torch.zeros(2, 3)) as places:
        assert places == PLACES
        assert dropout_rates(model) == first | {"wide_drop": 0.0}
        model.deep[2].p = 0.25  # the user's own change is kept
        raise KeyError
    assert dropout_rates(model) == first | {"deep.2": 0.25}


def test_names_with_brackets_go_back_too():
    model = nn.ModuleDict({"a[0]": nn.Dropout(0.1), "b": nn.Dropout(0.2)})
    set_dropout(model, set_dropout(model, 0.5))
    assert dropout_rates(model) == {"a[0]": 0.1, "b": 0.2}


def test_refusals_change_nothing():
    model = TwoRoads()
    first = dropout_rates(model)
    for rates, says in (
        ({"*": 0.5, "deeep.*": 0.1}, "pattern 'deeep.*' fits none of deep.2, wide_drop"),
        ({"last": 0.1, "*": 1.0}, "rate 1.0 for"),
        (-0.1, "rate -0.1"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            set_dropout(model, rates)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="fits none of none"):
        set_dropout(nn.Linear(1, 1), 0.5)
    assert dropout_rates(model) == first
