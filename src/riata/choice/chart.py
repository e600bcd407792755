"""The flowchart as data: questions, arrows, leaves; written once, it runs, explains and draws itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riata.errors import InputError

LEAF = "leaf:"
"""Prefix of an arrow that ends the walk, as in ``leaf:l2``."""
KINDS = ("theory", "measured", "convention")


@dataclass(frozen=True)
class Evidence:
    """What a probe found: an estimate with a 95% interval, its cost, and the data of its figure.

    The three numbers are None where nothing was estimated; ``seconds`` is filled by the walk.
    """

    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    cost: str = "no training"
    seconds: float = 0.0
    figure: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self, timings: bool = False) -> dict[str, Any]:
        """Return plain Python values; without ``timings`` the same input gives the same bytes.

        Examples
        --------
        >>> Evidence(np.float64(0.5), detail={"n": np.int64(3)}).to_dict()["detail"]
        {'n': 3}
        """
        out = {name: getattr(self, name) for name in ("estimate", "low", "high", "detail", "cost", "figure")}
        return dict(plain({**out, "seconds": self.seconds} if timings else out))


def plain(value: Any) -> Any:
    """Turn numpy values, mappings and tuples into strict JSON values; NaN and infinities become None.

    >>> plain({"a": np.arange(2), "b": (float("nan"),)})
    {'a': [0, 1], 'b': [None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


@dataclass(frozen=True)
class Resources:
    """May we validate? What the pilot said: yes or no, why, the estimate and the budget in seconds."""

    can_validate: bool
    reason: str = ""
    seconds: float | None = None
    budget: float | None = None


@dataclass(frozen=True, eq=False)
class Context:
    """Everything the probes may look at: plain arrays and facts, no model.

    Parameters
    ----------
    X : array, shape (n, d)
        The encoded, standardized sub-sample, one-hot columns included.
    y : array, shape (n,)
    group : int array, shape (d,)
        Index of the input variable each column belongs to.
    task : {"classification", "regression"}
    n_rows : int, optional
        Training rows of the whole table; default n.
    center, scale : array, shape (d,), optional
        What the standardization took away, so that raw scales can be read (raw = X * scale + center).
    position : int array, shape (d,), optional
        File position of each column's variable among the ``n_columns`` inputs, needed where constant
        columns were dropped and pictures are to be found; default: the order of X.
    n_encoded : int, optional
        Encoded columns of the whole table, where X holds a sample of them.
    subsample : Evidence, optional
        From ``riata.choice.probes.subsample``; None says that all rows are used.
    resources : Resources, optional
        None says that validation was not considered, which is a no.
    scores : mapping of candidate to array, shape (folds * repeats,), optional
        Higher is better, same folds; may hold "constant" for the constant predictor.
    folds, repeats, rope, goal, picture, no_validation, seed
        As in the command line; ``rope`` in units of the score, ``picture`` is "auto", "no" or "WxH".
    cache : dict
        Evidence gathered so far, by probe; filled by the walk, shared by charts.
    """

    X: NDArray[np.floating[Any]]
    y: NDArray[Any]
    group: NDArray[np.integer[Any]]
    task: str = "regression"
    n_rows: int | None = None
    center: NDArray[np.floating[Any]] | None = None
    scale: NDArray[np.floating[Any]] | None = None
    position: NDArray[np.integer[Any]] | None = None
    n_columns: int | None = None
    n_encoded: int | None = None
    subsample: Evidence | None = None
    resources: Resources | None = None
    scores: Mapping[str, NDArray[np.floating[Any]]] | None = None
    folds: int = 5
    repeats: int = 1
    rope: float = 0.01
    goal: str = "prediction"
    picture: str = "auto"
    no_validation: bool = False
    seed: int = 0
    cache: dict[object, Evidence] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together."""
        if self.X.ndim != 2 or self.group.shape != (self.X.shape[1],):
            raise InputError(
                f"got X {self.X.shape} and group {self.group.shape}; expected (n, d) and (d,); "
                "pass one variable index per column"
            )
        if not np.isfinite(self.X).all():
            raise InputError("got X with values that are not finite; expected an encoded table; impute first")

    @property
    def rows(self) -> int:
        """Training rows of the whole table."""
        return self.X.shape[0] if self.n_rows is None else self.n_rows


@dataclass(frozen=True)
class Question:
    """One question: its text, why it is asked, where its rule comes from, the experiment and the arrows.

    ``kind`` says what stands behind the arrows: theory (cited in ``source``), measured (run cited) or
    convention. ``branch`` is pure: evidence in, one of the keys of ``arrows`` out. An arrow is a question's
    key or ``leaf:NAME``. ``acts`` says what is done on the way of an answer.
    """

    key: str
    text: str
    why: str
    kind: str
    source: str
    probe: Callable[[Context], Evidence]
    branch: Callable[[Evidence], str]
    arrows: Mapping[str, str]
    acts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Chart:
    """A flowchart: where it starts, its questions, and the leaves it promises.

    ``theory`` is the question at which the part that needs no training starts; ``always`` are questions
    that are answered for the record even where the walk did not need them.
    """

    name: str
    start: str
    questions: Mapping[str, Question]
    leaves: tuple[str, ...]
    theory: str | None = None
    always: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """A question that was answered; ``decided`` is False where it was answered only for the record."""

    question: Question
    answer: str
    evidence: Evidence
    decided: bool = True

    def to_dict(self, timings: bool = False) -> dict[str, Any]:
        """Return the record of ``decision.json``, and the key, the why and whether it decided."""
        asked = self.question
        return {
            "key": asked.key,
            "question": asked.text,
            "answer": self.answer,
            "kind": asked.kind,
            "source": asked.source,
            "why": asked.why,
            "decided": self.decided,
            "evidence": self.evidence.to_dict(timings),
        }


@dataclass(frozen=True)
class Walk:
    """Where the walk ended, and every answer; those that decided come first."""

    leaf: str
    answers: tuple[Answer, ...]

    @property
    def trace(self) -> tuple[str, ...]:
        """The deciding answers as ``key=answer``."""
        return tuple(f"{a.question.key}={a.answer}" for a in self.answers if a.decided)


def questions(*asked: Question) -> dict[str, Question]:
    """Index questions by their key; a repeated key is refused."""
    if len({q.key for q in asked}) != len(asked):
        raise InputError("got two questions with the same key; expected one; rename one of them")
    return {q.key: q for q in asked}


def ask(question: Question, context: Context, decided: bool = True) -> Answer:
    """Run the probe (once for each context) and branch on what it found."""
    if question.probe not in context.cache:
        start = perf_counter()
        found = question.probe(context)
        context.cache[question.probe] = replace(found, seconds=found.seconds or perf_counter() - start)
    evidence = context.cache[question.probe]
    answer = question.branch(evidence)
    if answer not in question.arrows:
        raise InputError(
            f"question {question.key!r} answered {answer!r}; expected one of {list(question.arrows)}; add the arrow"
        )
    return Answer(question, answer, evidence, decided)


def walk(chart: Chart, context: Context, start: str | None = None) -> Walk:
    """Walk the chart from its start (or from ``start``) to a leaf.

    Raises
    ------
    InputError
        If an arrow leads nowhere, an answer has no arrow, or a question is met twice.

    Examples
    --------
    >>> q = Question("even", "Is n even?", "", "convention", "", lambda c: Evidence(len(c.y) % 2),
    ...              lambda e: "no" if e.estimate else "yes", {"yes": "leaf:l2", "no": "leaf:l1"})
    >>> context = Context(np.zeros((4, 1)), np.zeros(4), np.zeros(1, int))
    >>> walk(Chart("toy", "even", {"even": q}, ("l1", "l2")), context).leaf
    'l2'
    """
    here = chart.start if start is None else start
    answers: list[Answer] = []
    seen: set[str] = set()
    while not here.startswith(LEAF):
        if here in seen or here not in chart.questions:
            problem = "is met twice" if here in seen else "does not exist"
            raise InputError(
                f"chart {chart.name!r}: question {here!r} {problem}; expected a path to a leaf; run validate(chart)"
            )
        seen.add(here)
        answers.append(ask(chart.questions[here], context))
        here = answers[-1].question.arrows[answers[-1].answer]
    aside = [ask(chart.questions[key], context, decided=False) for key in chart.always if key not in seen]
    return Walk(here.removeprefix(LEAF), (*answers, *aside))


def _reach(chart: Chart, key: str, above: tuple[str, ...], found: set[str]) -> None:
    if key in above:
        raise InputError(f"chart {chart.name!r} has a cycle through {key!r}; expected none; cut it")
    if key in found:
        return
    found.add(key)
    if key.startswith(LEAF):
        return
    if key not in chart.questions:
        raise InputError(f"chart {chart.name!r}: an arrow leads to {key!r}; expected a question or leaf")
    for arrow in chart.questions[key].arrows.values():
        _reach(chart, arrow, (*above, key), found)


def validate(chart: Chart) -> None:
    """Check that every arrow lands, nothing is circular, and every question and every leaf can be reached.

    Raises
    ------
    InputError
        Naming the first thing that is wrong.
    """
    found: set[str] = set()
    _reach(chart, chart.start, (), found)
    for key in (*chart.always, *((chart.theory,) if chart.theory else ())):
        if key not in chart.questions:
            raise InputError(f"chart {chart.name!r} names {key!r}; expected one of its questions; add it")
    wrong = sorted(({LEAF + name for name in chart.leaves} | set(chart.questions)) ^ found)
    bad = [q.key for q in chart.questions.values() if q.kind not in KINDS]
    if wrong or bad:
        raise InputError(
            f"chart {chart.name!r}: {(wrong or bad)[0]!r} is unreachable, undeclared or of "
            "unknown kind; expected every question and leaf to be reached; fix its arrows"
        )


def to_dict(chart: Chart) -> dict[str, Any]:
    """Return the chart as nodes and edges for drawing; each edge carries the kind of its question."""
    nodes: list[dict[str, Any]] = [
        {"id": q.key, "leaf": False, "text": q.text, "why": q.why, "kind": q.kind, "source": q.source}
        for q in chart.questions.values()
    ]
    nodes += [{"id": LEAF + name, "leaf": True, "text": name} for name in chart.leaves]
    edges = [
        {"from": q.key, "to": to, "answer": answer, "kind": q.kind, "action": q.acts.get(answer, "")}
        for q in chart.questions.values()
        for answer, to in q.arrows.items()
    ]
    return {"name": chart.name, "start": chart.start, "nodes": nodes, "edges": edges}
