"""Mixup: what is mixed, by which share, and that the seed decides all of it."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from riata.errors import InputError
from riata.torch.mixing import mixup


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = 16):
    x = torch.randn(n, 3, generator=seeded(5))
    x[:, 1] = 0.0
    return x, torch.arange(n) % 4


def test_rows_and_targets_are_mixed_by_one_share_with_one_partner():
    x, _ = batch()
    y = torch.arange(16.0)
    mixed = mixup(x, y, alpha=1.0, generator=seeded())
    partner = mixed.second.long()
    assert sorted(partner.tolist()) == list(range(16)) and 0 < mixed.share < 1
    torch.testing.assert_close(mixed.inputs, mixed.share * x + (1 - mixed.share) * x[partner])
    torch.testing.assert_close(mixed.targets(), mixed.share * y + (1 - mixed.share) * y[partner])
    assert bool((mixed.inputs[:, 1] == 0.0).all())


def test_the_generator_decides_all_and_nothing_else_moves():
    x, y = batch()
    kept, global_state = x.clone(), torch.get_rng_state()
    one, two, other = (mixup(x, y, 0.5, seeded(s)) for s in (1, 1, 2))
    assert torch.equal(one.inputs, two.inputs) and torch.equal(one.second, two.second) and one.share == two.share
    assert one.share != other.share and not torch.equal(one.second, other.second)
    assert torch.equal(x, kept) and torch.equal(torch.get_rng_state(), global_state)


def test_share_is_beta():
    """Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1))."""
    x, y = batch(2)
    for alpha in (0.2, 1.0, 4.0):
        generator = seeded(7)
        shares = torch.tensor([mixup(x, y, alpha, generator).share for _ in range(2000)])
        assert float(shares.mean()) == pytest.approx(0.5, abs=0.03)
        assert float(shares.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


def test_cross_entropy_of_both_labels_is_that_of_mixed_shares():
    x, y = batch()
    mixed = mixup(x, y, 1.0, seeded(3))
    logits = torch.randn(16, 4, generator=seeded(4))
    torch.testing.assert_close(mixed.loss(F.cross_entropy, logits), F.cross_entropy(logits, mixed.targets(classes=4)))


def test_squared_error_has_the_gradient_of_mixed_targets():
    x, _ = batch()
    mixed = mixup(x, torch.randn(16, generator=seeded(8)), 1.0, seeded(3))
    f = torch.zeros(16, requires_grad=True)
    (pairs,) = torch.autograd.grad(mixed.loss(F.mse_loss, f), f)
    (straight,) = torch.autograd.grad(F.mse_loss(f, mixed.targets()), f)
    torch.testing.assert_close(pairs, straight)


def test_alpha_0_changes_nothing():
    x, y = batch()
    mixed = mixup(x, y, alpha=0.0, generator=seeded())
    assert mixed.share == 1.0 and torch.equal(mixed.inputs, x) and mixed.inputs.data_ptr() != x.data_ptr()
    logits = torch.randn(16, 4, generator=seeded(4))
    assert torch.equal(mixed.loss(F.cross_entropy, logits), F.cross_entropy(logits, y))


def test_without_a_generator_torch_seeds_it():
    x, y = batch()
    torch.manual_seed(11)
    one = mixup(x, y)
    torch.manual_seed(11)
    assert torch.equal(mixup(x, y).inputs, one.inputs)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda x, y: mixup(x, y, alpha=-1.0), "alpha -1.0"),
        (lambda x, y: mixup(x, y[:3]), "one target a row"),
        (lambda x, y: mixup(x.long(), y), "torch.int64 with targets"),
        (lambda x, y: mixup(x, y).targets(), "labels without a number of classes"),
        (lambda x, y: mixup(x, y).targets(classes=3), "label 3 with classes=3"),
    ],
)
def test_refusals(act, says):
    with pytest.raises(InputError, match=says) as caught:
        act(*batch())
    assert "\n" not in str(caught.value)
