"""Updates: one step of one rule, for many members at once."""

from __future__ import annotations

from .apg import APG
from .base import Params, State, Term, Terms, Update, take_state
from .prox_adam import ProxAdam
from .prox_sgd import ProxSGD

__all__ = ["APG", "Params", "ProxAdam", "ProxSGD", "State", "Term", "Terms", "Update", "take_state"]
