"""Solve: accelerated proximal gradient on the working set, in a block-diagonal metric.

The step is set by the curvature that the *gradient* shows between two points. Comparing values of the objective,
as backtracking usually does, breaks in float32: near the solution the differences are rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from riata.engines.network import BOUND
from riata.groups import Groups
from riata.penalties import Penalty
from riata.wide.network import Weights
from riata.wide.problem import Problem

__all__ = ["Solution", "Start", "largest_eigenvalue", "solve"]

CURVATURE = {"squared": 1.0, "logistic": 0.25, "softmax": 0.5}
"""Largest second derivative of the loss in the outputs."""
POWER_STEPS = 3


@dataclass(frozen=True, eq=False)
class Start:
    """Where a solve begins: the weights, the curvature found before, and the leading direction of the rows (n,)."""

    weights: Weights
    curvature: float = 1.0
    direction: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Solution:
    """Where a solve ended: ``residual`` is the largest block's prox-gradient, in units of the gradient."""

    weights: Weights
    curvature: float
    direction: Tensor
    residual: float
    iterations: int

    def begin(self, weights: Weights) -> Start:
        """Return a start at other weights with what was learned here."""
        return Start(weights, self.curvature, self.direction)


def largest_eigenvalue(x: Tensor, direction: Tensor | None) -> tuple[float, Tensor]:
    """Return the largest eigenvalue of ``x x'/n`` and its vector by power steps from ``direction``."""
    v = torch.ones(len(x), dtype=x.dtype) / math.sqrt(len(x)) if direction is None else direction
    size = 0.0
    for _ in range(POWER_STEPS if direction is not None else 4 * POWER_STEPS):
        v = x @ (x.T @ v)
        size = float(torch.linalg.vector_norm(v))
        if size == 0.0:
            return 0.0, torch.ones(len(x), dtype=x.dtype) / math.sqrt(len(x))
        v = v / size
    return size / len(x), v


def solve(
    problem: Problem,
    x: Tensor,
    start: Start,
    penalty: Penalty,
    lam: float,
    groups: Groups | None,
    *,
    tol: float,
    most: int = 2000,
    tail: bool = False,
) -> Solution:
    """Minimise over the working set x (n, m) to a residual of ``tol`` (units of the gradient, as lam).

    ``groups`` is None where m = 0.

    With ``tail`` the hidden biases and the output layer are trained too, every output's weights with norm at most 1.
    """
    return _Descent(problem, x, start, penalty, lam, groups, tail).run(tol, most)


class _Descent:
    """One run on a flat vector of the blocks that move: first, free, and with the tail b1 and out.

    ``metric`` is the shape of a step, an entry a weight; ``c`` is its scale.
    """

    def __init__(
        self, problem: Problem, x: Tensor, start: Start, penalty: Penalty, lam: float, groups: Groups | None, tail: bool
    ):
        self.problem, self.x, self.penalty, self.groups = problem, x, penalty, groups
        self.lam = torch.full((1,), lam, dtype=x.dtype)
        self.weights, self.c = start.weights, start.curvature
        top, self.direction = largest_eigenvalue(x, start.direction) if x.shape[1] else (1.0, start.direction)
        w, base = start.weights, CURVATURE[problem.loss.kind]
        reach = 1.0 + float(w.out.square().sum()) if w.hidden else 1.0
        self.tail = tail and w.hidden > 0
        shape = [base * max(top, 1e-12) * reach, base]
        self.shapes = [w.first.shape, w.free.shape]
        if self.tail:
            shape += [base * reach, base * max(1.0, w.hidden / 4)]
            self.shapes += [w.b1.shape, w.out.shape]
        self.sizes = [s.numel() for s in self.shapes]
        self.scales = shape
        self.metric = torch.cat([x.new_full((n,), h) for n, h in zip(self.sizes, shape, strict=True)])

    def run(self, tol: float, most: int) -> Solution:
        now = before = self.flat(self.weights)
        last: tuple[Tensor, Tensor] | None = None
        speed, residual, count = 1.0, math.inf, 0
        while count < most:
            ahead = (1 + math.sqrt(1 + 4 * speed * speed)) / 2
            beta = (speed - 1) / ahead
            at = torch.lerp(before, now, 1 + beta) if beta else now
            slope = self.slope(at)
            if last is not None:
                self.learn(at - last[0], slope - last[1])
            to = self.step(at, slope)
            moved = (to - at).mul_(self.metric)
            residual = self.c * self.largest(moved)
            back = float(moved @ (to - now))
            before, now, last, speed = now, to, (at, slope), ahead
            count += 1
            if back < 0:  # the step turns back: begin the acceleration anew
                speed, before = 1.0, now
            if residual <= tol:
                break
        direction = torch.ones(len(self.x), dtype=self.x.dtype) if self.direction is None else self.direction
        return Solution(self.unflat(now), self.c, direction, residual, count)

    def flat(self, w: Weights) -> Tensor:
        blocks = [w.first, w.free, w.b1, w.out] if self.tail else [w.first, w.free]
        return torch.cat([b.reshape(-1) for b in blocks])

    def unflat(self, flat: Tensor) -> Weights:
        blocks = [part.view(shape) for part, shape in zip(flat.split(self.sizes), self.shapes, strict=True)]
        return Weights(*blocks) if self.tail else Weights(blocks[0], blocks[1], self.weights.b1, self.weights.out)

    def slope(self, at: Tensor) -> Tensor:
        g = self.problem.gradient(self.x, self.unflat(at))
        blocks = [(self.x.T @ g.into).reshape(-1), g.free.reshape(-1)]
        return torch.cat([*blocks, g.b1, g.out.reshape(-1)] if self.tail else blocks)

    def learn(self, moved: Tensor, changed: Tensor) -> None:
        """Update the curvature: grow at once where the gradient changed more than the metric says, shrink slowly."""
        length = float(moved @ (moved * self.metric))
        if length > 0:
            seen = math.sqrt(float(changed @ (changed / self.metric)) / length)
            self.c = max(self.c, 1.02 * seen) if seen > self.c else max(0.97 * self.c, 1.05 * seen, 0.05)

    def step(self, at: Tensor, slope: Tensor) -> Tensor:
        to = torch.addcdiv(at, slope, self.metric, value=-1 / self.c)
        if self.groups is not None:
            size = torch.full_like(self.lam, 1 / (self.c * self.scales[0]))
            first = to[: self.sizes[0]].view(1, *self.shapes[0])
            to[: self.sizes[0]] = self.penalty.prox(first, size, self.lam, self.groups).reshape(-1)
        if self.tail:
            out = to[-self.sizes[3] :].view(self.shapes[3])
            out.mul_(BOUND / torch.linalg.vector_norm(out, dim=0, keepdim=True).clamp(min=BOUND))
        return to

    def largest(self, moved: Tensor) -> float:
        """Return the largest norm of a variable's row, or of another block."""
        first, *others = moved.split(self.sizes)
        norms = [torch.linalg.vector_norm(part) for part in others]
        if self.groups is not None:
            norms.append(torch.linalg.vector_norm(first.view(self.shapes[0]), dim=1).max())
        return float(torch.stack(norms).max())
