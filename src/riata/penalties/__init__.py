"""Penalties: the shape of the cost, never its amount."""

from __future__ import annotations

from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from riata.errors import InputError
from riata.penalties.base import Penalty
from riata.penalties.elastic_net import ElasticNet
from riata.penalties.group_lasso import GroupLasso
from riata.penalties.l1 import L1
from riata.penalties.l2 import L2
from riata.penalties.l2_sp import L2SP, GroupLassoL2SP
from riata.penalties.mcp import MCP, GroupMCP
from riata.penalties.none import NoPenalty
from riata.penalties.scad import SCAD, GroupSCAD
from riata.penalties.sparse_group_lasso import SparseGroupLasso

__all__ = [
    "L1",
    "L2",
    "L2SP",
    "MCP",
    "NAMES",
    "SCAD",
    "ElasticNet",
    "GroupLasso",
    "GroupLassoL2SP",
    "GroupMCP",
    "GroupSCAD",
    "NoPenalty",
    "Penalty",
    "SparseGroupLasso",
    "by_name",
]

_CLASSES: tuple[type[Any], ...] = (NoPenalty, L2, L1, ElasticNet, GroupLasso, SparseGroupLasso)

_NONCONVEX: tuple[type[Any], ...] = (MCP, SCAD, GroupMCP, GroupSCAD)

NAMES: tuple[str, ...] = tuple(cls.name for cls in _CLASSES)
"""Names of the penalties that the command line offers and compares, from the plainest to the most structured."""


def by_name(name: str, **options: float) -> Penalty:
    """Return the penalty of a name, with its options.

    Beside :data:`NAMES` it knows ``mcp``, ``scad``, ``group_mcp`` and ``group_scad``, which nothing compares by itself.
    L2-SP has no name here, because it holds weights: build :class:`L2SP`.

    Raises
    ------
    InputError
        If the name is unknown or the penalty has no such option.

    Examples
    --------
    >>> by_name("elastic_net", alpha=0.2)
    ElasticNet(alpha=0.2, lam2=None)
    """
    known = {cls.name: cls for cls in _CLASSES + _NONCONVEX}
    if name not in known:
        close = get_close_matches(str(name).lower().replace("-", "_"), known, n=1)
        hint = f"did you mean {close[0]}?" if close else "pass one of these"
        raise InputError(f"unknown penalty {name!r}; expected one of {', '.join(known)}; {hint}")
    allowed = [f.name for f in fields(known[name])]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        expected = ", ".join(allowed) if allowed else "none"
        raise InputError(f"option {unknown[0]!r} for penalty {name}; expected options: {expected}; drop it")
    penalty: Penalty = known[name](**options)
    return penalty
