"""Penalised linear models to rounding: proximal gradient finds which weights live, Newton finds their values.

M problems at once that share the inputs and differ by row weights (folds) and strength. Everything is float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..engines import Loss
from ..groups import Groups
from ..penalties import L1, L2, ElasticNet, GroupLasso, NoPenalty, Penalty, SparseGroupLasso

CURVATURE = {"squared": 1.0, "logistic": 0.25, "softmax": 0.5}
"""Largest second derivative of the loss in the outputs."""
PROX_STEPS = 8
NEWTON_STEPS = 12
LARGEST_SYSTEM = 4000
"""Live weights beyond which no Newton system is built (proximal gradient alone goes on)."""
DAMPING = 1e-11
HALVINGS = 14


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
    top = spectral(whole, share, square) * CURVATURE[loss.kind]
    return Problem(whole, y, share, loss, square, top), centre.reshape(-1, x.shape[-1]).expand(count, -1)


def spectral(x: Tensor, share: Tensor, square: Tensor, steps: int = 30) -> Tensor:
    """Return the largest eigenvalue of the weighted Gram matrix of the normalised columns, (M,), and 5% on top."""
    scale = square.rsqrt()
    v = torch.linspace(1.0, 2.0, x.shape[2], dtype=x.dtype, device=x.device).expand(len(x), -1)
    size = torch.ones_like(v[:, 0])
    for _ in range(steps):
        v = v / v.norm(dim=1, keepdim=True).clamp_min(1e-300)
        z = torch.bmm(x, (v * scale).unsqueeze(2)).squeeze(2) * share
        v = torch.bmm(z.unsqueeze(1), x).squeeze(1) * scale
        size = v.norm(dim=1)
    return (1.05 * size).clamp_min(1e-12)


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
        raise TypeError(f"no Newton step for {p.name}")


@dataclass(frozen=True, eq=False)
class LinearFit:
    """Weights (M, d + 1, K) with the intercept last, the relative residual (M,) reached, and cycles (M,)."""

    w: Tensor
    residual: Tensor
    cycles: Tensor


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


def solve_linear(
    problem: Problem, cost: Cost, w: Tensor, *, tol: float = 1e-9, cycles: int = 400
) -> LinearFit:
    """Minimise mean loss + penalty of M linear problems from w.

    Each cycle takes a few accelerated proximal steps in the metric of the column norms, which find the live weights in
    finitely many steps, then one damped Newton step on them, accepted only where it lowers the objective. Members
    leave when their residual is at most ``tol`` (relative to the gradient without inputs).

    References
    ----------
    Bareilles, Iutzeler & Malick 2023, *Newton acceleration on manifolds identified by proximal gradient methods*,
    algorithm 3; Beck & Teboulle 2009, *FISTA*, eqs. (4.1)-(4.3).
    """
    scale = gradient_scale(problem, cost.groups)
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
    """Return w after some accelerated proximal gradient steps in the metric of the column norms."""
    step = (1.0 / (problem.top.unsqueeze(1) * problem.square)).unsqueeze(2).expand_as(w).contiguous()
    before, start = problem.value(w) + cost.value(w), w
    y, theta = w, 1.0
    for _ in range(steps):
        fresh = cost.prox(y - step * problem.gradient(y), step)
        larger = 0.5 * (1 + (1 + 4 * theta * theta) ** 0.5)
        y = fresh + (theta - 1) / larger * (fresh - w)
        w, theta = fresh, larger
    worse = problem.value(w) + cost.value(w) > before
    w = torch.where(worse.reshape(-1, 1, 1), start, w)
    return cost.prox(w - step * problem.gradient(w), step)


def newton_steps(problem: Problem, cost: Cost, w: Tensor, most: int = NEWTON_STEPS) -> Tensor:
    """Return w after Newton steps on its live weights, until they neither thin out nor promise a decrease."""
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
    move = -solve_damped(hessian, slope)
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


def solve_damped(hessian: Tensor, slope: Tensor) -> Tensor:
    """Return H^-1 slope after unit scaling of the diagonal, with as little damping as Cholesky needs, (M, a)."""
    scale = torch.diagonal(hessian, dim1=1, dim2=2).clamp_min(1e-300).rsqrt()
    unit = hessian * scale.unsqueeze(2) * scale.unsqueeze(1)
    eye = torch.eye(unit.shape[1], dtype=unit.dtype, device=unit.device)
    damping = torch.full_like(slope[:, :1, None], DAMPING)
    for _ in range(8):
        factor, info = torch.linalg.cholesky_ex(unit + damping * eye)
        if not bool((info > 0).any()):
            break
        damping = torch.where((info > 0)[:, None, None], damping * 100, damping)
    found = torch.cholesky_solve((slope * scale).unsqueeze(2), factor).squeeze(2) * scale
    return torch.where(torch.isfinite(found), found, torch.zeros_like(found))


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


def line_search(
    problem: Problem, cost: Cost, w: Tensor, direction: Tensor, decrease: Tensor
) -> tuple[Tensor, Tensor]:
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
