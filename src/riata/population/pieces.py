"""A finished chunk on paper: the key that says exactly which work it was, and its results as bytes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from ..results import MemberResult
from .design import Design
from .run import Blocks

FLOATS = ("lam", "dropout", "valid_loss", "train_loss", "kkt")
INTS = ("split", "fold", "seed", "weights_kept", "best_epoch", "epochs")
WORDS = ("penalty", "status")
ARRAYS = ("test_outputs", "norms")


def member_keys(blocks: Blocks, design: Design) -> list[str]:
    """Return the key of every member of a design on some data, in the design's order."""
    training = json.dumps(asdict(design.training), sort_keys=True)
    loss = [blocks.loss.kind, blocks.loss.outputs]
    common = digest(training, json.dumps([loss, list(blocks.variables), blocks.device]), blocks.group)
    data = [digest(common, x, y) for x, y in zip(blocks.x, blocks.y, strict=True)]
    splits = [
        digest(data[s.block], str(s.fold), s.train, s.valid, s.test, *([] if s.columns is None else [s.columns]))
        for s in design.splits
    ]
    return [digest(splits[m.split], json.dumps(asdict(m), sort_keys=True)) for m in design.members]


def stage_of(design: Design) -> str:
    """Return what a design is trained for: the comparison, a path to its end, or fits on selected variables."""
    if any(s.columns is not None for s in design.splits):
        return "relaxed fits"
    training = design.training
    return "comparison" if training.early_stopping or not training.hidden else "selection path"


def wanted_of(design: Design, keys: list[str]) -> str:
    """Return the keys of a design's members by penalty, as JSON."""
    wanted: dict[str, list[str]] = {}
    for member, key in zip(design.members, keys, strict=True):
        wanted.setdefault(member.penalty, []).append(key)
    return json.dumps(wanted)


def digest(*parts: str | np.ndarray) -> str:
    """Return the SHA-256 of texts and arrays, each with its type and shape.

    >>> digest("a", np.zeros(2)) == digest("a", np.zeros((2, 1)))
    False
    """
    found = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else np.ascontiguousarray(part).tobytes()
        head = "text" if isinstance(part, str) else f"{part.dtype.str} {part.shape}"
        found.update(f"{head} {len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()


def pack(results: list[MemberResult]) -> tuple[str, bytes]:
    """Return the results of one chunk as JSON (words) and safetensors bytes (numbers)."""
    words = json.dumps({name: [getattr(r, name) for r in results] for name in WORDS})
    arrays = {name: np.array([getattr(r, name) for r in results], dtype=np.float64) for name in FLOATS}
    arrays |= {name: np.array([getattr(r, name) for r in results], dtype=np.int64) for name in INTS}
    arrays |= {name: np.ascontiguousarray(np.stack([getattr(r, name) for r in results])) for name in ARRAYS}
    return words, save(arrays)


def unpack(words: str, arrays: bytes) -> list[MemberResult]:
    """Return the results that :func:`pack` packed."""
    columns: dict[str, Any] = dict(json.loads(words))
    numbers = load(bytes(arrays))
    columns |= {name: numbers[name].tolist() for name in (*FLOATS, *INTS)}
    columns |= {name: list(numbers[name]) for name in ARRAYS}
    count = len(columns["status"])
    return [MemberResult(**{name: column[i] for name, column in columns.items()}) for i in range(count)]
