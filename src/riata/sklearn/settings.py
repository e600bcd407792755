"""What an estimator's parameters mean, checked when it is fitted."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from ..data.say import refuse
from ..path.options import PathOptions
from ..penalties import Penalty, by_name

MOST_FRACTION = 0.5


def read_penalty(penalty: Any, alpha: Any, mix: Any) -> Penalty:
    """Return the penalty of a name, or the penalty itself.

    ``alpha`` is the elastic net's share of the ridge, ``mix`` the sparse group lasso's share of L1.

    >>> read_penalty("elastic_net", 0.2, 0.5)
    ElasticNet(alpha=0.2, lam2=None)
    """
    if isinstance(penalty, str):
        options = {"elastic_net": {"alpha": alpha}, "sparse_group_lasso": {"mix": mix}}
        return by_name(penalty, **options.get(penalty, {}))
    if isinstance(penalty, Penalty):
        return penalty
    raise refuse(f"penalty is {penalty!r}; expected a name or a penalty; use penalty='group_lasso'")


def read_lam(lam: Any) -> float:
    """Return a strength.

    >>> read_lam(1)
    1.0
    """
    if not (is_real(lam) and 0 <= lam < float("inf")):
        raise refuse(f"lam is {lam!r}; expected a finite number >= 0; use lam=0.01")
    return float(lam)


def read_share(name: str, value: Any, most: float, example: str) -> float:
    """Return a number in (0, most].

    >>> read_share("threshold", 0.75, 1.0, "threshold=0.75")
    0.75
    """
    if not (is_real(value) and 0 < value <= most):
        raise refuse(f"{name} is {value!r}; expected above 0 and at most {most:g}; use {example}")
    return float(value)


def is_real(value: Any) -> bool:
    """Tell whether a value is a real number and not a truth value.

    >>> is_real(np.float32(1)), is_real(True), is_real("1")
    (True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def read_options(params: Mapping[str, Any], seed: int, **other: Any) -> PathOptions:
    """Return an estimator's parameters as the checked options of a path; ``other`` are options by their own names."""
    hidden, rate = params["hidden"], params["learning_rate"]
    if isinstance(hidden, str) or not isinstance(hidden, tuple | list | np.ndarray):
        raise refuse(f"hidden is {hidden!r}; expected widths; pass e.g. (64, 64), or () for a linear model")
    if not (is_real(rate) and 0 < rate < float("inf")):
        raise refuse(f"learning_rate is {rate!r}; expected a number above 0; use learning_rate=0.01")
    known: dict[str, Any] = {
        "folds": 0, "seeds": 1, "task": "auto", "path_length": 1, "tol": None, "dropout": 0.0, "update": "auto",
        "dtype": "auto", "early_stopping": False, "patience": None, "upper_ridge": 1e-3, "direction": "auto",
        "workers": 1,
    }  # fmt: skip
    same = {name: params[name] for name in ("dropout", "early_stopping", "patience") if name in params}
    return PathOptions(
        hidden=tuple(hidden), standardize=bool(params["standardize"]), epochs=params["epochs"],
        batch_size=params["batch_size"], form=params["form"], lr=float(rate), seed=seed, device=params["device"],
        **{**known, **same, **other},
    )  # fmt: skip
