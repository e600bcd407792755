"""What a cohort's comparison does, beyond the options of ``choose``."""

from __future__ import annotations

from dataclasses import dataclass

from ..choice.options import Options
from ..penalties import by_name
from ..penalties.base import Penalty
from ..wide import geometric

VIEWS = ("clinical", "genetic", "combined")
"""What a network may see."""
SIMPLEST = ("clinical", "combined", "genetic")
"""The order in which views are tried: clinical variables are there anyway."""
PENALTIES = ("none", "l2", "l1", "elastic_net", "group_lasso")
"""Candidates at this size; the sparse group lasso has no certified path over columns yet."""
WIDTH = 20
"""Hidden units beside the skip."""
RATIO = 0.06
"""Smallest strength of a path as a share of lam_max; held-out rows end it sooner."""
RIDGE_SHARES = tuple(30 * 0.35**i for i in range(11))
"""Strengths of L2 as shares of its scale."""
RELAXED = (1.0, 0.1)
"""Shares of the selecting strength that are judged; below 1 the network is fitted again on what was selected."""
PATIENCE = 5
"""Strengths without a better held-out loss after which a path ends."""
TOL = 1e-3
"""KKT residual over lam."""


@dataclass(frozen=True)
class Settings:
    """What every fit of a cohort shares.

    Attributes
    ----------
    hidden : int
        Units beside the skip, 0 for a linear model.
    shares : tuple of float
        Strengths of the sparse paths as shares of lam_max.
    penalties : tuple of str
    seed : int
    """

    hidden: int
    shares: tuple[float, ...]
    penalties: tuple[str, ...]
    seed: int

    @property
    def sparse(self) -> tuple[Penalty, ...]:
        """The penalties whose paths leave variables out."""
        return tuple(by_name(name) for name in self.penalties if name not in ("none", "l2"))


def settings_of(options: Options) -> Settings:
    """Return the settings that options ask for; the default width at this size is 20."""
    hidden = options.hidden
    width = WIDTH if hidden == Options.hidden else (hidden[0] if hidden else 0)
    length = 36 if options.path_length == Options.path_length else options.path_length
    names = tuple(name for name in PENALTIES if name in options.candidates)
    return Settings(width, geometric(length, RATIO), names, options.seed)
