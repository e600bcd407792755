"""Attention heads, encoder layers and recurrent layers."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from riata.compact import Attention, compact
from riata.errors import InputError


def same(module: nn.Module, small: nn.Module, rows: Tensor, kept: Tensor) -> None:
    with torch.no_grad():
        wanted, got = copy.deepcopy(module).eval()(rows), copy.deepcopy(small).eval()(kept)
    assert (got - wanted).abs().max() <= 1e-12 * wanted.abs().max()


class Encoder(nn.Module):
    """Words to classes by way of an encoder."""

    def __init__(self, norm_first: bool, batch_first: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(8, 4, 16, norm_first=norm_first, batch_first=batch_first)
        self.encoder, self.out = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(8, 2)
        self.batch_first = batch_first

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.encoder(x).mean(1 if self.batch_first else 0))


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_encoder_layers_lose_heads_and_inner_neurons(norm_first: bool, batch_first: bool) -> None:
    net = Encoder(norm_first, batch_first).double()
    first = net.encoder.layers[0]
    with torch.no_grad():
        first.self_attn.in_proj_bias.normal_()
        first.self_attn.out_proj.weight[:, 2:4] = 0.0  # head 1 writes nothing
        first.self_attn.in_proj_weight[16:18] = 0.0  # head 0 writes a constant: its values are their bias
        first.linear1.weight[7] = 0.0
        first.linear2.weight[:, 3] = 0.0
    rows = torch.randn(4, 5, 8).double()
    small = compact(net, rows)
    layer = small.module.encoder.layers[0]
    assert isinstance(layer.self_attn, Attention)
    assert (layer.self_attn.heads, layer.linear1.out_features) == (2, 14)
    assert isinstance(small.module.encoder.layers[1].self_attn, nn.MultiheadAttention)
    assert small.removed["encoder.layers.0.self_attn"] == (0, 1)
    assert any("norm over the features" in line for line in small.report.whole)
    fresh = torch.randn(4, 5, 8).double()
    same(net, small.module, fresh, *small.select(fresh))


class Attending(nn.Module):
    """Attention alone, so that features on both sides can go."""

    def __init__(self, mask: bool = False) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.attention, self.out, self.mask = nn.MultiheadAttention(6, 3, batch_first=True), nn.Linear(6, 2), mask

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.zeros(x.shape[1], x.shape[1], dtype=x.dtype) if self.mask else None
        return self.out(self.attention(x, x, x, attn_mask=mask, need_weights=False)[0])


def test_attention_loses_features_on_both_sides() -> None:
    net = Attending().double()
    with torch.no_grad():
        net.attention.in_proj_weight[:, 4] = 0.0
        net.out.weight[:, 1] = 0.0
    rows = torch.randn(3, 4, 6).double()
    small = compact(net, rows)
    assert small.kept_inputs == (0, 1, 2, 3, 5)
    assert small.module.attention.out_proj.weight.shape == (5, 6)
    same(net, small.module, rows, *small.select(rows))
    with pytest.raises(InputError, match="compact with the mask"):
        small.module.attention(rows[..., :5], rows[..., :5], rows[..., :5], attn_mask=torch.zeros(4, 4))


class Recurrent(nn.Module):
    """The last state of an LSTM or GRU, read by a linear layer."""

    def __init__(self, kind: str, **options: object) -> None:
        super().__init__()
        torch.manual_seed(2)
        cell = nn.LSTM if kind == "lstm" else nn.GRU
        self.cell = cell(5, 4, batch_first=True, **options)
        self.out = nn.Linear(8 if options.get("bidirectional") else 4, 2)

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.cell(x)
        return self.out(states[:, -1])


def at_random(net: nn.Module, seed: int) -> nn.Module:
    """Set random rows and columns of all parameters to zero."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=draw).to(p))
            p[torch.rand(len(p), generator=draw) < 0.5] = 0.0
            if p.ndim > 1:
                p[:, torch.rand(p.shape[1], generator=draw) < 0.4] = 0.0
    return net


@pytest.mark.parametrize("seed", range(12))
def test_random_zeros_in_attention_and_recurrent_layers(seed: int) -> None:
    nets: list[tuple[nn.Module, int]] = [
        (Encoder(seed % 2 == 0, seed % 3 == 0), 8), (Attending(), 6), (Attending(mask=True), 6),
        (Recurrent("lstm", bias=seed % 2 == 0), 5), (Recurrent("gru", bias=seed % 3 == 0), 5),
        (Recurrent("lstm", num_layers=2), 5), (Recurrent("gru", bidirectional=True), 5),
    ]  # fmt: skip
    for net, width in nets:
        at_random(net.double(), seed)
        rows = torch.randn(3, 6, width, generator=torch.Generator().manual_seed(seed)).double()
        small = compact(net, rows)
        same(net, small.module, rows, *small.select(rows))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("bias", [True, False])
def test_recurrent_inputs_and_units_go(kind: str, bias: bool) -> None:
    net = Recurrent(kind, bias=bias).double()
    cell = net.cell
    with torch.no_grad():
        cell.weight_ih_l0[:, 3] = 0.0
        net.out.weight[:, 1] = 0.0  # unit 1 is read by unit 1 only
        cell.weight_hh_l0[[r for r in range(len(cell.weight_hh_l0)) if r % 4 != 1], 1] = 0.0
        for name, p in cell.named_parameters():
            p[4 * 2 + 2] = 0.0  # unit 2: no candidate, so it stays at 0
            assert name
    rows = torch.randn(3, 6, 5).double()
    small = compact(net, rows)
    assert small.kept_inputs == (0, 1, 2, 4)
    assert (small.module.cell.hidden_size, small.module.out.in_features) == (2, 2)
    assert small.removed == {"cell": (1, 2)}
    same(net, small.module, rows, *small.select(rows))
    assert small.report.multiply_adds[1] < small.report.multiply_adds[0]


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"bidirectional": True}], ids=str)
def test_deep_recurrent_layers_lose_inputs_only(options: dict[str, object]) -> None:
    net = Recurrent("lstm", **options).double()
    with torch.no_grad():
        for name, p in net.cell.named_parameters():
            if name.startswith("weight_ih_l0"):
                p[:, 3] = 0.0
        net.out.weight[:, 1] = 0.0
    rows = torch.randn(3, 6, 5).double()
    small = compact(net, rows)
    assert small.kept_inputs == (0, 1, 2, 4)
    assert small.module.cell.hidden_size == 4
    assert "hidden units are kept" in "".join(small.report.whole)
    same(net, small.module, rows, *small.select(rows))


def test_a_constant_into_a_recurrent_layer_moves_into_its_bias() -> None:
    torch.manual_seed(3)

    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.cell = nn.Linear(3, 4), nn.GRU(4, 3, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.cell(torch.tanh(self.first(x)))[0]

    net = Deep().double()
    with torch.no_grad():
        net.first.weight[2] = 0.0
    rows = torch.randn(2, 5, 3).double()
    small = compact(net, rows)
    assert small.module.cell.input_size == 3
    same(net, small.module, rows, rows)
