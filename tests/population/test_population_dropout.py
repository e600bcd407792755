"""Dropout: a rate per member, noise shared by seed, never on the output layer, scaled to keep the mean."""

from __future__ import annotations

import torch
from small_population import arms_for, fit

from riata.engines import NetworkSpec
from riata.population.train import noise

SPEC = NetworkSpec(7, 1, (40, 30))


def test_rate_and_scale():
    masks = noise(SPEC, arms_for([1.0] * 4, [0.0, 0.1, 0.5, 0.9]), seed=0, step=0, rows=2000)
    assert [m.shape for m in masks] == [(4, 2000, 40), (4, 2000, 30)], "one a hidden layer, none for the output"
    for mask in masks:
        assert bool((mask[0] == 1).all())
        for member, p in ((1, 0.1), (2, 0.5), (3, 0.9)):
            assert abs(float((mask[member] == 0).float().mean()) - p) < 0.01
            torch.testing.assert_close(mask[member].max(), torch.tensor(1 / (1 - p)))
            assert len(mask[member].unique()) == 2
            assert abs(float(mask[member].mean()) - 1) < 0.03


def test_no_noise_is_drawn_where_nobody_drops():
    assert noise(SPEC, arms_for([1.0, 1.0]), 0, 0, 5) is None
    assert noise(NetworkSpec(7, 1, ()), arms_for([1.0], 0.5), 0, 0, 5) is None


def test_noise_is_paired():
    """Members share the draw: what a weak rate drops, a stronger one drops too."""
    arms = arms_for([1.0] * 3, [0.2, 0.2, 0.6])
    for a, b in zip(noise(SPEC, arms, 3, 7, 50), noise(SPEC, arms, 3, 7, 50), strict=True):
        assert torch.equal(a, b) and torch.equal(a[0], a[1])
        assert bool(((a[0] == 0) <= (a[2] == 0)).all())


def test_noise_differs_by_seed_step_and_layer():
    arms, wide = arms_for([1.0], 0.5), NetworkSpec(7, 1, (40, 40))
    base = noise(wide, arms, 0, 0, 50)
    assert not torch.equal(base[0], base[1])
    for seed, step in ((1, 0), (0, 1)):
        assert not torch.equal(base[0], noise(wide, arms, seed, step, 50)[0])


def test_seeds_in_training():
    a, b = fit(arms_for([0.01], 0.3), seed=0), fit(arms_for([0.01, 0.02], 0.3), seed=0)
    other = fit(arms_for([0.01], 0.3), seed=1)
    assert torch.equal(a.params["first"][0], b.params["first"][0])
    assert not torch.equal(a.params["first"], other.params["first"])
