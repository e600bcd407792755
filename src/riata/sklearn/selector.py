"""The selector: a transformer that keeps the columns a regularized network reads."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted

from ..data.say import refuse
from ..penalties import Penalty
from ..population.train import OK
from .base import MOST_SEED
from .rows import read_columns
from .selecting import Search, alive, make_search
from .settings import read_lam, read_options, read_penalty, read_share


class RiataSelector(SelectorMixin, BaseEstimator):
    """Keep the columns whose first-layer weights are not exactly zero at one strength of a path.

    With ``lam="auto"`` the strength is lam_1se: the largest whose mean held-out loss over the folds is within one
    standard error of the least. One network is then fitted on all rows at the strength, from its initial weights, and
    finished with full batches until its KKT residual is ``tol``; none is stopped early.

    Parameters
    ----------
    penalty : str or Penalty
        One that can drop columns: ``group_lasso``, ``sparse_group_lasso``, ``l1`` or ``elastic_net``.
    lam : float >= 0 or "auto"
    alpha, mix : float in [0, 1]
        Share of the ridge in the elastic net; share of L1 in the sparse group lasso.
    hidden : sequence of int
        Widths of the hidden layers; one layer reaches ``tol`` soon, more may not. ``()`` is a linear model.
    task : {"auto", "classification", "regression"}
        ``auto``: texts are classes, numbers by the rule of :func:`riata.choose`.
    folds : int
        Folds that choose the strength and count agreement; fewer where a class has fewer rows.
    seeds : int
        Networks a fold and strength.
    path_length : int
        Strengths that ``lam="auto"`` tries.
    threshold : float in (0, 1], optional
        Keep a column if at least this share of the networks of the folds, fitted at the strength like that on all
        rows, keeps it; by default the fit on all rows decides.
    tol : float > 0
        KKT residual to which networks are finished; a linear model is solved to rounding.
    groups, standardize, epochs, batch_size, learning_rate, form, random_state, device
        See :class:`RegularizedMLPClassifier`.

    Attributes
    ----------
    lam_ : float
        The strength.
    norms_ : ndarray (n_features_in_,)
        Norm of every column's first-layer weights in the fit on all rows.
    shares_ : ndarray (n_features_in_,)
        Share of the networks of the folds that keep a column; only with ``threshold``.
    kkt_ : float
        KKT residual of the fit on all rows.
    path_ : PathResult
        The path, with its scores; only with ``lam="auto"``.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(80, 4))
    >>> RiataSelector(hidden=(), random_state=0).fit(X, 3 * X[:, 1] + X[:, 2]).get_support()
    array([False,  True,  True, False])
    """

    def __init__(
        self,
        penalty: str | Penalty = "group_lasso",
        lam: float | str = "auto",
        *,
        alpha: float = 0.5,
        mix: float = 0.5,
        hidden: Sequence[int] = (32,),
        task: str = "auto",
        folds: int = 5,
        seeds: int = 1,
        path_length: int = 20,
        threshold: float | None = None,
        tol: float = 1e-3,
        groups: Any = None,
        standardize: bool = True,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float = 0.01,
        form: str = "bounded",
        random_state: Any = None,
        device: str = "cpu",
    ):
        self.penalty = penalty
        self.lam = lam
        self.alpha = alpha
        self.mix = mix
        self.hidden = hidden
        self.task = task
        self.folds = folds
        self.seeds = seeds
        self.path_length = path_length
        self.threshold = threshold
        self.tol = tol
        self.groups = groups
        self.standardize = standardize
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.form = form
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any) -> Self:
        """Choose the strength and the columns.

        Parameters
        ----------
        X : frame or array (n, d)
            Columns of finite numbers.
        y : array (n,)

        Raises
        ------
        InputError
            If a parameter or the data cannot be used; it is a ValueError too.
        """
        search = self._search(*read_columns(self, X, True, y, ensure_min_samples=2))
        share = None if self.threshold is None else read_share("threshold", self.threshold, 1.0, "threshold=0.75")
        if isinstance(self.lam, str):
            self.path_ = search.path()
        self.lam_ = self.path_.lam_1se if isinstance(self.lam, str) else read_lam(self.lam)
        whole = search.at(self.lam_)
        if whole.status(self.lam_) != OK:
            said = f"kkt {whole.kkt(self.lam_):.2g}, tol {self.tol}; raise tol or epochs"
            warnings.warn(f"the fit is {whole.status(self.lam_)}: {said}", ConvergenceWarning, stacklevel=2)
        self.norms_ = np.linalg.norm(whole.weights(self.lam_), axis=1)
        self.kkt_ = whole.kkt(self.lam_)
        self._mask = alive(whole.weights(self.lam_))
        if share is not None:
            self.shares_ = search.shares(self.lam_)
            self._mask = self.shares_ >= share
        return self

    def _search(self, x: np.ndarray, target: np.ndarray) -> Search:
        """Return what is searched, every parameter checked."""
        if isinstance(self.lam, str) and self.lam != "auto":
            raise refuse(f"lam is {self.lam!r}; expected 'auto' or a number >= 0; use lam='auto'")
        seed = int(check_random_state(self.random_state).randint(MOST_SEED))
        penalty = read_penalty(self.penalty, self.alpha, self.mix)
        if not penalty.sparse:
            raise refuse(f"penalty {penalty.name} keeps every column; expected a sparse one; use penalty='group_lasso'")
        if self.folds == 0:
            raise refuse("folds is 0; expected a whole number >= 2; use folds=5")
        own = {name: getattr(self, name) for name in ("task", "folds", "seeds", "path_length", "tol")}
        return make_search(x, target, penalty, self.groups, read_options(self.get_params(deep=False), seed, **own))

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        return np.asarray(self._mask)

    def __sklearn_tags__(self) -> Tags:
        """Return the tags: a target is required."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
