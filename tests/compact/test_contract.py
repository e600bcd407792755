"""What a module keeps, what is refused, and what is said."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from riata.compact import Selected, compact, measure
from riata.errors import InputError


def net() -> nn.Sequential:
    """Return a convolutional network in which channel 1 and input channel 0 are dead."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    )
    with torch.no_grad():
        layers[0].weight[:, 0] = 0.0
        layers[1].weight[1], layers[1].bias[1] = 0.0, 0.3
        layers[1].running_mean.normal_()
    return layers


ROWS = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(0))


def same(module: nn.Module, small: nn.Module, *rows: Tensor) -> None:
    with torch.no_grad():
        wanted, got = copy.deepcopy(module).eval()(*rows), copy.deepcopy(small).eval()(*rows)
    tight = 1e-12 if wanted.dtype == torch.float64 else 2e-6
    assert (got - wanted).abs().max() <= tight * wanted.abs().max()


def test_the_module_itself_is_not_changed() -> None:
    whole = net()
    before = copy.deepcopy(whole.state_dict())
    modes = [m.training for m in whole.modules()]
    torch.manual_seed(5)
    compact(whole, ROWS)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))  # nor are the random numbers
    assert all(torch.equal(before[k], v) for k, v in whole.state_dict().items())
    assert modes == [m.training for m in whole.modules()]
    assert whole[0].out_channels == 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_mode_buffers_and_gradients_are_kept(dtype: torch.dtype) -> None:
    whole = net().to(dtype)
    whole[0].eval()
    whole[0].weight.requires_grad_(False)
    small = compact(whole, ROWS.to(dtype)).module
    assert {p.dtype for p in small.parameters()} == {dtype}
    assert [m.training for m in small] == [False, True, True, True, True, True]
    assert not small[0].weight.requires_grad
    assert small[0].bias.requires_grad
    assert torch.equal(small[1].running_mean, whole[1].running_mean[[0, 2, 3]])
    assert set(small.state_dict()) == set(whole.state_dict())
    small.train()(ROWS[:, 1:].to(dtype)).sum().backward()
    assert small[5].weight.grad is not None


def test_half_precision_is_compacted_too() -> None:
    whole = net().to(torch.bfloat16)
    small = compact(whole, ROWS.to(torch.bfloat16))
    assert small.module[0].weight.dtype == torch.bfloat16
    assert small.module[0].out_channels == 3


def test_the_result_can_be_copied_pickled_saved_and_loaded() -> None:
    small = compact(net(), ROWS)
    rows = ROWS[:, 1:]
    for other in (copy.deepcopy(small.module), pickle.loads(pickle.dumps(small.module))):
        same(small.module, other, rows)
    blank = compact(net(), ROWS).module
    with torch.no_grad():
        for p in blank.parameters():
            p.zero_()
    blank.load_state_dict(small.module.state_dict())
    same(small.module, blank, rows)
    full = small.full()
    assert isinstance(full, Selected)
    assert "kept0" in full.state_dict()
    with pytest.raises(InputError, match="2 inputs for a module of 1"):
        full(rows, rows)


def test_nothing_to_remove_gives_an_equal_copy() -> None:
    torch.manual_seed(1)
    whole = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    small = compact(whole)
    assert small.removed == {}
    assert small.kept_inputs == (0, 1, 2)
    assert small.report.difference == 0.0
    assert small.module[0] is not whole[0]


def test_a_single_layer() -> None:
    layer = nn.Linear(4, 2)
    with torch.no_grad():
        layer.weight[:, 1] = 0.0
    small = compact(layer)
    assert isinstance(small.module, nn.Linear)
    assert small.kept_inputs == (0, 2, 3)
    same(layer, small.full(), torch.randn(3, 4))


class Twice(nn.Module):
    """A layer that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.again, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.again(torch.relu(self.again(torch.relu(self.first(x)))))))


def test_a_layer_that_is_called_twice_is_kept_whole_and_said() -> None:
    whole = Twice()
    with torch.no_grad():
        whole.again.weight[:, 1] = 0.0
        whole.first.weight[:, 2] = 0.0
    small = compact(whole)
    assert small.module.again.weight.shape == (4, 4)
    assert small.kept_inputs == (0, 1, 3)
    assert "again (Linear): it is called more than once" in str(small.report)
    same(whole, small.full(), torch.randn(5, 4))


def test_hooks_tied_weights_and_parametrizations_are_kept_whole_and_said() -> None:
    for change, said in ((_hook, "has hooks"), (_tie, "shares a parameter"), (_normed, "not known here")):
        torch.manual_seed(3)
        whole = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
        with torch.no_grad():
            whole[2].weight[:, 1] = 0.0
        change(whole)
        small = compact(whole)
        assert said in str(small.report), said
        same(whole, small.module, torch.randn(5, 4))


def _hook(whole: nn.Sequential) -> None:
    whole[2].register_forward_hook(lambda _m, _x, out: out + 1)


def _tie(whole: nn.Sequential) -> None:
    whole[2].weight = whole[0].weight


def _normed(whole: nn.Sequential) -> None:
    nn.utils.parametrizations.weight_norm(whole[2])


class Overwriting(nn.Module):
    """A tensor that is read before and after it is overwritten."""

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        F.relu(first, inplace=True)
        return self.last(first)

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)


def test_a_tensor_that_is_overwritten_is_not_folded_wrongly() -> None:
    whole = Overwriting()
    with torch.no_grad():
        whole.first.weight[1] = 0.0
        whole.first.bias[1] = -5.0
    small = compact(whole)
    assert small.module.first.out_features == 4
    same(whole, small.module, torch.randn(5, 3))


class Branching(nn.Module):
    """A forward that depends on numbers, so that no trace exists."""

    def __init__(self, early: bool) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.first, self.last, self.early = nn.Linear(4, 3), nn.Linear(3, 1), early

    def forward(self, x: Tensor) -> Tensor:
        out = self.first(x)
        if (x if self.early else out).sum() > 0:
            out = out * 2
        return self.last(out)


def test_an_untraceable_module_loses_first_inputs_where_that_is_safe() -> None:
    for early, kept in ((False, (0, 1, 3)), (True, (0, 1, 2, 3))):
        whole = Branching(early)
        with torch.no_grad():
            whole.first.weight[:, 2] = 0.0
        small = compact(whole)
        assert small.kept_inputs == kept
        assert "cannot be traced" in str(small.report)
        same(whole, small.full(), torch.randn(5, 4))


class Surprising(nn.Module):
    """A forward that reads a size which a trace takes for a constant."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.first, self.last = nn.Linear(4, 3), nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x).relu()) * self.first.out_features


def test_a_result_with_other_outputs_is_refused() -> None:
    whole = Surprising()
    with torch.no_grad():
        whole.last.weight[:, 1] = 0.0
    with pytest.raises(InputError, match="outputs differ by"):
        compact(whole)


def test_missing_and_wrong_examples_are_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="starts with Conv2d; pass example="):
        compact(net())
    with pytest.raises(InputError, match="example is str"):
        compact(net(), "rows")


def test_measure_counts_what_a_formula_says() -> None:
    whole = net().train()
    size = measure(whole, ROWS, runs=3)
    assert size.multiply_adds == 4 * (4 * 2 * 9 * 16 + 16 * 3)
    assert size.parameters == 4 * 2 * 9 + 4 + 8 + 16 * 3 + 3
    assert whole.training
    cell = nn.LSTM(3, 4)
    assert measure(cell, torch.zeros(5, 2, 3), runs=3).multiply_adds == 5 * 2 * 4 * 4 * (3 + 4)


def test_the_generator_that_others_use_is_left_alone() -> None:
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    with torch.no_grad():
        net[0].weight[:, 1] = 0
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    assert compact(net, torch.zeros(2, 4)).kept_inputs == (0, 2, 3)
    assert torch.equal(torch.random.get_rng_state(), before)
