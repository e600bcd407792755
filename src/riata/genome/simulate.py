"""Simulate: a cohort with genotypes in linkage blocks, clinical variables and a binary outcome, block by block."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from riata.errors import InputError
from riata.genome.plink import beside, write_bed, write_bim

__all__ = ["Cohort", "Truth", "simulate"]

LINKAGE = 50
"""Variants in a linkage block."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cohort:
    """What to simulate; shares are parts of the variance of the liability, the rest of it is noise.

    Parameters
    ----------
    people, variants : int
        Size; at least 10 people and 1 variant.
    effects : int
        Variants with a strong effect, of the frequent ones (first allele above .15).
    background : int
        Variants with a weak effect.
    clinical : int
        Clinical variables; the first ``summaries`` of them repeat part of the genetics.
    genetic_share, background_share, clinical_share : float
        Variance of the liability from each, together at most 1.
    summary_share : float
        Variance of a summarising clinical variable that is genetic, 0 to 1.
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
    background: int = 2000
    clinical: int = 20
    summaries: int = 4
    genetic_share: float = 0.5
    background_share: float = 0.0
    clinical_share: float = 0.25
    summary_share: float = 0.3
    missing: float = 0.0
    cases: float = 0.4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.people < 10 or self.variants < 1:
            raise InputError(f"{self.people} people, {self.variants} variants; expected at least 10 and 1")
        if not (0 <= self.summaries <= self.clinical and min(self.effects, self.background) >= 0):
            raise InputError(
                f"{self.summaries} summaries of {self.clinical} clinical variables; expected no more, >= 0"
            )
        if self.effects + self.background > self.variants:
            raise InputError(f"{self.effects} + {self.background} effects on {self.variants} variants; expected fewer")
        shares = (self.genetic_share, self.background_share, self.clinical_share)
        if min(shares) < 0 or sum(shares) > 1 or not 0 <= self.summary_share <= 1:
            raise InputError(
                f"shares of {shares} and {self.summary_share}; expected 0 to 1, the three at most 1 in all"
            )
        if not (0 <= self.missing < 1 and 0 < self.cases < 1):
            raise InputError(f"missing {self.missing}, cases {self.cases}; expected 0 <= missing < 1 and 0 < cases < 1")


@dataclass(frozen=True, eq=False)
class Truth:
    """What was simulated: which variants act and by how much a standard deviation, and every person's scores."""

    strong: NDArray[np.int64]
    strong_effect: Floats
    weak: NDArray[np.int64]
    weak_effect: Floats
    genetic: Floats = field(repr=False)
    background: Floats = field(repr=False)
    clinical: Floats = field(repr=False)
    outcome: NDArray[np.int64] = field(repr=False)


def simulate(path: Path | str, cohort: Cohort) -> Truth:
    """Write ``path``.bed, .bim, .fam and .csv (id, clinical variables, outcome); the same bytes for the same seed.

    ``liability = sqrt(g) G + sqrt(b) B + sqrt(c) C + noise``, each part standardised; the outcome is 1 for the part
    ``cases`` of the people with the largest. Within a linkage block the latent normals of an allele follow
    ``z_j = rho z_(j-1) + sqrt(1 - rho^2) e_j``. All effects are additive. One block of genotypes is held at a time.

    Raises
    ------
    InputError
        If there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     truth = simulate(Path(folder) / "c", Cohort(people=40, variants=60, effects=2, background=5))
    ...     sorted(file.name for file in Path(folder).iterdir()), int(truth.outcome.sum())
    (['c.bed', 'c.bim', 'c.csv', 'c.fam'], 16)
    """
    if not Path(path).parent.is_dir():
        raise InputError(f"no folder {Path(path).parent}; expected one to write to: mkdir {Path(path).parent}")
    frequency = _draw(cohort, 0).uniform(0.02, 0.5, cohort.variants)
    strong, strong_effect, weak, weak_effect = _effects(cohort, frequency)
    scores = np.zeros((2, cohort.people))
    effects = np.zeros((2, cohort.variants))
    effects[0, strong], effects[1, weak] = strong_effect, weak_effect
    write_bed(beside(path, ".bed"), _genotypes(cohort, frequency, effects, scores))
    genetic, background = (_standard(score) for score in scores)
    clinical, outcome = _phenotypes(cohort, genetic, background)
    _write_tables(Path(path), cohort, clinical, outcome)
    return Truth(strong, strong_effect, weak, weak_effect, genetic, background, clinical, outcome)


def _draw(cohort: Cohort, *key: int) -> np.random.Generator:
    return np.random.default_rng([cohort.seed, *key])


def _effects(cohort: Cohort, frequency: Floats) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64], Floats]:
    """Draw which variants act: strong ones among the frequent (all, if these are too few), weak ones anywhere."""
    draw = _draw(cohort, 1)
    frequent = np.flatnonzero(frequency > 0.15)
    pool = frequent if len(frequent) >= cohort.effects else np.arange(cohort.variants)
    strong = np.sort(draw.choice(pool, cohort.effects, replace=False))
    size = draw.choice([-1.0, 1.0], cohort.effects) * draw.uniform(0.7, 1.3, cohort.effects)
    rest = np.setdiff1d(np.arange(cohort.variants), strong)
    weak = np.sort(draw.choice(rest, cohort.background, replace=False))
    return strong, size, weak, draw.standard_normal(cohort.background)


def _genotypes(cohort: Cohort, frequency: Floats, effects: Floats, scores: Floats) -> Iterator[NDArray[np.int8]]:
    """Yield one linkage block after another, counts (m, people), and add its effects to ``scores``."""
    for number, start in enumerate(range(0, cohort.variants, LINKAGE)):
        part = slice(start, min(start + LINKAGE, cohort.variants))
        draw = _draw(cohort, 2, number)
        counts = _linked(draw, frequency[part], cohort.people)
        for row in np.flatnonzero(effects[:, part].any(0)):
            scores += effects[:, start + row, None] * _standard(counts[row].astype(np.float64))
        if cohort.missing:
            counts[draw.random(counts.shape) < cohort.missing] = -1
        yield counts


def _linked(draw: np.random.Generator, frequency: Floats, people: int) -> NDArray[np.int8]:
    """Return counts (m, people) of one linkage block."""
    rho = np.float32(draw.choice([0.5, 0.8, 0.95, 0.99], p=[0.25, 0.35, 0.3, 0.1]))
    keep = np.sqrt(1 - rho * rho)
    limits = ndtri(frequency).astype(np.float32)
    latent = draw.standard_normal(2 * people, dtype=np.float32)
    counts = np.empty((len(frequency), people), np.int8)
    for row, limit in enumerate(limits):
        if row:
            latent = rho * latent + keep * draw.standard_normal(2 * people, dtype=np.float32)
        alleles = latent < limit
        counts[row] = alleles[:people].astype(np.int8) + alleles[people:]
    return counts


def _phenotypes(cohort: Cohort, genetic: Floats, background: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return clinical variables (people, clinical), correlated .25 and partly genetic, and the outcome."""
    draw = _draw(cohort, 3)
    common = draw.standard_normal((cohort.people, 1))
    clinical = 0.5 * common + np.sqrt(0.75) * draw.standard_normal((cohort.people, cohort.clinical))
    share = cohort.summary_share
    score = _standard(genetic + background)[:, None]
    clinical[:, : cohort.summaries] = np.sqrt(share) * score + np.sqrt(1 - share) * clinical[:, : cohort.summaries]
    weight = draw.uniform(0.4, 1, cohort.clinical) * (np.arange(cohort.clinical) < max(8, cohort.summaries))
    parts = (cohort.genetic_share, genetic), (cohort.background_share, background)
    liability = sum((np.sqrt(part) * score for part, score in parts), np.zeros(cohort.people))
    liability = liability + np.sqrt(cohort.clinical_share) * _standard(clinical @ weight)
    noise = max(0.0, 1 - cohort.genetic_share - cohort.background_share - cohort.clinical_share)
    liability = liability + np.sqrt(noise) * draw.standard_normal(cohort.people)
    outcome = np.zeros(cohort.people, np.int64)
    outcome[np.argsort(-liability, kind="stable")[: max(1, round(cohort.cases * cohort.people))]] = 1
    return clinical, outcome


def _standard(values: Floats) -> Floats:
    spread = values.std()
    centred: Floats = values - values.mean()
    return centred / spread if spread > 0 else centred


def _write_tables(path: Path, cohort: Cohort, clinical: Floats, outcome: NDArray[np.int64]) -> None:
    """Write the .bim, the .fam and the clinical table."""
    write_bim(
        beside(path, ".bim"),
        ((str(1 + i * 22 // cohort.variants), f"rs{i + 1}", 1000 * (i + 1), "A", "G") for i in range(cohort.variants)),
    )
    ids = [f"P{i + 1:0{len(str(cohort.people))}d}" for i in range(cohort.people)]
    with beside(path, ".fam").open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{name} {name} 0 0 0 {1 + y}\n" for name, y in zip(ids, outcome, strict=True))
    with beside(path, ".csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", *(f"c{i + 1:02d}" for i in range(cohort.clinical)), "outcome"])
        for name, row, y in zip(ids, clinical.tolist(), outcome.tolist(), strict=True):
            table.writerow([name, *(f"{value:.6g}" for value in row), y])
