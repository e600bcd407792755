"""A decision on clinical variables and genotypes, from the files to the folder: what is in the data is found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from riata.choice.decision import read_decision
from riata.choice.options import Options
from riata.cli.status import status_of
from riata.cohort import decide, kept
from riata.cohort.decide import decide_study
from riata.cohort.fold import folds_of
from riata.cohort.refit import Recipe, fit, model_of
from riata.cohort.settings import settings_of
from riata.cohort.study import Study, open_study
from riata.genome import Cohort, Truth, simulate
from riata.population.design import Split
from riata.population.journal import Journal
from riata.wide import run
from riata.wide.clusters import clusters

COHORT = Cohort(
    people=300, variants=800, effects=5, background=0, clinical=6, summaries=0, named=True, genetic_share=0.65,
    clinical_share=0.2, missing=0.01, seed=2,
)  # fmt: skip
OPTIONS = Options(folds=3, workers=1, path_length=8, hidden=(4,), epochs=4)
SMALL = Cohort(
    people=150, variants=120, effects=3, background=0, clinical=4, summaries=0, named=True, genetic_share=0.6,
    clinical_share=0.3, seed=1,
)  # fmt: skip
QUICK = replace(OPTIONS, path_length=4, hidden=(2,))

Made = tuple[Path, Truth]
Decided = tuple[Any, dict[str, Any]]
"""A decision, and what was seen while it was made."""


def make(folder: Path, cohort: Cohort) -> Made:
    return folder / "c", simulate(folder / "c", cohort)


def opened(path: Path, clinical: Any = None, **given: Any) -> Study:
    return open_study(clinical if clinical is not None else f"{path}.csv", "outcome", f"{path}.bed", **given)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("cohort"), COHORT)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(tmp_path_factory.mktemp("small"), SMALL)


@pytest.fixture(scope="module")
def decided(made: Made) -> Decided:
    """The decision, what its model was made of, and how often its variants were put into clusters."""
    seen: dict[str, Any] = {"clusters": 0}

    def noted(*given: Any) -> Any:
        seen.update(zip(("fold", "fitted", "recipe", "study"), given, strict=True))
        return model_of(*given)

    def counted(*given: Any) -> Any:
        seen["clusters"] += 1
        return clusters(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decide, "model_of", noted)
        patch.setattr(kept, "clusters", counted)
        return decide_study(opened(made[0]), OPTIONS), seen


@pytest.fixture
def few_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decide, "PAIRS", 3)


def values(found: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every plain value of nested dictionaries and lists with its place."""
    if isinstance(found, dict | list):
        for key, value in found.items() if isinstance(found, dict) else enumerate(found):
            yield from values(value, (*at, str(key)))
    else:
        yield at, found


def assert_alike(one: Any, other: Any) -> None:
    """Same places, same words, same numbers to the last digits of a double."""
    first, second = dict(values(one)), dict(values(other))
    assert first.keys() == second.keys()
    for at, value in first.items():
        close = isinstance(value, float) and value == pytest.approx(second[at], rel=1e-9, abs=1e-12, nan_ok=True)
        assert close or value == second[at], at


def test_two_workers_decide_the_same(made: Made, decided: Decided) -> None:
    again = decide_study(opened(made[0]), replace(OPTIONS, workers=2))
    one, two = (json.loads(d.to_json()) for d in (decided[0], again))
    for each in (one, two):
        del each["seconds"], each["options"]["workers"]
    assert_alike(one, two)
    assert again.figures is not None
    assert again.model is not None
    parts = [{k: v for k, v in (d.figures or {}).items() if k != "stages"} for d in (decided[0], again)]
    assert_alike(*parts)
    assert {k: w.tolist() for k, w in decided[0].model.params.items()} == {
        k: w.tolist() for k, w in again.model.params.items()
    }


def test_the_strong_variants_are_found(made: Made, decided: Decided) -> None:
    summary = decided[0].summary
    strong = {f"rs{i + 1}" for i in made[1].strong}
    assert summary["verdict"]["view"] in ("genetic", "combined")
    assert len(strong & set(summary["kept"])) >= 4
    assert len(strong & set(summary["cohort"]["stability"]["selected"])) >= 3
    views = summary["cohort"]["views"]
    best = {view: max(c["auroc"]["mean"] for c in views[view].values() if "auroc" in c) for view in views}
    assert best["combined"] > best["clinical"] + 0.05
    assert views["combined"]["none"]["why_not"].startswith("100 rows for 8")
    assert summary["cohort"]["variants"] == 800
    leads = [c["lead"] for c in summary["cohort"]["clusters"]]
    assert set(leads) <= set(summary["kept"])
    assert summary["kkt_max"] < 2e-3


def test_clusters_are_worked_out_once_and_drawn_as_they_are_told(decided: Decided) -> None:
    found, seen = decided
    told = [{c["lead"], *c["members"]} for c in found.summary["cohort"]["clusters"]]
    drawn = found.figures["cohort"]["variants"]
    assert seen["clusters"] == 1 and len(told) > 1
    assert [
        {n for n, k in zip(drawn["name"], drawn["cluster"], strict=True) if k == i} for i in range(len(told))
    ] == told
    assert drawn["norm"] == sorted(drawn["norm"], reverse=True) and drawn["norm"][-1] > 0
    leads = [drawn["norm"][drawn["name"].index(c["lead"])] for c in found.summary["cohort"]["clusters"]]
    np.testing.assert_allclose(leads, [c["norm"] for c in found.summary["cohort"]["clusters"]], rtol=1e-3)


def test_the_model_says_what_its_fold_said(made: Made, decided: Decided) -> None:
    found, seen = decided
    fold, fitted, study = seen["fold"], seen["fitted"], seen["study"]
    outputs = fold.outputs(fitted.problem, fitted.final.columns, fitted.final.weights)
    said = fold.judge().predictions(outputs, torch.arange(study.table.n))
    names = list(study.variants.names)
    kept = list(found.model.schema["variants"])
    raw = study.variants.raw(torch.tensor([names.index(name) for name in kept])).double().numpy()
    rows = pl.read_csv(f"{made[0]}.csv").with_columns(pl.Series(n, raw[:, i]) for i, n in enumerate(kept))
    np.testing.assert_allclose(found.model.predict_proba(rows), said, atol=1e-5)
    layout = found.model.encoder.layout
    alive = {
        layout.variables[g] for g, row in zip(layout.group, found.model.params["first"][0], strict=True) if row.any()
    }
    assert alive == set(found.kept)  # all other rows are exactly 0


def test_the_folder_holds_everything(tmp_path: Path, decided: Decided) -> None:
    found = decided[0]
    found.save(tmp_path)
    files = {file.name for file in tmp_path.iterdir()}
    assert files >= {"decision.json", "figures.json", "results.parquet", "model.safetensors", "report.html"}
    again = read_decision(tmp_path)
    assert again.to_json() == found.to_json()
    assert again.figures is not None
    cohort = again.figures["cohort"]
    assert {"variants", "skyline", "chromosomes", "path", "representation", "representation_views"} <= set(cohort)
    assert [m["penalty"] for m in cohort["representation"]["maps"]][-2:] == ["group_lasso", "group_lasso"]
    assert len(cohort["representation"]["rows"]) == len(cohort["representation"]["maps"][0]["weights"])
    page = (tmp_path / "report.html").read_text()
    assert 'id="representation"' in page
    assert found.kept[0] in page
    stages = [s["stage"] for s in again.figures["stages"]]
    assert "the learned representation" in stages
    trials = pl.read_parquet(tmp_path / "results.parquet")
    assert set(trials["view"]) == {"clinical", "genetic", "combined"}


def test_where_nothing_is_to_be_found_the_halves_call_nothing_stable(small: Made) -> None:
    table = pl.read_csv(f"{small[0]}.csv")
    permuted = table.with_columns(pl.Series("outcome", np.random.default_rng(0).permutation(table["outcome"])))
    found = decide_study(opened(small[0], permuted), QUICK)
    assert found.summary["cohort"]["stability"]["selected"] == []
    assert found.summary["final"]["auroc"]["low"] < 0.5 < found.summary["final"]["auroc"]["high"]


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.usefixtures("few_halves")
def test_numbers_and_several_classes_are_decided(small: Made, classes: int, tmp_path: Path) -> None:
    path, truth = small
    score = truth.genetic + truth.clinical[:, 0] + 0.3 * np.random.default_rng(3).normal(size=150)
    target = np.searchsorted(np.quantile(score, [1 / 3, 2 / 3]), score) if classes else score
    table = pl.read_csv(f"{path}.csv").with_columns(pl.Series("outcome", target))
    found = decide_study(opened(path, table), QUICK)
    metric = "auroc" if classes else "r2"
    views = found.summary["cohort"]["views"]
    assert max(c[metric]["mean"] for c in views["combined"].values() if metric in c) > (0.6 if classes else 0.2)
    assert {f"rs{i + 1}" for i in truth.strong} & set(found.kept)
    learned = (found.figures or {})["cohort"]["representation_views"]["combined"]["l1"]
    assert metric in learned
    found.save(tmp_path)
    assert found.model is not None


def test_an_unpenalised_column_stays_where_the_penalty_drops_everything_else(made: Made) -> None:
    study = opened(made[0], unpenalised=["age"])
    nothing = np.zeros(0, dtype=np.int64)
    everybody = Split(-2, np.arange(study.table.n), nothing, nothing)
    fold = folds_of(study.table, study.variants, [everybody], study.unpenalised, "standard")[0]
    for penalty in ("l1", "elastic_net", "group_lasso"):
        recipe = Recipe("combined", penalty, 0, 1.0)  # the first step of a path is lam_max
        model = model_of(fold, run([fit(fold, recipe, settings_of(OPTIONS))])[0], recipe, study)
        assert model.kept == ("age",)
        assert model.schema["variants"] == {}


@pytest.mark.usefixtures("few_halves")
def test_a_study_without_clinical_columns(small: Made) -> None:
    bare = pl.read_csv(f"{small[0]}.csv").select("id", "outcome")
    found = decide_study(opened(small[0], bare), QUICK)
    assert found.summary["verdict"]["view"] == "genetic"
    views = found.summary["cohort"]["views"]
    assert all("why_not" in c for view in ("clinical", "combined") for c in views[view].values())
    learned = (found.figures or {})["cohort"]
    assert learned["representation"]["rows"] == [f"g{i:02d}" for i in range(1, 21)]
    assert learned["representation_views"]["clinical"]["l1"] == {"why_not": "the table has no clinical column"}


@pytest.mark.usefixtures("few_halves")
def test_what_is_left_out_is_said(small: Made) -> None:
    half = pl.read_csv(f"{small[0]}.csv").head(75)
    found = decide_study(opened(small[0], half), QUICK)
    said = "no representation was learned from the variants: 50 training rows in a fold; 20 dimensions want at least 80"
    assert said in found.summary["warnings"]
    assert (found.figures or {})["cohort"]["representation"] is None
    assert 'id="representation"' not in found.html()


class Stopped(Exception):
    """The run was ended from outside."""


@pytest.mark.usefixtures("few_halves")
@pytest.mark.parametrize(("stop", "parts"), [("learning a representation", 1), ("refitting", 2), ("half-samples", 3)])
def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_bytes(
    small: Made, tmp_path: Path, stop: str, parts: int
) -> None:
    def run(folder: str, at: str = "", resume: bool = False) -> list[str]:
        seen: list[str] = []

        def told(what: str, done: int, total: int, *_: object) -> None:
            seen.append(f"{what} {done}")
            if what == at:
                raise Stopped

        path = tmp_path / folder
        with Journal.open(path / "journal.sqlite", {}, resume=resume) as journal, suppress(Stopped):
            decide_study(opened(small[0]), QUICK, progress=told, keep=journal).save(path)
        return seen

    run("whole")
    run("cut", stop)
    now = status_of(tmp_path / "cut")
    assert (now["state"], now["decision"], len(now["parts"])) == ("stopped", False, parts)
    run("cut", resume=True)
    now = status_of(tmp_path / "cut")
    assert (now["state"], now["decided"], set(now["parts"])) == (
        "finished", True, {"pieces of paths", "learned representation", "pieces of half-samples"}
    )  # fmt: skip
    for name in ("decision.json", "figures.json", "results.parquet", "model.safetensors"):
        one, other = ((tmp_path / folder / name).read_bytes() for folder in ("whole", "cut"))
        if name == "decision.json":
            one, other = (re.sub(rb'"seconds": *[0-9.]+', b"", content) for content in (one, other))
        assert one == other, name
