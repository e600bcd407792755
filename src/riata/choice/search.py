"""Compare the candidates: one population of strengths x folds x seeds x penalties, tuned inside every fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..path.strengths import RATIO, grid
from ..population.design import Design, Member, Training
from ..population.run import train_population
from ..results import CandidateScores, MemberResult, Population
from .prepare import Arena
from .score import METRICS, constant_prediction, score
from .training import LEARNING_RATE

Setting = tuple[float, float]
"""A strength and a dropout rate."""
EDGE_POINTS = 4
"""Strengths that are added beyond an edge of the grid at a time."""
EXTENSIONS = 2
"""How often a grid is extended before the edge is reported instead."""
DROPOUT_EVERY = 4
"""Dropout is judged at every fourth strength of a path."""


@dataclass(frozen=True)
class Plan:
    """What the search will train: strengths per penalty and the dropout rates, equal for all penalties."""

    strengths: Mapping[str, np.ndarray]
    dropout: tuple[float, ...]

    def settings(self, penalty: str) -> list[Setting]:
        """Return the (lam, dropout) pairs of a penalty, strongest first."""
        if penalty == "none":
            return [(0.0, p) for p in self.dropout]
        lams = self.strengths[penalty]
        pairs = [(float(lam), self.dropout[0]) for lam in lams]
        some = lams[DROPOUT_EVERY // 2 :: DROPOUT_EVERY]
        return pairs + [(float(lam), p) for p in self.dropout[1:] for lam in some]

    def count(self) -> int:
        """Return the number of settings of all penalties and of none."""
        return sum(len(self.settings(p)) for p in ("none", *self.strengths))


@dataclass
class Search:
    """The trained population and what it says of each candidate."""

    population: Population
    plan: Plan
    seconds: float = 0.0
    extended: list[str] = field(default_factory=list)
    on_edge: list[str] = field(default_factory=list)


Run = Callable[[Design], Population]


def members_of(arena: Arena, plan: Plan, penalties: Sequence[str]) -> tuple[Member, ...]:
    """Return the members of a plan on an arena."""
    return tuple(
        Member(penalty, lam, dropout, i, seed, LEARNING_RATE)
        for penalty in penalties
        for i, (_, seed, _) in enumerate(arena.splits)
        for lam, dropout in plan.settings(penalty)
    )


def search(arena: Arena, plan: Plan, training: Training, run: Run | None = None) -> Search:
    """Train the plan; where a candidate's best strength is on the edge of its grid, extend the grid and go on."""
    run = run or (lambda design: train_population(arena.blocks, design))
    splits = tuple(s for _, _, s in arena.splits)
    penalties = ["none", *plan.strengths]
    population = run(Design(members_of(arena, plan, penalties), splits, training))
    found = Search(population, plan, population.seconds)
    for _ in range(EXTENSIONS):
        more = {p: edge for p in plan.strengths if (edge := beyond(found, p)) is not None}
        if not more:
            break
        found.extended += [p for p in more if p not in found.extended]
        extra = Plan(more, plan.dropout[:1])
        added = run(Design(members_of(arena, extra, list(more)), splits, training))
        wider = {p: np.sort(np.concatenate([s, more.get(p, s[:0])]))[::-1] for p, s in found.plan.strengths.items()}
        found.plan = replace(found.plan, strengths=wider)
        found.population = Population(found.population.members + added.members)
        found.seconds += added.seconds
    found.on_edge = [p for p in plan.strengths if beyond(found, p) is not None]
    return found


def mean_losses(members: Sequence[MemberResult]) -> dict[Setting, float]:
    """Return the mean validation loss of every setting; infinite where a member diverged."""
    sums: dict[Setting, list[float]] = {}
    for m in members:
        value = m.valid_loss if m.usable else float("inf")
        sums.setdefault((m.lam, m.dropout), []).append(value)
    return {s: float(np.mean(v)) for s, v in sums.items()}


def best_setting(members: Sequence[MemberResult]) -> Setting:
    """Return the setting with the least mean validation loss, the stronger one of equals."""
    losses = mean_losses(members)
    return min(losses, key=lambda s: (losses[s], -s[0], s[1]))


def beyond(found: Search, penalty: str) -> np.ndarray | None:
    """Return strengths past the edge on which the best strength lies, or None where it lies inside.

    The lower edge counts only while it is clearly better than its neighbour: where the loss has levelled off, less
    of the penalty is the same as none of it.
    """
    members = found.population.select(penalty=penalty)
    lams = found.plan.strengths[penalty]
    losses = mean_losses(members)
    lam, dropout = best_setting(members)
    step = RATIO ** (1 / 20)
    if lam <= lams[-1]:
        inner = losses.get((float(lams[-2]), dropout), np.inf)
        levelled = losses[(lam, dropout)] > inner * (1 - 1e-3)
        return None if levelled else grid(float(lams[-1]) * step**2, EDGE_POINTS, step ** (2 * EDGE_POINTS))
    if lam >= lams[0] and penalty == "l2":
        return grid(float(lams[0]) * 100, EDGE_POINTS, 1 / 20)
    return None


def tuned(
    found: Search, arena: Arena, penalty: str, setting: Setting | None = None
) -> tuple[CandidateScores, dict[int, np.ndarray]]:
    """Score a candidate on the outer folds with its strength tuned inside each, and return its predictions.

    Inside a fold the setting with the least mean validation loss over the seeds is taken; the outputs of its seeds
    are averaged and scored on the outer rows, which no choice has seen. A given ``setting`` is used as it is.
    """
    table = arena.table
    rows, chosen = [], []
    predictions: dict[int, np.ndarray] = {}
    kept: list[float] = []
    weights: list[float] = []
    for fold in range(len(arena.folds) * (int(arena.folds.max()) + 1)):
        here = found.population.select(penalty=penalty, fold=fold)
        best = setting or best_setting(here)
        used = [m for m in here if (m.lam, m.dropout) == best and m.usable]
        chosen.append(best)
        kept.append(float(np.mean([m.kept for m in used])) if used else float("nan"))
        weights.append(float(np.mean([m.weights_kept for m in used])) if used else float("nan"))
        split = next(s for _, _, s in arena.splits if s.fold == fold)
        if not used:
            rows.append(dict.fromkeys(METRICS[table.task], float("nan")))
            continue
        predictions[fold] = predict_mean(used, arena)
        rows.append(score(table.task, table.y[split.test], predictions[fold]))
    per_fold = {m: np.array([r[m] for r in rows]) for m in METRICS[table.task]}
    means = float(np.nanmean(kept)), float(np.nanmean(weights))
    return CandidateScores(penalty, per_fold, tuple(chosen), *means), predictions


def predict_mean(members: Sequence[MemberResult], arena: Arena) -> np.ndarray:
    """Return the prediction of the averaged outputs of some members of one fold."""
    outs = []
    for m in members:
        block = arena.splits[m.split][2].block
        outs.append(m.test_outputs.astype(np.float64) * arena.y_scale[block] + arena.y_centre[block])
    mean = torch.as_tensor(np.mean(outs, axis=0))
    return np.asarray(arena.blocks.loss.predict(mean).numpy())


def constant_scores(arena: Arena) -> CandidateScores:
    """Score the constant predictor on the same outer folds."""
    table, rows = arena.table, []
    for fold in range(len(arena.folds) * (int(arena.folds.max()) + 1)):
        split = next(s for _, _, s in arena.splits if s.fold == fold)
        seen = np.concatenate([split.train, split.valid])
        said = constant_prediction(table.task, table.y[seen], len(table.classes), len(split.test))
        rows.append(score(table.task, table.y[split.test], said))
    return CandidateScores("constant", {m: np.array([r[m] for r in rows]) for m in METRICS[table.task]})
