"""Polynomials and networks fitted to the same points, each judged on fresh ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..path.fit import fit_path
from ..penalties import L1, L2, ElasticNet, GroupLasso, NoPenalty, Penalty
from .points import MOST_DEGREE, Floats, Points, draw_points, powers

UNITS, EPOCHS, FOLDS = 48, 500, 6
STRENGTHS = np.geomspace(0.4, 0.01, 5)
PENALTIES: tuple[Penalty, ...] = (NoPenalty(), L2(), L1(), ElasticNet(), GroupLasso())
CURVE = np.linspace(-1, 1, 201)
LOW, HIGH = 3, MOST_DEGREE

Predict = Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class Fit:
    """One curve and how it did.

    Attributes
    ----------
    key : str
        ``degree_3``, ``degree_10`` or a penalty.
    curve : ndarray (201,)
        Its height over :data:`CURVE`.
    train, fresh : float
        Root mean squared error on the twelve points and on fresh ones.
    weights, of : int
        Weights on the powers of x that are not zero, and how many there are; intercepts not counted.
    largest : float
        Largest absolute weight, inputs in units of their standard deviation.
    kept : tuple of int
        Powers of x with a weight that is not zero.
    lam : float or None
        The strength that cross-validation on the twelve points chose; None for a polynomial.
    """

    key: str
    curve: Floats
    train: float
    fresh: float
    weights: int
    of: int
    largest: float
    kept: tuple[int, ...]
    lam: float | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """Everything that the page says.

    Attributes
    ----------
    points : Points
    fits : dict of Fit
        By key: both polynomials, then the networks.
    degrees : list of (degree, train error, fresh error)
    seconds : float
    """

    points: Points
    fits: dict[str, Fit]
    degrees: list[tuple[int, float, float]]
    seconds: float

    @property
    def best(self) -> Fit:
        """The regularized network with the least error on fresh points."""
        return min((f for f in self.fits.values() if f.lam), key=lambda f: f.fresh)


def compute(seed: int = 0) -> Found:
    """Draw the points and fit everything to them: some seconds on one core, the same numbers each time."""
    began = time.perf_counter()
    points = draw_points(seed)
    degrees = [polynomial(points, degree) for degree in range(MOST_DEGREE + 1)]
    fits = [degrees[LOW], degrees[HIGH], *(network(points, penalty, seed) for penalty in PENALTIES)]
    errors = [(degree, fit.train, fit.fresh) for degree, fit in enumerate(degrees)]
    return Found(points, {f.key: f for f in fits}, errors, time.perf_counter() - began)


def polynomial(points: Points, degree: int) -> Fit:
    """Fit a polynomial by least squares, in standardized powers so that its weights compare with a network's."""
    x = powers(points.x, degree) if degree else np.zeros((len(points.x), 0))
    centre, scale = x.mean(0), x.std(0)
    design = np.column_stack([np.ones(len(x)), (x - centre) / scale])
    coefficients = np.linalg.lstsq(design, points.y, rcond=None)[0]
    raw = coefficients[1:] / scale
    whole = np.r_[coefficients[0] - raw @ centre, raw]
    return _judged(
        f"degree_{degree}",
        points,
        lambda at: np.vander(at, degree + 1, increasing=True) @ whole,
        coefficients[1:, None],
    )


def network(points: Points, penalty: Penalty, seed: int) -> Fit:
    """Fit a network to the ten standardized powers; its strength is chosen on held-out points among the twelve."""
    plain = isinstance(penalty, NoPenalty)
    path = fit_path(
        powers(points.x), points.y, penalty, hidden=(UNITS,), lams=[0.0] if plain else STRENGTHS,
        folds=0 if plain else FOLDS, seeds=1, standardize=True, early_stopping=False, epochs=EPOCHS,
        batch_size=len(points.x), lr=0.03, dtype="float64", device="cpu", seed=seed,
    )  # fmt: skip
    lam = 0.0 if plain else path.lam_min
    return _judged(penalty.name, points, lambda at: path.predict(powers(at), lam), path.weights(lam), lam)


def _judged(key: str, points: Points, predict: Predict, weights: Floats, lam: float | None = None) -> Fit:
    def error(x: Floats, y: Floats) -> float:
        return float(np.sqrt(np.mean((predict(x) - y) ** 2)))

    alive = (weights != 0).any(1)
    return Fit(
        key, predict(CURVE), error(points.x, points.y), error(points.fresh_x, points.fresh_y),
        int((weights != 0).sum()), weights.size, float(np.abs(weights).max(initial=0.0)),
        tuple(int(k) + 1 for k in np.flatnonzero(alive)), lam,
    )  # fmt: skip
