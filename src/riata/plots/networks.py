"""Which of the watched networks a figure shows."""

from __future__ import annotations

from typing import Any

from .plot import Data

BEST, ONE_SE = "best", "one_se"
"""At which strength: that of the least validation loss, or the strongest within one standard error of it."""
AT = {BEST: "at lam_min, which predicts best", ONE_SE: "at lam_1se, which selects"}


def networks_at(figures: Data, at: str = BEST, seed: int = 0) -> list[dict[str, Any]]:
    """Return one network a penalty from a seed at a strength; a penalty without a path has only its best."""
    mine = [n for n in figures["networks"] if n["seed"] == seed]
    there = {n["penalty"]: n for n in mine if n["at"] == BEST} | {n["penalty"]: n for n in mine if n["at"] == at}
    return list(there.values())


def strengths(summary: Data, figures: Data) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the strengths at which networks were watched, as variants of a figure."""
    there = {n["at"] for n in figures["networks"]}
    return [(at, label, {"at": at}) for at, label in AT.items() if at in there]
