"""The sparse path: every strength solved exactly over all columns, of which a few thousand are ever looked at.

1. The model without penalised columns gives D = dL/dZ and lam_max, the largest score of any variable.
2. The strong rule (Tibshirani et al. 2012, section 3) proposes variables whose score is above ``2 lam - lam_before``.
3. They are solved on an active set inside that working set, a few strengths ahead.
4. One pass brings what the cache lacks of their gradients. A variable outside is certified to be zero if its score and
   what the cache can miss together are below lam; what is in doubt is computed exactly. A violated strength goes back
   to 3 with the violating variables. So the result does not depend on the rule that proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from riata.groups import Groups
from riata.penalties import Penalty
from riata.wide.asks import Asking
from riata.wide.cache import Cache
from riata.wide.grouping import entering, entering_groups
from riata.wide.network import Weights
from riata.wide.problem import Problem
from riata.wide.solve import Solution, Start, solve

__all__ = ["Stage", "WidePath", "Working", "follow", "geometric"]

AHEAD = 8
"""Strengths solved before one pass certifies them."""
LEAST_WORKING = 256
"""Variables that the working set may always hold."""
LOOK = 0.6
"""Scores below this part of lam are known as bounds only: they neither enter nor are proposed next."""
DOUBT = 4096
"""Columns that are computed exactly at a time."""
FINER = (0.01, 0.002, 0.0)
"""Parts of lam that may be missed where more than so many are in doubt; 0 ends it."""
MOST_ADDED = 512
"""Violating variables that are added at a time."""


@dataclass(frozen=True, eq=False)
class Stage:
    """The certified solution of one strength.

    Attributes
    ----------
    lam : float
    columns : Tensor of int64 (m,)
        Columns whose variable is not zero.
    weights : Weights
        ``weights.first`` (m, h + K) belongs to these columns.
    residual : float
        Largest KKT residual of a variable in the working set, over lam.
    outside : float
        Largest score that a variable at zero can have, over lam; at most ``1 + 4 tol``.
    doubtful : int
        Variables outside the working set that had to be computed exactly.
    iterations : int
    """

    lam: float
    columns: Tensor
    weights: Weights
    residual: float
    outside: float
    doubtful: int
    iterations: int


@dataclass(frozen=True, eq=False)
class WidePath:
    """Certified solutions from the largest strength down, and what they cost."""

    lam_max: float
    stages: tuple[Stage, ...]
    passes: int
    right: int
    violations: int


Watch = Callable[[Stage], bool]
"""Is told of every certified stage; True ends the path."""


def geometric(length: int, ratio: float) -> tuple[float, ...]:
    """Return shares of lam_max from 1 down to ``ratio``, evenly on a log scale.

    >>> [round(s, 3) for s in geometric(3, 0.25)]
    [1.0, 0.5, 0.25]
    """
    return tuple(ratio ** (i / max(1, length - 1)) for i in range(length))


def never(stage: Stage) -> bool:
    """Let the path run to its end."""
    return False


def follow(
    problem: Problem,
    penalty: Penalty,
    cache: Cache,
    shares: Sequence[float] = geometric(30, 0.3),
    *,
    lams: Sequence[float] | None = None,
    start: int = 0,
    tol: float = 1e-3,
    most_iterations: int = 2000,
    most_kept: int | None = None,
    watch: Watch = never,
) -> Asking[WidePath]:
    """Follow a penalty's path over the columns from ``start`` on.

    Parameters
    ----------
    problem : Problem
    penalty : GroupLasso, L1 or ElasticNet
    cache : Cache
        Of the same columns; what it learned stays for the next path on these rows.
    shares : sequence of float
        Strengths as shares of lam_max, descending.
    lams : sequence of float, optional
        Strengths themselves, descending; then ``shares`` are not used.
    start : int
        Columns before it stay out, whole groups.
    tol : float
        KKT residual over lam.
    most_iterations : int
    most_kept : int, optional
        The path ends where more columns are kept; half the rows if left out.
    watch : callable

    Returns
    -------
    WidePath
        By ``yield from``, or from :func:`riata.wide.asks.run`.
    """
    return _Follower(problem, penalty, cache, start, tol, most_iterations, most_kept or problem.n // 2, watch).path(
        shares, lams
    )


class Working:
    """The columns in use as floats (n, m), with the first layer's rows beside them."""

    def __init__(self, problem: Problem):
        self.problem = problem
        self.columns = torch.zeros(0, dtype=torch.int64)
        self.x = problem.free.new_zeros(problem.n, 0)
        self.groups: Groups | None = None

    def extend(self, columns: Tensor) -> int:
        """Add columns that are not there yet; return how many."""
        new = columns[~torch.isin(columns, self.columns)]
        if len(new):
            more = self.problem.columns.columns(new).to(self.x.dtype)
            self.x = torch.cat([self.x, more], 1)
            self._are(torch.cat([self.columns, new]))
        return len(new)

    def keep(self, mask: Tensor) -> None:
        """Drop the columns outside the mask (m,)."""
        self.x = self.x[:, mask].contiguous()
        self._are(self.columns[mask])

    def part(self, mask: Tensor) -> tuple[Tensor, Groups]:
        """Return some columns (whole groups) and their groups."""
        return self.x[:, mask], self.problem.grouping.local(self.columns[mask], self.problem.spec.first_width)

    def _are(self, columns: Tensor) -> None:
        self.columns = columns
        self.groups = self.problem.grouping.local(columns, self.problem.spec.first_width) if len(columns) else None


@dataclass(frozen=True, eq=False)
class _Found:
    """A solution on the working set that is still to be certified."""

    lam: float
    weights: Weights
    into: Tensor
    residual: float
    zeros: float
    iterations: int


class _Follower:
    def __init__(
        self,
        problem: Problem,
        penalty: Penalty,
        cache: Cache,
        start: int,
        tol: float,
        most_iterations: int,
        most_kept: int,
        watch: Watch,
    ):
        self.problem, self.penalty, self.cache, self.start = problem, penalty, cache, start
        self.tol, self.most_iterations, self.most_kept, self.watch = tol, most_iterations, most_kept, watch
        self.working = Working(problem)
        self.learned: Solution | None = None
        self.weights = problem.start
        self.scores = torch.zeros(0)
        self.violations = 0

    def path(self, shares: Sequence[float], lams: Sequence[float] | None) -> Asking[WidePath]:
        before = self.cache.passes, self.cache.right
        top = yield from self.begin()
        strengths = [float(s) * top for s in shares] if lams is None else [float(v) for v in lams]
        stages: list[Stage] = []
        previous, ahead = max([top, *strengths[:1]]), 1
        while len(stages) < len(strengths) and top > 0:
            block = strengths[len(stages) : len(stages) + ahead]
            self.propose(block[-1], previous)
            found = self.solve_ahead(block)
            yield from self.cache.learn([f.into for f in found], [f.lam for f in found], self.penalty)
            whole = True
            for one in found:
                stage, violating = yield from self.certify(one)
                if len(violating):
                    self.violations += 1
                    self.weights, previous, ahead, whole = one.weights, one.lam, max(1, len(block) // 2), False
                    self.add(violating)
                    break
                stages.append(stage)
                previous = one.lam
                if self.watch(stage) or len(stage.columns) > self.most_kept:
                    return self.ended(top, stages, before)
            if whole:
                ahead = min(AHEAD, 2 * ahead)
                self.tidy(previous)
        return self.ended(top, stages, before)

    def ended(self, top: float, stages: list[Stage], before: tuple[int, int]) -> WidePath:
        passes, right = self.cache.passes - before[0], self.cache.right - before[1]
        return WidePath(top, tuple(stages), passes, right, self.violations)

    def begin(self) -> Asking[float]:
        """Fit the model without penalised columns and return lam_max, exactly."""
        nothing = self.working.x
        tiny = 1e-9 if nothing.dtype == torch.float64 else 2e-7
        fit = solve(
            self.problem, nothing, Start(self.weights), self.penalty, 0.0, None, tol=tiny, most=self.most_iterations
        )
        self.weights = fit.weights
        into = self.problem.gradient(nothing, self.weights).into
        size = float(torch.linalg.matrix_norm(into.double(), 2)) * self.problem.n**0.5
        if size == 0.0:
            return 0.0
        yield from self.cache.learn([into], [size], self.penalty)
        self.scores, missed = self.cache.scores(into, self.penalty, self.start)
        if not len(self.scores):
            return 0.0
        near = (self.scores >= self.scores.max() - 2 * missed).nonzero().squeeze(1) + self.offset
        return float(self.exact(near, into).max())

    @property
    def offset(self) -> int:
        """The first group that takes part."""
        return self.problem.grouping.first(self.start)

    def exact(self, groups: Tensor, into: Tensor) -> Tensor:
        """Return the entering lam of some groups, from their columns."""
        found = []
        for part in groups.split(DOUBT):
            columns = self.problem.grouping.columns_of(part)
            rows = self.problem.columns.columns(columns).to(into.dtype).T @ into
            found.append(entering(self.penalty, rows, self.problem.grouping.only(columns)))
        return torch.cat(found)

    def propose(self, lam: float, previous: float) -> None:
        """Add what the strong rule proposes for ``lam``, the highest scores first."""
        alive = int((self.weights.first != 0).any(1).sum())
        above = (self.scores > max(2 * lam - previous, 0.6 * lam)).nonzero().squeeze(1)
        most = max(LEAST_WORKING, 3 * alive)
        if len(above) > most:
            above = above[self.scores[above].topk(most).indices].sort().values
        self.add(above + self.offset)

    def add(self, groups: Tensor) -> None:
        count = self.working.extend(self.problem.grouping.columns_of(groups))
        first = self.weights.first
        self.weights = self.weights.with_first(torch.cat([first, first.new_zeros(count, first.shape[1])]))

    def solve_ahead(self, block: Sequence[float]) -> list[_Found]:
        found = []
        for lam in block:
            found.append(self.solve_one(lam))
            self.weights = found[-1].weights
            if int((self.weights.first != 0).any(1).sum()) > self.most_kept:
                break  # the path ends here: nothing beyond is wanted
        return found

    def solve_one(self, lam: float) -> _Found:
        """Solve one strength on the working set, active variables first."""
        w, count = self.weights, 0
        strength = torch.full((1,), lam, dtype=w.first.dtype)
        while True:
            into = self.problem.gradient(self.working.x, w).into
            if self.working.groups is None:
                return _Found(lam, w, into, 0.0, 0.0, count)
            slope = self.working.x.T @ into
            off = self.penalty.residual(w.first[None], slope[None], strength, self.working.groups)[0]
            alive = self.working.groups.norms(w.first[None])[0] > 0
            worst = float(off.max()) / lam
            zeros = (
                float(entering_groups(self.penalty, slope, self.working.groups)[~alive].amax())
                if bool((~alive).any())
                else 0.0
            )
            if (count and not bool((off[~alive] > 2 * self.tol * lam).any())) or count >= self.most_iterations:
                return _Found(lam, w, into, worst, zeros, count)
            mask = self.working.groups.spread((alive | (off > self.tol * lam)).to(w.first.dtype)[None])
            some = mask.reshape(-1) > 0
            if not bool(some.any()):
                return _Found(lam, w, into, worst, zeros, count)
            x, groups = self.working.part(some)
            begin = Start(w) if self.learned is None else self.learned.begin(w)
            begin = replace(begin, weights=w.with_first(w.first[some]))
            done = solve(
                self.problem, x, begin, self.penalty, lam, groups, tol=self.tol * lam, most=self.most_iterations
            )
            self.learned = done
            first = w.first.clone()
            first[some] = done.weights.first
            w, count = done.weights.with_first(first), count + done.iterations

    def certify(self, found: _Found) -> Asking[tuple[Stage, Tensor]]:
        """Return the stage, and the groups outside the working set that violate it, the highest scores first.

        Where very many are in doubt, finer directions are asked for before they are computed one by one.
        """
        limit = found.lam * (1 + 4 * self.tol)
        inside = self.problem.grouping.groups_of(self.working.columns[: len(found.weights.first)])
        for finer in FINER:
            self.scores, missed = self.cache.scores(found.into, self.penalty, self.start, LOOK * found.lam)
            outside = torch.ones(len(self.scores), dtype=torch.bool)
            outside[inside - self.offset] = False
            doubtful = (outside & (self.scores + missed > limit)).nonzero().squeeze(1)
            if len(doubtful) <= DOUBT or not finer:
                break
            yield from self.cache.learn([found.into], [found.lam], self.penalty, finer)
        sure = outside.clone()
        sure[doubtful] = False
        known = float(torch.where(sure, self.scores, -missed).max()) if len(sure) else -missed
        largest = max(found.zeros, known + missed)
        violating = doubtful[:0]
        if len(doubtful):
            exact = self.exact(doubtful + self.offset, found.into)
            self.scores[doubtful] = exact.float()
            over = exact > limit
            violating = doubtful[over][exact[over].argsort(descending=True)[:MOST_ADDED]].sort().values + self.offset
            largest = max(largest, float(exact.max()))
        kept = (found.weights.first != 0).any(1)
        columns = self.working.columns[: len(kept)]
        whole = torch.isin(self.problem.grouping.groups_of(columns), self.problem.grouping.groups_of(columns[kept]))
        return Stage(
            found.lam,
            columns[whole],
            found.weights.with_first(found.weights.first[whole]),
            found.residual,
            largest / found.lam,
            len(doubtful),
            found.iterations,
        ), violating

    def tidy(self, lam: float) -> None:
        """Drop what the working set no longer needs, where it has become large."""
        first = self.weights.first
        of = self.problem.grouping.groups_of(self.working.columns)
        alive = of[(first != 0).any(1)].unique()
        if len(self.working.columns) <= max(2 * LEAST_WORKING, 6 * len(alive)):
            return
        mask = torch.isin(of, alive) | (self.scores[of - self.offset] > 0.8 * lam)
        self.working.keep(mask)
        self.weights = self.weights.with_first(first[mask])
