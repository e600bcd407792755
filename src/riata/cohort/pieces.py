"""Finished pieces of a cohort's comparison as bytes, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from safetensors.numpy import load, save

from .trial import Trial

__all__ = ["pack_halves", "pack_trials", "unpack_halves", "unpack_trials"]

WORDS = (
    "view", "penalty", "fold", "step", "lam", "relaxed", "valid_loss", "train_loss", "clinical", "genetic", "kkt",
    "iterations",
)  # fmt: skip


def pack_trials(piece: Sequence[Sequence[Trial]]) -> bytes:
    """Return the trials of some folds as bytes; every number comes back bit by bit."""
    words = [[[getattr(t, name) for name in WORDS] for t in trials] for trials in piece]
    arrays = {f"{i}.{k}": np.ascontiguousarray(t.said) for i, trials in enumerate(piece) for k, t in enumerate(trials)}
    head = json.dumps(words).encode()
    return len(head).to_bytes(8, "little") + head + bytes(save(arrays))


def unpack_trials(content: bytes) -> list[list[Trial]]:
    """Return what :func:`pack_trials` packed."""
    size = int.from_bytes(content[:8], "little")
    words, arrays = json.loads(content[8 : 8 + size]), load(content[8 + size :])
    return [
        [Trial(**dict(zip(WORDS, row, strict=True)), said=arrays[f"{i}.{k}"]) for k, row in enumerate(rows)]
        for i, rows in enumerate(words)
    ]


def pack_halves(piece: Sequence[np.ndarray]) -> bytes:
    """Return what some halves selected as bytes."""
    return json.dumps([kept.tolist() for kept in piece]).encode()


def unpack_halves(content: bytes) -> list[np.ndarray]:
    """Return what :func:`pack_halves` packed."""
    return [np.array(kept, dtype=np.int64) for kept in json.loads(content)]
