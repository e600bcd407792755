"""The table of every candidate: each penalty with and without dropout, tuned inside the folds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...results import CandidateScores, Population
from ..final import intervals
from ..prepare import Arena
from ..search import Search, tuned
from .rounded import short


def candidates_of(found: Search, field: Arena, constant: CandidateScores) -> list[dict[str, Any]]:
    """Return one row per candidate; dropout is a candidate of its own where it was compared."""
    rows = [row(constant, field, False)]
    for penalty in ("none", *found.plan.strengths):
        for dropout in (False, True):
            some = only(found, penalty, dropout)
            if some.population.members:
                rows.append(row(tuned(some, field, penalty)[0], field, dropout))
    return rows


def only(found: Search, penalty: str, dropout: bool) -> Search:
    """Return the part of a search that one penalty has, with or without dropout."""
    here = found.population.select(penalty=penalty)
    return replace(found, population=Population(tuple(m for m in here if (m.dropout > 0) == dropout)))


def row(scores: CandidateScores, field: Arena, dropout: bool) -> dict[str, Any]:
    """Return a candidate's row."""
    return {
        "penalty": scores.name,
        "dropout": dropout,
        "rate": sorted({rate for _, rate in scores.chosen}),
        "lam": [lam for lam, _ in scores.chosen],
        **{m: i.as_dict() for m, i in intervals(scores.per_fold, field).items()},
        "kept": short(scores.kept),
        "weights_kept": short(scores.weights_kept, 6),
    }
