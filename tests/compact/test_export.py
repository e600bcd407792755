"""Riata's own model on its kept columns, and ONNX files that give the same predictions."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from riata.compact import compact, compact_model
from riata.data import fit_encoder, make_table
from riata.engines import NetworkSpec, loss_for
from riata.engines.network import initial
from riata.errors import InputError
from riata.export import Encode, export_model, export_module
from riata.model import Model

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def rows(n: int) -> pl.DataFrame:
    """Numbers (one with blanks, one far from 0), a category with blanks, one of two levels, and noise."""
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "age": [None if i % 7 == 3 else float(a) for i, a in enumerate(rng.normal(50, 10, n))],
            "year": 1e9 + rng.normal(size=n),
            "colour": [None if i % 9 == 5 else str(c) for i, c in enumerate(rng.choice(["red", "green", "blue"], n))],
            "sex": rng.choice(["f", "m"], n),
            **{f"noise{i}": rng.normal(size=n) for i in range(3)},
        }
    )


TARGETS = {"binary": ["no", "yes"] * 30, "several": ["a", "b", "c"] * 20, "number": np.linspace(1, 900, 60) ** 1.5}


def model(target: str = "binary", scaling: str = "standard", **form: Any) -> Model:
    """Return a model of three random networks, most of whose inputs are zero."""
    table = make_table(rows(60).with_columns(y=pl.Series(TARGETS[target])), "y")
    encoder = fit_encoder(table, np.arange(60), scaling)  # type: ignore[arg-type]
    loss = loss_for(table.task, len(table.schema()["classes"]) if table.task == "classification" else 0)
    spec = NetworkSpec(len(encoder.layout.columns), loss.outputs, **{"hidden": (8, 5), **form})
    members = [initial(spec, seed) for seed in range(3)]
    params = {name: torch.stack([m[name] for m in members]) for name in members[0]}
    draw = torch.Generator().manual_seed(0)
    params = {name: w + 0.3 * torch.randn(w.shape, generator=draw) for name, w in params.items()}
    names = encoder.layout.columns
    dead = [i for i, name in enumerate(names) if name.startswith("noise") or name in ("age=missing", "colour=red")]
    params["first"][:, dead] = 0.0
    params["first"][0, :2] = 0.0
    shift = (700.0, 55.0) if target == "number" else (0.0, 1.0)
    groups = tuple(range(len(table.columns)))
    return Model(spec, loss, params, encoder, table.schema(), groups, {}, *shift)


FORMS: list[dict[str, Any]] = [{}, {"hidden": ()}, {"hidden": (6,), "skip": False}, {"activation": "silu"}]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("target", TARGETS)
def test_a_compacted_model_has_the_outputs_of_the_whole_one(target: str, form: dict[str, Any]) -> None:
    whole = model(target, **form)
    small = compact_model(whole)
    names = [n for n in whole.encoder.layout.columns if not n.startswith("noise")]
    assert list(small.kept_inputs) == [n for n in names if n not in ("age=missing", "colour=red")]
    x = torch.randn(50, whole.spec.inputs)
    with torch.no_grad():
        wanted = whole.module()(x)
        x[:, [i for i in range(whole.spec.inputs) if i not in small.kept[0]]] = torch.nan
        assert (small.full()(x) - wanted).abs().max() <= 2e-6 * wanted.abs().max()


def test_the_encoding_inside_is_the_encoder() -> None:
    whole = model()
    table = make_table(rows(60).with_columns(y=pl.Series(TARGETS["binary"])), "y")
    values = np.vstack([table.values, np.full((1, 7), np.nan), np.full((1, 7), -1.0), np.full((1, 7), 1e300)])
    every = list(range(whole.spec.inputs))
    got = Encode(whole.encoder, every, range(7))(torch.as_tensor(values))
    assert np.array_equal(got.numpy(), whole.encoder.transform(values))


@pytest.mark.parametrize("target", TARGETS)
def test_the_onnx_file_predicts_raw_values_like_the_model(target: str, tmp_path: Path) -> None:
    whole = model(target)
    path = export_model(whole, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path.read_bytes())
    facts = session.get_modelmeta().custom_metadata_map
    inputs = json.loads(facts["riata.inputs"])
    assert [i["name"] for i in inputs] == ["age", "year", "colour", "sex"]
    assert inputs[3]["levels"] == ["f", "m"]
    table = make_table(rows(60).with_columns(y=pl.Series(TARGETS[target])), "y")
    wanted = whole.outputs(whole.encoder.transform(table.values))
    for n in (1, 60):
        (got,) = session.run(None, {"values": table.values[:n, :4]})
        assert np.abs(got - wanted[:n]).max() <= 1e-5 * np.abs(wanted).max()
    assert json.loads(facts["riata.outputs"]) == (whole.schema["classes"] if target != "number" else ["value"])


def test_quantile_scaling_takes_encoded_columns(tmp_path: Path) -> None:
    whole = model(scaling="quantile")
    session = onnxruntime.InferenceSession(export_model(whole, tmp_path / "model.onnx").read_bytes())
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["riata.takes"] == "encoded columns"
    assert json.loads(facts["riata.inputs"]) == list(compact_model(whole).kept_inputs)


def test_a_model_without_inputs_is_refused(tmp_path: Path) -> None:
    whole = model()
    whole.params["first"].zero_()
    with pytest.raises(InputError, match="keeps no variable"):
        export_model(whole, tmp_path / "model.onnx")


class Two(nn.Module):
    """A convolution, and a table beside it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.table, self.last = nn.Conv2d(1, 3, 3), nn.Linear(4, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.last(torch.relu(self.conv(x)).mean((2, 3)) + self.table(z))


def test_a_compacted_module_of_two_inputs_is_exported(tmp_path: Path) -> None:
    net = Two()
    with torch.no_grad():
        net.table.weight[:, 1] = 0.0
    example = (torch.randn(2, 1, 5, 5), torch.randn(2, 4))
    small = compact(net, example)
    path = export_module(small, example, tmp_path / "two.onnx")
    session = onnxruntime.InferenceSession(path.read_bytes())
    assert [i.shape[1:] for i in session.get_inputs()] == [[1, 5, 5], [3]]
    new = (torch.randn(9, 1, 5, 5), torch.randn(9, 4))
    feeds = {i.name: x.numpy() for i, x in zip(session.get_inputs(), small.select(*new), strict=True)}
    assert np.allclose(session.run(None, feeds)[0], net(*new).detach().numpy(), atol=1e-5)


def test_the_full_wrapper_is_exported_with_its_selection(tmp_path: Path) -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
    with torch.no_grad():
        net[0].weight[:, 2] = 0.0
    path = export_module(compact(net).full(), torch.randn(3, 4), tmp_path / "full.onnx", names="abcd")
    session = onnxruntime.InferenceSession(path.read_bytes())
    x = torch.randn(5, 4)
    wanted = net(x).detach().numpy()
    x[:, 2] = torch.nan
    assert np.allclose(session.run(None, {"input0": x.numpy()})[0], wanted, atol=1e-5)
    assert json.loads(session.get_modelmeta().custom_metadata_map["riata.inputs"]) == list("abcd")


class Fickle(nn.Module):
    """Gives something else each time, so that no file can agree with it."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand(())


def test_a_file_that_disagrees_is_not_written_and_the_old_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    with pytest.raises(InputError, match="differs from torch"):
        export_module(Fickle(), torch.randn(2, 3), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


class Branching(nn.Module):
    """Cannot be exported: what it does depends on numbers."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_a_module_that_cannot_be_exported_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written as ONNX") as caught:
        export_module(Branching(), torch.randn(2, 3), tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)


def test_one_row_and_a_missing_extra_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="two rows or more"):
        export_module(nn.Linear(3, 1), torch.randn(1, 3), tmp_path / "a.onnx")
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "onnxscript":
            raise ImportError("no", name="onnxscript")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"pip install 'riata\[onnx\]'"):
        export_module(nn.Linear(3, 1), torch.randn(2, 3), tmp_path / "a.onnx")
