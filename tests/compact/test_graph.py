"""Compacting: equal outputs, predicted sizes, and nothing that a dropped input holds matters."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from riata.compact import Compacted, compact

TIGHT = {torch.float32: 2e-6, torch.float64: 1e-12}


def equal(module: nn.Module, small: Compacted, *rows: Tensor) -> None:
    """Equal outputs in evaluation mode, on new rows."""
    with torch.no_grad():
        wanted = copy.deepcopy(module).eval()(*rows)
        got = copy.deepcopy(small.full()).eval()(*rows)
    scale = wanted.abs().max()
    assert (got - wanted).abs().max() <= TIGHT[wanted.dtype] * scale


def zero(tensor: Tensor, *at: object) -> None:
    with torch.no_grad():
        tensor[at] = 0.0


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 4), nn.Sigmoid(), nn.Linear(4, 2))


def test_a_dead_relu_goes_and_takes_the_input_that_it_alone_read() -> None:
    net = mlp()
    zero(net[0].weight, slice(None), 2)
    zero(net[0].weight, slice(1, None), 4)  # input 4 feeds neuron 0 only
    zero(net[3].weight, slice(None), 0)  # and nothing reads neuron 0
    small = compact(net)
    assert small.kept_inputs == (0, 1, 3, 5)
    assert small.removed == {"0": (0,)}
    assert small.module[0].weight.shape == (4, 4)
    assert small.report.sizes == {"0": ("neurons", 5, 4)}
    equal(net, small, torch.randn(7, 6))


@pytest.mark.parametrize("act", [nn.ReLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.LeakyReLU, nn.Softplus])
def test_a_constant_moves_into_the_next_bias(act: type[nn.Module]) -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(6, 5), act(), nn.Linear(5, 3, bias=False)).double()
    zero(net[0].weight, 3)
    small = compact(net)
    assert small.module[0].out_features == 4
    moved = act()(net[0].bias[3]) * net[2].weight[:, 3]
    bias = small.module[2].bias
    assert torch.allclose(torch.zeros(3).double() if bias is None else bias, moved, atol=1e-15)
    equal(net, small, torch.randn(7, 6).double())


def test_a_nan_in_a_dropped_input_has_no_effect() -> None:
    net = mlp().eval()
    zero(net[0].weight, slice(None), 2)
    rows = torch.randn(7, 6)
    poisoned = rows.clone()
    poisoned[:, 2] = torch.nan
    assert net(poisoned).isnan().all()
    small = compact(net)
    assert torch.equal(small.full()(poisoned), small.full()(rows))
    assert torch.equal(small.module(*small.select(poisoned)), small.full()(rows))


def test_names_are_given_back_and_counted() -> None:
    net = mlp()
    zero(net[0].weight, slice(None), slice(0, 4))
    assert compact(net, names="abcdef").kept_inputs == ("e", "f")
    with pytest.raises(ValueError, match="2 names for 6 inputs"):
        compact(net, names="ab")


def test_no_input_at_all_leaves_a_constant() -> None:
    net = mlp()
    zero(net[0].weight)
    small = compact(net)
    assert small.kept_inputs == ()
    equal(net, small, torch.full((7, 6), torch.nan).nan_to_num(1.0))
    assert small.full()(torch.full((3, 6), torch.nan)).isfinite().all()


class Residual(nn.Module):
    """x + f(x) on four channels, then a classifier; the classic view with its size written out."""

    def __init__(self, size: int = -1) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.inside = nn.Conv2d(4, 6, 3, padding=1)
        self.back = nn.Conv2d(6, 4, 1)
        self.head = nn.Linear(4 * 9, 3)
        self.size = size
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        x = x + self.back(torch.relu(self.inside(x)))
        x = F.max_pool2d(x, 2)
        return self.head(x.view(x.size(0), self.size))


def kill_channel(net: Residual, branches: int) -> None:
    """Make channel 1 zero in the stem, and in the branch too if ``branches`` is 2."""
    zero(net.stem.weight, 1)
    with torch.no_grad():
        net.norm.weight[1], net.norm.bias[1] = 0.0, -1.0
    if branches == 2:
        zero(net.back.weight, 1)
        zero(net.back.bias, 1)


@pytest.mark.parametrize("size", [-1, 36])
def test_a_residual_channel_goes_only_if_both_branches_are_dead(size: int) -> None:
    rows = torch.randn(4, 2, 6, 6)
    one, two = Residual(size), Residual(size)
    kill_channel(one, 1)
    kill_channel(two, 2)
    kept, gone = compact(one, rows), compact(two, rows)
    assert kept.module.stem.out_channels == 4
    assert (gone.module.stem.out_channels, gone.module.norm.num_features, gone.module.back.out_channels) == (3, 3, 3)
    assert gone.module.inside.in_channels == 3
    assert gone.module.head.in_features == 27
    assert isinstance(gone.module, Residual) is (size == -1)
    equal(one, kept, torch.randn(4, 2, 6, 6))
    equal(two, gone, torch.randn(4, 2, 6, 6))


def test_a_constant_beside_padded_zeros_stays() -> None:
    torch.manual_seed(3)
    for padding, channels in ((1, 4), (0, 3)):
        net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=padding)).double()
        zero(net[0].weight, 1)
        with torch.no_grad():
            net[0].bias[1] = 0.7
        small = compact(net, torch.randn(2, 2, 8, 8).double())
        assert small.module[0].out_channels == channels
        equal(net, small, torch.randn(3, 2, 8, 8).double())


def test_a_constant_averaged_with_padded_zeros_stays() -> None:
    torch.manual_seed(3)
    for pool, channels in ((nn.AvgPool2d(2, padding=1), 4), (nn.AvgPool2d(2), 3), (nn.MaxPool2d(2, padding=1), 3)):
        net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), pool, nn.Conv2d(4, 2, 1)).double()
        zero(net[0].weight, 1)
        with torch.no_grad():
            net[0].bias[1] = 0.7
        small = compact(net, torch.randn(2, 2, 8, 8).double())
        assert small.module[0].out_channels == channels
        equal(net, small, torch.randn(3, 2, 8, 8).double())


def test_a_depthwise_channel_and_an_input_channel_go() -> None:
    torch.manual_seed(4)
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=4, padding=1), nn.Conv2d(4, 2, 1))
    zero(net[3].weight, slice(None), 2)
    zero(net[0].weight, slice(None), 0)
    small = compact(net, torch.randn(2, 3, 5, 5))
    assert small.kept_inputs == (1, 2)
    assert small.module[2].groups == small.module[0].out_channels == 3
    equal(net, small, torch.randn(2, 3, 5, 5))


class Joined(nn.Module):
    """Two branches side by side."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.a, self.b, self.c = nn.Linear(5, 3), nn.Linear(5, 4), nn.Linear(7, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(torch.cat([torch.tanh(self.a(x)), self.b(x).relu()], dim=1))


def test_a_concatenation_keeps_its_parts_apart() -> None:
    net = Joined()
    zero(net.c.weight, slice(None), [1, 5])
    zero(net.a.weight, slice(None), 4)
    zero(net.b.weight, slice(None), 4)
    small = compact(net, torch.randn(2, 5))
    assert (small.module.a.out_features, small.module.b.out_features, small.module.c.in_features) == (2, 3, 5)
    assert small.kept_inputs == (0, 1, 2, 3)
    equal(net, small, torch.randn(6, 5))


class TwoInputs(nn.Module):
    """A table and words."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.words, self.table, self.out = nn.Embedding(7, 4), nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor, words: Tensor, scale: float | None = None) -> Tensor:
        out = self.table(x) * self.words(words).mean(1)
        return self.out(out if scale is None else out * scale)


def test_two_inputs_an_embedding_and_a_default() -> None:
    net = TwoInputs()
    zero(net.words.weight, slice(None), 3)
    zero(net.table.weight, slice(None), 0)
    rows, words = torch.randn(5, 3), torch.randint(0, 7, (5, 6))
    small = compact(net, (rows, words))
    assert small.kept == ((1, 2), tuple(range(6)))
    assert (small.module.words.embedding_dim, small.module.table.out_features) == (3, 3)
    equal(net, small, rows, words)


def chain(draw: torch.Generator) -> tuple[nn.Module, Tensor]:
    """Return a random convolutional or dense network with random zero groups."""

    def pick(low: int, high: int) -> int:
        return int(torch.randint(low, high, (), generator=draw))

    acts: list[Callable[[], nn.Module]] = [nn.ReLU, nn.Tanh, nn.GELU, nn.Sigmoid, nn.Identity]
    layers: list[nn.Module] = []
    width, place = pick(1, 4), 8
    rows = torch.randn(3, width, place, place, generator=draw, dtype=torch.float64)
    for _ in range(pick(0, 3)):
        new = pick(2, 7)
        layers += [nn.Conv2d(width, new, 3, padding=pick(0, 2), bias=bool(pick(0, 2)))]
        if pick(0, 2):
            layers += [nn.BatchNorm2d(new)]
        layers += [acts[pick(0, 5)](), nn.AvgPool2d(2, 1) if pick(0, 2) else nn.MaxPool2d(2, 1, padding=pick(0, 2))]
        width = new
    layers += [nn.Flatten()]
    width = int(nn.Sequential(*layers).double().eval()(rows).shape[1])
    for _ in range(pick(1, 4)):
        new = pick(2, 8)
        layers += [nn.Linear(width, new, bias=bool(pick(0, 2))), acts[pick(0, 5)](), nn.Dropout(0.5)]
        width = new
    net = nn.Sequential(*layers, nn.Linear(width, 2)).double()
    with torch.no_grad():
        for layer in net:
            for p in layer.parameters():
                p.copy_(torch.randn(p.shape, generator=draw, dtype=p.dtype))
                p[torch.rand(len(p), generator=draw) < 0.4] = 0.0
                if p.ndim > 1:
                    p[:, torch.rand(p.shape[1], generator=draw) < 0.3] = 0.0
    return net, rows


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    net, rows = chain(draw)
    small = compact(net, rows)
    equal(
        net,
        small,
        rows,
    )
    assert small.report.parameters[1] <= small.report.parameters[0]
    again = compact(small.module, *small.select(rows)) if len(small.kept[0]) else small
    assert again.report.parameters[1] <= small.report.parameters[1]


class Dense(nn.Module):
    """Channels joined, scaled by a gate, added and averaged: a little of everything."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 5, 3, padding=1), nn.Conv2d(5, 3, 3, padding=1, bias=False)
        self.norm, self.gate, self.squeeze = nn.BatchNorm2d(8), nn.Linear(8, 8), nn.AdaptiveAvgPool2d(1)
        self.deep, self.last = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        a = torch.relu(self.a(x))
        x = self.norm(torch.cat([a, F.gelu(self.b(a))], 1))
        gate = torch.sigmoid(self.gate(self.squeeze(x).flatten(1)))
        x = x * gate.unsqueeze(-1).unsqueeze(-1) + self.deep(x) * 0.5
        return self.last(F.avg_pool2d(x, 2).mean((2, 3)))


@pytest.mark.parametrize("seed", range(20))
def test_random_zeros_in_residual_joined_and_gated_networks(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    for net, shape in ((Dense(), (3, 2, 6, 6)), (Residual(), (3, 2, 6, 6)), (Joined(), (3, 5))):
        net.double()
        with torch.no_grad():
            for p in net.parameters():
                p.copy_(torch.randn(p.shape, generator=draw, dtype=p.dtype))
                p[torch.rand(len(p), generator=draw) < 0.4] = 0.0
                if p.ndim > 1:
                    p[:, torch.rand(p.shape[1], generator=draw) < 0.3] = 0.0
        rows = torch.randn(shape, generator=draw, dtype=torch.float64)
        small = compact(net, rows)
        equal(net, small, rows)
