"""The model that is handed back where the networks are a user's own modules."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.numpy import save
from torch import Tensor, nn

from ..data import Encoder
from ..engines import Params
from ..engines.module import BUFFER
from ..errors import InputError
from ..files import write_bytes
from ..population.body import Own


class MeanOf(nn.Module):
    """The mean of the outputs of some modules, on the target's scale."""

    def __init__(self, modules: list[nn.Module], centre: float, scale: float):
        super().__init__()
        self.members = nn.ModuleList(modules)
        self.centre, self.scale = centre, scale

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean outputs."""
        return torch.stack([module(x) for module in self.members]).mean(0) * self.scale + self.centre


@dataclass(frozen=True)
class OwnModel:
    """A user's modules, fitted again with the chosen penalty and strength, one a fold; their outputs are averaged.

    Attributes
    ----------
    own : Own
    params : dict of tensors with the modules along the first axis
    encoder : Encoder
        Leaves the numbers as they are.
    schema, facts : dict
        How the rows were understood; penalty, strength, KKT residuals.
    y_centre, y_scale : float
        Undo the standardization of the target (regression).
    """

    FILE: ClassVar[str] = "weights.safetensors"

    own: Own
    params: Params
    encoder: Encoder
    schema: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    y_centre: float = 0.0
    y_scale: float = 1.0

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the groups of the penalised parameter."""
        return self.own.groups.names

    @property
    def norms(self) -> np.ndarray:
        """Norm of each group over all modules, (G,); 0.0 where it is out."""
        groups = self.own.groups.to("cpu", torch.float64)
        each = groups.norms(self.params["first"].double().cpu())
        return np.asarray(each.square().sum(0).sqrt().numpy())

    @property
    def kept(self) -> tuple[str, ...]:
        """Groups with a weight that is not 0.0 in any module, the largest norm first."""
        norms = self.norms
        return tuple(self.variables[i] for i in np.argsort(-norms, kind="stable") if norms[i] > 0)

    @property
    def dropped(self) -> tuple[str, ...]:
        """Groups all of whose weights are 0.0."""
        return tuple(name for name, norm in zip(self.variables, self.norms, strict=True) if norm == 0)

    def modules(self) -> list[nn.Module]:
        """Return the plain modules, one a fold, in evaluation mode and with exact zeros."""
        return [self._module(i) for i in range(len(self.params["first"]))]

    def module(self) -> nn.Module:
        """Return one module that averages the outputs of all, on the target's scale."""
        return MeanOf(self.modules(), self.y_centre, self.y_scale).eval()

    def _module(self, i: int) -> nn.Module:
        module = self.own.fresh()
        state = {self.own.first if k == "first" else k.removeprefix(BUFFER): w[i] for k, w in self.params.items()}
        module.load_state_dict(state, strict=False)
        return module.eval()

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """Return probabilities (n, classes) or values (n, 1) for flat rows (n, d)."""
        engine, first = self.own.engine(), self.params["first"]
        rows = torch.as_tensor(x, dtype=first.dtype)
        z = engine.predict(self.params, rows).mean(0).double()
        return np.asarray(self.own.loss.predict(z * self.y_scale + self.y_centre).numpy())

    def predict(self, x: Tensor | np.ndarray) -> np.ndarray:
        """Return class labels or values of new inputs, (n, ...) as the module takes them."""
        out = self.outputs(self._flat(x))
        if self.schema["task"] != "classification":
            return out[:, 0]
        labels: np.ndarray = np.asarray(self.schema["classes"])[out.argmax(1)]
        return labels

    def predict_proba(self, x: Tensor | np.ndarray) -> np.ndarray:
        """Return class probabilities of new inputs, (n, classes).

        Raises
        ------
        InputError
            For a regression.
        """
        if self.schema["task"] != "classification":
            raise InputError("predict_proba needs a classification model; this one is regression; use predict")
        return self.outputs(self._flat(x))

    def _flat(self, x: Tensor | np.ndarray) -> np.ndarray:
        rows = np.asarray(x, dtype=np.float32)
        if rows.shape[1:] != self.own.shape:
            raise InputError(f"inputs of shape {rows.shape}; expected (n, {', '.join(map(str, self.own.shape))})")
        return rows.reshape(len(rows), -1)

    def save(self, path: str | Path) -> None:
        """Write the weights as safetensors; the module's code is the user's, so a factory is needed to use them."""
        arrays = {k: np.ascontiguousarray(w.cpu().numpy()) for k, w in self.params.items()}
        facts = json.dumps({"first": self.own.first, "facts": dict(self.facts)}, allow_nan=False, sort_keys=True)
        write_bytes(Path(path), save(arrays, metadata={"riata-module": facts}))
