"""The autoencoder: deterministic, standardised on its rows, better than nothing, blind to rows it is not given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from riata.errors import InputError
from riata.wide.autoencoder import Autoencoder, learn_encoder

SHORT = Autoencoder(dimensions=3, hidden=16, epochs=60, patience=60)


def curve(n: int = 300, k: int = 10, seed: int = 0) -> Tensor:
    """Return points near a curved surface of two dimensions."""
    draw = np.random.default_rng(seed)
    t = draw.normal(size=(n, 2))
    wide = np.c_[t, t[:, :1] ** 2, np.sin(2 * t[:, 1:]), t[:, :1] * t[:, 1:]] @ np.random.default_rng(9).normal(
        size=(5, k)
    )
    return torch.from_numpy(5 * wide + 0.1 * draw.normal(size=(n, k)))


def test_the_same_seed_gives_the_same_dimensions() -> None:
    x = curve()
    first, again, other = (learn_encoder(x, seed, SHORT).encode(x) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_the_draws_of_others_are_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    learn_encoder(curve(60), 0, Autoencoder(dimensions=2, epochs=2))
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_the_dimensions_are_standardised_on_the_training_rows() -> None:
    x = curve()
    code = learn_encoder(x, 0, SHORT).encode(x)
    assert code.shape == (300, 3)
    torch.testing.assert_close(code.mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(code.std(0, correction=0), torch.ones(3, dtype=torch.float64), atol=1e-9, rtol=0)


def test_it_learns_what_a_mean_does_not_know() -> None:
    x = curve()
    found = learn_encoder(x, 0, SHORT)
    assert found.loss < 0.25
    assert found.loss < learn_encoder(x, 0, Autoencoder(dimensions=3, hidden=16, epochs=1)).loss
    noise = torch.randn(300, 10, generator=torch.Generator().manual_seed(1))
    assert learn_encoder(noise, 0, Autoencoder(dimensions=1, hidden=16, epochs=60)).loss > 0.8


def test_the_code_carries_the_coordinates_of_other_rows() -> None:
    found = learn_encoder(curve(), 0, SHORT)
    fresh, wide = curve(seed=4), curve(seed=4).numpy()
    code = np.c_[found.encode(fresh).numpy(), np.ones(300)]
    rest = wide - code @ np.linalg.lstsq(code, wide, rcond=None)[0]
    assert (rest**2).sum() / ((wide - wide.mean(0)) ** 2).sum() < 0.4


def test_a_unit_of_the_scores_does_not_matter() -> None:
    x = curve()
    torch.testing.assert_close(
        learn_encoder(x, 0, SHORT).encode(x), learn_encoder(1024 * x, 0, SHORT).encode(1024 * x), rtol=0, atol=1e-9
    )


def test_scores_without_any_spread_give_zeros() -> None:
    x = torch.zeros(20, 4)
    assert learn_encoder(x, 0, SHORT).encode(x).eq(0.0).all()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="at least 8 rows"):
        learn_encoder(torch.zeros(7, 3), 0)
    with pytest.raises(InputError, match="finite"):
        learn_encoder(torch.full((9, 3), torch.nan), 0)
    with pytest.raises(InputError, match="expected"):
        Autoencoder(dimensions=0)
    with pytest.raises(InputError, match=r"expected \(m, 10\)"):
        learn_encoder(curve(60), 0, Autoencoder(dimensions=2, epochs=1)).encode(torch.zeros(3, 4))
