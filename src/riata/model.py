"""The model that is handed back: a few networks of one strength, averaged, with their preprocessing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.numpy import save
from torch import Tensor, nn

from .data import Encoder, values_from_frame
from .described import FORMAT, described
from .engines import BatchedEngine, Loss, Network, NetworkSpec, Params
from .errors import InputError, one_line
from .files import write_bytes
from .strict import parse
from .tensors import TensorFile, tensor_file


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

    Sizes and kinds of everything that the file claims are checked before memory is asked for.

    Raises
    ------
    InputError
        If the file is missing, damaged, newer than this version, or not a Riata model.
    ResourceError
        If it may not be read, or needs more memory than there is.
    """
    path = Path(path)
    try:
        with tensor_file(path) as file:
            return _build(file)
    except FileNotFoundError:
        raise InputError(f"{path}: no such model; expected the folder that riata choose wrote") from None
    except InputError as error:
        again = "" if isinstance(error, _DescriptionError) else "not a readable model file: "
        more = "" if "; " in str(error) else "; run riata choose again"
        raise InputError(one_line(f"{path}: {again}{error}{more}")) from None


class _DescriptionError(InputError):
    """The file is sound; what it describes is not."""


def _build(file: TensorFile) -> Model:
    text = file.texts.get("riata")
    if text is None:
        raise _DescriptionError("safetensors, but not a Riata model; pass the folder that riata choose wrote")
    try:
        facts = parse(text.encode())
    except (InputError, UnicodeEncodeError) as error:
        raise _DescriptionError(f"damaged model description ({error}); run riata choose again") from None
    try:
        found = described(facts, file.claims)
        encoder = Encoder.from_state(found.encoder, _arrays(file, "encoder."))
    except InputError as error:
        raise _DescriptionError(str(error)) from None
    params = {name: torch.from_numpy(array) for name, array in _arrays(file, "net.").items()}
    params = {name: params[name] for name in found.spec.shapes()}
    return Model(
        found.spec, found.loss, params, encoder, found.schema, found.groups, found.facts,
        found.y_centre, found.y_scale,
    )  # fmt: skip


def _arrays(file: TensorFile, prefix: str) -> dict[str, np.ndarray]:
    """Return the arrays of a part of the file, all finite."""
    found = {}
    for name in (n for n in file.claims if n.startswith(prefix)):
        array = found[name.removeprefix(prefix)] = file.read(name)
        if not np.isfinite(array).all():
            raise _DescriptionError(f"weights {name} are damaged (not finite); run riata choose again")
    return found
