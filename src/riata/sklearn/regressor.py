"""The regressor."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin

from ..engines import Loss, loss_for
from ..engines.threads import one_thread
from .base import RegularizedMLP


class RegularizedMLPRegressor(RegressorMixin, RegularizedMLP):
    """A network for numbers under one penalty at one strength, with exact zeros in its first layer.

    Minimises mean squared error / 2 + lam * penalty(first-layer weights). With ``hidden=()`` this is convex and solved
    to rounding: L1 at ``lam`` is scikit-learn's ``Lasso(alpha=lam)``, after a ``StandardScaler`` unless
    ``standardize=False``. A network's target is standardized inside (its lam refers to y in units of its standard
    deviation); a linear model's is left alone.

    Parameters
    ----------
    penalty, lam, alpha, mix, hidden, dropout, early_stopping, validation_fraction, epochs, batch_size, patience,
    learning_rate, groups, standardize, form, random_state, device
        See :class:`RegularizedMLPClassifier`.

    Attributes
    ----------
    first_layer_, norms_, kept_, intercept_, loss_curve_, validation_curve_, n_iter_, best_epoch_, kkt_
        See :class:`RegularizedMLPClassifier`.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(80, 3))
    >>> model = RegularizedMLPRegressor("l1", lam=0.5, hidden=()).fit(X, 3 * X[:, 1])
    >>> model.kept_, model.predict(X).shape
    (array([False,  True, False]), (80,))
    """

    _task = "regression"

    @one_thread()
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Take one pass over some rows, from the weights and the optimizer state of the last call.

        No rows are held out, the learning rate is constant, and columns and target keep the scaling of the first call.

        Parameters
        ----------
        X : frame or array (n, d)
        y : array (n,)
        sample_weight : array (n,), optional
        """
        return self._pass(X, y, None, sample_weight)

    def predict(self, X: Any) -> np.ndarray:
        """Return values (n,)."""
        return self._outputs(X)[:, 0]

    def _code(self, target: np.ndarray, weight: np.ndarray, classes: Any, first: bool = True) -> np.ndarray:
        return np.asarray(target, dtype=np.float64)

    def _loss(self) -> Loss:
        return loss_for("regression", 0)
