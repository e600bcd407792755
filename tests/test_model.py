"""The model that is handed back: the same after writing and reading, on rows it never saw, and exact zeros in it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save

import riata
from riata.choice.decision import Decision
from riata.choice.options import Options
from riata.choice.refit import Recipe, refit
from riata.data import make_table
from riata.errors import InputError
from riata.model import Model, load_model

SMALL: dict[str, Any] = {
    "hidden": (8,), "epochs": 40, "folds": 3, "seeds": 2, "path_length": 4, "workers": 1, "dropout": (0.0,),
    "device": "cpu", "penalties": ["group_lasso"], "goal": "selection",
}  # fmt: skip


def mixed(n: int, seed: int) -> pl.DataFrame:
    """Numbers with blanks, a category with blanks, one of two levels, and noise."""
    rng = np.random.default_rng(seed)
    age, dose = rng.normal(50, 10, n), rng.normal(size=n)
    colour = rng.choice(["red", "green", "blue"], n)
    frame = pl.DataFrame(
        {
            "age": [None if i % 11 == 3 else a for i, a in enumerate(age.tolist())],
            "dose": dose,
            "colour": [None if i % 13 == 5 else c for i, c in enumerate(colour.tolist())],
            "sex": rng.choice(["f", "m"], n),
            **{f"noise{i}": rng.normal(size=n) for i in range(4)},
        }
    )
    score = (age - 50) / 5 + 2 * (colour == "red") + dose
    return frame.with_columns(
        binary=pl.Series(np.where(score > 0.6, "ill", "well")),
        several=pl.Series(np.array(["low", "mid, or so", "high"])[np.digitize(score, [-0.8, 1.5])]),
        number=pl.Series(1000 + 50 * score),
    )


def wide(n: int, seed: int) -> pl.DataFrame:
    X = np.random.default_rng(seed).normal(size=(n, 80))
    return pl.DataFrame({f"g{i}": X[:, i] for i in range(80)}).with_columns(binary=pl.Series((X[:, 0] > 0).astype(int)))


KINDS: dict[str, tuple[Callable[[int, int], pl.DataFrame], int, str]] = {
    "binary": (mixed, 120, "binary"),
    "several": (mixed, 120, "several"),
    "number": (mixed, 120, "number"),
    "wide": (wide, 30, "binary"),
}
TARGETS = ["binary", "several", "number"]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def found(kind: str) -> Decision:
    make, n, target = KINDS[kind]
    frame = make(n, 0)
    options = {**SMALL, "no_validation": True, "chart": "default"} if kind == "wide" else SMALL
    return riata.choose(frame.drop([t for t in TARGETS if t in frame.columns and t != target]), target, **options)


@pytest.fixture
def model(found: Decision) -> Model:
    assert found.model is not None
    return found.model


@pytest.fixture
def rows(kind: str) -> pl.DataFrame:
    """New rows, with an unseen category, blanks in columns that had some and in others."""
    frame = KINDS[kind][0](12, 7)
    if kind == "wide":
        return frame
    return frame.with_columns(
        colour=pl.Series(["pink", None, *frame["colour"].to_list()[2:]]),
        sex=pl.Series([None, "x", *frame["sex"].to_list()[2:]]),
        dose=pl.Series([None, *frame["dose"].to_list()[1:]]),
    )


def test_a_model_predicts_the_same_after_writing_and_reading(model: Model, rows: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model.safetensors"
    model.save(path)
    again = load_model(path)
    expected = model.predict(rows)
    assert len(expected) == 12 and np.array_equal(again.predict(rows), expected)
    assert again.kept == model.kept and again.dropped == model.dropped and again.facts == model.facts
    assert again.schema == model.schema and again.group_of_variable == model.group_of_variable
    if model.schema["task"] == "classification":
        shares = again.predict_proba(rows)
        assert np.array_equal(shares, model.predict_proba(rows))
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
        assert set(expected) <= set(model.schema["classes"])
        assert expected.tolist() == [model.schema["classes"][i] for i in shares.argmax(1)]
    else:
        assert expected.dtype == np.float64 and 500 < expected.mean() < 1500  # in the target's units
        with pytest.raises(InputError, match="use predict"):
            again.predict_proba(rows)
    first = path.read_bytes()
    again.save(path)
    assert path.read_bytes() == first


def test_columns_may_come_in_any_order_with_others_beside(model: Model, rows: pl.DataFrame) -> None:
    expected = model.predict(rows)
    mixed_up = rows.select(sorted(rows.columns, reverse=True)).with_columns(extra=pl.lit("?"))
    assert np.array_equal(model.predict(mixed_up), expected)
    assert np.array_equal(model.predict(rows.drop([t for t in TARGETS if t in rows.columns])), expected)
    assert np.array_equal(model.predict(rows.to_pandas()), expected)
    assert np.array_equal(np.concatenate([model.predict(rows[:5]), model.predict(rows[5:])]), expected)
    name = model.variables[0]
    with pytest.raises(InputError, match=name):
        model.predict(rows.drop(name))


def test_the_torch_module_gives_the_outputs_before_the_link(model: Model, rows: pl.DataFrame) -> None:
    x = model.encode(rows)
    module = model.module()
    with torch.no_grad():
        z = module(torch.as_tensor(x)).double()
    assert z.shape == (12, model.loss.outputs)
    linked = model.loss.predict(z * model.y_scale + model.y_centre).numpy()
    np.testing.assert_allclose(linked, model.outputs(x), rtol=1e-5, atol=1e-6)
    assert sum(p.numel() for p in module.parameters()) == sum(w.numel() for w in model.params.values())


def is_blind_to_what_it_dropped(model: Model, rows: pl.DataFrame, path: Path) -> None:
    model.save(path)
    with safe_open(path, framework="numpy") as file:
        first = file.get_tensor("net.first")
    out = np.isin(model.encoder.layout.group, [model.variables.index(v) for v in model.dropped])
    assert (first[:, out] == 0.0).all() and (np.abs(first[:, ~out]).sum((0, 2)) > 0).any()
    assert set(model.kept) | set(model.dropped) == set(model.variables)
    expected = model.outputs(model.encode(rows))
    for name in model.dropped[:6]:
        blank = rows.with_columns(pl.lit(None).cast(rows[name].dtype).alias(name))
        assert np.array_equal(model.outputs(model.encode(blank)), expected), name
    changed = rows.with_columns(rows[model.kept[0]].reverse().alias(model.kept[0]))
    assert not np.array_equal(model.outputs(model.encode(changed)), expected)


def test_dropped_variables_are_exact_zeros_in_the_file_and_cannot_be_seen(
    kind: str, model: Model, rows: pl.DataFrame, tmp_path: Path
) -> None:
    is_blind_to_what_it_dropped(model, rows, tmp_path / "chosen.safetensors")
    make, n, target = KINDS[kind]
    frame = make(n, 0)
    table = make_table(frame.drop([t for t in TARGETS if t in frame.columns and t != target]), target)
    chosen = np.arange(len(table.columns)) % 3 == 0
    options = Options(hidden=(8,), epochs=5, workers=1, folds=3)
    half, _ = refit(table, Recipe("group_lasso", (0.001, 0.0), selected=chosen), options, "cpu", None)
    assert set(half.dropped) >= {c.name for c, is_in in zip(table.columns, chosen, strict=True) if not is_in}
    is_blind_to_what_it_dropped(half, rows, tmp_path / "half.safetensors")


def test_reading_a_model_runs_nothing(
    model: Model, rows: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.save(tmp_path / "m.safetensors")
    expected = model.predict(rows)

    def refuse(*args: object, **facts: object) -> None:
        raise AssertionError("a model file must not be unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    assert np.array_equal(load_model(tmp_path / "m.safetensors").predict(rows), expected)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The description and the arrays of a small model's file."""
    path = tmp_path_factory.mktemp("whole") / "m.safetensors"
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.normal(size=40), "c": rng.choice(["u", "v", "w"], 40), "y": np.arange(40) % 2})
    made = riata.choose(frame, "y", no_validation=True, **{**SMALL, "epochs": 3}).model
    assert made is not None
    made.save(path)
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["riata"]), {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118


def places(part: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = part.items() if isinstance(part, dict) else enumerate(part[:1]) if isinstance(part, list) else ()
    return [way, *[found for key, inner in below for found in places(inner, (*way, key))]]


def with_value(facts: dict[str, Any], way: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(facts))
    if not way:
        return value
    at = copy
    for key in way[:-1]:
        at = at[key]
    at[way[-1]] = value
    return copy


def test_any_damage_to_the_description_is_refused_or_harmless(
    parts: tuple[dict[str, Any], dict[str, np.ndarray]], tmp_path: Path
) -> None:
    facts, arrays = parts
    value: Any
    path, rows, refused = tmp_path / "m.safetensors", pl.DataFrame({"a": [0.5, -1.0], "c": ["u", "?"]}), 0
    for way in places(facts):
        for value in (None, -1, "x", [], {}):
            path.write_bytes(save(arrays, metadata={"riata": json.dumps(with_value(facts, way, value))}))
            try:
                model = load_model(path)
            except InputError as error:
                refused += 1
                assert "\n" not in str(error) and "m.safetensors" in str(error)
                continue
            try:
                assert len(model.predict(rows)) == 2 and np.isfinite(model.predict_proba(rows)).all(), way
            except InputError:
                continue
    assert refused > 100


def test_damaged_arrays_are_refused(parts: tuple[dict[str, Any], dict[str, np.ndarray]], tmp_path: Path) -> None:
    facts, arrays = parts
    text, path = json.dumps(facts), tmp_path / "m.safetensors"
    for name in (n for n in arrays if arrays[n].size):
        gone = {k: a for k, a in arrays.items() if k != name}
        holed = np.full_like(arrays[name], np.nan)
        for other in (None, np.ascontiguousarray(arrays[name].reshape(-1)[:-1]), holed):
            path.write_bytes(save(gone if other is None else {**gone, name: other}, metadata={"riata": text}))
            with pytest.raises(InputError, match=r"m\.safetensors"):
                load_model(path)


def test_files_that_are_no_model_are_refused(
    parts: tuple[dict[str, Any], dict[str, np.ndarray]], tmp_path: Path
) -> None:
    facts, arrays = parts
    path = tmp_path / "m.safetensors"
    whole = save(arrays, metadata={"riata": json.dumps(facts)})
    newer = save(arrays, metadata={"riata": json.dumps({**facts, "format": 2})})
    cases = {
        whole[:-8]: "not a readable model", b"": "not a readable model", b"PK\x03\x04" * 50: "not a readable model",
        save(arrays): "not a Riata model", newer: "newer than this version", save(arrays, metadata={"riata": "{"}):
        "damaged", save(arrays, metadata={"riata": "[" * 100_000}): "damaged",
    }  # fmt: skip
    for content, said in cases.items():
        path.write_bytes(content)
        with pytest.raises(InputError, match=said):
            load_model(path)
    with pytest.raises(InputError, match="no such model"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(InputError):
        load_model(tmp_path)
