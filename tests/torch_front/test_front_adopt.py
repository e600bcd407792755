"""The table says what each parameter is, and the warnings what a reader must know."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from riata.errors import InputError
from riata.groups import by_input as along
from riata.penalties import L1, L2, GroupLasso
from riata.penalties.max_norm import MaxNorm
from riata.torch import Adopted, ProxSGD, adopt
from riata.torch import groups as build


def rows(module, *args, **options):
    return {row.name: row for row in adopt(module, *args, **options).rows}


class Zoo(nn.Module):
    """One of each."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 6)
        self.conv = nn.Conv1d(6, 6, 3, padding=1)
        self.norm = nn.LayerNorm(6)
        self.attend = nn.MultiheadAttention(6, 2, batch_first=True)
        self.recur = nn.GRU(6, 5, batch_first=True)
        self.bound = nn.utils.parametrizations.weight_norm(nn.Linear(5, 5))
        self.out = nn.Linear(5, 7)
        self.back = nn.Linear(6, 7, bias=False)
        self.back.weight = self.embed.weight
        self.still = nn.Linear(5, 5)
        self.still.weight.requires_grad_(False)
        self.own = nn.Parameter(torch.ones(3, 3))

    def forward(self, x):
        if x.sum() > 0:  # not traceable
            x = x + 1
        return x


def test_every_role_has_its_groups_or_its_reason():
    found = rows(Zoo(), GroupLasso(), 0.1)
    grouped = {name: row.grouped for name, row in found.items() if row.penalty is not None}
    assert grouped == {
        "conv.weight": "6 outputs",
        "attend.in_proj_weight": "2 heads",
        "attend.out_proj.weight": "2 heads",
        "recur.weight_ih_l0": "6 inputs",
        "recur.weight_hh_l0": "5 inputs",
        "out.weight": "7 outputs",
    }
    reasons = {
        "embed.weight": "tied with back.weight",
        "norm.weight": "norm layer",
        "conv.bias": "bias",
        "attend.in_proj_bias": "bias",
        "recur.bias_ih_l0": "bias",
        "bound.parametrizations.weight.original0": "parametrization",
        "bound.parametrizations.weight.original1": "parametrization",
        "still.weight": "frozen",
        "own": "Zoo is no layer",
    }
    for name, why in reasons.items():
        assert found[name].penalty is None and why in found[name].why, name


def test_first_and_last_layers_are_grouped_by_input():
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
    assert [row.grouped for row in adopt(net, GroupLasso(), 0.1).rows if row.grouped] == [
        "5 inputs",
        "3 outputs",
        "3 inputs",
    ]


def test_old_weight_norm_is_seen():
    with pytest.warns(FutureWarning):
        layer = nn.utils.weight_norm(nn.Linear(3, 2))
    found = rows(nn.Sequential(layer), GroupLasso(), 0.1)
    assert "parametrization" in found["0.weight_v"].why and "parametrization" in found["0.weight_g"].why


def test_rules_by_name_the_first_counts():
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.LayerNorm(4), nn.Linear(4, 3))
    mine = along((3, 4), 1)
    found = rows(
        net, rules={"0.weight": ("input", GroupLasso(), 0.1), "3.*": (mine, GroupLasso(), 0.2), "*": (L2(), 1)}
    )
    assert found["0.weight"].grouped == "5 inputs" and found["0.weight"].lam == 0.1
    assert found["3.weight"].groups is mine and found["3.weight"].lam == 0.2
    assert found["2.weight"].penalty is None and found["3.bias"].penalty is None
    assert rows(net, L1(), 1.0, rules={"0.*": None})["0.weight"].why == "free by rule"
    assert rows(net, rules={"2.weight": (L1(), 0.3)})["2.weight"].penalty == L1()


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"0.wieght": (L1(), 1)}, r"did you mean 0\.weight"),
        ({"0.weight": L1()}, "expected \\(penalty, lam\\)"),
        ({"0.weight": ("input", 0.1)}, "expected a penalty"),
        ({"0.weight": ("columns", GroupLasso(), 0.1)}, "expected one of input, output"),
        ({"0.weight": ("head", GroupLasso(), 0.1)}, "has a meaning there"),
        ({"2.weight": (L1(), 1)}, "frozen"),
        ({"0.weight": (L1(), -0.5)}, "lam -0.5"),
        ({"0.weight": (along((2, 2)), GroupLasso(), 0.5)}, "groups of shape"),
    ],
)
def test_refuses_in_words(rules, said):
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    net[2].weight.requires_grad_(False)
    with pytest.raises(InputError, match=said):
        adopt(net, rules=rules)


def test_lazy_layers_are_refused():
    with pytest.raises(InputError, match="run one batch"):
        adopt(nn.Sequential(nn.LazyLinear(3)))


def warned(module, *args, **options):
    return " | ".join(adopt(module, *args, **options).warnings)


def test_nothing_above_is_a_warning():
    net = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
    first = ("input", GroupLasso(), 0.1)
    text = warned(net, rules={"0.weight": first})
    assert "nothing holds 2.weight, 4.weight above 0.weight" in text
    assert "nothing holds 4.weight" in warned(net, rules={"0.weight": first, "2.weight": (L2(), 1e-3)})
    assert warned(net, rules={"0.weight": first, "*": (L2(), 1e-3)}) == ""
    assert warned(net, rules={"0.weight": first, "*": ("output", MaxNorm(), 0)}) == ""
    assert warned(net) == "" and warned(nn.Linear(5, 3), GroupLasso(), 0.1) == ""


@pytest.mark.parametrize("between", [(), (nn.ReLU(),), (nn.Dropout(), nn.GELU())])
def test_a_norm_layer_after_the_first_is_a_warning(between):
    net = nn.Sequential(nn.Linear(5, 4), *between, nn.BatchNorm1d(4), nn.Linear(4, 3))
    assert "undoes its scale" in warned(net, GroupLasso(), 0.1)
    later = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    assert warned(later, GroupLasso(), 0.1) == ""


class Around(nn.Module):
    """A network with a skip from the input, inside or not inside the first layer."""

    def __init__(self, mode):
        super().__init__()
        self.first, self.second, self.skip = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.mode = mode

    def forward(self, x):
        h = torch.relu(self.first(x))
        if self.mode == "residual":
            return h + self.second(h)
        if self.mode == "skip":
            return self.second(h) + self.skip(x)
        if self.mode == "cat":
            return self.second(h) + torch.cat([h, x], 1).sum()
        if self.mode == "shape":
            return self.second(h).reshape(x.shape[0], x.size(1))
        return self.second(h) if float(x.sum()) > 0 else h


@pytest.mark.parametrize(
    ("mode", "said"),
    [("residual", ""), ("shape", ""), ("skip", "x -> skip -> add -> output"), ("cat", "x -> cat -> ")],
)
def test_paths_around_the_first_layer(mode, said):
    text = warned(Around(mode), rules={"first.weight": ("input", GroupLasso(), 0.1), "*": (L2(), 0.1)})
    assert (said in text and "still reaches the output" in text) if said else text == ""


def test_what_cannot_be_traced_is_said():
    text = warned(Around("branch"), rules={"first.weight": ("input", GroupLasso(), 0.1), "*": (L2(), 0.1)})
    assert "could not be checked" in text


def test_a_network_without_a_trace_still_has_a_first_layer():
    class Branch(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))

        def forward(self, x):
            return self.layers(x) if float(x.sum()) > 0 else x

    adopted = adopt(Branch(), GroupLasso(), 0.1)
    assert adopted.rows[0].grouped == "4 inputs"
    assert "layers.1 after layers.0.weight" in " ".join(adopted.warnings)


def test_both_directions_of_a_recurrent_layer():
    assert "both directions" in warned(nn.Sequential(nn.LSTM(3, 4, bidirectional=True)), GroupLasso(), 0.1)


def test_param_groups_hold_every_trained_parameter_once():
    net = Zoo()
    adopted = adopt(net, GroupLasso(), 0.1, rules={"out.weight": (L1(), 0.1)})
    assert isinstance(adopted, Adopted)
    params = [p for group in adopted.param_groups() for p in group["params"]]
    assert len({id(p) for p in params}) == len(params)
    assert {id(p) for p in params} == {id(p) for p in net.parameters() if p.requires_grad}
    ProxSGD(adopted.param_groups(), lr=0.1)


def test_zeros_are_counted_by_group():
    net = nn.Linear(4, 3)
    adopted = adopt(net, rules={"weight": ("input", GroupLasso(), 0.1)})
    with torch.no_grad():
        net.weight[:, 1:3] = 0
        net.weight[0, 0] = 0
    assert adopted.zeros() == {"weight": (2, 4)}


def test_builders_know_torchs_layouts():
    x = torch.zeros(1, 6, 4)
    x[0, :, 2] = 1
    assert build.by_input(nn.Linear(4, 6)).norms(x).nonzero()[0, 1] == 2
    assert build.by_input(nn.Conv2d(3, 8, 5)).shape == (8, 3, 5, 5) and len(build.by_output(nn.Conv2d(3, 8, 5))) == 8
    assert (
        len(build.by_input(nn.ConvTranspose1d(3, 8, 5))) == 3 and len(build.by_output(nn.ConvTranspose1d(3, 8, 5))) == 8
    )
    units = build.by_output(nn.LSTM(3, 4))
    assert units.index.tolist() == list(range(4)) * 4
    heads = list(build.by_head(nn.MultiheadAttention(6, 2)).values())
    assert heads[0].index.tolist() == [0, 0, 0, 1, 1, 1] * 3 and heads[1].axis == 1
    apart = build.by_head(nn.MultiheadAttention(6, 2, kdim=4, vdim=5))
    assert [g.shape for g in apart.values()] == [(6, 6), (6, 4), (6, 5), (6, 6)]
    assert build.by_row(nn.Embedding(4, 2), [1, 3]).size.tolist() == [1, 3]


def test_a_dead_head_is_out_of_the_attention():
    layer = nn.MultiheadAttention(6, 2, batch_first=True).eval()
    x = torch.randn(2, 5, 6)
    groups = build.by_head(layer)[layer.in_proj_weight]
    with torch.no_grad():
        layer.in_proj_weight.mul_(groups.spread(torch.tensor([[1.0, 0.0]]))[0])
        before = layer(x, x, x)[0]
        layer.out_proj.weight[:, 3:] = torch.randn(6, 3)
        assert torch.equal(layer(x, x, x)[0], before)


@pytest.mark.parametrize(
    ("columns", "said"),
    [([1, 1], "2 columns for a layer of 4 inputs"), (["a"] * 3, "3 columns"), ([0, 4], "without columns")],
)
def test_columns_must_add_up(columns, said):
    with pytest.raises(InputError, match=said):
        build.groups_by_input(nn.Linear(4, 2), columns)


def test_names_of_columns():
    groups = build.groups_by_input(nn.Linear(4, 2), ["b", "a", "b", "c"])
    assert groups.names == ("b", "a", "c") and groups.index.tolist() == [0, 1, 0, 2]
    with pytest.raises(InputError, match="no linear"):
        build.groups_by_input(nn.ReLU())
    with pytest.raises(InputError, match="axis 1"):
        build.groups_by_input(nn.Linear(4, 2).bias)
