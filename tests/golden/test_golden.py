"""Files that earlier versions wrote: they load, predict what they did, and are drawn; newer formats are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from load_modules import loaded

import riata
from riata.model import load_model

HERE = Path(__file__).parent
RUNS = sorted(path.parent for path in HERE.glob("*/*/decision.json"))
NAMES = ["binary", "genotypes", "groups", "number", "several"]
Ran = tuple[int, str, str]


@pytest.fixture(params=RUNS, ids=lambda path: f"{path.parent.name}-{path.name}")
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a run that was kept: commands write into the folder."""
    return Path(shutil.copytree(request.param, tmp_path / "run"))


@pytest.fixture(scope="module")
def maker() -> Iterator[ModuleType]:
    with loaded(HERE / "make.py") as module:
        yield module


def inputs_of(folder: Path) -> pl.DataFrame:
    rows = pl.read_csv(folder / "rows.csv")
    calls = folder / "calls.parquet"
    return pl.concat([rows, pl.read_parquet(calls)], how="horizontal") if calls.exists() else rows


def test_every_version_kept_one_run_of_every_kind() -> None:
    versions = {path.parent for path in RUNS}
    assert versions and all([p.name for p in RUNS if p.parent == v] == NAMES for v in versions)


def test_the_model_predicts_what_it_did(golden: Path) -> None:
    expected = json.loads((golden / "expected.json").read_text())
    model = load_model(golden / "model.safetensors")
    outputs = model.outputs(model.encode(inputs_of(golden)))
    np.testing.assert_allclose(outputs, expected["outputs"], rtol=1e-4, atol=1e-6)  # float32 sums on another processor
    assert [list(model.kept), list(model.dropped)] == [expected["kept"], expected["dropped"]]
    out = np.isin(model.encoder.layout.group, [model.variables.index(v) for v in model.dropped])
    assert (model.params["first"].numpy()[:, out] == 0.0).all()
    model.save(golden / "again.safetensors")
    again = load_model(golden / "again.safetensors")
    assert again.facts == model.facts and again.schema == model.schema


def test_the_decision_is_read_and_drawn(golden: Path, command: Callable[..., Ran]) -> None:
    found = riata.read_decision(golden)
    summary = json.loads((golden / "decision.json").read_text())
    assert found.summary["verdict"] == summary["verdict"] and found.figures is not None
    for words in (("report", golden, "--quiet"), ("inspect", golden, "--quiet")):
        code, _, err = command(*words)
        assert (code, err) == (0, ""), err
    page = (golden / "report.html").read_text()
    assert summary["verdict"]["penalty"].split("_")[0] in page.lower() and len(page) > 50_000


def test_the_command_scores_new_rows(golden: Path, command: Callable[..., Ran]) -> None:
    expected = json.loads((golden / "expected.json").read_text())["outputs"]
    more = ("--genotypes", golden / "calls.parquet") if golden.joinpath("calls.parquet").exists() else ()
    code, out, err = command("predict", golden, golden / "rows.csv", "--quiet", *more)
    assert (code, err) == (0, ""), err
    scored = pl.read_csv(out.encode())
    last = scored[scored.columns[-1]].to_numpy()
    np.testing.assert_allclose(last, np.array(expected)[:, -1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("file", ["decision.json", "figures.json", "timings.json", "model.safetensors"])
def test_a_newer_format_is_refused(golden: Path, file: str, command: Callable[..., Ran]) -> None:
    path = golden / file
    if not path.exists():
        return
    content = path.read_bytes()
    if file == "model.safetensors":
        length = int.from_bytes(content[:8], "little")
        head: dict[str, Any] = json.loads(content[8 : 8 + length])
        facts = {**json.loads(head["__metadata__"]["riata"]), "format": 99}
        text = json.dumps({**head, "__metadata__": {"riata": json.dumps(facts)}}).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    else:
        path.write_text(json.dumps({**json.loads(content), "schema": 99}))
    code, _, err = command("inspect", golden)
    assert (code, err.count("\n")) == (2, 1) and file in err and "update riata" in err


def test_the_program_still_makes_such_files(maker: ModuleType, tmp_path: Path) -> None:
    """What this version writes has the same files and the same keys as what was kept of the newest version."""
    newest = max(path.parent for path in RUNS)
    frame = maker.mixed(120, 0).drop("several", "number")
    maker.keep(tmp_path / "binary", riata.choose(frame, "binary", name="binary", **maker.SMALL), maker.mixed(12, 7))
    old, new = newest / "binary", tmp_path / "binary"
    assert sorted(p.name for p in new.iterdir()) == sorted(p.name for p in old.iterdir())
    assert set(json.loads((old / "decision.json").read_text())) <= set(json.loads((new / "decision.json").read_text()))
    assert (new / "rows.csv").read_text() != "" and maker.mixed(12, 7).drop("binary", "several", "number").equals(
        pl.read_csv(old / "rows.csv")
    )
