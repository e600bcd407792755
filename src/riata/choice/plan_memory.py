"""The plan of a comparison as bytes: it depends on measured seconds, so a resumed run must not make it again."""

from __future__ import annotations

import json
from typing import Protocol, runtime_checkable

import numpy as np

from ..population.journal import SPENT
from .pilot import Budgeted
from .search import Plan

__all__ = ["SPENT", "TIMES", "Notes", "plan_bytes", "plan_from"]

TIMES = "times of the decision"
"""The note of the times of the run that first came to a decision."""


@runtime_checkable
class Notes(Protocol):
    """What a :class:`~riata.population.run.Keep` may offer besides: to remember bytes by a name."""

    def recall(self, name: str) -> bytes | None:
        """Return what was remembered, or None."""
        ...

    def remember(self, name: str, content: bytes) -> None:
        """Remember bytes."""
        ...


def plan_bytes(rows: np.ndarray, plan: Budgeted) -> bytes:
    """Return the rows to compare on and the plan as JSON; every float comes back bit by bit."""
    facts = {
        "rows": rows.tolist(),
        "strengths": {name: lams.tolist() for name, lams in plan.plan.strengths.items()},
        "dropout": list(plan.plan.dropout),
        "seeds": plan.seeds,
        "repeats": plan.repeats,
        "effort": plan.effort,
        "estimate": plan.estimate,
        "fits": plan.fits,
        "left_out": plan.left_out,
    }
    return json.dumps(facts).encode()


def plan_from(content: bytes) -> tuple[np.ndarray, Budgeted]:
    """Return what :func:`plan_bytes` wrote.

    >>> plan = Budgeted(Plan({"l1": np.array([0.1, 0.3])}, (0.0,)), 1, 2, 0.5, 3.5, True, ["a"])
    >>> rows, again = plan_from(plan_bytes(np.arange(3), plan))
    >>> rows.tolist(), again.plan.strengths["l1"].tolist(), again.repeats
    ([0, 1, 2], [0.1, 0.3], 2)
    """
    facts = json.loads(content)
    strengths = {name: np.array(lams, dtype=np.float64) for name, lams in facts["strengths"].items()}
    plan = Plan(strengths, tuple(facts["dropout"]))
    budgeted = Budgeted(
        plan,
        facts["seeds"],
        facts["repeats"],
        facts["effort"],
        facts["estimate"],
        bool(facts["fits"]),
        list(facts["left_out"]),
    )
    return np.array(facts["rows"], dtype=np.int64), budgeted
