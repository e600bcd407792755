"""Riata: which regularizer a neural network needs on your data, how strong, and what it then keeps."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import InputError, ResourceError, RiataError
from .version import __version__

_HOMES = {
    "choose": "riata.api",
    "profile": "riata.api",
    "fit_path": "riata.path.fit",
    "Decision": "riata.choice.decision",
    "read_decision": "riata.choice.decision",
    "load_model": "riata.model",
    "NoPenalty": "riata.penalties",
    "L2": "riata.penalties",
    "L1": "riata.penalties",
    "ElasticNet": "riata.penalties",
    "GroupLasso": "riata.penalties",
    "SparseGroupLasso": "riata.penalties",
}

__all__ = [
    "L1",
    "L2",
    "Decision",
    "ElasticNet",
    "GroupLasso",
    "InputError",
    "NoPenalty",
    "ResourceError",
    "RiataError",
    "SparseGroupLasso",
    "__version__",
    "choose",
    "fit_path",
    "load_model",
    "profile",
    "read_decision",
]

if TYPE_CHECKING:
    from .api import choose, profile
    from .choice.decision import Decision, read_decision
    from .model import load_model
    from .path.fit import fit_path
    from .penalties import L1, L2, ElasticNet, GroupLasso, NoPenalty, SparseGroupLasso


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: ``import riata`` alone costs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'riata' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
