"""Label smoothing for one logit, against torch's for two classes."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from riata.errors import InputError
from riata.torch.losses import SmoothBCEWithLogitsLoss, smooth_bce_with_logits, smooth_targets

Z = torch.tensor([-3.0, -0.5, 0.0, 0.7, 40.0], dtype=torch.float64)
Y = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0], dtype=torch.float64)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_equals_torch_for_two_classes(smoothing, reduction):
    two = torch.stack([torch.zeros_like(Z), Z], 1)
    theirs = F.cross_entropy(two, Y.long(), label_smoothing=smoothing, reduction=reduction)
    for targets in (Y, Y.long(), Y.bool()):
        ours = smooth_bce_with_logits(Z, targets, smoothing, reduction=reduction)
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_least_at_the_smoothed_share():
    """A lone positive row is fitted best by p = 1 - smoothing/2, not by an infinite logit."""
    z = torch.tensor([math.log(0.95 / 0.05)], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(smooth_bce_with_logits(z, torch.ones(1), 0.1), z)
    assert abs(float(slope)) < 1e-12


def test_module_options_reach_the_loss():
    weight = torch.tensor(3.0, dtype=torch.float64)
    loss = SmoothBCEWithLogitsLoss(0.2, pos_weight=weight, reduction="none")
    expected = F.binary_cross_entropy_with_logits(Z, smooth_targets(Y, 0.2), pos_weight=weight, reduction="none")
    assert torch.equal(loss(Z, Y), expected)
    assert not torch.allclose(loss(Z, Y), SmoothBCEWithLogitsLoss(0.2, reduction="none")(Z, Y))
    assert loss.to(torch.float32).pos_weight.dtype == torch.float32


def test_refusals():
    for act, says in (
        (lambda: smooth_targets(Y, 1.0), "smoothing 1.0"),
        (lambda: SmoothBCEWithLogitsLoss(-0.1), "smoothing -0.1"),
        (lambda: SmoothBCEWithLogitsLoss(reduction="avg"), "reduction 'avg'"),
        (lambda: smooth_bce_with_logits(Z[:, None], Y), r"targets of shape \(5,\) for logits of shape \(5, 1\)"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            act()
        assert "\n" not in str(caught.value)
