"""Refit: the verdict's path on all rows asked for, its strength's network, and the model that reads a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..choice.prepare import grouping
from ..data import Column, Table, fit_encoder, layout
from ..engines import NetworkSpec
from ..genome import Columns
from ..model import Model
from ..penalties import Penalty, by_name
from ..wide import Asking, Cache, Problem, Stage, Start, follow
from ..wide.ridge import null_scale, small_ridge
from .fold import Fold
from .measure import fit_free, relax
from .settings import RIDGE_SHARES, TOL, Settings
from .study import Study

__all__ = ["Fitted", "Recipe", "fit", "model_of"]


@dataclass(frozen=True)
class Recipe:
    """What to fit: a view, a penalty, the step on its path and the relaxed share; ``beyond`` more are followed."""

    view: str
    penalty: str
    step: int
    relaxed: float
    beyond: int = 0


@dataclass(frozen=True, eq=False)
class Fitted:
    """The fit on some rows.

    Attributes
    ----------
    stage : Stage
        At the selecting strength, before it is relaxed.
    final : Stage
        What is handed back.
    stages : tuple of Stage
        The path down to it and ``beyond``.
    scores : Tensor
        Every variant's gradient over lam at the selecting strength; empty for a view without variants.
    lam_max : float
    passes : int
    """

    problem: Problem
    stage: Stage
    final: Stage
    stages: tuple[Stage, ...]
    scores: Tensor
    lam_max: float
    passes: int


def fit(fold: Fold, recipe: Recipe, settings: Settings) -> Asking[Fitted]:
    """Fit a recipe on the training rows of a fold (which may be all rows)."""
    problem = fold.problem(recipe.view, settings)
    start = fold.clinical if recipe.view == "genetic" else 0
    if recipe.penalty in ("none", "l2"):
        return _dense(problem, recipe, start)
    penalty = by_name(recipe.penalty)
    cache = Cache(problem.columns, problem.grouping)
    steps = settings.shares[: recipe.step + 1 + recipe.beyond]
    path = yield from follow(problem, penalty, cache, steps, start=start, tol=TOL)
    stage = path.stages[min(recipe.step, len(path.stages) - 1)]
    final = stage
    if recipe.relaxed < 1 and len(stage.columns):
        final = relax(problem, penalty, stage, recipe.relaxed, TOL)
    scores = torch.zeros(0)
    if recipe.view != "clinical":
        scores = yield from _skyline(problem, cache, penalty, stage, fold.clinical)
    return Fitted(problem, stage, final, path.stages, scores, path.lam_max, path.passes)


def _skyline(problem: Problem, cache: Cache, penalty: Penalty, stage: Stage, start: int) -> Asking[Tensor]:
    x = problem.columns.columns(stage.columns).to(problem.free.dtype)
    into = problem.gradient(x, stage.weights).into
    yield from cache.learn([into], [stage.lam], penalty)
    return cache.scores(into, penalty, start)[0] / stage.lam


def _dense(problem: Problem, recipe: Recipe, start: int) -> Fitted:
    """Fit all columns of a view that has few, by L2 or without a penalty."""
    stage = fit_free(problem, start) if recipe.penalty == "none" else _ridge(problem, recipe, start)
    return Fitted(problem, stage, stage, (stage,), torch.zeros(0), stage.lam, 0)


def _ridge(problem: Problem, recipe: Recipe, start: int) -> Stage:
    ids = torch.arange(start, problem.columns.p)
    x = problem.columns.columns(ids).to(problem.free.dtype)
    begin = Start(problem.start.with_first(x.new_zeros(len(ids), problem.spec.first_width)))
    lam = RIDGE_SHARES[recipe.step] * null_scale(problem, x)[1]
    done = small_ridge(problem, x, begin, lam, 1e-2, 1000)
    return Stage(lam, ids, done.weights, done.residual / (lam or 1.0), 0.0, 0, done.iterations)


def with_variants(table: Table, variants: Columns, ids: Sequence[int]) -> Table:
    """Return the clinical table with some variants as columns of numbers; a missing call is imputed by the mean."""
    if not len(ids):
        return table
    raw = variants.raw(torch.as_tensor(list(ids))).double().numpy()
    columns = tuple(Column(variants.names[i], "numeric", note="variant") for i in ids)
    return replace(
        table,
        columns=(*table.columns, *columns),
        values=np.hstack([table.values, raw]),
        inputs=(*table.inputs, *(c.name for c in columns)),
    )


def model_of(fold: Fold, fitted: Fitted, recipe: Recipe, study: Study) -> Model:
    """Return the fit as a model that reads a table of clinical columns and the kept variants by name."""
    final, d = fitted.final, fold.clinical
    kept = final.columns[final.columns >= d] - d
    table = with_variants(fold.table, fold.variants, kept.tolist())
    alleles = study.alleles(kept.tolist())
    encoder = fit_encoder(table, np.asarray(fold.split.train))
    plan = layout(table)
    w, width = final.weights, fitted.problem.spec.first_width
    first = torch.zeros(len(plan.columns), width)
    own = final.columns < d
    first[final.columns[own]] = w.first[own]
    first[d:] = w.first[~own]
    free = fitted.problem.whiten.float() @ w.free
    hidden = w.hidden
    if fitted.problem.free.shape[1] > 1:
        first[fold.free, hidden:] += free[1:]
    params = {"first": first[None], "b_out": free[0][None]}
    if hidden:
        params |= {"b1": w.b1[None], "out": w.out[None]}
    spec = NetworkSpec(len(plan.columns), fold.loss.outputs, (hidden,) if hidden else (), "tanh")
    facts = {
        "penalty": recipe.penalty,
        "lam": final.lam,
        "dropout": 0.0,
        "relaxed": recipe.relaxed,
        "view": recipe.view,
        "kkt": [max(fitted.stage.residual, fitted.stage.outside - 1)],
        "epochs": [final.iterations],
        "status": ["ok"],
    }
    names = [c.name for c in table.columns[len(fold.table.columns) :]]
    schema = {**table.schema(), "id": study.id, "variants": {name: alleles.get(name, []) for name in names}}
    return Model(spec, fold.loss, params, encoder, schema, grouping(plan, None)[2], facts, fold.y_centre, fold.y_scale)
