"""What the pictures of a run are drawn from: ``figures.json``, plain numbers beside the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..chart import Context, Walk
from ..prepare import Arena
from ..probes.picture import probe as picture_probe
from ..search import predict_mean, tuned
from ..settle import Job, Measured, Verdict
from .candidates import candidates_of
from .charts import charts_of
from .networks import Shown, networks_of, shown_networks
from .paths import paths_of
from .predictions import predictions_of
from .rounded import short
from .table import table_figures

__all__ = ["SCHEMA", "figures_of"]

SCHEMA = 1


def figures_of(job: Job, measured: Measured, context: Context, walk: Walk, verdict: Verdict) -> dict[str, Any]:
    """Return everything the pictures need, as plain values; see :mod:`riata.plots`."""
    field = measured.field
    paths = paths_of(measured.found)
    shown = shown_networks(job, measured, verdict, paths)
    return {
        "schema": SCHEMA,
        **networks_of(shown, field),
        "candidates": candidates_of(measured.found, field, measured.scored["constant"]),
        "paths": paths,
        "predictions": predictions_of(said_by(measured, verdict), field, job.options.seed),
        "data": table_figures(context, names_of(field), ranked(shown, context), correlation_detail(walk)),
        "picture": picture_of(context, shown),
        "charts": charts_of(context, job.options),
    }


def said_by(measured: Measured, verdict: Verdict) -> Mapping[int, np.ndarray]:
    """Return what the verdict's candidate said of every outer fold's rows, its strength tuned inside the fold."""
    if verdict.selection is None:
        return tuned(measured.found, measured.field, verdict.penalty)[1]
    outputs = verdict.selection.outputs
    return {fold: predict_mean(members, measured.field) for fold, members in outputs.items() if members}


def names_of(field: Arena) -> Sequence[str]:
    """Return the names of the variables that the questions were asked about; of a module its inputs."""
    return [c.name for c in field.table.columns] if field.blocks.own else field.blocks.variables


def ranked(shown: Sequence[Shown], context: Context) -> list[int]:
    """Return the variables by their largest norm relative to their network's largest; as they come without norms."""
    if len(shown[0].watched.result.norms) != int(context.group.max(initial=-1)) + 1:
        return list(range(int(context.group.max(initial=-1)) + 1))
    norms = np.stack([s.watched.result.norms for s in shown])
    share = (norms / np.maximum(norms.max(1, keepdims=True), 1e-30)).max(0)
    return [int(i) for i in np.argsort(-share, kind="stable")]


def correlation_detail(walk: Walk) -> Mapping[str, Any]:
    """Return what the correlation probe measured, if it was asked."""
    return next((a.evidence.detail for a in walk.answers if a.question.key == "correlated"), {})


def picture_of(context: Context, shown: Sequence[Shown]) -> dict[str, Any] | None:
    """Return the norm of every pixel's weights where the inputs are a picture, of the networks of the first seed."""
    detail = (context.cache.get(picture_probe) or picture_probe(context)).detail
    width, pixels = detail.get("width"), context.n_columns or context.X.shape[1]
    if detail["kind"] != "image" or not width or pixels % width:
        return None
    if pixels // width != detail.get("height", pixels // width) or len(shown[0].watched.first) != context.X.shape[1]:
        return None
    place = np.arange(context.X.shape[1]) if context.position is None else context.position
    images = []
    for watched in (s.watched for s in shown if s.at == "best" and s.watched.result.seed == 0):
        values = np.zeros(pixels)
        np.maximum.at(values, place, np.linalg.norm(watched.first, axis=1))
        images.append({"penalty": watched.result.penalty, "values": short(values)})
    return {"width": int(width), "height": pixels // int(width), "images": images}
