"""Everything a user may ask of a path, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import torch

from ..data.say import quoted, refuse
from ..population.cluster import named

CHOICES: Mapping[str, tuple[str, ...]] = {
    "task": ("auto", "classification", "regression"),
    "update": ("auto", "newton", "prox_adam", "prox_sgd", "apg"),
    "dtype": ("auto", "float32", "float64"),
    "form": ("bounded", "ridge"),
    "direction": ("auto", "sparse_to_dense", "dense_to_sparse", "cold"),
    "device": ("auto", "cpu", "cuda", "mps"),
}
DIRECTION = "dense_to_sparse"
"""Measured, see docs/decisions/0003-path-direction.md."""
STEPS = 400
"""Mini-batch steps of the first stage of a path, where nobody says otherwise."""
APG_ITERATIONS = 1000


def default_batch(rows: int) -> int:
    """Return the rows of a step.

    >>> [default_batch(n) for n in (100, 2000, 50000)]
    [32, 64, 256]
    """
    for limit, size in ((250, 32), (4000, 64), (16000, 128)):
        if rows < limit:
            return size
    return 256


def default_epochs(rows: int, size: int, rule: str) -> int:
    """Return the epochs of a path's first stage: about :data:`STEPS` steps; for ``apg`` the iterations.

    >>> default_epochs(455, 64, "prox_adam")
    57
    """
    if rule == "apg":
        return APG_ITERATIONS
    return int(min(100, max(12, round(STEPS / max(1, round(rows / size))))))


@dataclass(frozen=True)
class PathOptions:
    """The options of :func:`riata.fit_path`, which describes them."""

    hidden: tuple[int, ...]
    folds: int
    seeds: int
    task: str
    standardize: bool
    path_length: int
    tol: float | None
    dropout: float
    update: str
    dtype: str
    early_stopping: bool
    epochs: int | None
    batch_size: int | None
    patience: int | None
    form: str
    upper_ridge: float
    direction: str
    lr: float
    seed: int
    workers: int | str
    device: str

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            check_choice(name, getattr(self, name), allowed)
        if not all(_whole(h, 1) for h in self.hidden):
            raise refuse(f"hidden is {self.hidden}; expected widths >= 1; pass e.g. (64, 64), or () for linear")
        if not (_whole(self.folds, 0) and self.folds != 1):
            raise refuse(f"folds is {self.folds!r}; expected 0 or a whole number >= 2; use folds=5")
        for name, least in (("seeds", 1), ("path_length", 1), ("seed", 0)):
            if not _whole(getattr(self, name), least):
                raise refuse(f"{name} is {getattr(self, name)!r}; expected a whole number >= {least}; try {least}")
        if not (named(self.workers) or _whole(self.workers, 1)):
            said = quoted(self.workers) if isinstance(self.workers, str) else repr(self.workers)
            raise refuse(f"workers is {said}; expected a whole number >= 1, ray or ray://host:port; try 1")
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if value is not None and not _whole(value, 1):
                raise refuse(f"{name} is {value!r}; expected a whole number >= 1; leave it out for the default")
        self._check_numbers()

    def _check_numbers(self) -> None:
        if not (_real(self.dropout) and 0 <= self.dropout < 1):
            raise refuse(f"dropout is {self.dropout!r}; expected at least 0 and below 1; use dropout=0.2")
        if self.tol is not None and not (_real(self.tol) and self.tol > 0):
            raise refuse(f"tol is {self.tol!r}; expected a number above 0; use tol=1e-6")
        for name in ("lr", "upper_ridge"):
            value = getattr(self, name)
            if not (_real(value) and 0 < value < float("inf")):
                raise refuse(f"{name} is {value!r}; expected a number above 0; use {name}=0.001")
        if self.hidden and self.update == "newton":
            raise refuse("update newton for a network; expected hidden=(); use update='prox_adam'")
        if self.rule == "newton" and self.dtype == "float32":
            raise refuse("dtype float32 for newton; expected float64; leave dtype out, or use update='apg'")
        if not self.hidden and self.dropout > 0:
            raise refuse("dropout without hidden layers; expected dropout=0; add hidden=(64, 64)")

    @property
    def rule(self) -> str:
        """The update that is used."""
        if self.update != "auto":
            return self.update
        return "prox_adam" if self.hidden else "newton"

    @property
    def way(self) -> str:
        """The direction that is used."""
        return DIRECTION if self.direction == "auto" else self.direction

    @property
    def number(self) -> torch.dtype:
        """The dtype that is used."""
        if self.dtype != "auto":
            return torch.float64 if self.dtype == "float64" else torch.float32
        return torch.float32 if self.hidden else torch.float64

    @property
    def place(self) -> str:
        """The device that is used."""
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() and self.hidden else "cpu"
        return self.device


def check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not among ``allowed``, with the nearest that is."""
    if value in allowed:
        return
    close = get_close_matches(str(value), allowed, n=1)
    hint = f"did you mean {quoted(close[0])}?" if close else f"use {name}={allowed[0]!r}"
    raise refuse(f"{name} is {quoted(value)}; expected one of {', '.join(allowed)}; {hint}")


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= least


def _real(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
