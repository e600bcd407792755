"""Many columns of which few live: solve on the columns that matter, look at all of them, go on."""

from __future__ import annotations

import torch
from torch import Tensor

from ..groups import Groups, from_index
from .newton import LinearFit, solve
from .problem import Cost, Problem, gradient_scale, relative_residual, smallest_norm, spectral_bound

FEW = 40
"""Groups up to which all columns are taken at once."""
FRESH = 8
"""Groups that a member may add at a time, at least; as many as are alive at most."""
ROUNDS = 200


def solve_linear(problem: Problem, cost: Cost, w: Tensor, *, tol: float = 1e-9, cycles: int = 400) -> LinearFit:
    """Minimise mean loss + penalty of M linear problems from w (M, d + 1, K).

    Under a penalty that leaves most columns out, only a working set is solved: the live groups and those that violate
    their stationarity most, then all columns are looked at again. The residual that is returned, and that ``tol``
    bounds, is over all columns, relative to the gradient without inputs.

    References
    ----------
    Massias, Gramfort & Salmon 2018, *Celer: a fast solver for the lasso with dual extrapolation*, section 3.3.
    """
    scale = gradient_scale(problem, cost.groups)
    if len(cost.groups) <= FEW or not cost.penalty.sparse:
        return solve(problem, cost, w, scale, tol=tol, cycles=cycles)
    out, used = w.clone(), torch.zeros(len(w), dtype=torch.int64, device=w.device)
    residual = relative_residual(problem, cost, out, scale)
    for _ in range(ROUNDS):
        live = ((residual > tol) & torch.isfinite(residual)).nonzero().flatten()
        if len(live) == 0 or int(used.max()) >= cycles:
            break
        part, charge = problem.take(live), cost.take(live)
        chosen = choose_groups(part, charge, out[live])
        columns = chosen[cost.groups.index].nonzero().flatten()
        rows = torch.cat([columns, columns.new_tensor([w.shape[1] - 1])])
        small, narrow = restrict(part, charge, chosen, columns, rows)
        fit = solve(small, narrow, out[live][:, rows], (scale[0][live], scale[1][live]), tol=tol / 2, cycles=cycles)
        fresh = out[live]
        fresh[:, rows] = fit.w
        out[live], used[live] = fresh, used[live] + fit.cycles.clamp_min(1)
        residual[live] = relative_residual(part, charge, fresh, (scale[0][live], scale[1][live]))
    return LinearFit(out, residual, used)


def choose_groups(problem: Problem, cost: Cost, w: Tensor) -> Tensor:
    """Return which groups belong to the working set of these members, (G,) bool."""
    v = w[:, :-1]
    alive = cost.groups.norms(v) != 0
    grad = problem.gradient(w)[:, :-1]
    off = cost.penalty.residual(v, grad, cost.lam, cost.groups) / smallest_norm(problem, cost.groups)
    off = torch.where(alive, torch.zeros_like(off), off)
    most = max(FRESH, int(alive.sum(1).max()))
    top = torch.topk(off, min(most, off.shape[1]), dim=1)
    chosen = alive.any(0)
    chosen[top.indices[top.values > 0]] = True
    if not bool(chosen.any()):
        chosen[int(off.amax(0).argmax())] = True
    return chosen


def restrict(problem: Problem, cost: Cost, chosen: Tensor, columns: Tensor, rows: Tensor) -> tuple[Problem, Cost]:
    """Return the problem and the cost on the columns of the chosen groups."""
    shared = problem.x.stride(0) == 0
    x = (problem.x[0] if shared else problem.x)[..., rows]
    x = x.expand(len(problem.share), -1, -1) if shared else x
    square = problem.square[:, rows]
    top = spectral_bound(x, problem.share, square, problem.loss)
    renumber = torch.cumsum(chosen.to(torch.int64), 0) - 1
    groups: Groups = from_index(
        (len(columns), *cost.groups.shape[1:]), renumber[cost.groups.index[columns]], axis=0,
        weight=cost.groups.weight[chosen],
    )  # fmt: skip
    return Problem(x, problem.y, problem.share, problem.loss, square, top), Cost(cost.penalty, cost.lam, groups)
