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

Blocks = list[Tensor]


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
    """Minimise over the working set x (n, m), None as groups if m = 0, to a residual of ``tol`` (units of the gradient, as lam).

    With ``tail`` the hidden biases and the output layer are trained too, every output's weights with norm at most 1.
    """
    return _Descent(problem, x, start, penalty, lam, groups, tail).run(tol, most)


class _Descent:
    """One run: blocks are first, free, b1, out; ``metric`` is the shape of a step, ``c`` its scale."""

    def __init__(
        self, problem: Problem, x: Tensor, start: Start, penalty: Penalty, lam: float, groups: Groups | None, tail: bool
    ):
        self.problem, self.x, self.penalty, self.groups = problem, x, penalty, groups
        self.lam = torch.full((1,), lam, dtype=x.dtype)
        w = start.weights
        self.weights, self.c = w, start.curvature
        top, self.direction = largest_eigenvalue(x, start.direction) if x.shape[1] else (1.0, start.direction)
        base = CURVATURE[problem.loss.kind]
        reach = 1.0 + float(w.out.square().sum()) if w.hidden else 1.0
        self.metric = [base * max(top, 1e-12) * reach, base, base * reach, base * max(1.0, w.hidden / 4)]
        self.moves = [groups is not None, True, tail and w.hidden > 0, tail and w.hidden > 0]

    def run(self, tol: float, most: int) -> Solution:
        w = self.weights
        now = before = [w.first, w.free, w.b1, w.out]
        last: tuple[Blocks, Blocks] | None = None
        speed, residual, count = 1.0, math.inf, 0
        while count < most:
            ahead = (1 + math.sqrt(1 + 4 * speed * speed)) / 2
            beta = (speed - 1) / ahead
            at = [a + beta * (a - b) if beta else a for a, b in zip(now, before, strict=True)]
            slope = self.slope(at)
            if last is not None:
                self.learn(at, slope, *last)
            to = self.step(at, slope)
            moved = [a - b for a, b in zip(to, at, strict=True)]
            residual = self.residual(moved)
            back = -sum(
                float((d * (a - b)).sum()) * h
                for d, a, b, h, go in zip(moved, to, now, self.metric, self.moves, strict=True)
                if go
            )
            before, now, last = now, to, (at, slope)
            speed = ahead
            count += 1
            if back > 0:
                speed, before = 1.0, now
            if residual <= tol:
                break
        direction = torch.ones(len(self.x), dtype=self.x.dtype) if self.direction is None else self.direction
        return Solution(Weights(*now), self.c, direction, residual, count)

    def slope(self, at: Blocks) -> Blocks:
        g = self.problem.gradient(self.x, Weights(*at))
        return [self.x.T @ g.into if self.moves[0] else at[0], g.free, g.b1, g.out]

    def learn(self, at: Blocks, slope: Blocks, was: Blocks, sloped: Blocks) -> None:
        """Update the curvature: grow at once where the gradient changed more than the metric says, shrink slowly."""
        change = length = 0.0
        for a, g, b, s, h, go in zip(at, slope, was, sloped, self.metric, self.moves, strict=True):
            if go:
                change += float((g - s).square().sum()) / h
                length += float((a - b).square().sum()) * h
        if length > 0:
            seen = math.sqrt(change / length)
            self.c = max(self.c, 1.02 * seen) if seen > self.c else max(0.97 * self.c, 1.05 * seen, 0.05)

    def step(self, at: Blocks, slope: Blocks) -> Blocks:
        to = [a - g / (self.c * h) if go else a for a, g, h, go in zip(at, slope, self.metric, self.moves, strict=True)]
        if self.groups is not None:
            size = torch.full_like(self.lam, 1 / (self.c * self.metric[0]))
            to[0] = self.penalty.prox(to[0][None], size, self.lam, self.groups)[0]
        if self.moves[3]:
            norm = torch.linalg.vector_norm(to[3], dim=0, keepdim=True)
            to[3] = to[3] * (BOUND / norm.clamp(min=BOUND))
        return to

    def residual(self, moved: Blocks) -> float:
        """Return the largest prox-gradient: of a variable's row, or of another block."""
        found = [
            float(torch.linalg.vector_norm(d)) * self.c * h
            for d, h, go in zip(moved[1:], self.metric[1:], self.moves[1:], strict=True)
            if go
        ]
        if self.moves[0]:
            found.append(float(torch.linalg.vector_norm(moved[0], dim=1).max()) * self.c * self.metric[0])
        return max(found)
