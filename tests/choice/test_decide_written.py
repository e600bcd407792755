"""decision.json: the contract, strict, the same every time, and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import riata
from riata.choice.decision import Decision, read_decision
from riata.errors import InputError

SMALL: dict[str, Any] = {
    "hidden": (8,), "epochs": 10, "folds": 3, "seeds": 2, "path_length": 4, "workers": 1, "dropout": (0.0, 0.3),
    "device": "cpu", "penalties": ["l1", "elastic_net"],
}  # fmt: skip
FILES = ["decision.json", "figures.json", "model.safetensors", "report.html", "results.parquet", "timings.json"]
KEYS: dict[str, Any] = {
    "schema": int, "riata": str, "table": dict, "task": str, "metric": str, "verdict": dict, "evidence": str,
    "contenders": list, "theory": dict, "classic": dict, "answers": list, "scores": dict, "final": dict, "kept": list,
    "dropped": list, "kkt_max": float, "fits": int, "failed_fits": int, "seconds": float, "warnings": list,
}  # fmt: skip
METRICS = {
    "classification": ["auroc", "accuracy", "average_precision", "log_loss"],
    "regression": ["r2", "rmse", "mae"],
}


def table(task: str = "classification", seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(80, 5))
    y = X[:, 0] + 0.5 * rng.normal(size=80)
    return X, (y > 0).astype(int) if task == "classification" else y


@pytest.fixture(scope="module", params=["classification", "regression"])
def found(request: pytest.FixtureRequest) -> Decision:
    return riata.choose(*table(request.param), **SMALL)


def never(word: str) -> None:
    raise AssertionError(f"{word} is not strict JSON")


def timeless(found: Decision) -> dict[str, Any]:
    """The decision without what depends on the clock."""
    summary = json.loads(found.to_json())
    del summary["seconds"], summary["plan"]["estimate_seconds"]
    for answer in summary["answers"]:
        if answer["key"] == "resources":
            answer["evidence"]["estimate"] = answer["evidence"]["detail"]["estimate_seconds"] = None
    return dict(summary)


def test_every_key_of_the_contract_is_there_with_its_type(found: Decision) -> None:
    summary = json.loads(found.to_json(), parse_constant=never)
    for key, kind in KEYS.items():
        assert type(summary[key]) is kind, key
    assert summary["schema"] == 1 and summary["riata"] == riata.__version__
    verdict = summary["verdict"]
    assert verdict["penalty"] in ("none", "l1", "elastic_net")
    assert type(verdict["lam"]) is float and type(verdict["dropout"]) is float and verdict["early_stopping"] is True
    assert (verdict["lam2"] is None) == (verdict["penalty"] != "elastic_net")
    assert summary["evidence"] in ("decisive", "leaning", "equivalent", "tied")
    assert set(summary["contenders"]) <= set(summary["scores"]) - {"constant"}
    assert set(summary["theory"]) == {"penalty", "why"} and {"penalty", "trace"} <= set(summary["classic"])
    for answer in summary["answers"]:
        assert {"question", "answer", "kind", "source", "evidence"} <= set(answer)
        assert answer["kind"] in ("theory", "measured", "convention") and answer["source"]
    assert summary["failed_fits"] == 0 and summary["kkt_max"] >= 0


def test_scores_hold_every_metric_with_its_interval(found: Decision) -> None:
    summary = json.loads(found.to_json())
    metrics = METRICS[summary["task"]]
    assert summary["metric"] == metrics[0]
    for name, scores in [*summary["scores"].items(), ("final", summary["final"])]:
        for metric in metrics:
            low, mean, high = (scores[metric][k] for k in ("low", "mean", "high"))
            assert low <= mean <= high, (name, metric)
            if name != "final":
                assert mean == pytest.approx(np.mean(scores["per_fold"][metric]))
    assert list(summary["scores"])[:2] == ["constant", "none"]
    for scores in (s for name, s in summary["scores"].items() if name != "constant"):
        assert len(scores["chosen"]) == 3 and 0 <= scores["kept"] <= 5


def test_attributes_are_those_of_the_file(found: Decision) -> None:
    summary = json.loads(found.to_json())
    for name in ("verdict", "evidence", "kept", "dropped", "contenders", "scores"):
        assert json.loads(json.dumps(riata.choice.chart.plain(getattr(found, name)))) == summary[name]
    assert sorted([*found.kept, *found.dropped]) == [f"x{i}" for i in range(1, 6)]
    assert summary["norms"].keys() == {f"x{i}" for i in range(1, 6)}
    assert all((summary["norms"][v] > 0) == (v in found.kept) for v in summary["norms"])


def test_saving_twice_gives_the_same_bytes(found: Decision, tmp_path: Path) -> None:
    assert found.save(tmp_path / "a") == tmp_path / "a"
    found.save(tmp_path / "deep" / "b")
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "deep" / "b" / name).read_bytes(), name
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == FILES
    rows = pl.read_parquet(tmp_path / "a" / "results.parquet")
    assert found.population is not None and rows.height == len(found.population.members)
    assert rows["valid_loss"].to_list() == [m.valid_loss for m in found.population.members]


def test_a_decision_is_read_again(found: Decision, tmp_path: Path) -> None:
    found.save(tmp_path)
    again = read_decision(tmp_path)
    assert again.to_json() == found.to_json() and str(again) == str(found)
    assert again.verdict == found.verdict and again.model is not None and found.model is not None
    rows = np.random.default_rng(1).normal(size=(6, 5))
    assert np.array_equal(again.model.predict(rows), found.model.predict(rows))
    (tmp_path / "model.safetensors").unlink()
    assert read_decision(tmp_path).model is None


def test_the_same_call_twice_gives_the_same_decision_and_model(tmp_path: Path) -> None:
    found = [riata.choose(*table(), **SMALL) for _ in range(2)]
    assert timeless(found[0]) == timeless(found[1])
    for i, decision in enumerate(found):
        assert decision.model is not None
        decision.model.save(tmp_path / f"{i}.safetensors")
    assert (tmp_path / "0.safetensors").read_bytes() == (tmp_path / "1.safetensors").read_bytes()
    other = riata.choose(*table(), seed=1, **SMALL)
    assert timeless(other)["scores"] != timeless(found[0])["scores"]


def test_two_workers_find_what_one_finds() -> None:
    one, two = (riata.choose(*table(), **{**SMALL, "workers": w, "seeds": 1}) for w in (1, 2))
    first, second = timeless(one), timeless(two)
    assert (first["options"].pop("workers"), second["options"].pop("workers")) == (1, 2)
    assert first == second


def test_numbers_that_are_not_finite_are_written_as_null() -> None:
    summary = {"a": float("nan"), "b": [np.float64("inf"), np.int64(3)], "c": np.array([1.0, np.nan])}
    assert json.loads(Decision(summary).to_json(), parse_constant=never) == {
        "a": None,
        "b": [None, 3],
        "c": [1.0, None],
    }


DAMAGE = {
    "cut short": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "a list": lambda text: "[1]",
    "not a decision": lambda text: '{"schema": 1}',
    "no schema": lambda text: text.replace('"schema": 1', '"schem": 1'),
    "a newer schema": lambda text: text.replace('"schema": 1', '"schema": 2'),
    "a part is missing": lambda text: text.replace('"answers"', '"answer"'),
    "a part is nonsense": lambda text: text.replace('"verdict": {', '"verdict": 3, "was": {'),
    "an unknown penalty": lambda text: text.replace('"penalty": "', '"penalty": "un'),
    "nested without end": lambda text: "[" * 100_000,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_decision_is_refused_in_one_line(found: Decision, tmp_path: Path, how: str) -> None:
    text = DAMAGE[how](found.to_json())
    (tmp_path / "decision.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"decision\.json") as error:
        read_decision(tmp_path)
    assert "\n" not in str(error.value) and ("newer" in str(error.value)) == (how == "a newer schema")


def test_no_decision_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pass the folder"):
        read_decision(tmp_path)
    (tmp_path / "decision.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not readable"):
        read_decision(tmp_path)
