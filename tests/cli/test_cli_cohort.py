"""Genotypes on the command line and in Python: what is asked reaches the decision, and every bad input is one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import riata
from riata.choice.options import Options
from riata.cli import case_study
from riata.cli.outcome import judge
from riata.cohort.study import Study, open_study
from riata.data import fit_encoder, make_table
from riata.data.table import Table
from riata.engines import NetworkSpec, loss_for
from riata.errors import InputError
from riata.genome import Cohort, memory, simulate
from riata.genome.plink import write_bed, write_bim
from riata.model import Model, load_model

Run = Callable[..., tuple[int, str, str]]
PEOPLE, VARIANTS = 36, 20


@dataclass(frozen=True)
class Found:
    """What stands for a decision."""

    summary: Mapping[str, Any]
    figures: Mapping[str, Any] | None = None

    def save(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "decision.json").write_text(self.to_json())
        (folder / "figures.json").write_text(json.dumps(self.figures))

    def to_json(self) -> str:
        return json.dumps(self.summary) + "\n"

    def __str__(self) -> str:
        return f"decided on {self.summary['people']} people"


@dataclass
class Calls:
    """Every study that was decided on, with the options."""

    made: list[tuple[Study, Options]] = field(default_factory=list)

    def decide_study(self, study: Study, options: Options, *, progress: Any, keep: Any) -> Found:
        self.made.append((study, options))
        progress("solving", 1, 1, "")
        return Found(study.facts)

    def certify_folder(self, folder: Path, study: Study) -> dict[str, Any]:
        self.made.append((study, Options()))
        return {"variants": study.variants.p, "worst_inactive": 0.9989612}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    found = Calls()
    for name, function in (("decide", found.decide_study), ("certify", found.certify_folder)):
        stub = ModuleType(f"riata.cohort.{name}")
        vars(stub)[function.__name__] = function
        monkeypatch.setitem(sys.modules, stub.__name__, stub)
    return found


def counts() -> np.ndarray:
    rng = np.random.default_rng(0)
    found = rng.integers(0, 3, (VARIANTS, PEOPLE)).astype(np.int8)
    found[rng.random(found.shape) < 0.04] = -1
    return found


def plink(stem: str, calls: np.ndarray, swapped: tuple[int, ...] = (), second: str = "C") -> None:
    """Write a set of files; the alleles of ``swapped`` variants have changed places, and the counts with them."""
    there = calls.copy()
    for i in swapped:
        there[i] = np.where(calls[i] < 0, -1, 2 - calls[i])
    alleles = [(second, "A") if i in swapped else ("A", second) for i in range(len(calls))]
    write_bed(f"{stem}.bed", [there])
    write_bim(f"{stem}.bim", (("1", f"rs{i}", 10 * i + 1, *alleles[i]) for i in range(len(calls))))
    Path(f"{stem}.fam").write_text("".join(f"F P{i} 0 0 0 {1 + i % 2}\n" for i in range(calls.shape[1])))


def clinic() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "iid": [f"P{i}" for i in range(PEOPLE)],
            "age": rng.normal(50, 9, PEOPLE).round(2),
            "sex": rng.choice(["f", "m"], PEOPLE),
            "chd": np.arange(PEOPLE) % 2,
        }
    )


@pytest.fixture
def files(elsewhere: Path) -> Path:
    """clinic.csv and study.bed, .bim, .fam in the folder of the test."""
    plink("study", counts())
    clinic().write_csv("clinic.csv")
    return elsewhere


ASK = ("choose", "clinic.csv", "--target", "chd", "--genotypes", "study.bed")


def refused(riata: Run, *words: object, code: int = 2) -> str:
    """Run a command that must be refused in one line and write nothing."""
    before = sorted(p.name for p in Path().rglob("*"))
    found, out, err = riata(*words)
    assert found == code, err
    assert out == "" and err.startswith("riata: ") and err.count("\n") == 1 and len(err) <= 302, err
    assert "Traceback" not in err and "internal error" not in err
    assert sorted(p.name for p in Path().rglob("*")) == before
    return err


def test_choose_hands_over_the_study_and_writes_the_folder(riata: Run, files: Path, calls: Calls) -> None:
    code, out, err = riata(*ASK, "--unpenalised", "age,sex", "--folds", "3", "--out", "o")
    assert code == 0, err
    study, options = calls.made[0]
    assert study.facts["unpenalised"] == ["age", "sex"] and study.variants.p == VARIANTS and study.table.n == PEOPLE
    assert options.folds == 3 and study.table.name == "clinic"
    assert "decided on 36 people" in out and "report:" in out
    command = json.loads(Path("o/figures.json").read_text())["command"]
    assert "riata choose clinic.csv --target chd" in command and "--genotypes study.bed" in command
    assert "--unpenalised age,sex" in command and "--folds 3" in command
    assert json.loads(Path("o/decision.json").read_text())["missing_calls"] == int((counts() < 0).sum())


def test_the_phenotype_is_a_target_and_json_is_all(riata: Run, files: Path, calls: Calls) -> None:
    clinic().drop("chd").write_csv("plain.csv")
    words = ("choose", "plain.csv", "--target", "PHENO", "--genotypes", "study", "--id", "iid", "--out", "o", "--json")
    code, out, _ = riata(*words)
    assert code == 0 and json.loads(out)["people"] == PEOPLE
    assert calls.made[0][0].table.classes == ("1", "2")


def test_python_is_the_same_door(files: Path, calls: Calls) -> None:
    riata.choose("clinic.csv", "chd", genotypes="study.bed", unpenalised=["age"], folds=4, id="iid")
    riata.choose(clinic().drop("chd"), y=clinic()["chd"].to_numpy(), genotypes=counts().T, drop=["sex"])
    (first, options), (second, _) = calls.made
    assert options.folds == 4 and first.unpenalised == ("age",) and first.match == "36 people are in both"
    assert [c.name for c in second.table.columns] == ["age"]
    np.testing.assert_array_equal(first.table.y, second.table.y)
    for asked in ({"picture": "2x2"}, {"groups": {"age": "a"}}, {"no_validation": True}):
        with pytest.raises(InputError, match="does not apply with --genotypes"):
            riata.choose("clinic.csv", "chd", genotypes="study.bed", **asked)
    with pytest.raises(InputError, match="belong to genotypes"):
        riata.choose("clinic.csv", "chd", id="iid")
    assert len(calls.made) == 2


def cut(name: str, size: int) -> None:
    Path(name).write_bytes(Path(name).read_bytes()[:size])


def start(content: bytes) -> None:
    Path("study.bed").write_bytes(content + Path("study.bed").read_bytes()[3:])


def column(**cells: Any) -> None:
    clinic().with_columns(**{name: pl.Series(c) for name, c in cells.items()}).write_csv("clinic.csv")


def fam(change: Callable[[list[str]], list[str]]) -> None:
    path = Path("study.fam")
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


BAD: dict[str, tuple[Callable[[], Any], tuple[str, ...], str]] = {
    "cut .bed": (lambda: cut("study.bed", 50), (), "has 50 bytes; expected 183 from its .bim and .fam"),
    "person gone": (lambda: fam(lambda lines: lines[:-4]), (), "has 183 bytes; expected 163"),
    "sample-major": (lambda: start(b"\x6c\x1b\x00"), (), "sample-major"),
    "no .bed at all": (lambda: start(b"abc"), (), "expected a PLINK .bed"),
    "no .bim": (lambda: Path("study.bim").unlink(), (), "study.bim cannot be read"),
    "no .fam": (lambda: Path("study.fam").unlink(), (), "study.fam cannot be read"),
    "ragged .fam": (lambda: fam(lambda lines: [*lines, "x"]), (), "line 37 has 1 fields"),
    "no such file": (lambda: None, ("--genotypes", "gone.bed"), "gone.bim cannot be read"),
    "unknown kind": (lambda: Path("x.vcf").write_text("#"), ("--genotypes", "x.vcf"), "--make-bed"),
    "no match": (lambda: column(iid=[f"Q{i}" for i in range(PEOPLE)]), (), "no ID is in both"),
    "twice in the table": (lambda: column(iid=["P1", *[f"P{i}" for i in range(1, PEOPLE)]]), (), "P1 occurs twice"),
    "twice in the .fam": (lambda: fam(lambda lines: [lines[1], *lines[1:]]), (), "P1 occurs twice in the .fam"),
    "no id column": (lambda: clinic().drop("iid").write_csv("clinic.csv"), (), "type --id COL"),
    "unknown id": (lambda: None, ("--id", "iidd"), "--id: no column 'iidd'; did you mean 'iid'"),
    "target -9": (lambda: column(chd=[-9, -9, *[i % 2 for i in range(2, PEOPLE)]]), (), "2 cells are -9"),
    "clinical -9": (lambda: column(age=[-9, *range(1, PEOPLE)]), (), "column age: 1 cells are -9"),
    "one class": (lambda: column(chd=[1] * PEOPLE), (), "constant"),
    "unknown unpenalised": (lambda: None, ("--unpenalised", "agee"), "did you mean 'age'"),
    "picture": (lambda: None, ("--picture", "4x5"), "--picture does not apply with --genotypes"),
    "budget": (lambda: None, ("--budget", "1m"), "--budget does not apply with --genotypes"),
    "no validation": (lambda: None, ("--no-validation",), "--no-validation does not apply with --genotypes"),
    "two layers": (lambda: None, ("--hidden", "8,8"), "--hidden 8,8 does not apply with --genotypes"),
    "not at this size": (lambda: None, ("--penalties", "l1,sparse_group_lasso"), "sparse_group_lasso does not apply"),
    "out is a file": (lambda: None, ("--out", "clinic.csv"), "is a file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_genotypes_are_one_line(riata: Run, files: Path, calls: Calls, name: str) -> None:
    make, words, said = BAD[name]
    make()
    assert said in refused(riata, *ASK, *words)
    assert calls.made == []


def test_a_stopped_run_with_genotypes_can_go_on() -> None:
    stopped = [
        judge(KeyboardInterrupt(), 2, words) for words in (["choose", "t.csv"], list(ASK), ["demo", "case-study"])
    ]
    assert ["--resume" in said for _, said in stopped] == [True, True, True]
    assert [code for code, _ in stopped] == [130] * 3


@pytest.mark.parametrize("option", ["id", "unpenalised"])
def test_options_of_genotypes_need_genotypes(riata: Run, files: Path, option: str) -> None:
    err = refused(riata, "choose", "clinic.csv", "--target", "chd", f"--{option}", "age")
    assert f"--{option} needs --genotypes" in err


def test_too_little_memory_is_the_machine(riata: Run, files: Path, calls: Calls, monkeypatch: Any) -> None:
    monkeypatch.setattr(memory, "available", lambda: 1000)
    assert "20 variants needs" in refused(riata, *ASK, code=3)


def test_the_case_study_is_simulated_once(riata: Run, calls: Calls) -> None:
    words = ("demo", "case-study", "--variants", "150", "--patients", "60", "--out", "o", "--seed", "3")
    code, out, err = riata(*words)
    assert code == 0, err
    assert "simulating 60 people and 150 variants" in err and "decided on 60 people" in out
    made = {name: (Path("o") / name).read_bytes() for name in case_study.FILES}
    study = calls.made[0][0]
    assert (study.variants.p, study.table.target, study.id) == (150, "outcome", "id")
    command = json.loads(Path("o/figures.json").read_text())["command"]
    assert command == "riata demo case-study --variants 150 --patients 60 --seed 3 --out o"
    code, _, err = riata(*words)
    assert code == 0 and "simulating" not in err
    assert {name: (Path("o") / name).read_bytes() for name in made} == made
    simulate(Path("again"), Cohort.scenario("B", people=60, variants=150, background=130, named=True, seed=3))
    assert Path("again.bed").read_bytes() == made["cohort.bed"] and Path("again.csv").read_bytes() == made["cohort.csv"]
    err = refused(riata, *words[:-1], "4")
    assert "other settings" in err
    Path("o/cohort.fam").unlink()
    assert "cohort.fam is not" in refused(riata, *words)


def test_what_a_demo_cannot_do(riata: Run, calls: Calls) -> None:
    assert "takes no --variants" in refused(riata, "demo", "--variants", "1000")
    assert "takes no --patients" in refused(riata, "demo", "overfit", "--patients", "100")
    assert "--picture does not apply" in refused(riata, "demo", "case-study", "--picture", "4x5")
    assert "from 100 to" in refused(riata, "demo", "case-study", "--variants", "7")
    huge = ("demo", "case-study", "--variants", 10**9, "--patients", 10**8, "--out", "o")
    assert "GiB free" in refused(riata, *huge, code=3)


def test_a_failing_simulation_leaves_no_file(riata: Run, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, cohort: Cohort) -> None:
        path.with_suffix(".bed").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("riata.genome.simulate", full)
    code, _, err = riata("demo", "case-study", "--variants", "150", "--patients", "60", "--out", "o", "--quiet")
    assert code == 3 and "No space left" in err
    assert list(Path("o").iterdir()) == []


KEPT = (2, 7, 11)


def trained(study: Study, raw: np.ndarray) -> Model:
    """A model of random weights on the clinical columns and three variants, as a run with genotypes writes it."""
    names = [study.variants.names[i] for i in KEPT]
    frame = clinic().drop("iid").with_columns([pl.Series(n, raw[i]) for n, i in zip(names, KEPT, strict=True)])
    table: Table = make_table(frame, "chd")
    columns = tuple(type(c)(c.name, c.kind, c.levels, 0, c.note) for c in table.columns)
    table = Table(**{**vars(table), "columns": columns})
    encoder = fit_encoder(table, np.arange(table.n))
    spec = NetworkSpec(len(encoder.layout.columns), 1, (4,))
    draw = torch.Generator().manual_seed(0)
    params = {name: torch.randn(2, *shape, generator=draw) for name, shape in spec.shapes().items()}
    schema = {**table.schema(), "variants": study.alleles(KEPT), "id": study.id}
    facts = {"penalty": "group_lasso", "lam": 0.1, "dropout": 0.0, "kkt": [0.0], "status": ["converged"]}
    groups = tuple(range(len(encoder.layout.variables)))
    return Model(spec, loss_for("classification", 2), params, encoder, schema, groups, facts)


@pytest.fixture
def model(files: Path) -> Model:
    raw = np.where(counts() < 0, np.nan, counts().astype(float))
    made = trained(open_study("clinic.csv", "chd", "study.bed"), raw)
    Path("o").mkdir()
    made.save("o/model.safetensors")
    return made


def scores(text: str) -> np.ndarray:
    return pl.read_csv(text.encode())["probability_1"].to_numpy()


def in_python(model: Model) -> np.ndarray:
    raw = np.where(counts() < 0, np.nan, counts().astype(float))
    frame = clinic().with_columns([pl.Series(f"rs{i}", raw[i]) for i in KEPT])
    return model.predict_proba(frame)[:, 1]


def test_predict_reads_the_kept_variants_by_name(riata: Run, model: Model) -> None:
    want = in_python(model)
    assert np.ptp(want) > 0.1
    code, out, err = riata("predict", "o", "clinic.csv", "--genotypes", "study.bed")
    assert code == 0, err
    np.testing.assert_allclose(scores(out), want, rtol=1e-6)
    assert "calls are missing" in err
    order = np.random.default_rng(5).permutation(VARIANTS)
    plink("new", counts())
    write_bed("new.bed", [counts()[order]])
    write_bim("new.bim", (("1", f"rs{i}", 1, "A", "C") for i in order))
    clinic()[::-1].drop("chd").write_csv("new.csv")
    code, out, _ = riata("predict", "o", "new.csv", "--genotypes", "new.bed", "--quiet")
    assert code == 0
    np.testing.assert_array_equal(
        scores(out)[::-1], scores(riata("predict", "o", "clinic.csv", "--genotypes", "study")[1])
    )


def test_predict_counts_the_allele_that_the_model_counts(riata: Run, model: Model) -> None:
    plink("new", counts(), swapped=(7, 8))
    code, out, err = riata("predict", "o", "clinic.csv", "--genotypes", "new.bed")
    assert code == 0 and "1 of 3 variants count the other allele" in err
    np.testing.assert_allclose(scores(out), in_python(model), rtol=1e-6)
    unseen = counts()
    unseen[2] = 2  # nobody has allele C: PLINK writes 0 for it; all copies are A
    plink("zero", unseen)
    lines = Path("zero.bim").read_text().splitlines()
    want = scores(riata("predict", "o", "clinic.csv", "--genotypes", "zero.bed")[1])
    for first, second, copies in (("A", "0", 2), ("0", "A", 0)):
        lines[2] = f"1\trs2\t0\t21\t{first}\t{second}"
        Path("zero.bim").write_text("\n".join(lines) + "\n")
        unseen[2] = copies
        write_bed("zero.bed", [unseen])
        np.testing.assert_array_equal(scores(riata("predict", "o", "clinic.csv", "--genotypes", "zero")[1]), want)
    plink("other", counts(), second="G")
    err = refused(riata, "predict", "o", "clinic.csv", "--genotypes", "other.bed")
    assert "has the alleles A and G, the model A and C" in err


def test_predict_joins_by_id_and_says_who_is_left_out(riata: Run, model: Model) -> None:
    clinic().with_columns(iid=pl.Series(["new", *[f"P{i}" for i in range(1, PEOPLE)]])).write_csv("new.csv")
    code, out, err = riata("predict", "o", "new.csv", "--genotypes", "study.bed", "--to", "s.csv")
    assert "-9" not in err
    assert code == 0 and "1 only in the clinical table (new)" in err and out.startswith("35 rows")
    assert pl.read_csv("s.csv")["row"].to_list() == list(range(2, PEOPLE + 1))
    np.testing.assert_allclose(pl.read_csv("s.csv")["probability_1"].to_numpy(), in_python(model)[1:], rtol=1e-6)


def test_predict_says_minus_nine(riata: Run, model: Model) -> None:
    clinic().with_columns(age=pl.Series([-9.0, *clinic()["age"][1:]])).write_csv("new.csv")
    code, _, err = riata("predict", "o", "new.csv", "--genotypes", "study.bed")
    assert code == 0 and "column age: 1 cells are -9 and read as that number" in err


def test_predict_from_parquet_and_matrices(riata: Run, model: Model) -> None:
    wide = pl.DataFrame({"iid": [f"P{i}" for i in range(PEOPLE)], **{f"rs{i}": counts()[i] for i in range(VARIANTS)}})
    wide[::-1].write_parquet("new.parquet")
    np.savez("new.npz", X=counts().T, names=[f"rs{i}" for i in range(VARIANTS)])
    np.save("new.npy", counts().T)
    for name in ("new.parquet", "new.npz"):
        code, out, err = riata("predict", "o", "clinic.csv", "--genotypes", name)
        assert code == 0, err
        np.testing.assert_allclose(scores(out), in_python(model), rtol=1e-6)
    assert "no variant 'rs2', 'rs7' and 1 more" in refused(
        riata, "predict", "o", "clinic.csv", "--genotypes", "new.npy"
    )


def test_predict_refuses_what_does_not_fit(riata: Run, model: Model) -> None:
    assert "reads 3 variants; type --genotypes" in refused(riata, "predict", "o", "clinic.csv")
    assert "--id needs --genotypes" in refused(riata, "predict", "o", "clinic.csv", "--id", "iid")
    plink("few", counts()[:5])
    assert "no variant 'rs7', 'rs11'" in refused(riata, "predict", "o", "clinic.csv", "--genotypes", "few.bed")
    plain = Model(**{**vars(model), "schema": {k: v for k, v in model.schema.items() if k != "variants"}})
    plain.save("plain.safetensors")
    err = refused(riata, "predict", "plain.safetensors", "clinic.csv", "--genotypes", "study.bed")
    assert "trained without genotypes" in err


def test_certify_reads_the_run_as_it_was_made(riata: Run, model: Model, calls: Calls, monkeypatch: Any) -> None:
    code, out, err = riata("certify", "o", "clinic.csv", "--genotypes", "study.bed")
    assert code == 2 and "no decision.json here" in err
    summary = {"cohort": {"unpenalised": ["age"]}}
    monkeypatch.setattr("riata.choice.decision.read_decision", lambda folder: Found(summary))
    code, out, err = riata("certify", "o", "clinic.csv", "--genotypes", "study.bed")
    assert code == 0, err
    assert out == "variants        20\nworst inactive  0.998961\n"
    study = calls.made[0][0]
    assert study.unpenalised == ("age",) and [c.name for c in study.table.columns] == ["age", "sex"]
    assert study.table.sha256 == open_study("clinic.csv", "chd", "study.bed").table.sha256
    code, out, _ = riata("certify", "o", "clinic.csv", "--genotypes", "study.bed", "--json")
    assert json.loads(out) == {"variants": 20, "worst_inactive": 0.9989612}
    clinic().rename({"iid": "code"}).with_columns(iid=pl.lit("?")).write_csv("other.csv")
    words = ("certify", "o", "other.csv", "--genotypes", "study.bed", "--id", "code")
    assert riata(*words)[0] == 0 and calls.made[-1][0].id == "code"
    summary.clear()
    assert "a run without genotypes" in refused(riata, "certify", "o", "clinic.csv", "--genotypes", "study.bed")
    assert "--genotypes is missing" in refused(riata, "certify", "o", "clinic.csv")
    assert load_model("o/model.safetensors").schema["variants"]["rs7"] == ["A", "C"]
