"""Groups: sums, norms and spread against plain loops; builders; refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from riata.errors import InputError
from riata.groups import Groups, by_input, by_neuron, by_variable, entries, from_index

CASES = {
    "inputs": by_input((4, 3)),
    "linear weight": by_input((4, 3), axis=1),
    "neurons": by_neuron((4, 3)),
    "conv channels": by_input((4, 3, 2, 2), axis=1),
    "vector": by_input((5,)),
    "variables": by_variable((5, 3), [2, 0, 2, 1, 2], ["a", "b", "c"]),
    "entries": entries((4, 3)),
    "scattered": from_index((2, 3), [[1, 0, 1], [2, 2, 1]]),
    "permuted rows": from_index((3, 2), [2, 0, 1], axis=0),
}


def ids(groups: Groups) -> torch.Tensor:
    """Group of every entry, by a loop over entries."""
    out = torch.empty(groups.shape, dtype=torch.int64)
    for flat, where in enumerate(np.ndindex(*groups.shape)):
        out[where] = groups.index[flat if groups.axis is None else where[groups.axis]]
    return out


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_against_loops(name, dtype):
    groups = CASES[name]
    a = torch.randn(3, *groups.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    place = ids(groups)
    for g in range(len(groups)):
        inside = a[:, place == g]
        torch.testing.assert_close(groups.sums(a)[:, g], inside.sum(1))
        torch.testing.assert_close(groups.norms(a)[:, g], inside.square().sum(1).sqrt())
        assert torch.equal(groups.largest(a)[:, g], inside.amax(1))
    values = torch.arange(3.0 * len(groups)).reshape(3, -1)
    spread = groups.spread(values).expand(3, *groups.shape)
    assert torch.equal(spread, torch.stack([v[place] for v in values]))


@pytest.mark.parametrize("name", CASES)
def test_results_are_new_tensors(name):
    groups = CASES[name]
    a = torch.ones(2, *groups.shape)
    for result in (groups.sums(a), groups.norms(a), groups.largest(a)):
        result.zero_()
        assert bool((a == 1).all())


@pytest.mark.parametrize("name", CASES)
def test_segment_sums_equal_index_add(name):
    groups = CASES[name]
    rows = torch.randn(3, len(groups.index), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = rows.new_zeros(3, len(groups)).index_add(1, groups.index, rows)
    torch.testing.assert_close(groups._segment_sums(rows), expected, rtol=1e-14, atol=1e-14)


def test_alone_equals_population_bit_for_bit():
    groups = by_variable((50, 65), [i % 17 for i in range(50)], [str(i) for i in range(17)])
    w = torch.randn(16, 50, 65, generator=torch.Generator().manual_seed(0))
    assert torch.equal(groups.norms(w), torch.cat([groups.norms(row[None]) for row in w]))


def test_norm_of_zero_has_zero_slope():
    for groups in (by_input((2, 2)), from_index((2, 2), [1, 0], axis=0)):
        w = torch.zeros(1, 2, 2, requires_grad=True)
        groups.norms(w).sum().backward()
        assert w.grad is not None and not bool(w.grad.any())


def test_weights_are_relative_to_one_column():
    assert by_input((3, 65)).weight.tolist() == [1, 1, 1]
    groups = by_variable((4, 65), [0, 1, 1, 1], ["age", "city"])
    assert groups.weight.tolist() == pytest.approx([1, math.sqrt(3)], rel=1e-15)
    assert groups.size.tolist() == [1, 3]
    assert groups.names == ("age", "city")
    assert entries((2, 2)).weight.tolist() == [1] * 4


def test_to_moves_dtype_and_keeps_the_rest():
    groups = CASES["variables"].to(dtype=torch.float32)
    assert groups.weight.dtype == torch.float32
    assert torch.equal(groups.index, CASES["variables"].index)
    assert groups.names == CASES["variables"].names


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: by_input((3, 2), axis=2), "axis 2.*expected 0..1"),
        (lambda: by_input((3, 2), axis=-1), "axis -1"),
        (lambda: by_input((0, 2)), "expected axes of length >= 1"),
        (lambda: by_input((3, 2), names=["a"]), "for 1 names"),
        (lambda: by_variable((3, 2), [0, 1], ["a", "b"]), r"expected \(3,\)"),
        (lambda: by_variable((3, 2), [0, 2, 2], ["a", "b", "c"]), "group ids 0, 2 for 3 names"),
        (lambda: by_variable((3, 2), [0, 1, 2], ["a", "b"]), "names|one a group"),
        (lambda: from_index((2,), [0, -1]), "whole numbers"),
        (lambda: from_index((2,), torch.tensor([0.0, 1.0])), "whole numbers"),
        (lambda: from_index((2,), [0, 1], weight=[1.0, -1.0]), "negative"),
        (lambda: from_index((2,), [0, 1], weight=[1.0, float("nan")]), "non-finite"),
        (lambda: from_index((2,), [0, 1], weight=[1, 2]), "floats"),
    ],
)
def test_refusals_say_what_is_expected(make, says):
    with pytest.raises(InputError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 300
