"""The answer without any training, in seconds: the second opinion and the default chart's theory part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from riata.choice.chart import Answer, Chart, Context, Walk, plain, walk
from riata.choice.classic import SECOND_OPINION
from riata.choice.default_chart import DEFAULT
from riata.errors import InputError


@dataclass(frozen=True)
class Profile:
    """What the table itself says.

    ``answer`` is the leaf of the second opinion (l2, l1 or elastic_net), ``why`` its deciding answer in
    words, ``answers`` everything that was asked; ``theory`` and ``theory_why`` are the leaf of the default
    chart's theory part, which also knows grouped variables and the goal; ``facts`` are plain numbers.
    """

    answer: str
    why: str
    answers: tuple[Answer, ...]
    facts: Mapping[str, Any]
    theory: str
    theory_why: str

    def to_dict(self, timings: bool = False) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "answer": self.answer,
            "why": self.why,
            "facts": plain(self.facts),
            "theory": {"penalty": self.theory, "why": self.theory_why},
            "answers": [answer.to_dict(timings) for answer in self.answers],
        }


def explain(walked: Walk) -> str:
    """Say in one sentence which answer led to the leaf.

    >>> from riata.choice.chart import Evidence, Question
    >>> q = Question("wide", "More features than rows?", "L1 stops at n.", "theory", "", lambda c: Evidence(),
    ...              lambda e: "yes", {"yes": "leaf:l2"})
    >>> explain(Walk("l2", (Answer(q, "yes", Evidence()),)))
    'More features than rows? yes: L1 stops at n.'
    """
    last = [answer for answer in walked.answers if answer.decided][-1]
    return f"{last.question.text} {last.answer}: {last.question.why}"


def theory(context: Context, chart: Chart = DEFAULT) -> Walk:
    """Walk only the part of a chart that needs no training; its probes are shared with a full walk.

    Raises
    ------
    InputError
        If the chart has no such part.
    """
    if chart.theory is None:
        raise InputError(f"chart {chart.name!r} has no theory part; expected one; use the default or classic chart")
    return walk(chart, context, start=chart.theory)


def profile_context(context: Context) -> Profile:
    """Profile a context: see :func:`profile`."""
    opinion, known = walk(SECOND_OPINION, context), theory(context)
    asked = {a.question.key for a in opinion.answers}
    answers = opinion.answers + tuple(a for a in known.answers if a.question.key not in asked)
    facts: dict[str, Any] = {
        "rows": context.rows,
        "columns": context.X.shape[1],
        "variables": len(np.unique(context.group)),
        "task": context.task,
    }
    for name, key, fact in (
        ("most_common_share", "sparse", None),
        ("correlated_share", "correlated", None),
        ("columns_per_row", "wide", None),
        ("grouped_share", "grouped", None),
        ("picture", "picture", "kind"),
    ):
        found = [a.evidence for a in answers if a.question.key == key]
        if found:
            facts[name] = found[0].detail[fact] if fact else found[0].estimate
    return Profile(opinion.leaf, explain(opinion), answers, plain(facts), known.leaf, explain(known))


def profile(
    X: ArrayLike,
    group: ArrayLike | None = None,
    y: ArrayLike | None = None,
    task: str = "regression",
    **facts: Any,
) -> Profile:
    """Answer without training: L2, L1 or elastic net, from sparsity, correlation, picture and size.

    Parameters
    ----------
    X : array_like, shape (n, d)
        Encoded, finite columns (one-hot included); standardized or raw, a sub-sample or all rows.
    group : array_like of int, shape (d,), optional
        Variable of each column; default: each column its own.
    y : array_like, shape (n,), optional
        Not looked at by any question; default zeros.
    task : {"classification", "regression"}
    **facts
        Further fields of :class:`riata.choice.chart.Context`, such as ``n_rows``, ``goal``, ``picture``,
        ``seed``.

    Returns
    -------
    Profile

    Raises
    ------
    InputError
        If the arrays do not fit together, a value is not finite, or ``picture`` cannot be read.

    Examples
    --------
    >>> profile(np.random.default_rng(0).standard_normal((200, 12))).answer
    'l1'
    """
    columns = np.asarray(X, dtype=np.float32)
    n, d = columns.shape if columns.ndim == 2 else (len(columns), 0)
    context = Context(
        columns,
        np.zeros(n) if y is None else np.asarray(y),
        np.arange(d) if group is None else np.asarray(group),
        task,
        no_validation=True,
        **facts,
    )
    return profile_context(context)
