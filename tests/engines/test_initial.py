"""Where networks start: a pure function of the seed, inside the bounds, no two units alike."""

from __future__ import annotations

import pytest
import torch

from riata.engines import NetworkSpec, generator, initial
from riata.errors import InputError

SPECS = [NetworkSpec(7, 3, (16, 9)), NetworkSpec(7, 1, (5,), skip=False), NetworkSpec(7, 2, ())]


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_pure_function_of_seed(spec):
    torch.manual_seed(0)
    a = initial(spec, 3)
    torch.manual_seed(1)
    b, other = initial(spec, 3), initial(spec, 4)
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert {k: tuple(w.shape) for k, w in a.items()} == spec.shapes()
    if spec.hidden:
        assert not torch.equal(a["first"], other["first"]) and not torch.equal(a["b1"], other["b1"])
        assert torch.equal(initial(spec, 3, dtype=torch.float64)["first"].float(), a["first"])


def test_bounded_and_apart():
    for seed in range(5):
        spec = NetworkSpec(7, 3, (64, 64, 8))
        params = initial(spec, seed, dtype=torch.float64)
        for name in spec.upper:
            torch.testing.assert_close(params[name].norm(dim=0), torch.ones(params[name].shape[1], dtype=torch.float64))
        hidden = torch.cat([params["first"][:, :64], params["b1"][None]])
        assert len(torch.unique(hidden, dim=1).T) == 64, "identical units stay identical for ever"
        assert len(torch.unique(params["w2"], dim=1).T) == 64
        assert float(params["b1"].abs().max()) <= 1 and float(params["b1"].std()) > 0.3
        assert not bool(params["first"][:, 64:].any()), "the skip starts at zero"


def test_sparse_end():
    params = initial(NetworkSpec(7, 1, (16,)), 0, dense=False)
    assert not bool(params["first"].any())
    assert len(torch.unique(params["b1"])) == 16


def test_generator_is_addressed_by_every_key():
    keys = [(0, "order", 1), (1, "order", 1), (0, "dropout", 1), (0, "order", 2), (0, "order", 1, 1)]
    draws = torch.stack([torch.rand(4, generator=generator(*key)) for key in keys])
    assert len(torch.unique(draws, dim=0)) == len(keys)
    assert torch.equal(torch.rand(4, generator=generator(*keys[3])), draws[3])


@pytest.mark.parametrize(
    "options", [{"activation": "gelu"}, {"form": "loose"}, {"hidden": (0,)}, {"inputs": 0}, {"outputs": 0}], ids=str
)
def test_refuses(options):
    with pytest.raises(InputError):
        NetworkSpec(**{"inputs": 3, **options})
