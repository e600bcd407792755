"""Train single members again and watch them: their weights, and how they came about."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ..engines import Params
from ..penalties import by_name
from ..results import MemberResult
from .design import Design
from .run import Blocks, arms_of, fit_chunk


@dataclass
class Curves:
    """What is seen at the end of every epoch (of a linear model: of every few iterations).

    ``train`` and ``valid`` are mean data losses per row, ``penalty`` is lam times the penalty's value, ``largest`` the
    largest absolute first-layer weight, ``kept`` the number of variables with a weight that is not 0.0.
    """

    epoch: list[int] = field(default_factory=list)
    train: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    penalty: list[float] = field(default_factory=list)
    largest: list[float] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Watched:
    """A member trained under observation: its result, its first layer (d, width), and its curves."""

    result: MemberResult
    first: np.ndarray
    curves: Curves


def watch_member(blocks: Blocks, design: Design, index: int) -> Watched:
    """Train one member of a design again and record its curves; the result is that of the population, bit by bit."""
    member = design.members[index]
    split, body = design.splits[member.split], blocks.body(design.training)
    engine, arms = body.engine(), arms_of([member], blocks.device)
    term = body.terms(by_name(member.penalty), arms.lam)["first"]
    train = blocks.rows(split, split.train)
    valid = blocks.rows(split, split.valid) if len(split.valid) else None
    seen = Curves()

    def look(epoch: int, params: Params) -> None:
        first = params["first"]
        seen.epoch.append(epoch)
        seen.train.append(float(engine.losses(params, train.x, train.y)[0]))
        seen.valid.append(float(engine.losses(params, valid.x, valid.y)[0]) if valid is not None else float("nan"))
        seen.penalty.append(float(term.penalty.value(first, term.lam, term.groups)[0]))
        seen.largest.append(float(first.abs().max()))
        seen.kept.append(int((term.groups.norms(first)[0] > 0).sum()))

    fitted, results = fit_chunk(blocks, design, [index], watch=look)
    first = fitted.params["first"][0].movedim(body.axis, 0).flatten(1).cpu().numpy()
    return Watched(replace(results[0], split=member.split), first, seen)
