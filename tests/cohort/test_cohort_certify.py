"""The certificate of a run's folder: computed again from the files, and refused on others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from riata.choice.options import Options
from riata.cohort.certify import certify_folder
from riata.cohort.decide import decide_study
from riata.cohort.study import open_study
from riata.errors import InputError
from riata.genome import Cohort, simulate

OPTIONS = Options(folds=3, hidden=(4,), path_length=6, penalties=("l1", "group_lasso"), workers=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("certify")
    simulate(folder / "c", Cohort(people=160, variants=300, effects=3, background=0, clinical=3, summaries=1))
    decision = decide_study(open_study(folder / "c.csv", "outcome", folder / "c.bed"), OPTIONS)
    return decision.save(folder / "out"), folder


def test_a_folder_is_certified_over_all_variants(run: tuple[Path, Path]) -> None:
    out, folder = run
    found = certify_folder(out, open_study(folder / "c.csv", "outcome", folder / "c.bed"))
    kept = json.loads((out / "figures.json").read_text())["cohort"]["certificate"]["columns"]
    assert found["variables"] == (300 if found["view"] == "genetic" else 303)
    assert len(kept) > 0 and found["worst_outside_over_lam"] < 1.005 and found["worst_inside_over_lam"] < 5e-3


def test_another_solution_is_seen(run: tuple[Path, Path], tmp_path: Path) -> None:
    out, folder = run
    for file in out.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    figures = json.loads((out / "figures.json").read_text())
    first = figures["cohort"]["certificate"]["weights"]["first"]
    figures["cohort"]["certificate"]["weights"]["first"] = [[1.2 * w for w in row] for row in first]
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    found = certify_folder(tmp_path, open_study(folder / "c.csv", "outcome", folder / "c.bed"))
    assert found["worst_inside_over_lam"] > 0.02


def test_another_table_or_other_variants_are_refused(run: tuple[Path, Path]) -> None:
    out, folder = run
    simulate(folder / "d", Cohort(people=160, variants=300, effects=3, background=0, clinical=3, summaries=1, seed=1))
    with pytest.raises(InputError, match="another table"):
        certify_folder(out, open_study(folder / "d.csv", "outcome", folder / "d.bed"))
    bim = (folder / "c.bim").read_text().replace("rs", "other")
    for ending in (".bed", ".fam"):
        (folder / f"e{ending}").write_bytes((folder / f"c{ending}").read_bytes())
    (folder / "e.bim").write_text(bim)
    with pytest.raises(InputError, match="other variants"):
        certify_folder(out, open_study(folder / "c.csv", "outcome", folder / "e.bed"))
