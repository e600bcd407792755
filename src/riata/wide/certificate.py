"""Certificate: the KKT residual over all columns, in float64, without anything that the solver used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from riata.penalties import Penalty
from riata.wide.grouping import entering
from riata.wide.path import Stage
from riata.wide.problem import Problem

__all__ = ["Certificate", "certify"]

BLOCK = 4096


@dataclass(frozen=True)
class Certificate:
    """What brute force finds.

    Attributes
    ----------
    outside : float
        Largest score of a variable that is zero, over lam; stationary if at most 1.
    above : int
        How many of them are above 1.
    inside : float
        Largest KKT residual of a variable that is not zero, over lam.
    free : float
        Norm of the gradient of the unpenalised columns (whitened), over lam.
    variables, kept : int
    """

    outside: float
    above: int
    inside: float
    free: float
    variables: int
    kept: int

    def __str__(self) -> str:
        """Say it in a sentence."""
        return (
            f"{self.kept} of {self.variables} variables kept; the largest gradient outside is {self.outside:.5f} lam"
            f" ({self.above} above lam), the largest residual inside {self.inside:.1e} lam, of free columns"
            f" {self.free:.1e} lam"
        )


def certify(problem: Problem, penalty: Penalty, stage: Stage, start: int = 0) -> Certificate:
    """Compute the gradient of every column from ``start`` on in float64 and compare it with the conditions at zero.

    Columns are read in blocks of 4096 and multiplied one block at a time; no cache, no bound, no fixed point. A
    column as it is read (float32) has a relative error of about 1e-7.

    Examples
    --------
    >>> import numpy as np
    >>> from riata.engines import Loss
    >>> from riata.genome import Dense
    >>> from riata.penalties import L1
    >>> from riata.wide import Cache, follow, make_problem, one
    >>> x = Dense.of(np.random.default_rng(0).normal(size=(50, 30)))
    >>> problem = make_problem(x, x.columns(torch.tensor([3]))[:, 0], Loss("squared", 1), hidden=0)
    >>> path = one(follow(problem, L1(), Cache(x, problem.grouping), shares=(1, 0.5)))
    >>> found = certify(problem, L1(), path.stages[1])
    >>> found.kept, found.above, found.inside < 1e-3
    (1, 0, True)
    """
    wide = replace(problem, free=problem.free.double(), y=problem.y.double())
    weights = stage.weights.to(torch.float64)
    x = problem.columns.columns(stage.columns).double()
    slope = wide.gradient(x, weights)
    inside = 0.0
    if len(stage.columns):
        groups = problem.grouping.local(stage.columns, problem.spec.first_width)
        lam = torch.full((1,), stage.lam, dtype=torch.float64)
        inside = float(penalty.residual(weights.first[None], (x.T @ slope.into)[None], lam, groups).max())
    scores = _scores(problem, penalty, slope.into, start)
    first = problem.grouping.first(start)
    kept = problem.grouping.groups_of(stage.columns).unique() - first
    outside = torch.ones(len(scores), dtype=torch.bool)
    outside[kept] = False
    zero = scores[outside] / stage.lam
    return Certificate(
        float(zero.max()) if len(zero) else 0.0,
        int((zero > 1).sum()),
        inside / stage.lam,
        float(torch.linalg.vector_norm(slope.free)) / stage.lam,
        len(scores),
        len(kept),
    )


def _scores(problem: Problem, penalty: Penalty, into: Tensor, start: int) -> Tensor:
    """Return every group's entering lam in float64: the first columns at once, the others in blocks."""
    head, p = max(len(problem.grouping.head), start), problem.columns.p
    edges = sorted({start, head, *range(head, p, BLOCK), p})
    found = []
    for a, b in pairwise(edges):
        rows = problem.columns.columns(torch.arange(a, b)).double().T @ into
        found.append(entering(penalty, rows, problem.grouping.between(a, b)))
    return torch.cat(found)
