"""Everything a person may ask of ``choose``, checked once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral, Real

from ..errors import InputError
from ..penalties import NAMES
from ..population.cluster import named

CHOICES: Mapping[str, tuple[str, ...]] = {
    "task": ("auto", "classification", "regression"),
    "goal": ("prediction", "selection"),
    "chart": ("default", "classic"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "scaling": ("standard", "quantile"),
    "form": ("bounded", "ridge"),
}
WHOLE = ("folds", "repeats", "seeds", "path_length", "patience", "epochs", "batch_size", "workers", "seed")
MAY_BE_NONE = ("patience", "epochs", "batch_size", "workers")
MANY: Mapping[str, str] = {"penalties": "l1,l2", "hidden": "64,64", "dropout": "0,0.2"}
MOST_SEED = 2**31 - 1
DEFAULT_BUDGET = 240.0
"""Seconds that a decision may take where nobody says otherwise."""


@dataclass(frozen=True)
class Options:
    """Options of :func:`riata.choose`; the command line has the same names.

    Parameters
    ----------
    task, goal, chart, device, scaling, form : str
        See :data:`CHOICES`.
    no_validation : bool
        Decide by prior knowledge alone: nothing is compared, only the answer is fitted.
    penalties : tuple of str
        Candidates; ``none`` is always measured too.
    budget : float or None
        Seconds; None is :data:`DEFAULT_BUDGET`.
    folds, repeats, seeds, path_length : int
        Outer folds (>= 3), repetitions of the folds, networks per fold and strength, strengths per penalty.
    hidden : tuple of int
        Widths of the hidden layers; ``()`` is a linear model.
    dropout : tuple of float in [0, 1)
        Rates that are judged beside every penalty.
    patience, epochs, batch_size : int or None
        None: set by the number of rows, see :mod:`riata.choice.training`.
    picture : str
        ``auto``, ``no`` or ``WxH``.
    workers : int, str or None
        Processes of one thread each; None is the number of cores. ``ray`` or ``ray://host:port``: networks are trained
        by a Ray cluster (:func:`riata.population.cluster.reach`), and the rest here, on all cores.
    seed : int
    """

    task: str = "auto"
    goal: str = "prediction"
    chart: str = "default"
    no_validation: bool = False
    penalties: tuple[str, ...] = NAMES
    budget: float | None = None
    folds: int = 5
    repeats: int = 1
    seeds: int = 3
    path_length: int = 20
    hidden: tuple[int, ...] = (64, 64)
    dropout: tuple[float, ...] = (0.0, 0.2)
    patience: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    picture: str = "auto"
    scaling: str = "standard"
    form: str = "bounded"
    workers: int | str | None = None
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_kinds()
        for name, allowed in CHOICES.items():
            check_choice(name, getattr(self, name), allowed)
        if not self.penalties:
            raise InputError(f"--penalties is empty; use some of {','.join(NAMES)}")
        for name in self.penalties:
            check_choice("penalties", name, NAMES)
        lowest = {"folds": 3, "repeats": 1, "seeds": 1, "path_length": 2, "patience": 1, "epochs": 1, "batch_size": 1,
                  "workers": 1}  # fmt: skip
        for name, least in lowest.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, str) and value < least:
                said = f"{flag(name)} {value} is too small; expected at least {least}"
                raise InputError(f"{said}; type {flag(name)} {least}")
        if not self.dropout or any(not 0 <= p < 1 for p in self.dropout):
            raise InputError(f"--dropout {self.dropout} has a rate outside [0, 1); type --dropout 0,0.2")
        if any(h < 1 for h in self.hidden):
            raise InputError(f"--hidden {self.hidden} has a layer without units; type --hidden 64,64")
        if not 0 <= self.seed <= MOST_SEED:
            raise InputError(f"--seed {self.seed} is out of range; expected 0 to {MOST_SEED}; type --seed 0")
        if self.budget is not None and not 0 < self.budget < float("inf"):
            raise InputError(f"--budget {self.budget} is not a time; type --budget 60s, 10m or 2h")
        if self.picture not in ("auto", "no") and not re.fullmatch(r"[1-9]\d*x[1-9]\d*", self.picture):
            raise InputError(f"--picture {self.picture} is not auto, no or WxH; type --picture 28x28")

    def _check_kinds(self) -> None:
        """Refuse a value of the wrong kind: a text for a number, one value for several, anything but yes or no."""
        for name in WHOLE:
            if name != "workers" or not isinstance(self.workers, str):
                check_whole(name, getattr(self, name), name in MAY_BE_NONE)
        if isinstance(self.workers, str):
            check_ray(self.workers)
        for name, example in MANY.items():
            check_many(name, getattr(self, name), example)
        for width in self.hidden:
            check_whole("hidden", width, False)
        for name, values in (("dropout", self.dropout), ("budget", (1 if self.budget is None else self.budget,))):
            if any(isinstance(v, bool) or not isinstance(v, Real) for v in values):
                raise InputError(f"{flag(name)} {getattr(self, name)!r} is no number; see riata choose --help")
        if not isinstance(self.picture, str):
            raise InputError(f"--picture {self.picture!r} is no text; type --picture 28x28")
        if not isinstance(self.no_validation, bool):
            raise InputError(f"--no-validation {self.no_validation!r} is not yes or no; pass True or leave it out")

    @property
    def candidates(self) -> tuple[str, ...]:
        """The penalties to be measured, in the package's order, ``none`` always among them."""
        return tuple(n for n in NAMES if n in self.penalties or n == "none")

    @property
    def rates(self) -> tuple[float, ...]:
        """The dropout rates to be judged: a linear model has no hidden layer to drop units of."""
        return self.dropout if self.hidden else (0.0,)

    @property
    def ray(self) -> str | None:
        """The Ray that pieces of work go to, as it was typed; None where there is none."""
        return self.workers if isinstance(self.workers, str) else None

    @property
    def processes(self) -> int:
        """Number of worker processes on this machine."""
        asked = None if isinstance(self.workers, str) else self.workers
        return asked or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0])


def flag(name: str) -> str:
    """Return the command-line spelling of an option.

    >>> flag("path_length")
    '--path-length'
    """
    return "--" + name.replace("_", "-")


def check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise InputError unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        near = get_close_matches(str(value), allowed, n=1)
        hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(allowed)}"
        raise InputError(f"{flag(name)} {value!r} is unknown; {hint}")


def check_whole(name: str, value: object, may_be_none: bool) -> None:
    """Raise InputError unless ``value`` is a whole number, or None where that is allowed."""
    if value is None and may_be_none:
        return
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"{flag(name)} {value!r} is no whole number; type one, such as {flag(name)} 5")


def check_ray(value: str) -> None:
    """Raise InputError unless ``value`` names a Ray cluster.

    >>> check_ray("ray"), check_ray("ray://10.0.0.5:10001")
    (None, None)
    """
    if not named(value):
        said = f"--workers {value!r} is no whole number, ray or ray://host:port"
        raise InputError(f"{said}; type --workers 2, --workers ray or --workers ray://10.0.0.5:10001")


def check_many(name: str, value: object, example: str) -> None:
    """Raise InputError unless ``value`` is a sequence of values."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InputError(f"{flag(name)} {value!r} is no list; type {flag(name)} {example}, in Python a tuple")


def seconds(text: str) -> float:
    """Return the seconds of a budget written as 60s, 10m or 2h.

    >>> seconds("10m")
    600.0

    Raises
    ------
    InputError
        If the text is not a positive time.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if not found or float(found[1]) == 0:
        raise InputError(f"--budget {text!r} is not a time; type --budget 60s, 10m or 2h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]
