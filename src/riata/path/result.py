"""What a path is: the fits on all rows, and how each strength did on held-out rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..engines import BatchedEngine, Loss, NetworkSpec
from ..errors import InputError
from ..penalties import ElasticNet, Penalty
from .inputs import read_numbers
from .score import PathScores


@dataclass(frozen=True, eq=False)
class Fits:
    """The fits on all rows along a path, in the order of ``lams``: arrays with the path first."""

    params: Mapping[str, np.ndarray]
    kkt: np.ndarray
    objective: np.ndarray
    status: tuple[str, ...]
    epochs: np.ndarray


@dataclass(frozen=True, eq=False)
class PathResult:
    """One penalty's whole path of strengths.

    Attributes
    ----------
    lams : ndarray (L,)
        Strengths, descending.
    scores : PathScores or None
        Held-out scores; None with ``folds=0``. With early stopping the held-out rows also stopped the networks, so
        these scores are optimistic: :func:`riata.choose` nests them.
    norms : ndarray (L, G)
        Norm of every group's first-layer weights in the fit on all rows; 0.0 where it is out.
    penalty : Penalty
    task : str
    classes : tuple of str
    columns, groups : tuple of str
        Names of the input columns (d,) and of the groups (G,).
    group : ndarray (d,)
        Group of every column.
    spec : NetworkSpec
    loss : Loss
    centre, scale : ndarray (d,)
        What is taken off the inputs and what they are divided by: 0 and 1 unless ``standardize=True``.
    means, variances : ndarray (d,)
        Of the inputs over all rows, as the model reads them.
    y_centre, y_scale : float
        What is taken off a regression target and what it is divided by; 0 and 1 for a linear model.
    fits : Fits
    seconds : float
    confirmed : float
        How many times the computed lam_max is the largest strength, after running it.
    """

    lams: np.ndarray
    scores: PathScores | None
    norms: np.ndarray
    penalty: Penalty
    task: str
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    groups: tuple[str, ...]
    group: np.ndarray
    spec: NetworkSpec
    loss: Loss
    centre: np.ndarray
    scale: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    y_centre: float
    y_scale: float
    fits: Fits
    seconds: float
    confirmed: float = 1.0

    @property
    def lam_min(self) -> float:
        """The strength with the smallest mean held-out loss."""
        return float(self.lams[self._best()])

    @property
    def lam_1se(self) -> float:
        """The largest strength whose mean held-out loss is within one standard error of the smallest.

        References
        ----------
        Breiman, Friedman, Olshen & Stone 1984, *Classification and Regression Trees*, section 3.4.3.
        """
        best = self._best()
        assert self.scores is not None
        error = self.scores.valid_loss_se[best]
        bar = self.scores.valid_loss[best] + (error if np.isfinite(error) else 0.0)
        return float(self.lams[np.flatnonzero(self.scores.valid_loss <= bar)].max())

    def kept(self, lam: float) -> list[str]:
        """Return the names of the input columns with a weight that is not 0.0."""
        alive = (self.weights(lam) != 0).any(1)
        return [name for name, on in zip(self.columns, alive, strict=True) if on]

    def kept_groups(self, lam: float) -> list[str]:
        """Return the names of the groups with a weight that is not 0.0."""
        return [name for name, norm in zip(self.groups, self.norms[self.at(lam)], strict=True) if norm != 0]

    def weights(self, lam: float) -> np.ndarray:
        """Return the first-layer weights of the fit on all rows, (d, h + K); (d, K) for a linear model.

        The last K columns of a network are its linear skip. Of standardized inputs where ``standardize=True``.
        """
        return np.array(self.fits.params["first"][self.at(lam)])

    def intercept(self, lam: float) -> np.ndarray:
        """Return the intercept of the outputs, (K,)."""
        return np.array(self.fits.params["b_out"][self.at(lam)])

    def predict(self, X: Any, lam: float) -> np.ndarray:
        """Return values (n,) for regression, probabilities (n, classes) for classification."""
        z = self.loss.predict(torch.as_tensor(self.outputs(X, lam))).numpy()
        return z[:, 0] if self.task == "regression" else z

    def outputs(self, X: Any, lam: float) -> np.ndarray:
        """Return raw outputs (n, K): values, or logits."""
        x, _ = read_numbers(X)
        if x.shape[1] != len(self.columns):
            raise InputError(
                f"X has {x.shape[1]} columns; expected the {len(self.columns)} of the fit; pass the same columns"
            )
        i = self.at(lam)
        params = {k: torch.as_tensor(v[i : i + 1]) for k, v in self.fits.params.items()}
        x = (x - self.centre) / self.scale
        live = (self.fits.params["first"][i] != 0).any(1)
        rows = torch.as_tensor(np.where(live, x, 0.0)).to(params["first"].dtype)
        z = BatchedEngine(self.spec, self.loss).predict(params, rows)[0].double().numpy()
        return z * self.y_scale + self.y_centre

    def kkt(self, lam: float) -> float:
        """Return the KKT residual of the fit on all rows: how far it is from stationary, in units of lam."""
        return float(self.fits.kkt[self.at(lam)])

    def status(self, lam: float) -> str:
        """Return ``ok``, ``not converged`` or ``diverged``."""
        return self.fits.status[self.at(lam)]

    def objective(self, lam: float) -> float:
        """Return mean loss + penalty of the fit on all rows."""
        return float(self.fits.objective[self.at(lam)])

    def corrected(self, lam: float) -> tuple[np.ndarray, np.ndarray]:
        """Return weights (d, K) and intercept (K,) of the corrected elastic net, for a linear regression.

        See :func:`riata.path.linear.corrected_elastic_net`.

        Raises
        ------
        InputError
            If the path is no linear regression under an elastic net, or its columns do not have variance 1.
        """
        from .linear import corrected_elastic_net

        if self.spec.hidden or self.task != "regression" or not isinstance(self.penalty, ElasticNet):
            raise InputError(
                "the corrected elastic net exists for linear regression only; expected hidden=() and "
                "penalty=ElasticNet(...); fit such a path"
            )
        if np.abs(self.variances - 1).max() > 0.1:
            raise InputError(
                "the corrected elastic net needs columns of variance 1; got others; fit with standardize=True"
            )
        lam2 = float(self.penalty.lam2_of(torch.tensor([float(lam)], dtype=torch.float64))[0])
        return corrected_elastic_net(self.weights(lam), self.intercept(lam), lam2, self.means)

    def at(self, lam: float) -> int:
        """Return the position of a strength on the path.

        Raises
        ------
        InputError
            If the path has no such strength.
        """
        i = int(np.abs(self.lams - lam).argmin())
        if not np.isclose(self.lams[i], lam, rtol=1e-6, atol=0):
            raise InputError(f"lam {lam} is not on the path; expected one of path.lams; nearest is {self.lams[i]!r}")
        return i

    def _best(self) -> int:
        if self.scores is None:
            raise InputError("no held-out rows with folds=0; expected folds >= 2; fit the path with folds=5")
        loss = np.where(np.isfinite(self.scores.valid_loss), self.scores.valid_loss, np.inf)
        return int(loss.argmin())
