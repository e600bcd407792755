"""Wide tables: the exact path of a sparse network over very many columns."""

from __future__ import annotations

from riata.wide.asks import Asking, Dot, Gram, one, run
from riata.wide.cache import Cache
from riata.wide.certificate import Certificate, certify
from riata.wide.grouping import Grouping, entering
from riata.wide.network import Weights
from riata.wide.path import Stage, WidePath, follow, geometric
from riata.wide.problem import Problem, make_problem
from riata.wide.ridge import RidgePath, RidgeStage, follow_ridge
from riata.wide.solve import Solution, Start, solve

__all__ = [
    "Asking",
    "Cache",
    "Certificate",
    "Dot",
    "Gram",
    "Grouping",
    "Problem",
    "RidgePath",
    "RidgeStage",
    "Solution",
    "Stage",
    "Start",
    "Weights",
    "WidePath",
    "certify",
    "entering",
    "follow",
    "follow_ridge",
    "geometric",
    "make_problem",
    "one",
    "run",
    "solve",
]
