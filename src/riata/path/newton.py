"""Penalised linear models to rounding: proximal gradient finds which weights live, Newton finds their values.

M problems at once that share the inputs and differ by row weights (folds) and strength. Everything is float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .problem import Cost, Problem, largest_eigenvalue, relative_residual

PROX_STEPS = 8
LOCAL_MARGIN = 2.0
NEWTON_STEPS = 12
LARGEST_SYSTEM = 4000
"""Live weights beyond which no Newton system is built (proximal gradient alone goes on)."""
LARGEST_DESIGN = 20_000_000
"""Numbers in the members' live columns beyond which they take their Newton steps one after another."""
DAMPING = 1e-11
DAMPINGS = 6
HALVINGS = 14


@dataclass(frozen=True, eq=False)
class LinearFit:
    """Weights (M, d + 1, K) with the intercept last, the relative residual (M,) reached, and cycles (M,)."""

    w: Tensor
    residual: Tensor
    cycles: Tensor


def solve(
    problem: Problem, cost: Cost, w: Tensor, scale: tuple[Tensor, Tensor], *, tol: float, cycles: int
) -> LinearFit:
    """Minimise mean loss + penalty of M linear problems from w, over all columns at once.

    Each cycle takes a few accelerated proximal steps in the metric of the column norms, which find the live weights in
    finitely many steps, then one damped Newton step on them, accepted only where it lowers the objective. Members
    leave when their residual is at most ``tol``, relative to ``scale``.

    References
    ----------
    Bareilles, Iutzeler & Malick 2023, *Newton acceleration on manifolds identified by proximal gradient methods*,
    algorithm 3; Beck & Teboulle 2009, *FISTA*, eqs. (4.1)-(4.3).
    """
    out = w.clone()
    residual = relative_residual(problem, cost, w, scale)
    used = torch.zeros(len(w), dtype=torch.int64, device=w.device)
    live = (residual > tol).nonzero().flatten()
    for cycle in range(1, cycles + 1):
        if len(live) == 0:
            break
        part, charge = problem.take(live), cost.take(live)
        fresh = newton_steps(part, charge, prox_steps(part, charge, out[live]))
        out[live], used[live] = fresh, cycle
        residual[live] = relative_residual(part, charge, fresh, (scale[0][live], scale[1][live]))
        live = ((residual > tol) & torch.isfinite(residual)).nonzero().flatten()
    return LinearFit(out, residual, used)


def prox_steps(problem: Problem, cost: Cost, w: Tensor, steps: int = PROX_STEPS) -> Tensor:
    """Return w after some accelerated proximal gradient steps in the metric of the column norms.

    Their length follows the curvature at w, which is far below its bound where probabilities are near 0 or 1; members
    whose objective that raises go back to w. A last plain step keeps to the bound, and cannot raise it.
    """
    before, start = problem.value(w) + cost.value(w), w
    top = problem.top
    if problem.loss.kind != "squared":
        top = torch.minimum(top, LOCAL_MARGIN * local_bound(problem, w))
    step = (1.0 / (top.unsqueeze(1) * problem.square)).unsqueeze(2).expand_as(w).contiguous()
    y, theta = w, 1.0
    for _ in range(steps):
        fresh = cost.prox(y - step * problem.gradient(y), step)
        larger = 0.5 * (1 + (1 + 4 * theta * theta) ** 0.5)
        y = fresh + (theta - 1) / larger * (fresh - w)
        w, theta = fresh, larger
    worse = ~(problem.value(w) + cost.value(w) <= before)
    w = torch.where(worse.reshape(-1, 1, 1), start, w)
    safe = (1.0 / (problem.top.unsqueeze(1) * problem.square)).unsqueeze(2).expand_as(w).contiguous()
    return cost.prox(w - safe * problem.gradient(w), safe)


def local_bound(problem: Problem, w: Tensor) -> Tensor:
    """Return the curvature of the loss at w in normalised columns, (M,)."""
    z = torch.bmm(problem.x, w)
    if problem.loss.kind == "logistic":
        p = torch.sigmoid(z[..., 0])
        curved = p * (1 - p)
    else:
        p = torch.softmax(z, dim=-1)
        curved = (p * (1 - p)).amax(-1)
    return largest_eigenvalue(problem.x, problem.share * curved, problem.square, 10)


def newton_steps(problem: Problem, cost: Cost, w: Tensor, most: int = NEWTON_STEPS) -> Tensor:
    """Return w after Newton steps on its live weights, until they neither thin out nor promise a decrease."""
    live = int((w != 0).flatten(1).sum(1).max()) + w.shape[2]
    if len(w) > 1 and len(w) * problem.x.shape[1] * w.shape[2] * live > LARGEST_DESIGN:
        each = [torch.tensor([i], device=w.device) for i in range(len(w))]
        return torch.cat([newton_steps(problem.take(i), cost.take(i), w[i], most) for i in each])
    for _ in range(most):
        fresh, promise = newton_step(problem, cost, w)
        settled = ((fresh != 0) == (w != 0)).flatten(1).all(1) & (promise <= 1e-13)
        stuck = (fresh == w).flatten(1).all(1)
        w = fresh
        if bool((settled | stuck).all()):
            break
    return w


def newton_step(problem: Problem, cost: Cost, w: Tensor) -> tuple[Tensor, Tensor]:
    """Return w after one Newton step on its live weights, and the relative decrease it promised, (M,).

    w stays where no step along the direction lowers the objective.
    """
    alive = (w != 0).flatten(1)
    alive[:, -w.shape[2] :] = True
    size = int(alive.sum(1).max())
    if size > LARGEST_SYSTEM:
        return w, torch.zeros_like(problem.top)
    index = torch.argsort(alive.to(torch.int8), dim=1, descending=True, stable=True)[:, :size]
    mask = alive.gather(1, index)
    slope, hessian = reduced(problem, cost, w, index, mask)
    move = -solve_damped(hessian, slope, problem.value(w) + cost.value(w))
    direction = torch.zeros_like(w).flatten(1).scatter(1, index, move * mask).reshape(w.shape)
    decrease = -(slope * move).sum(1)
    fresh, value = line_search(problem, cost, w, direction, decrease)
    return fresh, decrease / value.abs().clamp_min(1e-300)


def reduced(problem: Problem, cost: Cost, w: Tensor, index: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return gradient (M, a) and Hessian (M, a, a) of the objective on the live weights; 0 and 1 on the padding."""
    k = w.shape[2]
    entry, out = index // k, index % k
    values = w.flatten(1).gather(1, index)
    design = curved_design(problem, w, entry, out) * mask.unsqueeze(1)
    hessian = torch.bmm(design.transpose(1, 2), design)
    slope = problem.gradient(w).flatten(1).gather(1, index)
    lam1, lam2, factor = cost.parts()
    inside = (mask & (entry < w.shape[1] - 1)).to(w.dtype)
    slope = slope + inside * (lam1.unsqueeze(1) * values.sign() + lam2.unsqueeze(1) * values)
    diagonal = inside * lam2.unsqueeze(1) + (~mask).to(w.dtype)
    if bool((factor > 0).any()):
        group = cost.groups.index[entry.clamp(max=w.shape[1] - 2)]
        norms = cost.groups.norms(w[:, :-1])
        pull = (factor / norms.clamp_min(1e-300)).gather(1, group) * inside
        unit = values / norms.clamp_min(1e-300).gather(1, group) * inside
        slope, diagonal = slope + pull * values, diagonal + pull
        same = group.unsqueeze(2) == group.unsqueeze(1)
        hessian = hessian - torch.where(same, (pull * unit).unsqueeze(2) * unit.unsqueeze(1), 0.0)
    return slope * mask, hessian + torch.diag_embed(diagonal)


def curved_design(problem: Problem, w: Tensor, entry: Tensor, out: Tensor) -> Tensor:
    """Return A (M, n C, a) with A'A the Hessian of the mean loss in the chosen weights.

    softmax: diag(p) - pp' = B'B with B_ck = sqrt(p_c) (delta_ck - p_k); else the root of the second derivative.
    """
    n, size = problem.x.shape[1], entry.shape[1]
    columns = problem.x.gather(2, entry.unsqueeze(1).expand(-1, n, -1))
    root = problem.share.sqrt()
    if problem.loss.kind == "squared":
        return columns * root.unsqueeze(2)
    z = torch.bmm(problem.x, w)
    if problem.loss.kind == "logistic":
        p = torch.sigmoid(z[..., 0])
        return columns * (root * (p * (1 - p)).sqrt()).unsqueeze(2)
    p = torch.softmax(z, dim=-1)
    factor = torch.diag_embed(p.sqrt()) - p.sqrt().unsqueeze(3) * p.unsqueeze(2)
    picked = factor.gather(3, out[:, None, None, :].expand(-1, n, p.shape[2], -1))
    whole = picked * (columns * root.unsqueeze(2)).unsqueeze(2)
    return whole.reshape(len(w), -1, size)


def solve_damped(hessian: Tensor, slope: Tensor, limit: Tensor) -> Tensor:
    """Return H^-1 slope after unit scaling of the diagonal, (M, a), with as little damping as it needs.

    It needs more where Cholesky fails, and where the step promises a decrease of more than ``limit`` (M,): an objective
    that is >= 0 cannot fall below 0, so a larger promise comes from directions without curvature.
    """
    scale = torch.diagonal(hessian, dim1=1, dim2=2).clamp_min(1e-300).rsqrt()
    unit = hessian * scale.unsqueeze(2) * scale.unsqueeze(1)
    eye = torch.eye(unit.shape[1], dtype=unit.dtype, device=unit.device)
    damping = torch.full_like(limit, DAMPING)
    found = torch.zeros_like(slope)
    todo = torch.arange(len(slope), device=slope.device)
    for _ in range(DAMPINGS):
        factor, info = torch.linalg.cholesky_ex(unit[todo] + damping[todo, None, None] * eye)
        move = torch.cholesky_solve((slope * scale)[todo].unsqueeze(2), factor).squeeze(2) * scale[todo]
        promise = (move * slope[todo]).sum(1)
        found[todo] = torch.where(torch.isfinite(move), move, torch.zeros_like(move))
        todo = todo[(info > 0) | ~torch.isfinite(promise) | (promise > limit[todo])]
        if len(todo) == 0:
            break
        damping[todo] *= 100
    return found


def first_crossing(cost: Cost, w: Tensor, direction: Tensor, lines: Tensor, blocks: Tensor) -> Tensor:
    """Return the smallest step in (0, 1] at which a live weight, or a group, is folded to zero, (M,); else 1."""
    v, p = w[:, :-1], direction[:, :-1]
    along = torch.where(v * p < 0, -v / p, torch.ones_like(v)).flatten(1).amin(1)
    square, inner = cost.groups.sums(v * v), cost.groups.sums(v * p)
    grouped = torch.where(inner < 0, -square / inner, torch.ones_like(inner))
    nearest = torch.where(blocks, grouped, 1.0).amin(1)
    return torch.minimum(torch.where(lines, along, 1.0), nearest).clamp(max=1.0)


def folded(cost: Cost, trial: Tensor, w: Tensor, lines: Tensor, blocks: Tensor) -> Tensor:
    """Return the trial with what crossed the kink at zero put to zero: signs under L1, groups under a group norm."""
    v, old = trial[:, :-1], w[:, :-1]
    out = torch.where(lines.reshape(-1, 1, 1) & (v * old < 0), 0.0, v)
    behind = blocks & (cost.groups.sums(v * old) < 0)
    out = torch.where(cost.groups.spread(behind), 0.0, out)
    return torch.cat([out, trial[:, -1:]], 1)


def line_search(problem: Problem, cost: Cost, w: Tensor, direction: Tensor, decrease: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first of w + t direction, t = 1, the first kink, 1/2, 1/4, ..., that lowers the objective, and it.

    What crosses its kink at zero on the way stays at zero.
    """
    lam1, _, factor = cost.parts()
    lines, blocks = lam1 > 0, factor > 0
    here = problem.value(w) + cost.value(w)
    noise = 1e-14 * here.abs() + 1e-300
    kink = first_crossing(cost, w, direction, lines, blocks) * (1 + 1e-12)
    out, open_ = w.clone(), torch.ones(len(w), dtype=torch.bool, device=w.device)
    for i in range(HALVINGS):
        t = kink if i == 1 else torch.full_like(here, 0.5 ** max(0, i - 1))
        trial = folded(cost, w + t.reshape(-1, 1, 1) * direction, w, lines, blocks)
        value = problem.value(trial) + cost.value(trial)
        good = open_ & (value <= here - 1e-4 * t * decrease.clamp(min=0) + noise)
        out[good] = trial[good]
        open_ = open_ & ~good
        if not bool(open_.any()):
            break
    return out, here
