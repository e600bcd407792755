"""Measure one fold: every view by every penalty along its path, while held-out rows still gain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import zip_longest

import torch
from torch import Tensor

from ..penalties import L2, Penalty
from ..wide import Asking, Cache, Problem, RidgeStage, Solution, Stage, Start, follow, follow_ridge, run, solve
from .fold import Fold
from .settings import PATIENCE, RELAXED, RIDGE_SHARES, TOL, VIEWS, Settings
from .trial import Trial, judged

__all__ = ["fit_free", "measure", "relax", "unpenalised_fits"]

ROWS_EACH = 10
"""Rows that a kept column wants: a path ends where it keeps more columns than rows allow."""
RELAX_STEPS = 60
"""Most iterations of a fit on selected variables."""
FREE_STEPS = 300
"""Most iterations of a fit without a penalty, which has no strength to converge relative to."""


def measure(folds: Sequence[Fold], settings: Settings) -> list[list[Trial]]:
    """Return the trials of every fold, in the order of views and penalties.

    All paths of all folds run side by side and share their passes; those of one fold share what they learn.
    """
    jobs = [list(_jobs(fold, settings)) for fold in folds]
    done = iter(run([job for of in jobs for job in of]))
    return [[trial for _ in of for trial in next(done)] for of in jobs]


def _jobs(fold: Fold, settings: Settings) -> Iterator[Asking[list[Trial]]]:
    """Yield a fit for every view and penalty of a fold."""
    views = [view for view in VIEWS if fold.clinical or view == "genetic"]
    caches: dict[bool, Cache] = {}
    for view in views:
        problem = fold.problem(view, settings)
        start = fold.clinical if view == "genetic" else 0
        cache = caches.setdefault(view == "clinical", Cache(problem.columns, problem.grouping))
        if "none" in settings.penalties and unpenalised_fits(problem, start):
            yield _free(_Watch(fold, view, problem, L2()), start)
        for penalty in settings.sparse:
            yield _sparse(_Watch(fold, view, problem, penalty), cache, start, settings)
        if "l2" in settings.penalties:
            yield _ridge(_Watch(fold, view, problem, L2()), start)


def _sparse(watch: _Watch, cache: Cache, start: int, settings: Settings) -> Asking[list[Trial]]:
    problem = watch.problem
    most = problem.n // ROWS_EACH
    yield from follow(problem, watch.penalty, cache, settings.shares, start=start, tol=TOL, most_kept=most, watch=watch)
    return watch.found


def _ridge(watch: _Watch, start: int) -> Asking[list[Trial]]:
    fold = watch.fold
    everybody = fold.everybody(watch.view)
    yield from follow_ridge(
        watch.problem, RIDGE_SHARES, start=start, onto=everybody, rows=fold.train, watch=watch.ridge
    )
    return watch.found


def _free(watch: _Watch, start: int) -> Asking[list[Trial]]:
    watch.free(start)
    return watch.found
    yield  # a fit that asks for nothing


def unpenalised_fits(problem: Problem, start: int) -> bool:
    """Return whether the columns from ``start`` on can be fitted without a penalty: at most half as many as rows."""
    return problem.columns.p - start <= problem.n // 2


def fit_free(problem: Problem, start: int) -> Stage:
    """Fit all columns from ``start`` on without a penalty."""
    ids = torch.arange(start, problem.columns.p)
    x = problem.columns.columns(ids).to(problem.free.dtype)
    width = problem.spec.first_width
    begin = Start(problem.start.with_first(x.new_zeros(len(ids), width)))
    done = solve(problem, x, begin, L2(), 0.0, problem.grouping.local(ids, width), tol=1e-5, most=FREE_STEPS)
    return Stage(0.0, ids, done.weights, done.residual, 0.0, 0, done.iterations)


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

    def __init__(self, fold: Fold, view: str, problem: Problem, penalty: Penalty):
        self.fold, self.view, self.problem, self.penalty = fold, view, problem, penalty
        self.found: list[Trial] = []
        self.judge = fold.judge()
        self.step = self.since = 0
        self.best = [math.inf] * len(RELAXED)

    def __call__(self, stage: Stage) -> bool:
        """Judge a stage and what is fitted again on its variables."""
        losses = [self.add(self.penalty.name, fit, share) for share, fit in self.fits(stage)]
        return self.ended(losses)

    def fits(self, stage: Stage) -> Iterator[tuple[float, Stage]]:
        yield 1.0, stage
        if 0 < len(stage.columns) <= self.problem.n // ROWS_EACH:
            for share in RELAXED[1:]:
                yield share, relax(self.problem, self.penalty, stage, share)

    def add(self, name: str, stage: Stage, share: float) -> float:
        outputs = self.fold.outputs(self.problem, stage.columns, stage.weights)
        kept = self.problem.grouping.groups_of(stage.columns).unique()
        clinical = int((kept < self.problem.grouping.several).sum())
        kkt = max(stage.residual, stage.outside - 1)
        return self.record(name, outputs, stage, share, (clinical, len(kept) - clinical), kkt)

    def ridge(self, stage: RidgeStage) -> bool:
        """Judge a stage of L2, which keeps everything."""
        outputs = self.fold.forward(self.problem, stage.reach, stage.weights)
        clinical = self.problem.grouping.several if self.view != "genetic" else 0
        genetic = 0 if self.view == "clinical" else self.problem.columns.p - self.fold.clinical
        return self.ended([self.record("l2", outputs, stage, 1.0, (clinical, genetic), stage.residual)])

    def record(
        self, name: str, outputs: Tensor, stage: Stage | RidgeStage, share: float, kept: tuple[int, int], kkt: float
    ) -> float:
        """Write down a trial that keeps so many clinical and genetic variables; return its validation loss."""
        valid, train, said = judged(outputs, self.judge)
        where = self.view, name, self.fold.split.fold, self.step
        self.found.append(Trial(*where, stage.lam, share, valid, train, said, *kept, kkt, stage.iterations))
        return valid

    def free(self, start: int) -> None:
        """Fit all columns without a penalty."""
        self.add("none", fit_free(self.problem, start), 1.0)

    def ended(self, losses: Sequence[float]) -> bool:
        """Count the strengths since any of the fits, the path's own or one fitted again, was better than before.

        Fitted again on few strong variables, a network is soon as good as these allow; the path's own loss still falls
        while weaker ones come in.
        """
        gained = [loss < best - 1e-6 for loss, best in zip(losses, self.best, strict=False)]
        self.best = [min(pair) for pair in zip_longest(losses, self.best, fillvalue=math.inf)]
        self.step += 1
        self.since = 0 if any(gained) else self.since + 1
        return self.since >= PATIENCE
