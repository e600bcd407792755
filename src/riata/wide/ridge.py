"""Ridge over all columns: the first layer is a combination of rows, so n numbers a unit say everything.

At a stationary point of ``mean loss + lam/2 ||first||^2`` the first layer is ``-X'D / lam`` with D = dL/dZ: it lies in
the span of ``X'Q`` for any Q whose span holds D (the representer theorem, Kimeldorf & Wahba 1971). So the columns are
replaced by ``E = K Q R^-1`` with ``K = X X'`` and ``Q'K Q = R'R``: a ridge on few inputs with the same value of the
penalty. Where D leaves the span, its largest missing directions are added, until what is left is below the tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from riata.genome import Columns
from riata.penalties import L2
from riata.wide.asks import Asking, Gram, centred, leading
from riata.wide.grouping import Grouping
from riata.wide.network import Weights
from riata.wide.problem import Problem
from riata.wide.solve import Solution, Start, solve

__all__ = ["RidgePath", "RidgeStage", "follow_ridge"]

MOST_ROUNDS = 12
"""Most times that directions are added at one strength."""
MORE = 4
"""Most directions that are added at a time."""


@dataclass(frozen=True, eq=False)
class RidgeStage:
    """The solution of one strength.

    Attributes
    ----------
    lam : float
    dual : Tensor (n, h + K)
        ``first = X' dual`` over all columns.
    reach : Tensor (rows of ``onto``, h + K)
        ``x' first`` of every row asked for.
    weights : Weights
        The other parameters; ``first`` is the identity, to be put behind ``reach``.
    residual : float
        Part of D that lies outside the span, over D.
    iterations : int
    """

    lam: float
    dual: Tensor
    reach: Tensor
    weights: Weights
    residual: float
    iterations: int


@dataclass(frozen=True, eq=False)
class RidgePath:
    """Solutions from the largest strength down, and what they cost.

    ``scale`` is ``D'K D / (n ||D||^2)`` for D without inputs.
    """

    scale: float
    stages: tuple[RidgeStage, ...]
    passes: int
    right: int


def follow_ridge(
    problem: Problem,
    shares: Sequence[float],
    *,
    start: int = 0,
    onto: Columns | None = None,
    rows: Tensor | None = None,
    tol: float = 1e-2,
    most_iterations: int = 1000,
    watch: Callable[[RidgeStage], bool] = lambda stage: False,
) -> Asking[RidgePath]:
    """Follow the L2 path over the columns from ``start`` on.

    Parameters
    ----------
    problem : Problem
    shares : sequence of float
        Strengths, descending, as shares of ``scale``: at 1 a linear model is shrunk by about the curvature of the loss.
    start : int
    onto : Columns, optional
        More rows of the same matrix that the solutions are wanted on, standardised as the problem's own rows are; the
        latter alone if left out.
    rows : Tensor of int64 (n,)
        Where the problem's rows are among those of ``onto``.
    tol : float
        Bound on the part of D outside the span, relative to D.
    most_iterations : int
    watch : callable
        Is told of every stage; True ends the path.
    """
    wanted = onto or problem.columns
    if problem.columns.p - start <= problem.n // 2:
        return _few_columns(problem, shares, start, wanted, tol, most_iterations, watch)
    ridge = _Ridge(problem, start, wanted, torch.arange(problem.n) if rows is None else rows, tol)
    return ridge.path(shares, most_iterations, watch)


def small_ridge(problem: Problem, inputs: Tensor, begin: Start, lam: float, tol: float, most: int) -> Solution:
    """Solve a ridge on inputs (n, k) to a tenth of ``tol``, relative to the gradient without inputs."""
    k, width = inputs.shape[1], problem.spec.first_width
    groups = Grouping(torch.zeros(0, dtype=torch.int64), k).local(torch.arange(k), width)
    nothing = begin.weights.with_first(torch.zeros_like(begin.weights.first))
    slope = inputs.T @ problem.gradient(inputs, nothing).into
    least = max(0.1 * tol * float(torch.linalg.matrix_norm(slope.double(), 2)), 1e-7)
    return solve(problem, inputs, begin, L2(), lam, groups, tol=least, most=most)


def null_scale(problem: Problem, x: Tensor, most: int = 1000) -> tuple[Solution, float]:
    """Return the fit without inputs, and the scale of a ridge on the columns x (n, m): see :class:`RidgePath`."""
    nothing = x[:, :0]
    null = solve(problem, nothing, Start(problem.start), L2(), 0.0, None, tol=2e-7, most=most)
    into = problem.gradient(nothing, null.weights).into.double()
    seen = (x.double().T @ into).square().sum()
    return null, float(seen / into.square().sum().clamp(min=1e-300)) / problem.n


def _few_columns(
    problem: Problem,
    shares: Sequence[float],
    start: int,
    onto: Columns,
    tol: float,
    most: int,
    watch: Callable[[RidgeStage], bool],
) -> Asking[RidgePath]:
    """Follow the path on the columns themselves, where they are at most half as many as rows: nothing is asked."""
    ids = torch.arange(start, problem.columns.p)
    x, other = (columns.columns(ids).to(problem.free.dtype) for columns in (problem.columns, onto))
    width = problem.spec.first_width
    first = x.new_zeros(len(ids), width)
    null, scale = null_scale(problem, x, most)
    begin, stages = null.begin(null.weights.with_first(first)), list[RidgeStage]()
    for share in shares if scale > 0 else ():
        done = small_ridge(problem, x, begin, share * scale, tol, most)
        begin = done.begin(done.weights)
        into = problem.gradient(x, done.weights).into.double()
        plain = replace(done.weights, first=torch.eye(width, dtype=x.dtype))
        reach, dual = other @ done.weights.first, -into / (share * scale)
        stages.append(RidgeStage(share * scale, dual, reach, plain, 0.0, done.iterations))
        if watch(stages[-1]):
            break
    return RidgePath(scale, tuple(stages), 0, 0)
    yield  # a fit that asks for nothing


class _Ridge:
    """Directions Q with ``K Q`` on all rows wanted, and the solution in their coordinates."""

    def __init__(self, problem: Problem, start: int, onto: Columns, rows: Tensor, tol: float):
        self.problem, self.start, self.onto, self.rows, self.tol = problem, start, onto, rows, tol
        self.q = torch.zeros(problem.n, 0, dtype=torch.float64)
        self.kq = torch.zeros(onto.n, 0, dtype=torch.float64)
        self.coefficients = torch.zeros(0, problem.spec.first_width, dtype=torch.float64)
        self.passes = 0

    def path(self, shares: Sequence[float], most: int, watch: Callable[[RidgeStage], bool]) -> Asking[RidgePath]:
        x = self.problem.free.new_zeros(self.problem.n, 0)
        solution = solve(self.problem, x, Start(self.problem.start), L2(), 0.0, None, tol=2e-7, most=most)
        into = centred(self.problem.gradient(x, solution.weights).into)
        stages: list[RidgeStage] = []
        if not (yield from self.add(into, float(torch.linalg.matrix_norm(into, 2)))):
            return RidgePath(0.0, (), 0, 0)
        scale = float((into * (self.kq[self.rows] @ (self.q.T @ into))).sum() / into.square().sum()) / self.problem.n
        for share in shares:
            for _ in range(MOST_ROUNDS):
                inputs, root = self.inputs()
                solution = self.solve(inputs, root, solution, share * scale, most)
                into = centred(self.problem.gradient(inputs, solution.weights).into)
                rest = into - self.q @ (self.q.T @ into)
                size = float(torch.linalg.matrix_norm(into, 2))
                left = float(torch.linalg.matrix_norm(rest, 2)) / max(size, 1e-300)
                if left <= self.tol or not (yield from self.add(into, size)):
                    break
            stages.append(self.stage(share * scale, solution, left))
            if watch(stages[-1]):
                break
        return RidgePath(scale, tuple(stages), self.passes, self.q.shape[1])

    def add(self, into: Tensor, size: float) -> Asking[bool]:
        """Ask for ``K Q`` of the largest directions that are missing of ``into`` (n, w) and count beside ``size``."""
        more = leading(into, self.q, 0.5 * self.tol * size, MORE)
        if not more.shape[1]:
            return False
        more = more.float()
        right = more.new_zeros(self.onto.n, more.shape[1])
        right[self.rows] = more  # held-out rows have no say: they are only read
        product = yield Gram(self.onto, right, self.start)
        self.q = torch.cat([self.q, more.double()], 1)
        self.kq = torch.cat([self.kq, product.double()], 1)
        self.coefficients = torch.cat([self.coefficients, self.coefficients.new_zeros(more.shape[1], self.width)])
        self.passes += 1
        return True

    @property
    def width(self) -> int:
        return self.problem.spec.first_width

    def inputs(self) -> tuple[Tensor, Tensor]:
        """Return E = K Q R (n, r) and R (k, r), with ``R'(Q'K Q) R`` the identity; what K does not see is left out."""
        own = self.kq[self.rows]
        square = self.q.T @ own
        values, vectors = torch.linalg.eigh((square + square.T) / 2)
        keep = values > 1e-9 * values.max()
        root = vectors[:, keep] / values[keep].sqrt()
        return (own @ root).to(self.problem.free.dtype), root

    def solve(self, inputs: Tensor, root: Tensor, before: Solution, lam: float, most: int) -> Solution:
        """Solve the small ridge problem, to a tenth of the tolerance of the whole."""
        square = self.q.T @ self.kq[self.rows]
        first = (root.T @ (square @ self.coefficients)).to(inputs.dtype)
        done = small_ridge(self.problem, inputs, before.begin(before.weights.with_first(first)), lam, self.tol, most)
        self.coefficients = root @ done.weights.first.double()
        return done

    def stage(self, lam: float, solution: Solution, left: float) -> RidgeStage:
        reach = (self.kq @ self.coefficients).to(self.problem.free.dtype)
        plain = replace(solution.weights, first=torch.eye(self.width, dtype=reach.dtype))
        return RidgeStage(lam, self.q @ self.coefficients, reach, plain, left, solution.iterations)
