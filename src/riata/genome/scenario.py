"""Scenario: what cohort to simulate, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from riata.errors import InputError
from riata.genome.clinic import CLINIC, limits, names

__all__ = ["SCENARIOS", "Cohort"]

SCENARIOS: Mapping[str, Mapping[str, float]] = {
    "A": {"genetic_share": 0.50, "background_share": 0.00, "clinical_share": 0.25, "background": 0},
    "B": {"genetic_share": 0.10, "background_share": 0.15, "clinical_share": 0.45},
    "C": {"genetic_share": 0.03, "background_share": 0.10, "clinical_share": 0.45},
}
"""Few strong variants; the case study, clinical variables before everything; the same with weaker variants."""


@dataclass(frozen=True)
class Cohort:
    """What to simulate; shares are parts of the variance of the liability, the rest of it is noise.

    Parameters
    ----------
    people, variants : int
        Size; at least 10 people and 1 variant.
    effects : int
        Variants with a strong effect, of the frequent ones (first allele above .15).
    dominant, pairs : int
        Of these, how many act by being carried at all, and how many pairs only by being carried together; the rest
        is additive.
    background : int
        Variants with a weak, additive effect.
    clinical : int
        Clinical variables; the first ``summaries`` of them repeat part of the genetics.
    binary : tuple of int
        Which of them, from 0, are yes (above half a standard deviation) or no.
    curved : float
        Factor of the product of the first and the third clinical variable in what the clinical variables add.
    named : bool
        Give the clinical variables real names, units, yes or no and missing cells: the first of ``clinic.CLINIC``.
    genetic_share, background_share, clinical_share : float
        Variance of the liability from each, together at most 1.
    summary_share : float
        Variance of a summarising clinical variable that is genetic, 0 to 1.
    rare : float
        Part of the variants whose first allele is rare, ``.01 + .2 Beta(1, 3)``; the others are uniform on .05 to .5,
        where no variant is rare on .02 to .5.
    missing : float
        Part of the calls that are missing, 0 to 1 (exclusive).
    cases : float
        Part of the people with outcome 1, 0 to 1 (exclusive).
    seed : int
        Fixes every draw; each linkage block has draws of its own.
    """

    people: int = 3000
    variants: int = 500_000
    effects: int = 20
    dominant: int = 0
    pairs: int = 0
    background: int = 2000
    clinical: int = 20
    summaries: int = 4
    genetic_share: float = 0.5
    background_share: float = 0.0
    clinical_share: float = 0.25
    summary_share: float = 0.3
    binary: tuple[int, ...] = ()
    curved: float = 0.0
    named: bool = False
    rare: float = 0.0
    missing: float = 0.0
    cases: float = 0.4
    seed: int = 0

    @classmethod
    def scenario(cls, name: str, **settings: Any) -> Cohort:
        """Return one of :data:`SCENARIOS`: 12 additive and 4 dominant variants, 2 pairs, and a named clinical table.

        ``settings`` are parameters of the class and win. The first two clinical variables are to a tenth genetic.

        Raises
        ------
        InputError
            If there is no such scenario.

        Examples
        --------
        >>> Cohort.scenario("B", people=100, variants=5000).clinical_share
        0.45
        """
        if name not in SCENARIOS:
            raise InputError(f"no scenario {name!r}; expected one of {', '.join(SCENARIOS)}")
        usual = {
            "dominant": 4,
            "pairs": 2,
            "rare": 0.3,
            "curved": 0.3,
            "named": True,
            "summaries": 2,
            "summary_share": 0.1,
        }
        return cls(**{**usual, **SCENARIOS[name], **settings})

    def __post_init__(self) -> None:
        if self.people < 10 or self.variants < 1:
            raise InputError(f"{self.people} people, {self.variants} variants; expected at least 10 and 1")
        if not (0 <= self.summaries <= self.clinical and min(self.effects, self.background) >= 0):
            raise InputError(
                f"{self.summaries} summaries of {self.clinical} clinical variables; expected no more, >= 0"
            )
        if not (min(self.dominant, self.pairs) >= 0 and self.dominant + 2 * self.pairs <= self.effects):
            raise InputError(
                f"{self.dominant} dominant and {self.pairs} pairs of {self.effects} strong variants; expected no more"
            )
        if (self.named and self.clinical > len(CLINIC)) or any(not 0 <= i < self.clinical for i in self.binary):
            raise InputError(
                f"{self.clinical} clinical variables, binary {self.binary}; expected at most {len(CLINIC)} with names,"
                " and binary among them"
            )
        if self.effects + self.background > self.variants:
            raise InputError(f"{self.effects} + {self.background} effects on {self.variants} variants; expected fewer")
        shares = (self.genetic_share, self.background_share, self.clinical_share)
        if min(shares) < 0 or sum(shares) > 1 or not 0 <= self.summary_share <= 1:
            raise InputError(
                f"shares of {shares} and {self.summary_share}; expected 0 to 1, the three at most 1 in all"
            )
        if not (0 <= self.missing < 1 and 0 < self.cases < 1 and 0 <= self.rare <= 1):
            raise InputError(
                f"missing {self.missing}, cases {self.cases}, rare {self.rare}; expected 0 <= missing < 1,"
                " 0 < cases < 1 and 0 <= rare <= 1"
            )

    @property
    def clinical_names(self) -> tuple[str, ...]:
        """Names of the clinical variables, in order."""
        return names(self.clinical, self.named)

    @property
    def limits(self) -> dict[int, float]:
        """Binary clinical variables, and above how many standard deviations each is yes."""
        return limits(self.clinical, self.named, self.binary)

    def draw(self, *key: int) -> np.random.Generator:
        """Return the draws of one part of the cohort."""
        return np.random.default_rng([self.seed, *key])
