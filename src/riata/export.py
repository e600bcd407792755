"""ONNX files: a module or a chosen model, compacted, written and run once to check it."""

from __future__ import annotations

import contextlib
import copy
import inspect
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from riata.compact.models import compact_model
from riata.compact.result import Compacted
from riata.compact.trace import example_inputs
from riata.data.encode import Encoder
from riata.data.plan import BINARY, MISSING, NUMBER
from riata.engines import Loss
from riata.errors import InputError, one_line
from riata.files import write_bytes
from riata.model import Model

__all__ = ["Encode", "Predict", "export_model", "export_module"]

TOLERANCE = 1e-5
"""Largest difference between torch and onnxruntime, over the size of the outputs."""


class Encode(nn.Module):
    """Raw values of the kept variables to standardized columns, as :class:`riata.data.encode.Encoder` has them.

    Takes float64 (n, V): numbers as they are, NaN where missing; a category as the position of its level, -1 for one
    that the table did not have. Gives float32 (n, kept columns).

    Parameters
    ----------
    encoder : Encoder
        With ``scaling="standard"``.
    columns : sequence of int
        Kept encoded columns.
    variables : sequence of int
        The variables that they belong to, in order.
    """

    def __init__(self, encoder: Encoder, columns: Sequence[int], variables: Sequence[int]):
        super().__init__()
        group, code = encoder.layout.group[list(columns)], encoder.layout.code[list(columns)]
        scale, centre = encoder.scale[list(columns)], encoder.centre[list(columns)]
        unit = np.where(scale > 0, scale, 1.0)
        arrays = {
            "variable": np.searchsorted(np.asarray(variables), group),
            "number": code == NUMBER, "binary": code == BINARY, "missing": code == MISSING,
            "level": code.astype(np.float64), "fill": encoder.fill[group],
            "unit": unit, "shift": centre / unit, "live": (scale > 0).astype(np.float64),
        }  # fmt: skip
        for name, array in arrays.items():
            self.register_buffer(name, torch.as_tensor(array))

    def forward(self, values: Tensor) -> Tensor:
        """Return the encoded columns."""
        b = dict(self.named_buffers())
        v = values.index_select(1, b["variable"])
        blank = v.isnan()
        unknown = b["binary"] & ~((v == 0) | (v == 1))
        raw = torch.where(b["number"], torch.where(blank, b["fill"], v), (v == b["level"]).double())
        raw = torch.where(b["missing"], blank.double(), torch.where(b["binary"], v, raw))
        out = torch.where(unknown, 0.0, (raw / b["unit"] - b["shift"]) * b["live"])
        return out.clamp(-1e15, 1e15).float()


class Predict(nn.Module):
    """Encoding, networks and what a user reads: probabilities (n, classes), or values (n, 1), float64."""

    def __init__(self, encode: nn.Module, networks: nn.Module, loss: Loss, centre: float, scale: float):
        super().__init__()
        self.encode, self.networks, self.loss = encode, networks, loss
        self.centre, self.scale = centre, scale

    def forward(self, values: Tensor) -> Tensor:
        """Return predictions of rows."""
        z = self.networks(self.encode(values)).double()
        return self.loss.predict(z * self.scale + self.centre)


def export_model(model: Model, path: str | Path) -> Path:
    """Write a chosen model as ONNX: raw values of the kept variables in, probabilities or values out.

    The input ``values`` is float64 (rows, kept variables): a number as it is, NaN where missing, a category as the
    position of its level in the metadata's list (-1 if it is none of them, NaN if missing). The standardisation is
    inside. A model with quantile scaling takes encoded columns instead, float32. The metadata say which
    (``riata.takes``), and name inputs (``riata.inputs``), their levels and the classes (``riata.outputs``).

    Returns
    -------
    Path
        The file that was written, whole or not at all, after onnxruntime gave the same predictions.

    Raises
    ------
    InputError
        If onnx, onnxscript or onnxruntime is missing, no variable is kept, or the predictions differ.
    """
    _extra()
    small = compact_model(model)
    if not small.kept[0]:
        raise InputError("a model that keeps no variable; there is nothing to export; its prediction is one constant")
    kept = [int(v) for v in np.unique(model.encoder.layout.group[list(small.kept[0])])]
    model_rows = _random_values(model, 64)
    is_raw = model.encoder.scaling == "standard"
    encode = Encode(model.encoder, small.kept[0], kept) if is_raw else nn.Identity()
    encoded = model.encoder.transform(model_rows)
    rows = torch.as_tensor(model_rows[:, kept] if is_raw else encoded[:, list(small.kept[0])])
    whole = Predict(encode, small.module, model.loss, model.y_centre, model.y_scale).cpu().eval()
    schema = {c["name"]: c for c in model.schema["columns"]}
    inputs: list[Any] = [
        {"name": name, "kind": schema[name]["kind"], "levels": schema[name].get("levels", [])}
        for name in (model.variables[v] for v in kept)
    ]
    facts = {
        "riata.takes": "values" if is_raw else "encoded columns",
        "riata.inputs": json.dumps(inputs if is_raw else list(small.kept_inputs)),
        "riata.outputs": json.dumps(model.schema["classes"] if model.schema["task"] == "classification" else ["value"]),
    }
    content = _program(whole, (rows,), ["values"], ["predictions"], facts)
    _agree(content, (rows,), [torch.as_tensor(model.outputs(encoded))])
    write_bytes(Path(path), content)
    return Path(path)


def export_module(module: nn.Module | Compacted, example: Any, path: str | Path, names: Sequence[str] = ()) -> Path:
    """Write a module as ONNX with any number of rows, and check it through onnxruntime.

    Parameters
    ----------
    module : Module or Compacted
        Is exported in evaluation mode and not changed. A :class:`~riata.compact.Compacted` takes its kept inputs.
    example : Tensor or tuple of Tensors
        Two or more rows; full ones for a Compacted.
    path : str or Path
        Is written whole or not at all.
    names : sequence of str
        Names of the inputs' features, for the metadata ``riata.inputs``; a Compacted has its own.

    Raises
    ------
    InputError
        If onnx, onnxscript or onnxruntime is missing, or the outputs differ by more than 1e-5 of their size.
    """
    _extra()
    inputs = example_inputs(module.module if isinstance(module, Compacted) else module, example)
    if isinstance(module, Compacted):
        inputs, names, module = module.select(*inputs), tuple(map(str, module.kept_inputs)), module.module
    if any(len(x) < 2 for x in inputs):
        raise InputError("an example of one row; the number of rows would be fixed; pass two rows or more")
    whole = copy.deepcopy(module).eval()
    labels = [f"input{i}" for i in range(len(inputs))]
    content = _program(whole, inputs, labels, None, {"riata.inputs": json.dumps(list(names))})
    draw = torch.Generator().manual_seed(0)
    rows = tuple(_more(x, draw) for x in inputs)
    with torch.no_grad():
        out = whole(*rows)
    _agree(content, rows, [out] if isinstance(out, Tensor) else [o for o in out if isinstance(o, Tensor)])
    write_bytes(Path(path), content)
    return Path(path)


def _extra() -> None:
    """Refuse in words where the extra is missing."""
    try:
        import onnx
        import onnxruntime  # type: ignore[import-untyped]
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(f"{error.name} is not installed; ONNX export needs it; pip install 'riata[onnx]'") from None
    del onnx, onnxruntime


def _program(
    module: nn.Module, inputs: tuple[Tensor, ...], names: list[str], outputs: list[str] | None, facts: Mapping[str, str]
) -> bytes:
    """Return the ONNX file of a module, its first axis free."""
    dynamic: Any = tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs)
    first = next(iter(inspect.signature(module.forward).parameters.values()))
    shapes = (dynamic,) if first.kind is first.VAR_POSITIONAL else dynamic
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                inputs,
                dynamo=True,
                dynamic_shapes=shapes,
                input_names=names,
                output_names=outputs,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        why = one_line(error.__cause__ or error, 160)
        raise InputError(f"this module cannot be written as ONNX ({why}); export a part of it") from None
    if program is None:
        raise InputError(
            "torch.onnx.export returned nothing; this module cannot be written as ONNX; export a part of it"
        )
    proto = program.model_proto
    for key, value in facts.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, value
    content: bytes = proto.SerializeToString()
    return content


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the exporter says about optional packages and its own deprecations."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)


def _agree(content: bytes, rows: tuple[Tensor, ...], wanted: list[Tensor]) -> None:
    """Refuse a file whose outputs differ from ``wanted``."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    feeds = {i.name: x.detach().cpu().numpy() for i, x in zip(session.get_inputs(), rows, strict=True)}
    for got, out in zip(session.run(None, feeds), wanted, strict=True):
        expected = out.detach().cpu().numpy()
        gap = np.abs(got - expected).max(initial=0.0) / max(float(np.abs(expected).max(initial=0.0)), 1e-30)
        if not gap <= TOLERANCE:
            raise InputError(f"the ONNX file differs from torch by {gap:.1e}; nothing was written; use the torch model")


def _more(x: Tensor, draw: torch.Generator) -> Tensor:
    """Return random rows like ``x``, one more than it has; whole numbers are repeated."""
    if not x.is_floating_point():
        return torch.cat([x, x[:1]])
    return torch.randn(len(x) + 1, *x.shape[1:], generator=draw).to(x)


def _random_values(model: Model, n: int) -> np.ndarray:
    """Return rows like a table's values, (n, V): numbers around their means, levels, unseen ones and blanks."""
    draw = np.random.default_rng(0)
    layout, out = model.encoder.layout, np.empty((n, len(model.variables)))
    for v, column in enumerate(model.schema["columns"]):
        if column["kind"] == "numeric":
            width = model.encoder.scale[(layout.group == v) & (layout.code == NUMBER)]
            spread = float(width[0]) if model.encoder.scaling == "standard" else max(abs(model.encoder.fill[v]), 1.0)
            out[:, v] = model.encoder.fill[v] + 2 * spread * draw.normal(size=n)
        else:
            out[:, v] = draw.integers(-1, len(column["levels"]), n)
    out[draw.random(out.shape) < 0.05] = np.nan
    return out
