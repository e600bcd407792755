"""The certificate of a run, again: the gradient of every variant in float64, from the files alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..choice.decision import read_decision
from ..errors import InputError
from ..penalties import by_name
from ..population.design import Split
from ..wide import Stage, Weights, certify
from .fold import Fold, folds_of
from .settings import Settings
from .study import Study

__all__ = ["certify_folder", "stage_facts"]

PARTS = ("first", "free", "b1", "out")


def stage_facts(fold: Fold, stage: Stage, view: str, penalty: str, settings: Settings) -> dict[str, Any]:
    """Return the selecting solution as plain values, every float as it is: what a certificate is about."""
    return {
        "view": view,
        "penalty": penalty,
        "lam": stage.lam,
        "hidden": settings.hidden,
        "seed": settings.seed,
        "columns": stage.columns.tolist(),
        "names": [fold.columns.names[i] for i in stage.columns.tolist()],
        "weights": {name: getattr(stage.weights, name).double().tolist() for name in PARTS},
    }


def certify_folder(folder: Path, study: Study) -> dict[str, Any]:
    """Return the KKT conditions of a run's selecting solution over all variants, computed from scratch.

    Raises
    ------
    InputError
        If the run holds no such solution, or the study is not the one that it was found on.
    """
    decision = read_decision(folder)
    facts = ((decision.figures or {}).get("cohort") or {}).get("certificate")
    if not isinstance(facts, Mapping):
        raise InputError(f"{folder}: no exact path to certify; expected a run with genotypes that left variables out")
    known = decision.summary["table"]["sha256"]
    if known != study.table.sha256:
        raise InputError(f"{folder}: decided on another table (its content differs); pass the one that it was run on")
    settings = Settings(int(facts["hidden"]), (), (), int(facts["seed"]))
    nothing = np.zeros(0, dtype=np.int64)
    everybody = Split(-2, np.arange(study.table.n), nothing, nothing)
    fold = folds_of(study.table, study.variants, [everybody], study.unpenalised, "standard")[0]
    ids = torch.tensor(facts["columns"], dtype=torch.int64)
    beyond = len(ids) > 0 and int(ids.max()) >= fold.columns.p
    if beyond or [fold.columns.names[i] for i in ids.tolist()] != facts["names"]:
        raise InputError(f"{folder}: decided on other variants (names differ); pass the genotypes that it was run on")
    problem = fold.problem(str(facts["view"]), settings)
    width = problem.spec.first_width
    parts = {name: torch.tensor(facts["weights"][name], dtype=torch.float64) for name in PARTS}
    parts["first"] = parts["first"].reshape(-1, width)
    parts["out"] = parts["out"].reshape(-1, problem.loss.outputs)
    stage = Stage(float(facts["lam"]), ids, Weights(**parts), 0.0, 0.0, 0, 0)
    start = fold.clinical if facts["view"] == "genetic" else 0
    found = certify(problem, by_name(str(facts["penalty"])), stage, start)
    return {
        "view": facts["view"],
        "penalty": facts["penalty"],
        "lam": stage.lam,
        "variables": found.variables,
        "kept": found.kept,
        "worst_outside_over_lam": found.outside,
        "outside_above_lam": found.above,
        "worst_inside_over_lam": found.inside,
        "free_over_lam": found.free,
    }
