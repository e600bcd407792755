"""Simulate: a cohort with genotypes in linkage blocks, clinical variables and a binary outcome, block by block."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from riata.errors import InputError
from riata.genome.plink import beside, write_bed, write_bim

__all__ = ["SCENARIOS", "Cohort", "Truth", "simulate"]

LINKAGE = 50
"""Variants in a linkage block."""

SCENARIOS: Mapping[str, Mapping[str, float]] = {
    "A": {"genetic_share": 0.50, "background_share": 0.00, "clinical_share": 0.25, "background": 0},
    "B": {"genetic_share": 0.10, "background_share": 0.15, "clinical_share": 0.45},
    "C": {"genetic_share": 0.03, "background_share": 0.10, "clinical_share": 0.45},
}
"""Few strong variants; the case study, clinical variables before everything; the same with weaker variants."""

CLINIC: tuple[tuple[str, float, float, int, float], ...] = (
    ("ldl", 3.3, 0.25, 1, 0.0), ("sbp", 132, 0.12, 0, 0.0), ("bmi", 27, 0.15, 1, 0.0), ("hba1c", 5.6, 0.10, 1, 0.05),
    ("age", 57, 0.14, 0, 0.0), ("sex", 0.0, 0, 0, 0.0), ("smoker", 0.7, 0, 0, 0.0), ("hdl", 1.35, -0.18, 2, 0.0),
    ("triglycerides", 1.5, 0.45, 2, 0.0), ("dbp", 81, 0.11, 0, 0.0), ("glucose", 5.5, 0.13, 1, 0.0),
    ("waist", 94, 0.12, 0, 0.0), ("heart_rate", 70, 0.14, 0, 0.0), ("creatinine", 78, 0.20, 0, 0.0),
    ("crp", 1.6, 0.90, 1, 0.12), ("alt", 24, 0.40, 0, 0.0), ("albumin", 43, 0.07, 0, 0.0),
    ("statin", 1.0, 0, 0, 0.0), ("family_history", 0.8, 0, 0, 0.0), ("activity", 3.0, -0.60, 1, 0.0),
)  # fmt: skip
"""Names, medians, spreads of the logarithm (0: yes or no, above that many standard deviations), digits, part missing.

Units: mmol/l (ldl, hdl, triglycerides, glucose), mmHg, kg/m2, %, years, cm, beats/min, umol/l, mg/l, U/l, g/l, h/week.
"""

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
        Give the clinical variables real names, units, yes or no and missing cells: the first of :data:`CLINIC`.
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
        names = (row[0] for row in CLINIC) if self.named else (f"c{i + 1:02d}" for i in range(self.clinical))
        return tuple(names)[: self.clinical]


@dataclass(frozen=True, eq=False)
class Truth:
    """What was simulated: which variants act and by how much a standard deviation, and every person's scores.

    ``strong_role`` says how a strong variant acts: additive, dominant, or as ``pair 1``, ``pair 2``, ...; the variants
    of a pair share one effect. ``clinical`` (people, clinical) is as it acts: standard normal, or 0 and 1.
    """

    strong: NDArray[np.int64]
    strong_effect: Floats
    strong_role: tuple[str, ...]
    weak: NDArray[np.int64]
    weak_effect: Floats
    genetic: Floats = field(repr=False)
    background: Floats = field(repr=False)
    clinical: Floats = field(repr=False)
    outcome: NDArray[np.int64] = field(repr=False)


@dataclass(frozen=True, eq=False)
class _Acting:
    """The variants that act, and room for the strong ones' genotypes (effects, people) and the weak ones' sum."""

    strong: NDArray[np.int64]
    effect: Floats
    role: tuple[str, ...]
    weak: NDArray[np.int64]
    weak_effect: Floats
    seen: NDArray[np.int8]
    background: Floats


def simulate(path: Path | str, cohort: Cohort) -> Truth:
    """Write ``path``.bed, .bim, .fam and .csv (id, clinical variables, outcome); the same bytes for the same seed.

    ``liability = sqrt(g) G + sqrt(b) B + sqrt(c) C + noise``, each part standardised; the outcome is 1 for the part
    ``cases`` of the people with the largest. Within a linkage block the latent normals of an allele follow
    ``z_j = rho z_(j-1) + sqrt(1 - rho^2) e_j``. One block of genotypes is held at a time.

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
    frequency = _frequency(cohort)
    acting = _acting(cohort, frequency)
    write_bed(beside(path, ".bed"), _genotypes(cohort, frequency, acting))
    genetic, background = _standard(_strong_score(acting)), _standard(acting.background)
    clinical, outcome = _phenotypes(cohort, genetic, background)
    _write_tables(Path(path), cohort, clinical, outcome)
    found = acting.strong, acting.effect, acting.role, acting.weak, acting.weak_effect
    return Truth(*found, genetic, background, clinical, outcome)


def _draw(cohort: Cohort, *key: int) -> np.random.Generator:
    return np.random.default_rng([cohort.seed, *key])


def _frequency(cohort: Cohort) -> Floats:
    draw = _draw(cohort, 0)
    if not cohort.rare:
        return draw.uniform(0.02, 0.5, cohort.variants)
    common = draw.uniform(0.05, 0.5, cohort.variants)
    skewed = 0.01 + 0.2 * draw.beta(1, 3, cohort.variants)
    return np.where(draw.random(cohort.variants) < cohort.rare, skewed, common)


def _acting(cohort: Cohort, frequency: Floats) -> _Acting:
    """Draw which variants act: strong ones among the frequent (all, if these are too few), weak ones anywhere."""
    draw = _draw(cohort, 1)
    frequent = np.flatnonzero(frequency > 0.15)
    pool = frequent if len(frequent) >= cohort.effects else np.arange(cohort.variants)
    strong = np.sort(draw.choice(pool, cohort.effects, replace=False))
    sign = draw.choice([-1.0, 1.0], cohort.effects)
    size = sign * draw.uniform(0.7, 1.3, cohort.effects)
    rest = np.setdiff1d(np.arange(cohort.variants), strong)
    weak = np.sort(draw.choice(rest, cohort.background, replace=False))
    weak_size = draw.standard_normal(cohort.background)
    role = ["additive"] * cohort.effects
    order = draw.permutation(cohort.effects)
    for place in order[: cohort.dominant]:
        role[place], size[place] = "dominant", sign[place]
    for number in range(cohort.pairs):
        for place in order[cohort.dominant + 2 * number :][:2]:
            role[place], size[place] = f"pair {number + 1}", 1.4
    seen = np.zeros((cohort.effects, cohort.people), np.int8)
    return _Acting(strong, size, tuple(role), weak, weak_size, seen, np.zeros(cohort.people))


def _genotypes(cohort: Cohort, frequency: Floats, acting: _Acting) -> Iterator[NDArray[np.int8]]:
    """Yield one linkage block after another, counts (m, people), and note in ``acting`` what acts in it."""
    for number, start in enumerate(range(0, cohort.variants, LINKAGE)):
        part = slice(start, min(start + LINKAGE, cohort.variants))
        draw = _draw(cohort, 2, number)
        counts = _linked(draw, frequency[part], cohort.people)
        for i in range(*np.searchsorted(acting.strong, [part.start, part.stop])):
            acting.seen[i] = counts[acting.strong[i] - start]
        for i in range(*np.searchsorted(acting.weak, [part.start, part.stop])):
            row = counts[acting.weak[i] - start].astype(np.float64)
            acting.background[:] += acting.weak_effect[i] * _standard(row)
        if cohort.missing:
            counts[draw.random(counts.shape) < cohort.missing] = -1
        yield counts


def _strong_score(acting: _Acting) -> Floats:
    """Return the sum of the strong effects: of copies, of carrying one, or of carrying one of both variants."""
    score = np.zeros(acting.seen.shape[1])
    done = set[str]()
    for copies, effect, role in zip(acting.seen, acting.effect, acting.role, strict=True):
        if role in done:
            continue
        if role.startswith("pair"):
            done.add(role)
            copies = (acting.seen[[other == role for other in acting.role]] > 0).all(0)
        elif role == "dominant":
            copies = copies > 0
        score += effect * _standard(copies.astype(np.float64))
    return score


def _linked(draw: np.random.Generator, frequency: Floats, people: int) -> NDArray[np.int8]:
    """Return counts (m, people) of one linkage block."""
    rho = np.float32(draw.choice([0.5, 0.8, 0.95, 0.99], p=[0.25, 0.35, 0.3, 0.1]))
    keep = np.sqrt(1 - rho * rho)
    limits = ndtri(frequency).astype(np.float32)
    latent = draw.standard_normal(2 * people, dtype=np.float32)
    fresh = np.empty_like(latent)
    counts = np.empty((len(frequency), people), np.int8)
    for row, limit in enumerate(limits):
        if row:
            draw.standard_normal(dtype=np.float32, out=fresh)
            fresh *= keep
            latent *= rho
            latent += fresh
        alleles = (latent < limit).view(np.int8)
        np.add(alleles[:people], alleles[people:], out=counts[row])
    return counts


def _phenotypes(cohort: Cohort, genetic: Floats, background: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return clinical variables (people, clinical), correlated .25 and partly genetic, and the outcome."""
    draw = _draw(cohort, 3)
    common = draw.standard_normal((cohort.people, 1))
    clinical = 0.5 * common + np.sqrt(0.75) * draw.standard_normal((cohort.people, cohort.clinical))
    share = cohort.summary_share
    score = _standard(genetic + background)[:, None]
    clinical[:, : cohort.summaries] = np.sqrt(share) * score + np.sqrt(1 - share) * clinical[:, : cohort.summaries]
    for column, limit in _limits(cohort).items():
        clinical[:, column] = clinical[:, column] > limit
    weight = draw.uniform(0.4, 1, cohort.clinical) * (np.arange(cohort.clinical) < max(8, cohort.summaries))
    added = clinical @ weight
    if cohort.curved:
        added = added + cohort.curved * clinical[:, 0] * clinical[:, min(2, cohort.clinical - 1)]
    parts = (cohort.genetic_share, genetic), (cohort.background_share, background)
    liability = sum((np.sqrt(part) * score for part, score in parts), np.zeros(cohort.people))
    liability = liability + np.sqrt(cohort.clinical_share) * _standard(added)
    noise = max(0.0, 1 - cohort.genetic_share - cohort.background_share - cohort.clinical_share)
    liability = liability + np.sqrt(noise) * draw.standard_normal(cohort.people)
    outcome = np.zeros(cohort.people, np.int64)
    outcome[np.argsort(-liability, kind="stable")[: max(1, round(cohort.cases * cohort.people))]] = 1
    return clinical, outcome


def _limits(cohort: Cohort) -> dict[int, float]:
    """Return the binary clinical variables, and above what each is yes."""
    named = {i: row[1] for i, row in enumerate(CLINIC[: cohort.clinical]) if row[2] == 0} if cohort.named else {}
    return {**dict.fromkeys(cohort.binary, 0.5), **named}


def _cells(cohort: Cohort, clinical: Floats) -> Iterator[list[str]]:
    """Yield every person's clinical cells as they are written: ``median exp(spread z)`` in its unit, or blank."""
    limits = _limits(cohort)
    rows = CLINIC[: cohort.clinical]
    blank = _draw(cohort, 4).random(clinical.shape) < [row[4] for row in rows] if cohort.named else None
    for person, values in enumerate(clinical.tolist()):
        cells = [f"{value:.6g}" for value in values]
        if blank is not None:
            for i, (_, middle, spread, digits, _) in enumerate(rows):
                if i not in limits:
                    cells[i] = f"{middle * np.exp(spread * values[i]):.{digits}f}"
                if blank[person, i]:
                    cells[i] = ""
        yield cells


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
        table.writerow(["id", *cohort.clinical_names, "outcome"])
        for name, cells, y in zip(ids, _cells(cohort, clinical), outcome.tolist(), strict=True):
            table.writerow([name, *cells, y])
