"""Selecting variables: the true ones are kept, what is left out is exactly zero, and agreement is measured right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import riata
from riata.choice.decision import Decision
from riata.choice.select import RELAXED, stability

SMALL: dict[str, Any] = {
    "hidden": (8,), "epochs": 40, "folds": 3, "seeds": 2, "path_length": 6, "workers": 1, "dropout": (0.0,),
    "device": "cpu", "goal": "selection", "penalties": ["group_lasso"],
}  # fmt: skip
TRUE = {"x1", "x2", "x3"}


def simulated(n: int = 200, p: int = 15, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, 2 * X[:, 0] - 2 * X[:, 1] + 1.5 * X[:, 2] + 0.5 * rng.normal(size=n)


@pytest.fixture(scope="module")
def found() -> Decision:
    return riata.choose(*simulated(), **SMALL)


def test_true_variables_are_kept_and_most_others_dropped(found: Decision) -> None:
    assert found.verdict["penalty"] == "group_lasso"
    assert set(found.kept) >= TRUE and len(found.dropped) >= 8
    norms = [found.summary["norms"][v] for v in found.kept]
    assert norms == sorted(norms, reverse=True) and norms[-1] > 0
    shares = found.summary["selection"]["shares"]
    assert all(shares[v] == 1 for v in TRUE) and min(shares.values()) < 0.75
    assert all(0 <= share <= 1 for share in shares.values())
    assert found.summary["selection"]["networks"] == 6


def test_weights_of_dropped_variables_are_exactly_zero(found: Decision) -> None:
    model = found.model
    assert model is not None
    out = np.isin(model.encoder.layout.group, [model.variables.index(v) for v in found.dropped])
    first = model.params["first"].numpy()
    assert out.any() and (first[:, out] == 0.0).all() and (first[:, ~out] != 0).any()
    assert set(found.kept) | set(found.dropped) == set(model.variables)
    assert not set(found.kept) & set(found.dropped)


def test_the_verdict_says_how_far_the_refit_is_relaxed(found: Decision) -> None:
    verdict, model = found.verdict, found.model
    assert verdict["relaxed"] in RELAXED and model is not None
    assert model.facts["lam"] == pytest.approx(verdict["relaxed"] * verdict["lam"])
    assert verdict["lam"] > 0 and verdict["dropout"] == 0
    final = found.summary["final"]
    assert final["method"] == "nested" and final["r2"]["mean"] > 0.7
    assert found.population is not None
    assert found.summary["fits"] == len(found.population.members)
    assert sum(m.fold == -1 for m in found.population.members) == SMALL["folds"]


def test_prediction_is_not_relaxed() -> None:
    found = riata.choose(*simulated(80, 6), **{**SMALL, "goal": "prediction", "epochs": 10, "seeds": 1})
    assert found.verdict["relaxed"] is None


def test_a_target_of_noise_gives_no_list_to_believe() -> None:
    rng = np.random.default_rng(1)
    found = riata.choose(rng.normal(size=(90, 12)), rng.normal(size=90), **{**SMALL, "epochs": 20})
    assert found.summary["selection"]["stability"] < 0.4
    warned = any("unstable" in w or "keeps no variable" in w for w in found.summary["warnings"])
    assert warned or not found.dropped


@pytest.mark.parametrize(
    ("alive", "agreement"),
    [
        ([[1, 0, 0], [1, 0, 0]], 1.0),
        ([[1, 0], [0, 1]], -1.0),
        ([[1, 1, 0], [1, 0, 0]], 1 / 3),
        ([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]], 0.0),
        ([[1, 1], [1, 1]], 1.0),
        ([[0, 0], [0, 0]], 1.0),
    ],
)
def test_stability_by_hand(alive: list[list[int]], agreement: float) -> None:
    assert stability(np.array(alive, dtype=bool)) == pytest.approx(agreement, abs=1e-12)


def test_stability_is_the_formula_of_nogueira() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        z = rng.random((7, 9)) < rng.uniform(0.2, 0.8, 9)
        m, d = z.shape
        p, k = z.sum(0) / m, z.sum() / m
        expected = 1 - (np.sum(m / (m - 1) * p * (1 - p)) / d) / (k / d * (1 - k / d))
        assert stability(z) == pytest.approx(expected)
    assert np.isnan(stability(np.array([[True, False]])))
    chance = rng.random((400, 50)) < 0.3
    assert abs(stability(chance)) < 0.02
