"""The classifier."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from ..data.say import listed, refuse
from ..engines import Loss, loss_for
from ..engines.threads import one_thread
from .base import RegularizedMLP


class RegularizedMLPClassifier(ClassifierMixin, RegularizedMLP):
    """A network for classes under one penalty at one strength, with exact zeros in its first layer.

    Minimises mean cross entropy + lam * penalty(first-layer weights). With ``hidden=()`` this is convex and solved to
    rounding: L1 at ``lam`` is scikit-learn's ``LogisticRegression(l1_ratio=1, C=1 / (n * lam))``.

    Parameters
    ----------
    penalty : str or Penalty
        ``none``, ``l2``, ``l1``, ``elastic_net``, ``group_lasso`` or ``sparse_group_lasso``.
    lam : float >= 0
        Strength beside the mean loss per row.
    alpha : float in [0, 1]
        Share of the ridge in the elastic net.
    mix : float in [0, 1]
        Share of L1 in the sparse group lasso.
    hidden : sequence of int
        Widths of the hidden layers; ``()`` is a linear model.
    dropout : float in [0, 1)
        Rate on the hidden layers.
    early_stopping : bool
        Hold rows out and keep the weights of the epoch with their least loss. A linear model needs none.
    validation_fraction : float in (0, 0.5]
        Share of the distinct rows that is held out.
    epochs, batch_size, patience : int, optional
        Most passes, rows a step, and epochs without progress after which training stops; by default from the number
        of rows, as in :func:`riata.choose`.
    learning_rate : float > 0
    groups : label per column, or lists of column indices, optional
        Columns that live and die together; by default each its own group.
    standardize : bool
        Centre the columns and divide them by their standard deviation, on the training rows.
    form : {"bounded", "ridge"}
        What holds the layers above the first.
    random_state : int, RandomState or None
        Of the held-out rows, initial weights, row orders and dropout.
    device : {"cpu", "cuda", "mps", "auto"}
        Where networks are trained; linear models and predictions stay on the CPU.

    Attributes
    ----------
    first_layer_ : ndarray (n_features_in_, width)
        Weights that leave every input, on the scale of standardized inputs; the last columns are the linear skip.
    norms_ : ndarray (n_features_in_,)
        Norm of every row of ``first_layer_``; 0.0 where the input is out.
    kept_ : ndarray of bool (n_features_in_,)
    intercept_ : ndarray (outputs,)
    classes_ : ndarray
    loss_curve_, validation_curve_ : list of float
        Mean loss of the training and of the held-out rows after every epoch, without the penalty.
    n_iter_, best_epoch_ : int
        Epochs run, and the epoch whose weights are kept; of a linear model, cycles of its solver.
    kkt_ : float
        KKT residual on the training rows: 0 at a stationary point, in units of lam.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Equal rows are one row with the sum of their weights, and rows are put in an order that their values fix: the fit
    does not depend on the order of the rows, a weight of 2 is the row twice, and no row is in both parts of a split.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(80, 3))
    >>> y = np.where(X[:, 1] > 0, "yes", "no")
    >>> model = RegularizedMLPClassifier("l1", lam=0.1, hidden=()).fit(X, y)
    >>> model.kept_, model.classes_.tolist(), model.predict(X[:2]).shape
    (array([False,  True, False]), ['no', 'yes'], (2,))
    """

    _task = "classification"
    classes_: np.ndarray

    @one_thread()
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Take one pass over some rows, from the weights and the optimizer state of the last call.

        No rows are held out, the learning rate is constant, and the columns keep the scaling of the first call.

        Parameters
        ----------
        X : frame or array (n, d)
        y : array (n,)
        classes : array
            All classes there will be; needed at the first call.
        sample_weight : array (n,), optional
        """
        if classes is None and not self.__sklearn_is_fitted__():
            raise refuse(
                "partial_fit without classes; expected all there will be at the first call; pass classes=[...]"
            )
        return self._pass(X, y, classes, sample_weight)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities (n, classes), in the order of ``classes_``."""
        return self._outputs(X)

    def predict(self, X: Any) -> np.ndarray:
        """Return class labels (n,)."""
        best = self._outputs(X).argmax(1)
        return np.asarray(self.classes_[best])

    def _code(self, target: np.ndarray, weight: np.ndarray, classes: Any, first: bool = True) -> np.ndarray:
        check_classification_targets(target)
        there = np.unique(target[weight > 0])
        if classes is not None:
            named = np.unique(classes)
            if not first and not np.array_equal(named, self.classes_):
                raise refuse(
                    f"classes are {listed(named.tolist())}; expected those of the first call; leave classes out"
                )
            there = named if first else there
        if first:
            if len(there) < 2:
                raise refuse(f"y has one class, {there[0]!r}; expected at least two classes; pass more rows")
            self.classes_ = there
        unknown = np.setdiff1d(target[weight > 0], self.classes_)
        if len(unknown):
            raise refuse(
                f"y has classes {listed(unknown.tolist())}; expected those of classes_; name them in the first classes="
            )
        return np.searchsorted(self.classes_, target).clip(max=len(self.classes_) - 1).astype(np.float64)

    def _loss(self) -> Loss:
        return loss_for("classification", len(self.classes_))
