"""Questions that training answered: resources, baseline, regularizer, leaf. Only scores are read here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riata.choice.chart import Context, Evidence
from riata.choice.evidence import CANDIDATES, LEANING, compare, leaf_set, pick_leaf
from riata.errors import InputError

CONSTANT = "constant"
"""Name of the constant predictor among the scores."""
COST = "cross-validated networks, shared by all measured questions"

Scores = Mapping[str, NDArray[np.floating[Any]]]


def candidates(context: Context) -> Scores:
    """Return the scores of the candidates, without the constant predictor.

    Raises
    ------
    InputError
        If validation was possible and no candidate's scores arrived.
    """
    scores = {name: context.scores[name] for name in CANDIDATES if name in context.scores} if context.scores else {}
    if not scores:
        raise InputError(
            "validation is possible but no scores arrived; expected per-fold scores of the candidates; "
            "type --no-validation"
        )
    return scores


def probe_resources(context: Context) -> Evidence:
    """Report whether validation fits, and why; scores that are already there count as a yes."""
    found = context.resources
    can = found.can_validate if found is not None else context.scores is not None
    reason = found.reason if found is not None else ""
    if context.no_validation:
        can, reason = False, "validation was switched off"
    seconds = found.seconds if found is not None else None
    budget = found.budget if found is not None else None
    detail = {"can_validate": can, "reason": reason, "estimate_seconds": seconds, "budget_seconds": budget}
    return Evidence(seconds, detail=detail, cost="a pilot of one fold" if found is not None else "nothing")


def branch_resources(evidence: Evidence) -> str:
    """Answer yes or no."""
    return "yes" if evidence.detail["can_validate"] else "no"


def _finite(context: Context, *names: str) -> bool:
    scores = context.scores or {}
    return all(name in scores and bool(np.isfinite(scores[name]).all()) for name in names)


def probe_baseline(context: Context) -> Evidence:
    """Compare the network without a penalty to the constant predictor on the same folds."""
    if not _finite(context, "none", CONSTANT):
        return Evidence(detail={"tested": False}, cost=COST)
    scores = context.scores or {}
    found = compare(
        np.asarray(scores["none"]) - np.asarray(scores[CONSTANT]),
        context.folds,
        context.repeats,
        context.rope,
    )
    return Evidence(found.mean, found.low, found.high, {"tested": True} | found.to_dict(), COST)


def branch_baseline(evidence: Evidence) -> str:
    """Answer "yes" at P(better) >= .75, else "no"; "untested" without either score."""
    if not evidence.detail["tested"]:
        return "untested"
    return "yes" if evidence.detail["p_better"] >= LEANING else "no"


def probe_regularizer(context: Context) -> Evidence:
    """Compare the best regularized candidate to none; say who contends."""
    scores = candidates(context)
    found = leaf_set(scores, context.folds, context.repeats, context.rope)
    detail: dict[str, Any] = {
        "contenders": list(found.contenders),
        "best": found.best,
        "failed": list(found.failed),
    }
    regularized = [name for name in found.means if name != "none"]
    if "none" not in found.means or not regularized:
        return Evidence(detail=detail, cost=COST)
    versus = found.versus(regularized[0], "none")
    detail |= {"regularizer": regularized[0]} | versus.to_dict()
    return Evidence(versus.mean, versus.low, versus.high, detail, COST)


def branch_regularizer(evidence: Evidence) -> str:
    """Answer "no" where none beats every candidate, "yes" at P(better) >= .75, else "unclear"."""
    if evidence.detail["contenders"] == ["none"]:
        return "no"
    return "yes" if evidence.detail.get("p_better", 0.0) >= LEANING else "unclear"


def probe_which(context: Context) -> Evidence:
    """Form the set of contenders and walk it in the order of the goal."""
    scores = candidates(context)
    found = leaf_set(scores, context.folds, context.repeats, context.rope)
    pick = pick_leaf(found, context.goal)
    detail: dict[str, Any] = {
        "leaf": pick.leaf,
        "word": pick.word,
        "rival": pick.rival,
        "goal": context.goal,
        "best": found.best,
        "contenders": list(found.contenders),
        "means": dict(found.means),
        "failed": list(found.failed),
        "versus_rival": pick.versus_rival.to_dict() if pick.versus_rival else None,
        "versus_none": pick.versus_none.to_dict() if pick.versus_none else None,
    }
    against = {name: c.to_dict() for name, c in found.against_best.items()}
    versus = pick.versus_rival
    figure = {"best_against": against}
    if versus is None:
        return Evidence(detail=detail, cost=COST, figure=figure)
    return Evidence(versus.mean, versus.low, versus.high, detail, COST, figure=figure)


def branch_which(evidence: Evidence) -> str:
    """Answer the leaf's name."""
    return str(evidence.detail["leaf"])


def better_mean(first: str, second: str) -> Callable[[Context], Evidence]:
    """Return a probe that compares plain cross-validation means, as the classic chart does.

    A failed candidate (a score that is not finite) counts as worse than any other.
    """

    def probe(context: Context) -> Evidence:
        scores = context.scores or {}
        missing = [name for name in (first, second) if name not in scores]
        if missing:
            raise InputError(
                f"the classic chart got no scores of {missing[0]}; expected none, elastic_net, l1, l2; "
                "type --penalties none,elastic_net,l1,l2"
            )
        means = [float(np.mean(scores[name])) if _finite(context, name) else -np.inf for name in (first, second)]
        detail = {"first": first, "second": second, "means": means, "better": means[0] > means[1]}
        if not np.isfinite(means).all():
            return Evidence(detail=detail, cost=COST)
        gap = compare(np.asarray(scores[first]) - np.asarray(scores[second]), context.folds, context.repeats, 0.0)
        return Evidence(gap.mean, gap.low, gap.high, detail, COST)

    return probe


def branch_better(evidence: Evidence) -> str:
    """Answer "yes" where the first mean is strictly higher."""
    return "yes" if evidence.detail["better"] else "no"


def probe_goal(context: Context) -> Evidence:
    """Report the user's goal."""
    return Evidence(detail={"goal": context.goal}, cost="the user's word")


def branch_goal(evidence: Evidence) -> str:
    """Answer "yes" where variables are to be dropped."""
    return "yes" if evidence.detail["goal"] == "selection" else "no"
