"""Measure one fold: every view by every penalty along its path, while held-out rows still gain."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from ..penalties import L2, Penalty
from ..wide import Asking, Cache, Problem, Solution, Stage, Start, follow, solve
from ..wide.ridge import RidgeStage, follow_ridge
from .fold import Fold
from .settings import PATIENCE, RELAXED, RIDGE_SHARES, TOL, VIEWS, Settings
from .trial import Trial, judged

__all__ = ["measure", "relax", "unpenalised_fits"]

RELAX_STEPS = 60
"""Most iterations of a fit on selected variables."""
FREE_STEPS = 300
"""Most iterations of a fit without a penalty, which has no strength to converge relative to."""


def measure(fold: Fold, settings: Settings) -> Asking[list[Trial]]:
    """Return the trials of a fold; all paths over the variants share what one of them learned."""
    found: list[Trial] = []
    views = [view for view in VIEWS if fold.clinical or view == "genetic"]
    caches: dict[str, Cache] = {}
    for view in views:
        problem = fold.problem(view, settings)
        start = fold.clinical if view == "genetic" else 0
        place = "clinical" if view == "clinical" else "variants"
        cache = caches.setdefault(place, Cache(problem.columns, problem.grouping))
        watch = _Watch(fold, view, problem, found)
        if "none" in settings.penalties and unpenalised_fits(problem, start):
            watch.free(start)
        for penalty in settings.sparse:
            watch.begin(penalty)
            yield from follow(
                problem, penalty, cache, settings.shares, start=start, tol=TOL, most_kept=problem.n // 4, watch=watch
            )
        if "l2" in settings.penalties:
            watch.begin(L2())
            yield from follow_ridge(
                problem, RIDGE_SHARES, start=start, onto=fold.everybody(view), rows=fold.train, watch=watch.ridge
            )
    return found


def unpenalised_fits(problem: Problem, start: int) -> bool:
    """Return whether the columns from ``start`` on can be fitted without a penalty: at most half as many as rows."""
    return problem.columns.p - start <= problem.n // 2


def relax(problem: Problem, penalty: Penalty, stage: Stage, share: float, tol: float = 30 * TOL) -> Stage:
    """Fit the selected variables again at ``share`` of their strength, the layers above trained too."""
    x = problem.columns.columns(stage.columns).to(problem.free.dtype)
    groups = problem.grouping.local(stage.columns, problem.spec.first_width) if len(stage.columns) else None
    done: Solution = solve(
        problem, x, Start(stage.weights), penalty, share * stage.lam, groups, tol=tol * stage.lam, most=RELAX_STEPS,
        tail=True,
    )  # fmt: skip
    return Stage(stage.lam, stage.columns, done.weights, done.residual / stage.lam, stage.outside, 0, done.iterations)


class _Watch:
    """Judges every stage of a path and ends it when the held-out rows have not gained for a while."""

    def __init__(self, fold: Fold, view: str, problem: Problem, found: list[Trial]):
        self.fold, self.view, self.problem, self.found = fold, view, problem, found
        self.judge = fold.judge()
        self.penalty: Penalty = L2()
        self.step = self.since = 0
        self.best = math.inf

    def begin(self, penalty: Penalty) -> None:
        """Start a path."""
        self.penalty, self.step, self.since, self.best = penalty, 0, 0, math.inf

    def __call__(self, stage: Stage) -> bool:
        """Judge a stage and what is fitted again on its variables."""
        losses = [self.add(self.penalty.name, fit, share) for share, fit in self.fits(stage)]
        return self.ended(min(losses))

    def fits(self, stage: Stage) -> Iterator[tuple[float, Stage]]:
        yield 1.0, stage
        if 0 < len(stage.columns) <= self.problem.n // 10:
            for share in RELAXED[1:]:
                yield share, relax(self.problem, self.penalty, stage, share)

    def add(self, name: str, stage: Stage, share: float) -> float:
        outputs = self.fold.outputs(self.problem, stage.columns, stage.weights)
        valid, train, said = judged(outputs, self.judge)
        kept = self.problem.grouping.groups_of(stage.columns).unique()
        clinical = int((kept < self.problem.grouping.several).sum())
        self.found.append(
            Trial(
                self.view,
                name,
                self.fold.split.fold,
                self.step,
                stage.lam,
                share,
                valid,
                train,
                said,
                clinical,
                len(kept) - clinical,
                max(stage.residual, stage.outside - 1),
                stage.iterations,
            )
        )
        return valid

    def ridge(self, stage: RidgeStage) -> bool:
        """Judge a stage of L2, which keeps everything."""
        given = self.fold.x[:, self.fold.free] if self.problem.free.shape[1] > 1 else self.fold.x[:, :0]
        from ..wide.network import forward

        outputs = forward(stage.reach, self.problem.unpenalised(given), stage.weights, self.problem.spec.activation)[0]
        valid, train, said = judged(outputs, self.judge)
        clinical = self.problem.grouping.several if self.view != "genetic" else 0
        genetic = 0 if self.view == "clinical" else self.problem.columns.p - self.fold.clinical
        self.found.append(
            Trial(
                self.view,
                "l2",
                self.fold.split.fold,
                self.step,
                stage.lam,
                1.0,
                valid,
                train,
                said,
                clinical,
                genetic,
                stage.residual,
                stage.iterations,
            )
        )
        return self.ended(valid)

    def free(self, start: int) -> None:
        """Fit all columns without a penalty."""
        ids = torch.arange(start, self.problem.columns.p)
        x = self.problem.columns.columns(ids).to(self.problem.free.dtype)
        width = self.problem.spec.first_width
        weights = self.problem.start.with_first(x.new_zeros(len(ids), width))
        groups = self.problem.grouping.local(ids, width)
        self.begin(L2())
        done = solve(self.problem, x, Start(weights), L2(), 0.0, groups, tol=1e-5, most=FREE_STEPS)
        self.add("none", Stage(0.0, ids, done.weights, done.residual, 0.0, 0, done.iterations), 1.0)

    def ended(self, loss: float) -> bool:
        self.step += 1
        self.since = 0 if loss < self.best - 1e-6 else self.since + 1
        self.best = min(self.best, loss)
        return self.since >= PATIENCE
