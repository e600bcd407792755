"""The model that is handed back: a few networks of one strength, averaged, with their preprocessing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor, nn

from .data import Encoder, values_from_frame
from .engines import BatchedEngine, Loss, Network, NetworkSpec, Params, loss_for
from .errors import InputError
from .files import write_bytes

FORMAT = 1


class Averaged(nn.Module):
    """The mean of the outputs of some networks, as a plain torch module on encoded inputs."""

    def __init__(self, networks: list[Network]):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean outputs, (n, K)."""
        return torch.stack([net(x) for net in self.networks]).mean(0)


@dataclass(frozen=True)
class Model:
    """Networks refitted on all training rows with the chosen penalty, strength and dropout.

    Attributes
    ----------
    spec : NetworkSpec
    loss : Loss
    params : dict of tensors with the networks along the first axis
    encoder : Encoder
    schema : dict
        How the table was understood; new rows are read by it.
    group_of_variable : tuple of int
        Group of every variable.
    facts : dict
        Penalty, strength, dropout, KKT residual and the like: strict JSON values.
    y_centre, y_scale : float
        Undo the standardization of the target (regression).
    """

    FILE: ClassVar[str] = "model.safetensors"

    spec: NetworkSpec
    loss: Loss
    params: Params
    encoder: Encoder
    schema: dict[str, Any]
    group_of_variable: tuple[int, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    y_centre: float = 0.0
    y_scale: float = 1.0

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the input variables."""
        return tuple(self.encoder.layout.variables)

    @property
    def norms(self) -> np.ndarray:
        """Norm of each variable's first-layer weights over all networks, (V,); 0.0 where it is out."""
        square = self.params["first"].double().square().sum((0, 2)).cpu().numpy()
        return np.asarray(np.sqrt(np.bincount(self.encoder.layout.group, square, minlength=len(self.variables))))

    @property
    def kept(self) -> tuple[str, ...]:
        """Variables with a weight that is not 0.0 in any network, the largest norm first."""
        norms = self.norms
        return tuple(self.variables[i] for i in np.argsort(-norms, kind="stable") if norms[i] > 0)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Variables all of whose first-layer weights are 0.0, in the table's order."""
        return tuple(v for v, norm in zip(self.variables, self.norms, strict=True) if norm == 0)

    def module(self) -> Averaged:
        """Return a plain torch module: encoded rows (n, d) to mean outputs (n, K), exact zeros kept."""
        count = self.params["first"].shape[0]
        nets = [Network(self.spec, {k: w[i] for k, w in self.params.items()}) for i in range(count)]
        return Averaged(nets).eval()

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Return probabilities (n, classes) or values (n, 1) for encoded rows (n, d)."""
        engine = BatchedEngine(self.spec, self.loss)
        first = self.params["first"]
        rows = torch.as_tensor(x, dtype=first.dtype, device=first.device)
        pieces = [engine.predict(self.params, part).mean(0).cpu().double() for part in rows.split(4096)]
        z = torch.cat(pieces) if pieces else torch.zeros(0, self.loss.outputs, dtype=torch.float64)
        return np.asarray(self.loss.predict(z * self.y_scale + self.y_centre).numpy())

    def encode(self, rows: Any) -> np.ndarray:
        """Return user rows (a frame, or an array with the table's columns) as encoded inputs (n, d)."""
        values, _ = values_from_frame(self.schema, rows)
        encoded: np.ndarray = self.encoder.transform(values)
        return encoded

    def predict_proba(self, rows: Any) -> np.ndarray:
        """Return class probabilities (n, classes) of new rows.

        Raises
        ------
        InputError
            For a regression model, or rows that lack a variable.
        """
        if self.schema["task"] != "classification":
            raise InputError("predict_proba needs a classification model; this one is regression; use predict")
        return self.outputs(self.encode(rows))

    def predict(self, rows: Any) -> np.ndarray:
        """Return class labels (strings) or values of new rows, (n,)."""
        out = self.outputs(self.encode(rows))
        if self.schema["task"] != "classification":
            return out[:, 0]
        labels: np.ndarray = np.asarray(self.schema["classes"])[out.argmax(1)]
        return labels

    def save(self, path: str | Path) -> None:
        """Write the model: safetensors, with configuration and schema as strict JSON in its metadata."""
        state, arrays = self.encoder.to_state()
        tensors = {f"net.{k}": w.cpu().numpy() for k, w in self.params.items()}
        tensors |= {f"encoder.{k}": np.ascontiguousarray(a) for k, a in arrays.items()}
        spec = {k: getattr(self.spec, k) for k in ("inputs", "outputs", "hidden", "activation", "form", "skip")}
        spec["hidden"] = [int(width) for width in self.spec.hidden]
        facts = {
            "format": FORMAT,
            "spec": {**spec, "upper_ridge": self.spec.upper_ridge},
            "loss": {"kind": self.loss.kind, "outputs": self.loss.outputs},
            "encoder": state,
            "schema": self.schema,
            "groups": list(self.group_of_variable),
            "facts": self.facts,
            "y": [self.y_centre, self.y_scale],
        }
        text = json.dumps(facts, allow_nan=False, sort_keys=True)
        write_bytes(Path(path), save(tensors, metadata={"riata": text}))


def load_model(path: str | Path) -> Model:
    """Read a model that :meth:`Model.save` wrote; nothing in the file is ever executed.

    Raises
    ------
    InputError
        If the file is missing, damaged, newer than this version, or not a Riata model.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get("riata")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(f"{path}: no such model; expected the folder that riata choose wrote") from None
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a readable model file ({error}); run riata choose again") from None
    if text is None:
        raise InputError(f"{path}: safetensors, but not a Riata model; pass the folder that riata choose wrote")
    try:
        return _build(json.loads(text), arrays)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: damaged model description ({error!r}); run riata choose again") from None


def _build(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Model:
    if facts["format"] > FORMAT:
        raise InputError(f"model format {facts['format']} is newer than this version reads ({FORMAT}); update riata")
    spec = NetworkSpec(**{**facts["spec"], "hidden": tuple(facts["spec"]["hidden"])})
    loss = Loss(**facts["loss"])
    params: Params = {}
    for name, shape in spec.shapes().items():
        array = arrays[f"net.{name}"]
        if array.shape[1:] != shape or array.dtype != np.float32 or not np.isfinite(array).all():
            raise InputError(f"weights {name} are damaged ({array.dtype} {array.shape}); run riata choose again")
        params[name] = torch.from_numpy(array.copy())
    if len({w.shape[0] for w in params.values()}) != 1 or spec.outputs != loss.outputs:
        raise InputError("the networks of the file do not fit together; run riata choose again")
    parts = {k.removeprefix("encoder."): a for k, a in arrays.items() if k.startswith("encoder.")}
    encoder = Encoder.from_state(facts["encoder"], parts)
    if len(encoder.layout.columns) != spec.inputs:
        raise InputError(f"{len(encoder.layout.columns)} columns for {spec.inputs} inputs; run riata choose again")
    groups = tuple(int(i) for i in facts["groups"])
    _check_schema(facts["schema"], encoder.layout.variables, loss)
    return Model(
        spec, loss, params, encoder, dict(facts["schema"]), groups, dict(facts["facts"]),
        float(facts["y"][0]), float(facts["y"][1]),
    )  # fmt: skip


def _check_schema(schema: Mapping[str, Any], variables: Sequence[str], loss: Loss) -> None:
    """Refuse a schema by which new rows could not be read, or predictions not be named."""
    levels = {c["name"]: c["levels"] for c in schema["columns"] if c["kind"] != "numeric"}
    classes = schema["classes"] if schema["task"] == "classification" else []
    lists = (classes, *levels.values())
    texts = all(isinstance(part, list) and all(isinstance(v, str) for v in part) for part in lists)
    if [c["name"] for c in schema["columns"]] != list(variables) or not texts:
        raise InputError("the table's schema is damaged or of another model; run riata choose again")
    if loss_for(schema["task"], len(classes)) != loss:
        raise InputError("the schema's task is not that of the networks; run riata choose again")
