"""What an update is: one step of one rule, for M members at once.

The update alone knows the true step length, so it alone calls the prox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from ..groups import Groups
from ..penalties import Penalty

Params = dict[str, Tensor]
State = dict[str, Any]


@dataclass(frozen=True)
class Term:
    """One penalty on one parameter: lam (M,) times ``penalty`` over ``groups``."""

    penalty: Penalty
    lam: Tensor
    groups: Groups

    def take(self, members: Tensor) -> Term:
        """Return the term of the members with these indices."""
        return Term(self.penalty, self.lam[members], self.groups)


Terms = Mapping[str, Term]


class Update(Protocol):
    """A rule: ``state = init(params)``, then ``step`` again and again. Parameters are changed in place."""

    name: str

    def init(self, params: Params, terms: Terms) -> State:
        """Return the state of M members before the first step (tensors with the member axis first, and ``t``)."""
        ...

    def step(self, params: Params, grads: Params, state: State, lr: Tensor, terms: Terms) -> None:
        """Take one step with the rates lr (M,): descend on the data loss, then the prox of every term."""
        ...


def per_member(a: Tensor, like: Tensor) -> Tensor:
    """Reshape a (M,) so that it broadcasts over ``like`` (M, ...)."""
    return a.reshape(-1, *([1] * (like.dim() - 1)))


def take_state(state: State, members: Tensor) -> State:
    """Return the state of the members with these indices; what is not a tensor is shared."""
    kept: State = {}
    for key, value in state.items():
        if isinstance(value, dict):
            kept[key] = take_state(value, members)
        else:
            kept[key] = value[members] if isinstance(value, Tensor) else value
    return kept
