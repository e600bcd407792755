"""Made contexts: small tables and made scores that lead a chart to a chosen leaf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from riata.choice.chart import Context, Evidence, Resources

FOLDS = 5
WOBBLE = np.array([0.004, -0.003, 0.002, -0.005, 0.002])


def made_table(kind: str) -> dict[str, Any]:
    """Return X and group of a table that is plain, correlated, a picture, wide or grouped."""
    rng = np.random.default_rng(3)
    if kind == "correlated":
        X = np.repeat(rng.standard_normal((200, 4)), 3, axis=1) + 0.2 * rng.standard_normal((200, 12))
        return {"X": X, "group": np.arange(12)}
    if kind == "picture":
        rough = rng.standard_normal((400, 8, 8))
        smooth = rough + np.roll(rough, 1, 1) + np.roll(rough, 1, 2) + np.roll(rough, (1, 1), (1, 2))
        return {"X": smooth.reshape(400, 64), "group": np.arange(64)}
    if kind == "wide":
        return {"X": rng.standard_normal((40, 90)), "group": np.arange(90)}
    if kind == "grouped":
        levels = rng.integers(0, 4, (300, 3))
        X = (levels[:, :, None] == np.arange(4)).reshape(300, 12).astype(float)
        group = np.r_[np.repeat(np.arange(3), 4), 3, 4]
        return {"X": np.hstack([X, rng.standard_normal((300, 2))]), "group": group}
    return {"X": rng.standard_normal((200, 10)), "group": np.arange(10)}


def made_scores(**means: float) -> dict[str, NDArray[np.float64]]:
    """Return five fold scores around each mean, each candidate with its own small wobble."""
    return {name: mean + np.roll(WOBBLE, i) for i, (name, mean) in enumerate(means.items())}


@pytest.fixture
def scores_of() -> Callable[..., dict[str, NDArray[np.float64]]]:
    return made_scores


@pytest.fixture
def context_of() -> Callable[..., Context]:
    def make(kind: str = "plain", scores: dict[str, float] | None = None, **facts: Any) -> Context:
        table = made_table(kind)
        X = table["X"].astype(np.float32)
        facts.setdefault("resources", Resources(scores is not None, "made"))
        made = made_scores(**scores) if scores is not None else None
        return Context(X, np.zeros(len(X)), table["group"], scores=made, folds=FOLDS, **facts)

    return make


@pytest.fixture
def bad_subsample() -> Evidence:
    return Evidence(0.9, 0.88, None, {"ok": False, "size": 100, "total": 1000})
