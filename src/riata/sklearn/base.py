"""What the classifier and the regressor share: one penalty at one strength, fitted and read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..engines import BatchedEngine, Loss, NetworkSpec
from ..engines.threads import one_thread
from ..path.inputs import read_groups
from ..path.options import PathOptions
from ..penalties import Penalty
from ..population.train import OK
from .rows import Table, distinct, hold_out, read_columns, read_scaling, read_weight
from .settings import MOST_FRACTION, read_lam, read_options, read_penalty, read_share
from .steps import Going, begin, one_pass
from .training import Fit, Work, fit_linear, fit_network

MOST_SEED = 2**31 - 1
PIECE = 4096
"""Rows that are predicted at a time."""


class RegularizedMLP(BaseEstimator):
    """One regularized network; see :class:`RegularizedMLPClassifier` and :class:`RegularizedMLPRegressor`."""

    def __init__(
        self,
        penalty: str | Penalty = "group_lasso",
        lam: float = 0.01,
        *,
        alpha: float = 0.5,
        mix: float = 0.5,
        hidden: Sequence[int] = (64, 64),
        dropout: float = 0.0,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        epochs: int | None = None,
        batch_size: int | None = None,
        patience: int | None = None,
        learning_rate: float = 0.01,
        groups: Any = None,
        standardize: bool = True,
        form: str = "bounded",
        random_state: Any = None,
        device: str = "cpu",
    ):
        self.penalty = penalty
        self.lam = lam
        self.alpha = alpha
        self.mix = mix
        self.hidden = hidden
        self.dropout = dropout
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.epochs = epochs
        self.batch_size = batch_size
        self.patience = patience
        self.learning_rate = learning_rate
        self.groups = groups
        self.standardize = standardize
        self.form = form
        self.random_state = random_state
        self.device = device

    @one_thread()
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit from the start.

        Parameters
        ----------
        X : frame or array (n, d)
            Columns of finite numbers.
        y : array (n,)
        sample_weight : array (n,), optional
            Weights >= 0: 2 is the row twice, 0 is no row.

        Raises
        ------
        InputError
            If a parameter or the data cannot be used; it is a ValueError too.
        """
        options = self._options()
        share = read_share("validation_fraction", self.validation_fraction, MOST_FRACTION, "validation_fraction=0.1")
        x, target = self._read(X, y, reset=True)
        weight = read_weight(sample_weight, len(x))
        table = distinct(x, self._code(target, weight, None), weight)
        train, held = np.arange(len(table.y)), np.arange(0)
        if options.early_stopping and options.hidden:
            train, held = hold_out(table, share, options.seed, self._task == "classification")
        valid = table.take(held) if len(held) else None
        self._prepare(options, table.take(train))
        fit = self._run(table.take(train), valid)
        self.loss_curve_, self.validation_curve_ = fit.loss_curve, fit.valid_curve
        self._going: Going | None = None
        return self._keep(fit)

    def _run(self, train: Table, valid: Table | None) -> Fit:
        train = self._scaling.table(train)
        if not self._work.options.hidden:
            return fit_linear(self._work, train)
        return fit_network(self._work, train, None if valid is None else self._scaling.table(valid))

    def _pass(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> Self:
        """Go on for one pass over some rows: weights, optimizer state and scaling stay from call to call."""
        first = not self.__sklearn_is_fitted__()
        options = self._options() if first else self._work.options
        x, target = self._read(X, y, reset=first)
        weight = read_weight(sample_weight, len(x))
        table = distinct(x, self._code(target, weight, classes, first), weight)
        if first:
            self._prepare(options, table)
            self._going, self.loss_curve_, self.validation_curve_ = None, [], []
        scaled = self._scaling.table(table)
        going = self._going or begin(self._work, scaled, None if first else self._params)
        self._going, fit = one_pass(self._work, scaled, going)
        self.loss_curve_ = [*self.loss_curve_, *fit.loss_curve]
        return self._keep(fit)

    def _options(self) -> PathOptions:
        """Return the checked parameters, with a seed drawn from ``random_state``."""
        seed = int(check_random_state(self.random_state).randint(MOST_SEED))
        return read_options(self.get_params(deep=False), seed)

    def _read(self, X: Any, y: Any, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        x, target = read_columns(self, X, reset, y, y_numeric=self._task == "regression")
        return x, target

    def _prepare(self, options: PathOptions, train: Table) -> None:
        """Fix what is fitted: scaling by the training rows, the network, the penalty and its groups."""
        penalty, lam = read_penalty(self.penalty, self.alpha, self.mix), read_lam(self.lam)
        d = train.x.shape[1]
        names = tuple(getattr(self, "feature_names_in_", [f"x{j}" for j in range(d)]))
        group, _ = read_groups(self.groups, names)
        target = self._task == "regression" and bool(options.hidden)
        self._scaling = read_scaling(train, options.standardize, target)
        loss = self._loss()
        spec = NetworkSpec(d, loss.outputs, options.hidden, form=options.form)
        self._work = Work(spec, loss, penalty, lam, group, self._scaling.flat, options)

    def _keep(self, fit: Fit) -> Self:
        """Take in a fit as the attributes that a user reads."""
        if fit.status != OK:
            said = "lower learning_rate" if self._work.options.hidden else "raise lam"
            warnings.warn(f"the fit {fit.status}; {said}", ConvergenceWarning, stacklevel=3)
        self._params = fit.params
        self.first_layer_ = fit.params["first"][0].numpy().copy()
        self.intercept_ = fit.params["b_out"][0].numpy().copy()
        self.norms_ = np.linalg.norm(self.first_layer_, axis=1)
        self.kept_ = (self.first_layer_ != 0).any(1)
        self.n_iter_, self.best_epoch_, self.kkt_ = fit.epochs, fit.best_epoch, fit.kkt
        return self

    def _outputs(self, X: Any) -> np.ndarray:
        """Return what the loss predicts for new rows: values (n, 1) or probabilities (n, classes), in float64."""
        check_is_fitted(self)
        x = np.where(self.kept_, read_columns(self, X, reset=False), self._scaling.centre)
        engine = BatchedEngine(self._work.spec, self._work.loss)
        params = {name: w.double() for name, w in self._params.items()}
        pieces = [engine.predict(params, part)[0] for part in torch.as_tensor(self._scaling.inputs(x)).split(PIECE)]
        z = torch.cat(pieces) * self._scaling.y_scale + self._scaling.y_centre
        return np.asarray(self._work.loss.predict(z).numpy())

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether there are weights."""
        return "first_layer_" in self.__dict__

    _task: str

    def _code(self, target: np.ndarray, weight: np.ndarray, classes: Any, first: bool = True) -> np.ndarray:
        """Return the target as numbers (n,)."""
        raise NotImplementedError

    def _loss(self) -> Loss:
        """Return the loss."""
        raise NotImplementedError
