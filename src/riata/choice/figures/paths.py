"""Every penalty's path: validation loss, number kept, and the norm of each variable along the strengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...results import MemberResult
from ..search import Search
from .rounded import short

MOST_VARIABLES = 60


def paths_of(found: Search) -> dict[str, Any]:
    """Return the path of each penalty, of the networks at the first dropout rate."""
    return {p: path_of(found.population.select(penalty=p, dropout=found.plan.dropout[0])) for p in found.plan.strengths}


def path_of(members: list[MemberResult]) -> dict[str, Any]:
    """Return one path, strongest first.

    ``loss`` is the mean validation loss over the splits and ``se`` its standard error over the outer folds;
    ``one_se`` is the strongest lam whose loss is within one standard error of the least (Hastie, Tibshirani & Friedman
    2009, section 7.10). A strength at which a network diverged has no loss.
    """
    lams = sorted({m.lam for m in members}, reverse=True)
    at = {lam: [m for m in members if m.lam == lam] for lam in lams}
    losses = [by_fold(at[lam]) for lam in lams]
    mean = np.array([v.mean() for v in losses])
    error = np.array([v.std(ddof=1) / np.sqrt(len(v)) if len(v) > 1 else np.nan for v in losses])
    norms = np.stack([np.mean([m.norms for m in at[lam]], axis=0) for lam in lams])
    top = np.sort(np.argsort(-norms.max(0), kind="stable")[:MOST_VARIABLES])
    best, one = least(mean, error)
    return {
        "lams": lams,
        "loss": short(mean, 6),
        "se": short(error),
        "best": None if best is None else lams[best],
        "one_se": None if one is None else lams[one],
        "kept": short([np.mean([m.kept for m in at[lam]]) for lam in lams]),
        "variables": top.tolist(),
        "norms": short(norms[:, top].T),
        "of": norms.shape[1],
    }


def by_fold(members: list[MemberResult]) -> np.ndarray:
    """Return the mean validation loss of every outer fold; infinite where a network diverged."""
    folds = sorted({m.fold for m in members})
    return np.array([np.mean([m.valid_loss if m.usable else np.inf for m in members if m.fold == f]) for f in folds])


def least(mean: np.ndarray, error: np.ndarray) -> tuple[int | None, int | None]:
    """Return the positions of the least loss and of the first (strongest) within one standard error of it.

    >>> least(np.array([3.0, 1.2, 1.0, 1.1]), np.array([0.1, 0.3, 0.3, 0.3]))
    (2, 1)
    """
    if not np.isfinite(mean).any():
        return None, None
    best = int(np.argmin(np.where(np.isfinite(mean), mean, np.inf)))
    bar = mean[best] + (error[best] if np.isfinite(error[best]) else 0.0)
    return best, int(np.flatnonzero(mean <= bar)[0])
