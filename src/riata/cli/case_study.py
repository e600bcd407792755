"""``riata demo case-study``: half a million simulated variants and a clinical table, then what choose does."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, ResourceError, one_line
from .arguments import Given
from .cohort import choose_cohort
from .folders import out_folder
from .say import note

if TYPE_CHECKING:
    from ..choice.options import Options
    from ..genome import Cohort

SCENARIO, VARIANTS, PATIENTS = "B", 500_000, 3000
STRONG = 20
"""Variants with a strong effect."""
FILES = ("cohort.bed", "cohort.bim", "cohort.fam", "cohort.csv", "cohort.json")
"""What is simulated; the last says with which settings."""


def case_study(given: Given, options: Options, groups: dict[str, str] | None) -> None:
    """Simulate a cohort into the folder where there is none, and choose on its files."""
    from ..cohort.checks import check_options

    check_options(options, groups)
    folder = out_folder(given["out"], "case-study")
    simulated(folder, cohort_of(given), given["quiet"])
    files = {"table": str(folder / "cohort.csv"), "genotypes": str(folder / "cohort.bed")}
    choose_cohort({**given, "out": str(folder)}, options, groups, "demo", {**files, "target": "outcome", "id": "id"})


def cohort_of(given: Given) -> Cohort:
    """Return what is to be simulated."""
    from ..genome import Cohort

    variants, people = given["variants"] or VARIANTS, given["patients"] or PATIENTS
    weak = min(Cohort.background, variants - STRONG)
    size = {"people": people, "variants": variants, "background": weak}
    return Cohort.scenario(SCENARIO, **size, named=True, seed=given["seed"] or 0)


def simulated(folder: Path, cohort: Cohort, quiet: bool = False) -> None:
    """Make sure that the folder holds this cohort: all of its files, or none where something goes wrong.

    Raises
    ------
    InputError
        If other files with these names are there.
    ResourceError
        If the disk has too little room.
    """
    from ..genome import simulate

    there = [name for name in FILES if (folder / name).exists()]
    if there:
        refuse_others(folder, cohort, there)
        return
    check_room(folder, cohort)
    if not quiet:
        note(f"simulating {cohort.people} people and {cohort.variants} variants into {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cohort.", suffix=".part", dir=folder) as made:
        simulate(Path(made) / "cohort", cohort)
        (Path(made) / FILES[-1]).write_text(settings(cohort), encoding="utf-8")
        for name in FILES:
            (Path(made) / name).replace(folder / name)


def refuse_others(folder: Path, cohort: Cohort, there: list[str]) -> None:
    """Refuse files of the same names that are not this cohort."""
    lost = [name for name in FILES if name not in there]
    if lost:
        why = f"{folder / there[0]} is there, {lost[0]} is not; expected all of a simulated cohort or nothing"
        raise InputError(one_line(f"{why}; move it, or type another --out"))
    if (folder / FILES[-1]).read_text(encoding="utf-8", errors="replace") != settings(cohort):
        why = f"{folder} holds a cohort with other settings (cohort.json)"
        raise InputError(one_line(f"{why}; type its --variants, --patients and --seed, or another --out"))


def settings(cohort: Cohort) -> str:
    """Return what was simulated as JSON."""
    return json.dumps(asdict(cohort), indent=1) + "\n"


def check_room(folder: Path, cohort: Cohort) -> None:
    """Refuse to simulate more than the disk has room for, counted before anything is written.

    A variant takes ``ceil(people / 4)`` bytes in the .bed and at most 60 in the .bim, a person 400 in the tables.

    Raises
    ------
    ResourceError
        Says how much is needed and how much is free.
    """
    need = cohort.variants * (-(-cohort.people // 4) + 60) + 400 * cohort.people
    home = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
    free = shutil.disk_usage(home).free
    if need > free:
        said = f"{cohort.variants} variants of {cohort.people} people take {need / 2**30:.1f} GiB"
        then = "type fewer --variants, or another --out"
        raise ResourceError(one_line(f"{said}, and {home} has {free / 2**30:.1f} GiB free; {then}"))
