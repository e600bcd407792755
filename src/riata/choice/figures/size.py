"""How large the model is as it was trained, and without what it dropped."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from ...compact import Size, compact, compact_model, measure
from ...compact.models import plain
from ...errors import InputError
from ...model import Model
from ..own_model import OwnModel

ROWS = 64
RUNS = 15


def size_of(model: Model | OwnModel) -> dict[str, Any] | None:
    """Return parameters, multiply-adds and milliseconds of :data:`ROWS` rows, before and after compacting.

    Of a user's modules the first. None where a module cannot be made smaller without changing what it says.
    """
    try:
        before, example, after, few = _both(model)
    except (InputError, RuntimeError, NotImplementedError, TypeError):
        return None
    return {"rows": ROWS, "before": _facts(measure(before, example, RUNS)), "after": _facts(measure(after, few, RUNS))}


def _both(model: Model | OwnModel) -> tuple[nn.Module, Tensor, nn.Module, tuple[Tensor, ...]]:
    """Return the module, rows for it, the smaller module, and rows for that one."""
    if isinstance(model, Model):
        example = torch.zeros(ROWS, model.spec.inputs)
        small = compact_model(model)
        return plain(model), example, small.module, small.select(example)
    module = model.modules()[0]
    example = torch.zeros(ROWS, *model.own.shape, dtype=torch.int64 if model.own.whole else torch.float32)
    small = compact(module, example)
    return module, example, small.module, small.select(example)


def _facts(size: Size) -> dict[str, float]:
    return {**asdict(size), "milliseconds": round(size.milliseconds, 3)}
