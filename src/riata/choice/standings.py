"""Who leads while a population is being trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from ..plots.names import NAMES
from ..results import MemberResult


class Standings:
    """Mean validation loss of every penalty, strength and dropout rate, while a population is being trained.

    Only settings compete that were seen on at least half of the splits and on no fewer than any other: the folds are
    not equally easy, so a mean over some of them is no lead over a mean over all.
    """

    def __init__(self, splits: int) -> None:
        self.splits = splits
        self.losses: dict[tuple[str, float, float], list[float]] = {}

    def add(self, results: Sequence[MemberResult]) -> None:
        """Take in the results of some networks."""
        for r in results:
            loss = r.valid_loss if r.usable else math.inf
            self.losses.setdefault((r.penalty, r.lam, r.dropout), []).append(loss)

    def best(self) -> str:
        """Return the setting with the least mean loss in words, or "" where there is none yet."""
        most = min(self.splits, max(map(len, self.losses.values()), default=0))
        least = max(most, self.splits / 2)
        means = {setting: fmean(v) for setting, v in self.losses.items() if len(v) >= least}
        if not means or not math.isfinite(min(means.values())):
            return ""
        penalty, lam, dropout = leader = min(means, key=lambda s: means[s])
        strength = f" {lam:.3g}" if penalty != "none" else ""
        rate = f", dropout {dropout:g}" if dropout else ""
        return f"{NAMES[penalty]}{strength}{rate}, loss {means[leader]:.3g}"
