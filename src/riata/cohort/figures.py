"""What the pictures of a cohort are drawn from: ``figures.json``, plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..choice.figures import SCHEMA
from ..choice.figures.charts import charts_of
from ..choice.figures.predictions import of_class, regression
from ..choice.figures.rounded import short
from .certify import stage_facts
from .summary import Found

__all__ = ["figures_of"]

MOST_POINTS = 4000
"""Points of the skyline."""
MOST_NAMES = 60
"""Variables drawn along the path."""


def figures_of(found: Found) -> dict[str, Any]:
    """Return everything the pictures need."""
    return {
        "schema": SCHEMA,
        "networks": [],
        "candidates": None,
        "paths": None,
        "predictions": predictions_of(found),
        "charts": charts_of(found.verdict.context, found.options),
        "picture": None,
        "cohort": {
            "variants": variants_of(found),
            "skyline": skyline_of(found),
            "chromosomes": chromosomes_of(found),
            "path": path_of(found),
            "certificate": certificate_of(found),
        },
    }


def certificate_of(found: Found) -> dict[str, Any] | None:
    """Return the selecting solution, so that it can be certified again; None where nothing is left out."""
    recipe = found.drawn
    if recipe.penalty in ("none", "l2"):
        return None
    return stage_facts(found.fold, found.shown.stage, recipe.view, recipe.penalty, found.settings)


def predictions_of(found: Found) -> dict[str, Any]:
    """Return curves of what the verdict's candidate said of every outer fold's rows."""
    table = found.study.table
    chosen = found.comparison.candidates[found.verdict.view, found.verdict.fitted].chosen
    rows = np.concatenate([s.test for s in found.splits])
    said = np.concatenate([t.said for t in chosen])
    if table.task == "regression":
        return regression(table.y[rows], said[:, 0], found.options.seed)
    codes = range(len(table.classes)) if len(table.classes) > 2 else (1,)
    curves = [of_class(table.classes[k], table.y[rows] == k, said[:, k]) for k in codes]
    return {"classes": [c for c in curves if c is not None], "rows": len(rows)}


def variants_of(found: Found) -> dict[str, list[Any]]:
    """Return the variants of the network shown with their places, norms and clusters."""
    kept, study, places = found.kept, found.study, found.study.places
    of: dict[int, int] = {}
    for number, group in enumerate(kept.clusters):
        of |= dict.fromkeys([group.lead, *group.members], number)
    at = kept.ids.tolist()
    return {
        "name": [study.variants.names[i] for i in at],
        "chromosome": [None if places is None else places.chromosome[i] for i in at],
        "position": [i if places is None else int(places.position[i]) for i in at],
        "norm": short(kept.norms.numpy(), 5),
        "cluster": [of[i] for i in at],
    }


def skyline_of(found: Found) -> dict[str, list[Any]]:
    """Return every variant's gradient over lam, thinned to the largest of neighbouring ones."""
    reach = found.shown.scores
    if not len(reach):
        return {"chromosome": [], "position": [], "reach": []}
    size = -(-len(reach) // MOST_POINTS)
    padded = torch.nn.functional.pad(reach, (0, -len(reach) % size), value=-1.0).view(-1, size)
    top, place = padded.max(1)
    ids = (torch.arange(len(padded)) * size + place).tolist()
    places = found.study.places
    return {
        "chromosome": [None if places is None else places.chromosome[i] for i in ids],
        "position": [i if places is None else int(places.position[i]) for i in ids],
        "reach": short(top.numpy(), 4),
    }


def chromosomes_of(found: Found) -> list[dict[str, Any]]:
    """Return the chromosomes in the order of the file with their last position."""
    places = found.study.places
    if places is None:
        return []
    names, first = np.unique(np.asarray(places.chromosome), return_index=True)
    order = [str(names[i]) for i in np.argsort(first)]
    ends: dict[str, int] = dict.fromkeys(order, 0)
    chromosome = np.asarray(places.chromosome)
    for name in order:
        ends[name] = int(places.position[chromosome == name].max())
    return [{"name": name, "length": ends[name]} for name in order]


def path_of(found: Found) -> dict[str, Any]:
    """Return the norms of the strongest variables along the path that is shown."""
    fold, stages = found.fold, found.shown.stages
    grouping = found.shown.problem.grouping
    norms: dict[int, list[float]] = {}
    for i, stage in enumerate(stages):
        groups = grouping.groups_of(stage.columns)
        square = stage.weights.first.square().sum(1)
        for g in groups.unique().tolist():
            norms.setdefault(g, [0.0] * len(stages))[i] = float(square[groups == g].sum().sqrt())
    order = sorted(norms, key=lambda g: -max(norms[g]))[:MOST_NAMES]
    d = grouping.several
    label = {g: _name(found, g) for g in order}
    chosen = min(found.drawn.step, len(stages) - 1)
    return {
        "penalty": found.drawn.penalty,
        "lams": short([s.lam for s in stages], 6),
        "kept_variants": [int((s.columns >= fold.clinical).sum()) for s in stages],
        "kept_clinical": [len(grouping.groups_of(s.columns[s.columns < fold.clinical]).unique()) for s in stages],
        "valid_loss": _losses(found, len(stages)),
        "chosen": chosen,
        "norms": {label[g]: short(norms[g], 5) for g in order},
        "clinical": [label[g] for g in order if g < d],
    }


def _name(found: Found, group: int) -> str:
    fold, several = found.fold, found.shown.problem.grouping.several
    if group < several:
        return fold.table.columns[group].name
    return found.study.variants.names[group - several]


def _losses(found: Found, steps: int) -> Sequence[float | None]:
    """Return the mean validation loss of each step that every fold reached."""
    return [round(found.losses[step], 6) if step in found.losses else None for step in range(steps)]
