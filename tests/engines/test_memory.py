"""Members lie alike in memory, so that a member's bits do not depend on the others."""

from __future__ import annotations

import pytest
import torch

from riata.engines import BatchedEngine, Loss, NetworkSpec
from riata.engines.memory import ALIGN, Scratch, aligned

GATHERS = [[0], [4], [8], [3, 1], [5, 6, 7], [8, 7, 6, 5, 4, 3, 2], [0, 1, 2, 3, 4, 5, 6, 7]]


@pytest.mark.parametrize("shape", [(1,), (13,), (30, 65), (64, 64), (7, 3), (1, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_aligned(shape, dtype):
    a = torch.randn(5, *shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    b = aligned(a)
    assert torch.equal(a, b)
    assert all(b[i].data_ptr() % ALIGN == 0 and b[i].is_contiguous() for i in range(5))
    assert aligned(b) is b
    off = torch.randn(a.numel() + 1, dtype=dtype)[1:].reshape(a.shape)
    assert aligned(off).data_ptr() % ALIGN == 0
    turned = a.transpose(0, -1)
    assert torch.equal(aligned(turned), turned)


def test_scratch_keeps_memory_and_meaning():
    scratch, like = Scratch(), torch.zeros(1)
    a = scratch.take("a", (4, 3), like).fill_(1)
    b = scratch.take("b", (4, 3), like).fill_(2)
    assert bool((a == 1).all()) and bool((b == 2).all())
    assert scratch.take("a", (4, 3), like) is a
    assert scratch.take("a", (2, 3), like).data_ptr() == a.data_ptr(), "a smaller chunk reuses the buffer"
    bigger = scratch.take("a", (50, 3), like).fill_(3)
    assert scratch.take("a", (4, 3), like).data_ptr() == bigger.data_ptr(), "old views are forgotten"
    assert scratch.take("a", (4, 3), like.double()).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("hidden", [(), (5,), (50,), (32, 7), (13, 9), (64, 64)], ids=str)
@pytest.mark.parametrize("kind", [("logistic", 1), ("softmax", 3), ("softmax", 6)], ids=str)
def test_same_bits_in_any_company(hidden, kind, dtype):
    loss = Loss(*kind)
    for activation, rows in (("relu", 65), ("silu", 57), ("tanh", 64)):
        draw = torch.Generator().manual_seed(1)
        spec = NetworkSpec(11, loss.outputs, hidden, activation)
        engine = BatchedEngine(spec, loss)
        params = {k: torch.randn(9, *s, generator=draw, dtype=dtype) for k, s in spec.shapes().items()}
        x = torch.randn(rows, 11, generator=draw, dtype=dtype)
        y = torch.randint(0, max(2, loss.outputs), (rows,), generator=draw).to(dtype)
        weight = torch.rand(9, rows, generator=draw, dtype=dtype)
        masks = [(torch.rand(9, rows, h, generator=draw) > 0.3).to(dtype) / 0.7 for h in hidden]
        out, grads = engine.grads(params, x, y, weight, masks or None)
        losses = engine.losses(params, x, y, weight)
        for ids in GATHERS:
            few = {k: w[ids] for k, w in params.items()}
            out_few, grads_few = engine.grads(few, x, y, weight[ids], [m[ids] for m in masks] or None)
            assert torch.equal(out_few, out[ids]), (activation, ids)
            assert torch.equal(engine.losses(few, x, y, weight[ids]), losses[ids]), (activation, ids)
            for name in grads:
                assert torch.equal(grads_few[name], grads[name][ids]), (activation, ids, name)


def test_scratch_changes_no_bit():
    draw, scratch = torch.Generator().manual_seed(1), Scratch()
    spec, loss = NetworkSpec(11, 1, (16, 9), "silu"), Loss("logistic", 1)
    engine = BatchedEngine(spec, loss)
    for rows, members in ((20, 6), (19, 6), (20, 2), (33, 9)):
        params = {k: torch.randn(members, *s, generator=draw) for k, s in spec.shapes().items()}
        x, y = torch.randn(rows, 11, generator=draw), torch.ones(rows)
        fresh, kept = engine.grads(params, x, y), engine.grads(params, x, y, scratch=scratch)
        assert torch.equal(fresh[0], kept[0])
        assert all(torch.equal(fresh[1][k], kept[1][k]) for k in params)
