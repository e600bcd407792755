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
from riata.genome.clinic import cells
from riata.genome.plink import beside, write_bed, write_bim
from riata.genome.scenario import Cohort

__all__ = ["Truth", "simulate"]

LINKAGE = 50
"""Variants in a linkage block."""


Floats = NDArray[np.float64]


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


def _frequency(cohort: Cohort) -> Floats:
    draw = cohort.draw(0)
    if not cohort.rare:
        return draw.uniform(0.02, 0.5, cohort.variants)
    common = draw.uniform(0.05, 0.5, cohort.variants)
    skewed = 0.01 + 0.2 * draw.beta(1, 3, cohort.variants)
    return np.where(draw.random(cohort.variants) < cohort.rare, skewed, common)


def _acting(cohort: Cohort, frequency: Floats) -> _Acting:
    """Draw which variants act: strong ones among the frequent (all, if these are too few), weak ones anywhere."""
    draw = cohort.draw(1)
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
        draw = cohort.draw(2, number)
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
    draw = cohort.draw(3)
    common = draw.standard_normal((cohort.people, 1))
    clinical = 0.5 * common + np.sqrt(0.75) * draw.standard_normal((cohort.people, cohort.clinical))
    share = cohort.summary_share
    score = _standard(genetic + background)[:, None]
    clinical[:, : cohort.summaries] = np.sqrt(share) * score + np.sqrt(1 - share) * clinical[:, : cohort.summaries]
    for column, limit in cohort.limits.items():
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


def _standard(values: Floats) -> Floats:
    spread = values.std()
    centred: Floats = values - values.mean()
    return centred / spread if spread > 0 else centred


def _write_tables(path: Path, cohort: Cohort, clinical: Floats, outcome: NDArray[np.int64]) -> None:
    """Write the .bim, the .fam and the clinical table."""
    chromosome = np.arange(cohort.variants) * 22 // cohort.variants
    place = np.arange(cohort.variants) - np.searchsorted(chromosome, chromosome)
    rows = zip(chromosome.tolist(), place.tolist(), strict=True)
    write_bim(
        beside(path, ".bim"),
        ((str(1 + c), f"rs{i + 1}", 1000 * (1 + at), "A", "G") for i, (c, at) in enumerate(rows)),
    )
    ids = [f"P{i + 1:0{len(str(cohort.people))}d}" for i in range(cohort.people)]
    with beside(path, ".fam").open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{name} {name} 0 0 0 {1 + y}\n" for name, y in zip(ids, outcome, strict=True))
    blank = cohort.draw(4) if cohort.named else None
    with beside(path, ".csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", *cohort.clinical_names, "outcome"])
        for name, written, y in zip(ids, cells(clinical, blank, cohort.limits), outcome.tolist(), strict=True):
            table.writerow([name, *written, y])
