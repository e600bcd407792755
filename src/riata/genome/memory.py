"""Memory, as the readers of genotypes ask for it: see :mod:`riata.memory`."""

from __future__ import annotations

from riata import memory
from riata.memory import PART, available

__all__ = ["PART", "available", "require"]


def require(size: int, what: str, instead: str, free: int | None = None) -> None:
    """Refuse to go on where ``what`` would take more than 70% of the memory that is available.

    Raises
    ------
    ResourceError
        In one line, with both sizes and what to do ``instead``.
    """
    memory.require(size, what, instead, available() if free is None else free)
