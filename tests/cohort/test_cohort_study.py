"""A clinical table and genotypes: the same person in the same row of both, whatever is left out on either side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from riata.cohort.study import Study, open_study
from riata.errors import InputError, ResourceError
from riata.genome import Dense, memory, open_bed
from riata.genome.plink import write_bed, write_bim

PEOPLE, VARIANTS = 40, 30


def calls(seed: int = 0, people: int = PEOPLE, variants: int = VARIANTS) -> np.ndarray:
    """Counts (variants, people): some calls missing, the last variant with one value only."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 3, (variants, people)).astype(np.int8)
    counts[rng.random(counts.shape) < 0.05] = -1
    counts[-1] = 2
    return counts


def plink(stem: Path, counts: np.ndarray, phenotype: list[str] | None = None, first: str = "P") -> Path:
    """Write a PLINK set; person i is called P<i>."""
    variants, people = counts.shape
    write_bed(stem.with_suffix(".bed"), [counts])
    write_bim(stem.with_suffix(".bim"), ((str(1 + i % 3), f"rs{i}", 10 * i + 1, "A", "C") for i in range(variants)))
    last = phenotype or ["-9"] * people
    lines = [f"F {first}{i} 0 0 0 {last[i]}\n" for i in range(people)]
    stem.with_suffix(".fam").write_text("".join(lines))
    return stem.with_suffix(".bed")


def clinic(seed: int = 1, people: int = PEOPLE) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "iid": [f"P{i}" for i in range(people)],
            "age": rng.normal(50, 9, people).round(2),
            "sex": rng.choice(["f", "m"], people),
            "chd": rng.permutation(np.arange(people) % 2),
        }
    )


def raw(study: Study) -> np.ndarray:
    """The counts of a study's people, NaN where missing, (people, variants), from its own columns."""
    assert study.variants.n == study.table.n
    ids = torch.arange(study.variants.p)
    return (study.variants.columns(ids).double() * study.variants.scale + study.variants.mean).numpy()


def expected(counts: np.ndarray, people: list[int]) -> np.ndarray:
    """The same by brute force: means of these people for missing calls."""
    part = counts[:, people].T.astype(float)
    part[part < 0] = np.nan
    return np.where(np.isnan(part), np.nanmean(part, axis=0), part)


def test_rows_stay_together_when_people_and_targets_are_missing(tmp_path: Path) -> None:
    counts = calls()
    bed = plink(tmp_path / "s", counts)
    order = np.random.default_rng(2).permutation(PEOPLE)
    frame = clinic()[order].with_columns(
        iid=pl.Series([f"P{i}" if i != 7 else "stranger" for i in order]),
        chd=pl.Series([None if i in (3, 30) else int(i % 2) for i in order]),
    )
    study = open_study(frame, "chd", bed)
    people = [int(i) for i in order if i not in (3, 7, 30)]
    assert study.table.n == len(people) == 37 and study.table.dropped_rows == 2
    np.testing.assert_array_equal(study.table.y, np.array(people) % 2)
    np.testing.assert_array_equal(study.table.values[:, 0], clinic()["age"].to_numpy()[people])
    np.testing.assert_allclose(raw(study), expected(counts, people), atol=1e-5)
    assert study.match == (
        "39 people are in both; left out: 1 only in the clinical table (stranger), 1 only in the genotypes (P7)"
    )
    assert [c.name for c in study.table.columns] == ["age", "sex"] and study.id == "iid"


def test_facts_count_what_there_is(tmp_path: Path) -> None:
    counts = calls()
    study = open_study(clinic(), "chd", plink(tmp_path / "s", counts), unpenalised=["age"])
    facts = study.facts
    assert (facts["people"], facts["variants"], facts["monomorphic"]) == (PEOPLE, VARIANTS, 1)
    assert facts["missing_calls"] == int((counts < 0).sum()) > 0
    assert facts["unpenalised"] == ["age"] and "first allele" in facts["allele"]
    assert study.places is not None and study.places.chromosome[4] == "2" and study.places.position[4] == 41
    assert study.alleles([4]) == {"rs4": ["A", "C"]}
    assert float(study.variants.scale[-1]) == 0.0 and bool((study.variants.columns(torch.tensor([29])) == 0).all())
    said = " ".join(study.said)
    assert "matched by the column iid" in said and "1 of 30 variants have one value" in said and "mean" in said


def test_the_hash_sees_a_changed_call_and_a_changed_table(tmp_path: Path) -> None:
    counts, frame = calls(), clinic()
    hashes = {open_study(frame, "chd", plink(tmp_path / "a", counts)).sha256}
    hashes.add(open_study(frame, "chd", plink(tmp_path / "b", counts)).sha256)
    assert len(hashes) == 1
    other = counts.copy()
    other[5, 6] = (other[5, 6] + 1) % 3
    hashes.add(open_study(frame, "chd", plink(tmp_path / "c", other)).sha256)
    hashes.add(open_study(frame.with_columns(age=pl.col("age") + 1), "chd", tmp_path / "a.bed").sha256)
    hashes.add(open_study(frame, "chd", tmp_path / "a.bed", unpenalised=("age",)).sha256)
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("names", "found"), [(["id", "IID"], "IID"), (["x", "Id"], "Id"), (["x", "patient"], "patient")]
)
def test_the_id_column_is_found(tmp_path: Path, names: list[str], found: str) -> None:
    frame = clinic()
    ids = frame["iid"]
    frame = frame.drop("iid").with_columns(ids.alias(found), pl.Series(next(n for n in names if n != found), range(40)))
    study = open_study(frame, "chd", plink(tmp_path / "s", calls()))
    assert study.id == found and found not in [c.name for c in study.table.columns] + [*study.table.inputs]


def test_a_named_id_wins_and_numbers_read_as_floats_match(tmp_path: Path) -> None:
    counts = calls()
    bed = plink(tmp_path / "s", counts, first="")
    frame = clinic().with_columns(iid=pl.Series(["?"] * PEOPLE), code=pl.Series([float(i) for i in range(PEOPLE)]))
    study = open_study(frame, "chd", bed, id="code", drop=["iid"])
    np.testing.assert_allclose(raw(study), expected(counts, list(range(PEOPLE))), atol=1e-5)


def test_only_id_and_target_is_enough(tmp_path: Path) -> None:
    study = open_study(clinic().select("iid", "chd"), "chd", plink(tmp_path / "s", calls()))
    assert study.table.columns == () and study.table.values.shape == (PEOPLE, 0) and study.table.inputs == ()
    assert study.table.warnings == () and study.table.classes == ("0", "1")
    again = open_study(clinic(), "chd", tmp_path / "s.bed", drop=["age", "sex", "iid"])
    assert again.table.sha256 == study.table.sha256
    assert [o.name for o in again.table.left_out] == ["age", "sex"]


def test_the_phenotype_of_the_fam(tmp_path: Path) -> None:
    kinds = [str(1 + i % 2) if i not in (4, 5) else ("-9", "0")[i - 4] for i in range(PEOPLE)]
    bed = plink(tmp_path / "s", calls(), kinds)
    frame = clinic().drop("chd")
    for name in ("PHENO", "fam"):
        study = open_study(frame, name, bed)
        assert study.table.classes == ("1", "2") and study.table.n == 38 and study.table.target == name
        np.testing.assert_array_equal(study.table.y, [i % 2 for i in range(PEOPLE) if i not in (4, 5)])
        assert any("1 is a control, 2 a case" in s and "2 people without it are left out" in s for s in study.said)
    amounts = [f"{v:.1f}" for v in np.linspace(0, 7.8, PEOPLE)]
    amounts[9] = "-9"
    study = open_study(frame, "PHENO", plink(tmp_path / "t", calls(), amounts))
    assert study.table.task == "regression" and study.table.n == 39 and study.table.y[0] == 0.0
    with pytest.raises(InputError, match="the \\.fam has no phenotype"):
        open_study(frame, "PHENO", plink(tmp_path / "u", calls()))


def test_matrices_by_position_and_with_ids(tmp_path: Path) -> None:
    counts, frame = calls(), clinic()
    want = expected(counts, list(range(PEOPLE)))
    np.save(tmp_path / "m.npy", counts.T)
    np.savez(
        tmp_path / "m.npz",
        X=counts.T[::-1],
        ids=np.array(frame["iid"].to_list())[::-1],
        names=[f"v{i}" for i in range(30)],
    )
    bed = plink(tmp_path / "s", counts)
    floats = np.where(counts < 0, np.nan, counts.astype(float)).T
    nines = np.where(counts < 0, -9, counts.astype(np.int64)).T  # a missing call in PLINK's files
    np.save(tmp_path / "nines.npy", nines)
    for source in (counts.T, torch.from_numpy(counts.T.copy()), floats, tmp_path / "m.npy", str(tmp_path / "m.npz"),
                   open_bed(bed), Dense.of(floats), tmp_path / "s", nines, tmp_path / "nines.npy"):  # fmt: skip
        study = open_study(frame, "chd", source)
        np.testing.assert_allclose(raw(study), want, atol=1e-5)
        assert int(study.variants.missing.sum()) == int((counts < 0).sum())
        assert "iid" not in [c.name for c in study.table.columns]
    assert open_study(frame, "chd", tmp_path / "m.npz").variants.names[3] == "v3"
    assert open_study(frame, "chd", counts.T).match == "40 people, matched by row"
    assert open_study(frame.drop("chd"), frame["chd"].to_numpy(), counts.T).table.target == "y"


def test_a_wide_parquet_file(tmp_path: Path) -> None:
    counts = calls()
    columns = {f"rs{i}": [None if c < 0 else int(c) for c in counts[i]] for i in range(VARIANTS)}
    pl.DataFrame({"iid": clinic()["iid"], **columns})[::-1].write_parquet(tmp_path / "m.parquet")
    study = open_study(clinic(), "chd", tmp_path / "m.parquet")
    np.testing.assert_allclose(raw(study), expected(counts, list(range(PEOPLE))), atol=1e-5)
    assert study.variants.p == VARIANTS and study.match == "40 people are in both"
    numbers = {"patient": list(range(PEOPLE)), **{name: counts[i] for i, name in enumerate(columns)}}
    pl.DataFrame(numbers)[::-1].write_parquet(tmp_path / "n.parquet")
    frame = clinic().with_columns(patient=pl.Series(range(PEOPLE)))
    study = open_study(frame, "chd", tmp_path / "n.parquet", id="patient", drop=["iid"])
    np.testing.assert_allclose(raw(study), expected(counts, list(range(PEOPLE))), atol=1e-5)
    assert study.variants.p == VARIANTS and study.facts["missing_calls"] == int((counts < 0).sum())


def test_equal_people_are_no_repeats(tmp_path: Path) -> None:
    frame = clinic().select("iid", "sex", "chd")
    assert open_study(frame, "chd", plink(tmp_path / "s", calls())).table.warnings == ()
    assert "repeat another row" in open_study(frame, "chd", calls().T).table.warnings[0]


def test_regression_and_several_classes(tmp_path: Path) -> None:
    bed = plink(tmp_path / "s", calls())
    assert open_study(clinic(), "age", bed).table.task == "regression"
    three = clinic().with_columns(kind=pl.Series([("a", "b", "c")[i % 3] for i in range(PEOPLE)]))
    assert open_study(three, "kind", bed).table.classes == ("a", "b", "c")


def test_minus_nine_counts_only_where_it_is_alone_below_zero(tmp_path: Path) -> None:
    bed = plink(tmp_path / "s", calls())
    marked = [-9.0 if i in (1, 2) else float(i) for i in range(PEOPLE)]
    with pytest.raises(InputError, match=r"column dose: 2 cells are -9"):
        open_study(clinic().with_columns(dose=pl.Series(marked)), "chd", bed)
    assert open_study(clinic().with_columns(dose=pl.Series(marked)), "chd", bed, drop=["dose"]).table.n == PEOPLE
    real = clinic().with_columns(dose=pl.Series([-9.0, -8.5, *marked[2:]]))
    assert open_study(real, "chd", bed).table.n == PEOPLE


def frame_with(**columns: Any) -> pl.DataFrame:
    return clinic().with_columns(**{name: pl.Series(cells) for name, cells in columns.items()})


REFUSED: dict[str, tuple[pl.DataFrame, dict[str, Any], str]] = {
    "unknown id": (clinic(), {"id": "idd"}, "--id: no column 'idd'; did you mean 'iid'"),
    "id is target": (clinic(), {"id": "chd"}, "--id names the target"),
    "no id": (clinic().drop("iid"), {}, "no column holds at least half of the IDs"),
    "no match": (frame_with(iid=[f"Q{i}" for i in range(PEOPLE)]), {}, "no ID is in both"),
    "twice": (frame_with(iid=["P1", *[f"P{i}" for i in range(1, PEOPLE)]]), {}, "P1 occurs twice"),
    "two id columns": (clinic().rename({"iid": "a"}).with_columns(b=pl.col("a")), {}, "columns 'a', 'b' hold"),
    "unknown unpenalised": (clinic(), {"unpenalised": ("agge",)}, "no clinical column 'agge'; did you mean 'age'"),
    "unpenalised left out": (clinic(), {"unpenalised": ("sex",), "drop": ("sex",)}, "'sex' is left out"),
    "name of a variant": (clinic().rename({"age": "rs3"}), {}, "'rs3' is a clinical column and a variant"),
    "minus nine target": (frame_with(chd=[-9, *[i % 2 for i in range(1, PEOPLE)]]), {}, "chd: 1 cells are -9"),
    "one class": (frame_with(chd=[1] * PEOPLE), {}, "constant"),
    "no such target": (clinic(), {"target": "cdh"}, "no column 'cdh' for the target; did you mean 'chd'"),
    "empty id": (frame_with(iid=["", *[f"P{i}" for i in range(1, PEOPLE)]]), {}, "has no ID"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(tmp_path: Path, name: str) -> None:
    frame, asked, said = REFUSED[name]
    bed = plink(tmp_path / "s", calls())
    target = asked.get("target", "chd")
    with pytest.raises(InputError) as caught:
        open_study(frame, target, bed, **{k: v for k, v in asked.items() if k != "target"})
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_genotypes_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "x.vcf").write_text("##")
    (tmp_path / "bad.npy").write_bytes(b"no")
    np.savez(tmp_path / "two.npz", a=np.ones((40, 2)), b=np.ones((40, 2)))
    wrong = calls().T.copy()
    wrong[0, 0] = -3
    np.save(tmp_path / "wrong.npy", wrong)
    for source, said in [
        (tmp_path / "x.vcf", "--make-bed"),
        (tmp_path / "bad.npy", "cannot be read"),
        (tmp_path / "two.npz", "expected X"),
        (tmp_path / "none", "cannot be read"),
        (wrong, "the genotypes: whole numbers down to -3"),
        (tmp_path / "wrong.npy", "wrong.npy: whole numbers down to -3"),
        (calls().T[:30], "40 rows"),
        ([[1, 2]], "'list'"),
        (np.ones((PEOPLE, 3)), "every variant has one value"),
    ]:
        with pytest.raises(InputError) as caught:
            open_study(clinic(), "chd", source)
        assert said in str(caught.value) and "\n" not in str(caught.value)


def test_any_number_of_threads_is_the_same_study(tmp_path: Path) -> None:
    bed = plink(tmp_path / "s", calls())
    one, two = open_study(clinic(), "chd", bed), open_study(clinic(), "chd", bed, threads=2)
    assert one.sha256 == two.sha256 and torch.equal(one.variants.scale, two.variants.scale)


def test_too_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 2**28)
    with pytest.raises(ResourceError, match=r"s\.bed: 30 variants needs 0\.3 GB, 0\.3 GB are available"):
        open_study(clinic(), "chd", plink(tmp_path / "s", calls()))
