"""What Python users call: every kind of table gives the same decision, and every wrong option is named."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import riata
from riata.api import load_table, make_options
from riata.choice import decide, pilot
from riata.choice.options import Options, seconds
from riata.data import make_table
from riata.errors import InputError
from riata.population import run

SMALL: dict[str, Any] = {
    "hidden": (8,), "epochs": 5, "folds": 3, "seeds": 1, "path_length": 3, "workers": 1, "dropout": (0.0,),
    "device": "cpu", "penalties": ["l1"],
}  # fmt: skip


def arrays(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] + 0.3 * rng.normal(size=n) > 0).astype(int)


def found(decision: riata.Decision) -> str:
    """What was measured: scores, verdict, norms and final score, without names and the clock."""
    summary = json.loads(decision.to_json())
    return json.dumps([summary[k] for k in ("verdict", "scores", "norms", "final", "evidence", "fits", "kkt_max")])


def test_every_kind_of_table_gives_the_same_decision(tmp_path: Path) -> None:
    X, y = arrays()
    frame = pl.DataFrame({"x1": X[:, 0], "x2": X[:, 1], "x3": X[:, 2], "y": y})
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv")
    expected = found(riata.choose(X, y, **SMALL))
    assert found(riata.choose(X, y=y, **SMALL)) == expected
    assert found(riata.choose(frame, "y", **SMALL)) == expected
    assert found(riata.choose(frame.lazy(), "y", **SMALL)) == expected
    assert found(riata.choose(frame.to_pandas(), target="y", **SMALL)) == expected
    assert found(riata.choose(pd.DataFrame(X, columns=["x1", "x2", "x3"]), pd.Series(y), **SMALL)) == expected
    assert found(riata.choose(str(tmp_path / "t.csv"), "y", **SMALL)) == expected
    assert found(riata.choose(tmp_path / "t.parquet", "y", **SMALL)) == expected
    assert found(riata.choose(make_table(frame, "y"), **SMALL)) == expected


def test_names_of_tables() -> None:
    X, y = arrays()
    assert load_table(X, y).name == "table" and load_table(X, y, name="mine").name == "mine"
    assert riata.choose(X, y, name="mine", **SMALL).summary["table"]["name"] == "mine"


def test_what_columns_are_read_as_and_left_out() -> None:
    X, y = arrays()
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "code": np.arange(60) % 4, "y": y})
    table = riata.choose(frame, "y", categorical=["code"], drop=["b"], **SMALL).summary["table"]
    assert [(c["name"], c["kind"]) for c in table["columns"]] == [("a", "numeric"), ("code", "categorical")]
    assert [out["name"] for out in table["left_out"]] == ["b"]
    asked = riata.choose(frame, "y", task="regression", **SMALL)
    assert asked.summary["metric"] == "r2" and asked.summary["task"] == "regression"


def test_the_callers_data_threads_and_generator_are_untouched() -> None:
    X, y = arrays()
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=y)
    before, threads = frame.copy(), torch.get_num_threads()
    torch.manual_seed(3)
    np.random.seed(3)
    state, drawn = torch.get_rng_state(), np.random.get_state(legacy=False)["state"]
    riata.choose(frame, "y", **SMALL)
    pd.testing.assert_frame_equal(frame, before)
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)
    assert str(np.random.get_state(legacy=False)["state"]) == str(drawn)


def test_progress_is_told_in_order_and_to_the_end() -> None:
    told: list[tuple[Any, ...]] = []
    riata.choose(*arrays(), progress=lambda *said: told.append(said), **SMALL)
    stages = list(dict.fromkeys(said[0] for said in told))
    assert stages == ["looking at the table", "pilot", "training networks", "refitting"]
    trained = [said[1:] for said in told if said[0] == "training networks"]
    assert trained[-1][0] == trained[-1][1] and all(done <= total for done, total, _ in trained)
    assert trained[0][2] == "" and re.fullmatch(r"[\w ()]+?( [\d.e-]+)?, loss [\d.]+", trained[-1][2])


def test_options_and_choose_have_the_documented_names() -> None:
    asked = set(inspect.signature(riata.choose).parameters) | set(inspect.signature(Options).parameters)
    documented = (
        "task goal chart no_validation penalties budget folds repeats seeds path_length hidden dropout patience"
    )
    documented += " epochs batch_size categorical drop group_column groups picture workers device seed"
    assert set(documented.split()) <= asked
    assert make_options(hidden=[4, 4], penalties=["l1", "l2"]).hidden == (4, 4)
    assert make_options(penalties=["l1"]).candidates == ("none", "l1")
    assert Options() == Options(task="auto", folds=5, seeds=3, path_length=20, hidden=(64, 64), dropout=(0.0, 0.2))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"pathlength": 4}, "did you mean path_length?"),
        ({"penalty": ["l1"]}, "did you mean penalties?"),
        ({"zzz": 1}, "use one of"),
        ({"penalties": ["lasso"]}, "'lasso' is unknown; did you mean"),
        ({"penalties": "l1"}, "no list"),
        ({"penalties": []}, "empty"),
        ({"goal": "select"}, "did you mean selection?"),
        ({"chart": "clasic"}, "did you mean classic?"),
        ({"task": "cluster"}, "use one of auto, classification, regression"),
        ({"device": "tpu"}, "device"),
        ({"folds": 2}, "--folds 2 is too small; expected at least 3; type --folds 3"),
        ({"folds": "5"}, "no whole number"),
        ({"folds": 3.5}, "no whole number"),
        ({"folds": None}, "no whole number"),
        ({"seeds": True}, "no whole number"),
        ({"epochs": 0}, "--epochs 0 is too small"),
        ({"path_length": 1}, "--path-length 1"),
        ({"hidden": 8}, "no list"),
        ({"hidden": (8.5,)}, "no whole number"),
        ({"hidden": (0,)}, "layer without units"),
        ({"dropout": 0.2}, "no list"),
        ({"dropout": ()}, "dropout"),
        ({"dropout": (1.0,)}, "outside"),
        ({"dropout": (float("nan"),)}, "outside"),
        ({"dropout": ("0.2",)}, "no number"),
        ({"seed": -1}, "out of range"),
        ({"seed": 2**40}, "out of range"),
        ({"budget": 0.0}, "not a time"),
        ({"budget": float("nan")}, "not a time"),
        ({"budget": "soon"}, "type --budget 60s"),
        ({"picture": "28by28"}, "type --picture 28x28"),
        ({"picture": 28}, "type --picture 28x28"),
        ({"no_validation": "yes"}, "pass True or leave it out"),
    ],
)
def test_wrong_options_are_named_in_one_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        riata.choose(*arrays(), **{**SMALL, **wrong})
    assert said in str(error.value) and "\n" not in str(error.value)


def test_budgets_are_read() -> None:
    assert [seconds(t) for t in ("60s", "10m", "2h", "90", "1.5m", " 5 s ")] == [60, 600, 7200, 90, 90, 5]
    for wrong in ("", "0s", "-5s", "5d", "1e3s", "10mm", "inf"):
        with pytest.raises(InputError, match="60s, 10m or 2h"):
            seconds(wrong)


def test_a_device_that_is_not_there() -> None:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    for name in (name for name, is_there in there.items() if not is_there):
        with pytest.raises(InputError, match="type --device cpu"):
            decide.pick_device(name)
    assert decide.pick_device("cpu") == "cpu"


def test_profile_trains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **facts: object) -> None:
        raise AssertionError("profile must not train")

    for module, name in ((run, "fit_chunk"), (pilot, "fit_chunk"), (decide, "search"), (decide, "pilot")):
        monkeypatch.setattr(module, name, refuse)
    X, y = arrays(200)
    profile = riata.profile(X, y)
    assert profile.answer == "l1" and profile.why and profile.facts["rows"] == 200
    assert {"answer", "why", "answers", "facts", "theory"} <= set(json.loads(json.dumps(profile.to_dict())))
    pairs = np.repeat(X, 2, axis=1) + 0.01 * np.random.default_rng(1).normal(size=(200, 6))
    assert riata.profile(pairs, y).answer == "l2"
    assert riata.profile(X, y, picture="3x1").answer == "l2"


def test_a_table_that_cannot_be_used() -> None:
    X, y = arrays()
    for table, target, said in (
        (X, None, "target"),
        (pl.DataFrame({"a": X[:, 0], "y": y}), "z", "'z'"),
        (X[:5], y[:5], "5 rows"),
        (X, y[:7], "7 values"),
        ("nowhere.csv", "y", "nowhere.csv"),
    ):
        with pytest.raises(InputError, match=said) as error:
            riata.choose(table, target, **SMALL)
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="folds"):
        riata.choose(X, (np.arange(60) < 2).astype(int), **SMALL)
