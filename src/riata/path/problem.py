"""Linear models as a smooth loss plus a penalty, for M members that differ by row weights and strength."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..engines import Loss
from ..errors import InputError
from ..groups import Groups
from ..penalties import L1, L2, ElasticNet, GroupLasso, NoPenalty, Penalty, SparseGroupLasso

CURVATURE = {"squared": 1.0, "logistic": 0.25, "softmax": 0.5}
"""Largest second derivative of the loss in the outputs."""


@dataclass(frozen=True, eq=False)
class Problem:
    """The smooth part of M linear problems, with the intercept as a last column of ones.

    Attributes
    ----------
    x : Tensor (M, n, d + 1)
        Centred inputs and ones; the members' own or expanded.
    share : Tensor (M, n)
        Row weights that sum to 1.
    square : Tensor (M, d + 1)
        Weighted mean square of every column; at least tiny.
    top : Tensor (M,)
        Upper bound of the curvature in the metric ``square``.
    """

    x: Tensor
    y: Tensor
    share: Tensor
    loss: Loss
    square: Tensor
    top: Tensor

    def value(self, w: Tensor) -> Tensor:
        """Return the mean loss at w (M, d + 1, K), (M,)."""
        return self.loss.value(torch.bmm(self.x, w), self.y, self.share)

    def gradient(self, w: Tensor) -> Tensor:
        """Return the gradient at w, (M, d + 1, K)."""
        return torch.bmm(self.x.transpose(1, 2), self.loss.gradient(torch.bmm(self.x, w), self.y, self.share))

    def take(self, members: Tensor) -> Problem:
        """Return the problems of these members."""
        x = self.x[:1].expand(len(members), -1, -1) if self.x.stride(0) == 0 else self.x[members]
        return Problem(x, self.y, self.share[members], self.loss, self.square[members], self.top[members])


def make_problem(x: Tensor, y: Tensor, weight: Tensor, loss: Loss) -> tuple[Problem, Tensor]:
    """Return the problem of inputs x (n, d) or (M, n, d) and row weights (M, n), and the centre taken off, (M, d).

    Centring moves only the free intercept, so the problem stays the same; it makes raw columns tractable.
    """
    count = len(weight)
    centre = x.mean(-2, keepdim=True)
    whole = torch.cat([x - centre, torch.ones_like(x[..., :1])], -1)
    whole = whole.expand(count, -1, -1) if whole.dim() == 2 else whole
    share = weight / weight.sum(1, keepdim=True)
    square = torch.bmm(share.unsqueeze(1), whole.square()).squeeze(1)
    square = torch.where(square > 0, square, torch.ones_like(square))
    top = spectral_bound(whole, share, square, loss)
    return Problem(whole, y, share, loss, square, top), centre.reshape(-1, x.shape[-1]).expand(count, -1)


def spectral_bound(x: Tensor, share: Tensor, square: Tensor, loss: Loss) -> Tensor:
    """Return an upper bound of the curvature of the loss in normalised columns, (M,): 5% above the power method."""
    return (1.05 * CURVATURE[loss.kind] * largest_eigenvalue(x, share, square, 30)).clamp_min(1e-12)


def largest_eigenvalue(x: Tensor, share: Tensor, square: Tensor, steps: int) -> Tensor:
    """Return the largest eigenvalue of the weighted Gram matrix of the normalised columns, (M,), by power steps."""
    scale = square.rsqrt()
    v = torch.linspace(1.0, 2.0, x.shape[2], dtype=x.dtype, device=x.device).expand(len(x), -1)
    size = torch.ones_like(v[:, 0])
    for _ in range(steps):
        v = v / v.norm(dim=1, keepdim=True).clamp_min(1e-300)
        z = torch.bmm(x, (v * scale).unsqueeze(2)).squeeze(2) * share
        v = torch.bmm(z.unsqueeze(1), x).squeeze(1) * scale
        size = v.norm(dim=1)
    return size.clamp_min(1e-300)


@dataclass(frozen=True, eq=False)
class Cost:
    """The penalty of M linear problems, on all but the intercept row."""

    penalty: Penalty
    lam: Tensor
    groups: Groups

    def take(self, members: Tensor) -> Cost:
        """Return the cost of these members."""
        return Cost(self.penalty, self.lam[members], self.groups)

    def value(self, w: Tensor) -> Tensor:
        """Return the penalty at w (M, d + 1, K), (M,)."""
        return self.penalty.value(w[:, :-1], self.lam, self.groups)

    def prox(self, w: Tensor, step: Tensor) -> Tensor:
        """Return the prox in the metric 1/step, (M, d + 1, K), the intercept untouched."""
        some = self.penalty.prox(w[:, :-1].contiguous(), step[:, :-1], self.lam, self.groups)
        return torch.cat([some, w[:, -1:]], 1)

    def parts(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return lam1 (M,), lam2 (M,) and the factor of every group norm (M, G).

        lam1 ||w||_1 + lam2/2 ||w||^2 + sum_g factor_g ||w_g|| is every penalty of :mod:`riata.penalties`.
        """
        lam, p = self.lam, self.penalty
        none, weight = torch.zeros_like(lam), self.groups.weight.to(lam.dtype)
        group = lam.unsqueeze(1) * weight
        match p:
            case NoPenalty():
                return none, none, 0 * group
            case L1():
                return lam, none, 0 * group
            case L2():
                return none, lam, 0 * group
            case ElasticNet():
                return p.lam1(lam), p.lam2_of(lam), 0 * group
            case GroupLasso():
                return none, none, group
            case SparseGroupLasso():
                return p.mix * lam, none, (1 - p.mix) * group
        raise InputError(f"{p.name} has no exact linear path; expected a convex penalty; pass update='apg'")


def relative_residual(problem: Problem, cost: Cost, w: Tensor, scale: tuple[Tensor, Tensor]) -> Tensor:
    """Return the worse of the KKT residual in raw and in normalised columns, relative to ``scale``, (M,)."""
    grad = problem.gradient(w)
    per_group = cost.penalty.residual(w[:, :-1], grad[:, :-1], cost.lam, cost.groups)
    least = smallest_norm(problem, cost.groups)
    free = grad[:, -1].norm(dim=1)
    raw = torch.maximum(per_group.amax(1), free) / scale[0]
    return torch.maximum(raw, torch.maximum((per_group / least).amax(1), free) / scale[1])


def smallest_norm(problem: Problem, groups: Groups) -> Tensor:
    """Return the smallest column norm in each group, (M, G)."""
    inverse = problem.square[:, :-1].rsqrt().unsqueeze(2)
    wide = inverse.expand(-1, -1, groups.shape[1])
    return groups.largest(wide).reciprocal()


def gradient_scale(problem: Problem, groups: Groups) -> tuple[Tensor, Tensor]:
    """Return the largest group norm of the gradient without inputs, in raw and in normalised columns, (M,) each."""
    w = torch.zeros(len(problem.share), problem.x.shape[2], problem.loss.outputs, dtype=torch.float64)
    w = w.to(problem.x.device)
    w[:, -1] = torch.stack([problem.loss.null(problem.y, s) for s in problem.share])
    grad = problem.gradient(w)[:, :-1]
    norms = groups.norms(grad)
    eased = groups.norms(grad * problem.square[:, :-1].rsqrt().unsqueeze(2))
    floor = 1e-8 * torch.ones_like(norms[:, 0])
    return torch.maximum(norms.amax(1), floor), torch.maximum(eased.amax(1), floor)
