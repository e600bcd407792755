"""Paths of linear models, exact to rounding, and the corrected elastic net."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..engines import Loss
from ..groups import Groups, by_input
from ..penalties import L2, ElasticNet, NoPenalty, Penalty
from .problem import Cost, make_problem
from .working_set import solve_linear


@dataclass(frozen=True, eq=False)
class LinearPath:
    """M linear models along L strengths: first (L, M, d, K), b_out (L, M, K), converged and cycles (L, M)."""

    first: np.ndarray
    b_out: np.ndarray
    converged: np.ndarray
    cycles: np.ndarray


def linear_path(
    x: Tensor,
    y: Tensor,
    weight: Tensor,
    loss: Loss,
    penalty: Penalty,
    groups: Groups,
    lams: np.ndarray,
    *,
    tol: float = 1e-9,
    cycles: int = 400,
) -> LinearPath:
    """Solve mean loss + lam * penalty for every strength, warm-started from the largest down.

    Parameters
    ----------
    x : Tensor (n, d) or (M, n, d), float64
    y : Tensor (n,)
    weight : Tensor (M, n)
        Row weights of every member: 0/1 folds, or ones.
    lams : ndarray (L,)
        Descending.
    tol : float
        KKT residual to reach, relative to the gradient without inputs, in raw and in normalised columns.
    """
    turn = rotation(x, penalty)
    if turn is not None:
        x = torch.matmul(x, turn)
        groups = by_input((x.shape[-1], loss.outputs)).to(x.device, x.dtype)
    problem, centre = make_problem(x, y, weight, loss)
    w = torch.zeros(len(weight), x.shape[-1] + 1, loss.outputs, dtype=x.dtype, device=x.device)
    w[:, -1] = torch.stack([loss.null(y, s) for s in problem.share])
    found = []
    for lam in lams:
        cost = Cost(penalty, torch.full_like(problem.top, float(lam)), groups)
        fit = solve_linear(problem, cost, w, tol=tol, cycles=cycles)
        found.append(fit)
        w = torch.where(torch.isfinite(fit.w), fit.w, w)
    whole = torch.stack([f.w for f in found])
    first, b_out = whole[:, :, :-1], whole[:, :, -1]
    b_out = b_out - torch.einsum("md,lmdk->lmk", centre, first)
    if turn is not None:
        first = torch.matmul(turn, first)
    done = torch.stack([f.residual <= tol for f in found])
    return LinearPath(
        first.cpu().numpy(), b_out.cpu().numpy(), done.cpu().numpy(),
        torch.stack([f.cycles for f in found]).cpu().numpy(),
    )  # fmt: skip


def rotation(x: Tensor, penalty: Penalty) -> Tensor | None:
    """Return V (d, r) or (M, d, r) such that weights V b lose nothing, for d > n and a round penalty.

    Under a ridge (or nothing) the weights lie in the row space of x, so x V with x = U S V' has as many columns as
    rows (Hastie & Tibshirani 2004, *Efficient quadratic regularization for expression arrays*, eq. 9).
    """
    blind = isinstance(penalty, L2 | NoPenalty) or (isinstance(penalty, ElasticNet) and penalty.alpha == 1)
    if not blind or x.shape[-1] <= x.shape[-2]:
        return None
    # the centred rows span what an intercept leaves to the weights
    vt: Tensor = torch.linalg.svd(x - x.mean(-2, keepdim=True), full_matrices=False)[2]
    return vt.mT.contiguous()


def linear_lam_max(x: Tensor, y: Tensor, loss: Loss, penalty: Penalty, groups: Groups) -> float:
    """Return the smallest strength without any input, on all rows: for L1 max_j |x_j' (y - mean y)| / n."""
    problem, _ = make_problem(x, y, torch.ones(1, len(y), dtype=x.dtype, device=x.device), loss)
    w = torch.zeros(1, x.shape[-1] + 1, loss.outputs, dtype=x.dtype, device=x.device)
    w[:, -1] = loss.null(y)
    return float(penalty.lam_max(problem.gradient(w)[:, :-1], groups)[0])


def corrected_elastic_net(
    weights: np.ndarray, intercept: np.ndarray, lam2: float, means: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the corrected elastic net of a naive solution: (1 + lam2) times its weights.

    The naive solution of 1/(2n) ||y - X b||^2 + lam1 ||b||_1 + lam2/2 ||b||^2 is shrunk twice; the correction undoes
    the ridge's share. Columns must have variance 1 (denominator n). Exact for linear least squares only: a network's
    weights are never to be multiplied by it.

    Parameters
    ----------
    weights : ndarray (d, K)
        Naive weights.
    intercept : ndarray (K,)
        Naive intercept.
    lam2 : float
        Strength of lam2/2 ||b||^2 beside the mean loss; Zou & Hastie's lambda_2 for predictors of unit norm.
    means : ndarray (d,)
        Means of the inputs, about which the correction turns.

    References
    ----------
    Zou & Hastie 2005, *Regularization and variable selection via the elastic net*, eq. (12).

    Examples
    --------
    >>> corrected_elastic_net(np.array([[1.0]]), np.array([2.0]), 0.5, np.array([1.0]))
    (array([[1.5]]), array([1.5]))
    """
    if lam2 < 0:
        raise ValueError(f"lam2 is {lam2}; expected >= 0")
    grown = (1 + lam2) * weights
    return grown, intercept + means @ (weights - grown)
