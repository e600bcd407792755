"""Half-samples: which variants are selected again and again, and how many of them may be false."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..choice.select import stability
from ..data import Table
from ..errors import InputError
from ..genome import Columns
from ..penalties import by_name
from ..population.design import Split
from ..wide import Asking, Cache, Stage, follow, geometric, run
from ..wide.halves import bound, complementary_halves, q_for
from .fold import Fold, folds_of
from .settings import TOL, Settings

__all__ = ["Stability", "half_splits", "kept_in_halves", "most_selected"]

PAIRS = 25
"""Pairs of complementary halves."""
THRESHOLD = 0.75
"""Share of the halves from which a variant is selected."""
WANTED = 1.0
"""False selections that may be expected at most."""
MOST = 30
"""Variants that a half selects at most; the bound would often allow more."""
STRENGTHS = geometric(18, 0.25)
SHOWN = 60


@dataclass(frozen=True, eq=False)
class Stability:
    """What the halves say.

    Attributes
    ----------
    kept : tuple of ndarray
        Variants that each half selected anywhere on its path, in the order in which they entered.
    variants : int
        How many there are to select from.
    most : int
        Variants after which a half stopped, q.
    """

    kept: tuple[np.ndarray, ...]
    variants: int
    most: int

    def shares(self) -> dict[int, float]:
        """Return the share of the halves that select each variant ever selected, largest first."""
        ids, counts = np.unique(np.concatenate([*self.kept, np.zeros(0, int)]).astype(int), return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {int(ids[i]): float(counts[i] / len(self.kept)) for i in order}

    def selected(self) -> list[int]:
        """Return the variants of at least the threshold."""
        return [i for i, share in self.shares().items() if share >= THRESHOLD - 1e-9]

    def agreement(self, size: int) -> float | None:
        """Return the stability of the first ``size`` variants of each half; None where no half selects anything.

        Nogueira, Sechidis & Brown 2018, equation 4. ``size`` is what the model keeps: all that a half ever selects are
        more, so that no true variant is missed, and the last of them are mostly noise.
        """
        if len(self.kept) < 2 or not any(map(len, self.kept)):
            return None
        alive = np.zeros((len(self.kept), self.variants), dtype=bool)
        for row, kept in enumerate(self.kept):
            alive[row, kept[: max(1, size)]] = True
        return float(stability(alive))

    def facts(self, names: Sequence[str], size: int) -> dict[str, Any]:
        """Return plain values for ``decision.json``."""
        shares = self.shares()
        falsely = bound(self.most, self.variants, THRESHOLD, pairs=max(1, len(self.kept) // 2))
        return {
            "halves": len(self.kept),
            "most": self.most,
            "threshold": THRESHOLD,
            "bound": float(falsely),
            "selected": [names[i] for i in self.selected()],
            "shares": {names[i]: share for i, share in list(shares.items())[:SHOWN]},
            "agreement": self.agreement(size),
        }


def most_selected(variants: int) -> int:
    """Return after how many variants a half stops, so that at most :data:`WANTED` false ones are expected."""
    try:
        return min(MOST, q_for(variants, THRESHOLD, WANTED, pairs=PAIRS))
    except InputError:  # too few variants for any guarantee: one each
        return 1


def half_splits(table: Table, rows: np.ndarray, pairs: int, seed: int) -> list[Split]:
    """Return complementary halves of some rows as splits that only train.

    Classes are alike in both halves; where rows belong to subjects, half of the subjects are drawn with all their rows.
    """
    nothing = np.zeros(0, dtype=np.int64)
    if table.subject is not None:
        subjects, of = np.unique(table.subject[rows], return_inverse=True)
        drawn = complementary_halves(len(subjects), pairs, None, seed)
        return [Split(i, rows[np.isin(of, half.numpy())], nothing, nothing) for i, half in enumerate(drawn)]
    strata = torch.as_tensor(table.y[rows]) if table.task == "classification" else None
    halves = complementary_halves(len(rows), pairs, strata, seed)
    return [Split(i, rows[half.numpy()], nothing, nothing) for i, half in enumerate(halves)]


def kept_in_halves(
    table: Table,
    variants: Columns,
    splits: Sequence[Split],
    unpenalised: Sequence[str],
    scaling: str,
    penalty: str,
    settings: Settings,
    most: int,
) -> list[np.ndarray]:
    """Return the variants that each half selects, the halves side by side in shared passes."""
    folds = folds_of(table, variants, splits, unpenalised, scaling)
    return run([_half(fold, penalty, settings, most) for fold in folds])


def _half(fold: Fold, penalty: str, settings: Settings, most: int) -> Asking[np.ndarray]:
    """Follow the path of one half while the variants it ever kept are at most ``most``."""
    problem = fold.problem("combined" if fold.clinical else "genetic", settings)
    entered: list[int] = []

    def watch(stage: Stage) -> bool:
        own = stage.columns >= fold.clinical
        norms = torch.linalg.vector_norm(stage.weights.first[own], dim=1)
        order = stage.columns[own][torch.argsort(norms, descending=True, stable=True)].tolist()
        new = [i for i in order if i not in entered]
        if len(entered) + len(new) > most:
            return True
        entered.extend(new)
        return len(entered) == most

    cache = Cache(problem.columns, problem.grouping)
    yield from follow(problem, by_name(penalty), cache, STRENGTHS, tol=10 * TOL, watch=watch)
    return np.array(entered, dtype=np.int64) - fold.clinical
