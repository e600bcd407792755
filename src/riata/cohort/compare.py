"""Compare: strengths tuned inside every fold, scores on rows that neither trained nor tuned, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..choice.evidence import LeafSet, leaf_set
from ..choice.final import metric_interval
from ..choice.score import METRIC, METRICS, constant_prediction, score
from ..data import Table
from ..population.design import Split
from ..results import Interval
from .settings import PENALTIES, VIEWS
from .trial import Trial

__all__ = ["Candidate", "Comparison", "compare_views", "losses_along", "nested", "strength_of", "tuned_trial"]

Key = tuple[str, str]
"""View and penalty."""
EQUIVALENT_SHARE = 0.01


@dataclass(frozen=True, eq=False)
class Candidate:
    """One view with one penalty: the trial that each fold's own validation rows chose, and its scores."""

    chosen: tuple[Trial, ...]
    per_fold: Mapping[str, np.ndarray]

    def intervals(self) -> dict[str, Interval]:
        """Return mean and 95% interval of every metric over the folds; a share stays within 0 and 1."""
        return {name: metric_interval(name, values, len(self.chosen)) for name, values in self.per_fold.items()}

    def facts(self) -> dict[str, Any]:
        """Return plain values for ``decision.json``."""
        scores: dict[str, Any] = {name: found.as_dict() for name, found in self.intervals().items()}
        return {
            **scores,
            "per_fold": {name: values.tolist() for name, values in self.per_fold.items()},
            "lam": [t.lam for t in self.chosen],
            "relaxed": [t.relaxed for t in self.chosen],
            "kept_variants": float(np.mean([t.genetic for t in self.chosen])),
            "kept_clinical": float(np.mean([t.clinical for t in self.chosen])),
        }


@dataclass(frozen=True, eq=False)
class Comparison:
    """All candidates on the same folds, and the constant predictor."""

    candidates: Mapping[Key, Candidate]
    constant: Mapping[str, np.ndarray]
    folds: int
    metric: str

    def view(self, name: str) -> dict[str, Candidate]:
        """Return the candidates of a view by penalty."""
        return {penalty: c for (view, penalty), c in self.candidates.items() if view == name}

    @property
    def views(self) -> tuple[str, ...]:
        """Views that were measured."""
        return tuple(v for v in VIEWS if any(view == v for view, _ in self.candidates))

    def contenders(self, scored: Mapping[str, Candidate]) -> LeafSet:
        """Return which of some candidates contend."""
        return leaf_set({n: c.per_fold[self.metric] for n, c in scored.items()}, self.folds, 1, EQUIVALENT_SHARE)


def tuned_trial(trials: Sequence[Trial]) -> Trial:
    """Return the trial with the least validation loss; of equal ones the first, which keeps least."""
    return min(trials, key=lambda t: t.valid_loss)


def compare_views(table: Table, splits: Sequence[Split], trials: Sequence[Sequence[Trial]]) -> Comparison:
    """Return the candidates' scores on the rows that each fold left aside."""
    found: dict[Key, Candidate] = {}
    for view in VIEWS:
        for penalty in PENALTIES:
            here = [[t for t in of if (t.view, t.penalty) == (view, penalty)] for of in trials]
            if all(here):
                chosen = tuple(map(tuned_trial, here))
                found[view, penalty] = Candidate(chosen, scored(table, splits, chosen))
    constants = []
    for split in splits:
        seen = np.concatenate([split.train, split.valid])
        said = constant_prediction(table.task, table.y[seen], len(table.classes), len(split.test))
        constants.append(score(table.task, table.y[split.test], said))
    return Comparison(found, stacked(constants, table.task), len(splits), METRIC[table.task])


def nested(table: Table, splits: Sequence[Split], trials: Sequence[Sequence[Trial]]) -> tuple[Candidate, list[str]]:
    """Let each fold's validation rows choose view, penalty and strength; return the scores and the choices."""
    chosen = tuple(map(tuned_trial, trials))
    return Candidate(chosen, scored(table, splits, chosen)), [f"{t.view} {t.penalty}" for t in chosen]


def scored(table: Table, splits: Sequence[Split], chosen: Sequence[Trial]) -> dict[str, np.ndarray]:
    """Return the scores of one trial a fold on the rows it left aside."""
    rows = [score(table.task, table.y[s.test], t.said) for s, t in zip(splits, chosen, strict=True)]
    return stacked(rows, table.task)


def stacked(rows: Sequence[Mapping[str, float]], task: str) -> dict[str, np.ndarray]:
    """Return the metrics of a task as arrays over the folds."""
    return {name: np.array([row[name] for row in rows]) for name in METRICS[task]}


def strength_of(trials: Sequence[Sequence[Trial]], key: Key, *, sparsest: bool = False) -> tuple[int, float]:
    """Return the step on the path and the relaxed share with the least mean validation loss over the folds.

    A setting counts where every fold reached it. ``sparsest`` takes the strongest within one standard error (Hastie,
    Tibshirani & Friedman 2009, section 7.10).
    """
    whole = _losses(trials, key)
    best = min(whole, key=lambda s: float(whole[s].mean()))
    if not sparsest or len(trials) < 2:
        return best
    bar = float(whole[best].mean()) + float(whole[best].std(ddof=1)) / len(trials) ** 0.5
    within = [s for s, v in whole.items() if float(v.mean()) <= bar]
    first = min(s[0] for s in within)
    return min((s for s in within if s[0] == first), key=lambda s: float(whole[s].mean()))


def losses_along(trials: Sequence[Sequence[Trial]], key: Key) -> dict[int, float]:
    """Return the mean validation loss of every step of a path that all folds reached, by its best relaxed share."""
    losses: dict[int, float] = {}
    for (step, _), values in _losses(trials, key).items():
        losses[step] = min(losses.get(step, float("inf")), float(values.mean()))
    return losses


def _losses(trials: Sequence[Sequence[Trial]], key: Key) -> dict[tuple[int, float], np.ndarray]:
    """Return the validation losses of every step and relaxed share that all folds reached."""
    found: dict[tuple[int, float], list[float]] = {}
    for of in trials:
        for t in of:
            if (t.view, t.penalty) == key:
                found.setdefault((t.step, t.relaxed), []).append(t.valid_loss)
    return {setting: np.array(values) for setting, values in found.items() if len(values) == len(trials)}
