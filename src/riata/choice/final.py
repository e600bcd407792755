"""The honest score of the verdict: rows that no choice has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from ..data import Table
from ..model import Model
from ..results import CandidateScores, Interval
from .evidence import interval
from .own_model import OwnModel
from .prepare import Arena
from .score import METRICS, bootstrap, score
from .search import Search, best_setting

Rule = Callable[[Mapping[str, np.ndarray], int, float], str]
"""(scores per inner fold, higher is better; number of inner folds; equivalence region) -> penalty."""

SHARES = ("auroc", "accuracy", "average_precision")
ERRORS = ("log_loss", "rmse", "mae")


def nested(
    found: Search, arena: Arena, candidates: Mapping[str, CandidateScores], rule: Rule
) -> tuple[dict[str, Interval], list[str]]:
    """Repeat the whole choice inside every outer fold and score what it chose there on the outer rows.

    Inside fold k the rule sees only the validation losses of k's networks (on k's training rows); its pick is then
    scored on the rows of k. Returns the intervals and the pick of every fold.
    """
    names = [n for n in candidates if n != "constant"]
    picks = []
    for fold in range(len(arena.folds) * (int(arena.folds.max()) + 1)):
        inner = inner_scores(found, arena, names, fold)
        picks.append(rule(inner, len(next(iter(inner.values()))), 0.01 * -float(inner["constant"].mean())))
    metrics = METRICS[arena.table.task]
    picked = {m: np.array([candidates[p].per_fold[m][i] for i, p in enumerate(picks)]) for m in metrics}
    return intervals(picked, arena), picks


def inner_scores(found: Search, arena: Arena, names: list[str], fold: int) -> dict[str, np.ndarray]:
    """Return minus the validation loss of every candidate's best setting, per seed (inner fold) of an outer fold."""
    inner: dict[str, np.ndarray] = {}
    for name in names:
        here = found.population.select(penalty=name, fold=fold)
        best = best_setting(here)
        used = sorted((m for m in here if (m.lam, m.dropout) == best), key=lambda m: m.seed)
        inner[name] = np.array([-m.valid_loss for m in used])
    losses = []
    for _, _, split in arena.splits:
        if split.fold == fold:
            losses.append(-constant_loss(arena, split.block, split.train, split.valid))
    inner["constant"] = np.array(losses)
    return inner


def constant_loss(arena: Arena, block: int, train: np.ndarray, valid: np.ndarray) -> float:
    """Return the validation loss of the best constant of the training rows."""
    loss = arena.blocks.loss
    y = torch.as_tensor(arena.blocks.y[block], dtype=torch.float32)
    z = loss.null(y[train]).expand(1, len(valid), loss.outputs)
    return float(loss.value(z, y[valid])[0])


def intervals(per_fold: Mapping[str, np.ndarray], arena: Arena) -> dict[str, Interval]:
    """Return mean and 95% interval over the outer folds of every metric, folds without a value left out."""
    folds, repeats = int(arena.folds.max()) + 1, len(arena.folds)
    return {name: metric_interval(name, values, folds, repeats) for name, values in per_fold.items()}


def metric_interval(name: str, values: np.ndarray, folds: int, repeats: int = 1) -> Interval:
    """Return mean and 95% interval of a metric over the folds: a share stays in 0 to 1, a loss or an error above 0."""
    clean = values[np.isfinite(values)]
    if len(clean) < 2:
        found = Interval(float(clean[0]) if len(clean) else float("nan"), float("nan"), float("nan"))
    elif len(clean) == folds * repeats:
        found = interval(clean, folds, repeats)
    else:
        found = interval(clean, len(clean), 1)
    if name in SHARES:
        return Interval(found.mean, max(found.low, 0.0), min(found.high, 1.0))
    return Interval(found.mean, max(found.low, 0.0), found.high) if name in ERRORS else found


def sealed_scores(model: Model | OwnModel, sealed: Table, seed: int) -> dict[str, Interval]:
    """Open the sealed rows once: score the refitted model there, with bootstrap intervals."""
    said = model.outputs(model.encoder.transform(sealed.values))
    return bootstrapped(sealed.task, sealed.y, said, seed, sealed.subject)


def bootstrapped(
    task: str, y: np.ndarray, said: np.ndarray, seed: int, subject: np.ndarray | None
) -> dict[str, Interval]:
    """Return the scores of predictions with bootstrap intervals."""
    point, spread = score(task, y, said), bootstrap(task, y, said, seed, subject)
    return {m: Interval(point[m], *spread[m]) for m in METRICS[task]}
