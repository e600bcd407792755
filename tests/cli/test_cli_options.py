"""Every documented option of choose changes something that a user can see."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from riata.choice.options import DEFAULT_BUDGET, Options
from riata.cli import main
from riata.cli.arguments import CHOOSE

Run = Callable[..., tuple[int, str, str]]
TURNED: dict[str, list[str]] = {
    "task": ["--task", "regression"],
    "categorical": ["--categorical", "dose"],
    "drop": ["--drop", "colour"],
    "group_column": ["--group-column", "subject"],
    "groups": ["--groups", "groups.csv"],
    "seed": ["--seed", "7"],
    "goal": ["--goal", "selection"],
    "chart": ["--chart", "classic"],
    "picture": ["--picture", "2x3"],
    "scaling": ["--scaling", "quantile"],
    "no_validation": ["--no-validation"],
    "penalties": ["--penalties", "l1"],
    "budget": ["--budget", "10m"],
    "repeats": ["--repeats", "2"],
    "dropout": ["--dropout", "0.5"],
    "hidden": ["--hidden", "4,4"],
    "folds": ["--folds", "4"],
    "seeds": ["--seeds", "2"],
    "path_length": ["--path-length", "6"],
    "patience": ["--patience", "1"],
    "epochs": ["--epochs", "5"],
    "batch_size": ["--batch-size", "16"],
    "form": ["--form", "ridge"],
}
ELSEWHERE = {"workers", "device", "out", "resume", "json", "quiet", "debug"}
"""Options that must not change a result; see the other tests."""
SMALL = {"folds": "3", "seeds": "1", "path-length": "4", "hidden": "8", "epochs": "10", "workers": "1"}


def table(path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 90
    x = rng.normal(size=(n, 6)).round(3)
    dose = rng.integers(0, 4, n)
    ill = (x[:, 0] + 0.5 * x[:, 1] + rng.normal(0, 0.7, n) > 0).astype(int)
    columns = {f"x{i}": x[:, i] for i in range(6)}
    frame = pl.DataFrame({**columns, "dose": dose, "colour": rng.choice(["red", "green", "blue"], n)})
    frame.with_columns(subject=pl.Series([f"s{i // 3}" for i in range(n)]), ill=pl.Series(ill)).write_csv(path)


def measured(folder: Path) -> str:
    """What a run found, without the options and the clock."""
    decision = json.loads((folder / "decision.json").read_text())
    for clock in ("options", "seconds", "versions"):
        decision.pop(clock)
    decision["plan"].pop("estimate_seconds")
    decision["answers"] = [[a["question"], a["answer"]] for a in decision["answers"]]
    return json.dumps(decision) + pl.read_parquet(folder / "results.parquet").write_csv()


def turned(riata: Run, words: list[str], out: str) -> str:
    small = {f"--{k}": v for k, v in SMALL.items()} | {"--penalties": "group_lasso", "--dropout": "0"}
    given = dict(zip(words[::2], words[1::2], strict=True)) if len(words) > 1 else {}
    flags = words if len(words) == 1 else []
    together = [w for pair in (small | given).items() for w in pair]
    code, _, err = riata("choose", "t.csv", "--target", "ill", *together, *flags, "--out", out, "--quiet")
    assert code == 0, err
    return measured(Path(out))


def written() -> None:
    table(Path("t.csv"))
    Path("groups.csv").write_text("variable,group\nx0,first\nx1,first\nx5,last\n")


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the run without any turned option finds."""
    with contextlib.chdir(tmp_path_factory.mktemp("once")):
        written()
        return turned(lambda *words: (main([*map(str, words)]), "", ""), [], "plain")


@pytest.fixture
def plain(once: str, elsewhere: Path) -> str:
    written()
    return once


def test_every_option_is_tried() -> None:
    assert {o.name for o in CHOOSE} == set(TURNED) | ELSEWHERE


@pytest.mark.parametrize("name", TURNED)
def test_option_changes_what_is_found(riata: Run, plain: str, name: str) -> None:
    assert turned(riata, TURNED[name], "turned") != plain


def test_more_workers_and_the_same_device_find_the_same(riata: Run, plain: str) -> None:
    for words in (["--workers", "2"], ["--device", "cpu"]):
        assert turned(riata, words, "again") == plain


def test_out_json_quiet(riata: Run, ill: Path, made: Any) -> None:
    words = ["choose", ill, "--target", "ill", *made.small, "--penalties", "l2", "--out", "here/there"]
    code, out, err = riata(*words)
    assert code == 0 and "training networks" in err and "report: here/there/report.html" in out
    assert Path("here/there/decision.json").exists()
    code, out, err = riata(*words, "--json")
    assert code == 0 and out == Path("here/there/decision.json").read_text() and "training networks" in err
    code, out, err = riata(*words, "--quiet")
    assert (code, err) == (0, "") and out.startswith("Use ") and "report:" not in out


def test_groups_as_json_and_tsv_mean_the_same(riata: Run, plain: str) -> None:
    Path("groups.json").write_text('{"x0": "first", "x1": "first", "x5": "last"}')
    Path("groups.tsv").write_text("group\tvariable\nfirst\tx0\nfirst\tx1\nlast\tx5\n")
    wanted = turned(riata, TURNED["groups"], "csv")
    assert turned(riata, ["--groups", "groups.json"], "json") == wanted
    assert turned(riata, ["--groups", "groups.tsv"], "tsv") == wanted


def test_hidden_none_is_linear(riata: Run, plain: str) -> None:
    for i, word in enumerate(("none", "0", "")):
        turned(riata, ["--hidden", word], f"linear{i}")
        assert json.loads(Path(f"linear{i}/decision.json").read_text())["options"]["hidden"] == []


def test_help_says_the_defaults() -> None:
    default = {f.name: f.default for f in fields(Options)} | {"budget": f"{DEFAULT_BUDGET / 60:g}m"}
    for option in CHOOSE:
        said = re.search(r"\[(.*)\]\.$", option.help)
        if said and option.name in default and not said[1].startswith(("by the", "number of", "all")):
            value = default[option.name]
            value = ",".join(f"{v:g}" for v in value) if isinstance(value, tuple) else str(value)
            assert said[1] == value, option.name
