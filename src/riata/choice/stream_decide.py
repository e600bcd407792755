"""The main job for a file beyond memory: decide on a sub-sample, train on all rows, score on sealed ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..model import Model
from ..population.run import Keep
from ..population.train import Fitted
from ..results import MemberResult, Population
from .clock import Clock
from .decide import Progress, decide, pick_device, quiet, timed_once
from .decision import Decision
from .figures.size import size_of
from .options import DEFAULT_BUDGET, Options
from .plan_memory import Notes
from .stream import Large
from .stream_fit import BATCH, Counted, Judged, Run, count, joined, judge, pass_seconds, start_run, train
from .summary import option_facts

DECIDING = 0.5
"""Share of the budget for the decision; the rest is for the passes over the file."""
MOST_PASSES = 5
SUB_SAMPLE = "times of the decision on the sub-sample"
"""The note that stands for :data:`~riata.choice.plan_memory.TIMES` until there is a model of all rows."""
STREAMED = -2
"""The fold of a network that was trained on the file."""
INTERVALS = {
    "classification": "Poisson bootstrap of binned counts (AUROC, average precision), normal (accuracy, log loss)",
    "regression": "bootstrap of 256 random parts of the rows",
}


@dataclass(frozen=True)
class Passes:
    """How often the file is trained on, what a pass takes in seconds, and whether the budget did not allow one."""

    number: int
    seconds: float
    late: bool = False


@dataclass(frozen=True)
class Trained:
    """What the passes left: the model, how it was trained and judged, and the seconds of every stage."""

    model: Model
    counted: Counted
    valid: int
    plan: Passes
    stages: list[tuple[str, float]]
    fitted: Fitted
    losses: list[list[float]]
    judged: Judged


def decide_large(
    large: Large,
    options: Options,
    *,
    groups: Mapping[str, str] | None = None,
    progress: Progress = quiet,
    keep: Keep | None = None,
    passes: int | None = None,
) -> Decision:
    """Decide on the sub-sample, then train its networks on every row of the file that is not sealed.

    Parameters
    ----------
    large : Large
    options : Options
        Half of the budget is for the decision.
    groups, progress, keep
        See :func:`riata.choice.decide.decide`.
    passes : int, optional
        Training passes over the file; by default as many as the budget allows, from 1 to 5.

    Returns
    -------
    Decision
        ``summary["stream"]`` says on which rows each number rests.
    """
    clock, budget = Clock(), options.budget or DEFAULT_BUDGET
    own = replace(options, budget=DECIDING * budget)
    first = decide(large.table, own, groups=groups, progress=progress, keep=keep, times=SUB_SAMPLE)
    assert isinstance(first.model, Model)
    selected = first.summary["verdict"].get("relaxed") is not None
    run = start_run(large, first.model, selected, groups, options.seed, pick_device(options.device))
    trained = on_all_rows(run, options, budget - clock.seconds(), progress, keep, passes)
    population = Population((*(first.population or Population(())).members, *members_of(run, trained, options.seed)))
    summary = summary_of(first, large, options, groups, trained)
    figures = {**(first.figures or {}), "size": size_of(trained.model)}
    stages = [{"stage": stage, "seconds": round(spent, 2)} for stage, spent in trained.stages]
    figures["stages"] = [*figures.get("stages", []), *stages]
    return timed_once(Decision(summary, trained.model, population, figures), keep)


def on_all_rows(
    run: Run, options: Options, left: float, progress: Progress, keep: Keep | None, passes: int | None
) -> Trained:
    """Count, train, certify and score."""
    clock = Clock()
    counted = count(run, lambda done, total: progress("reading all rows", done, total))
    clock.mark("reading all rows")
    valid = run.rows(joined(counted.valid))
    counted.valid = []
    each = pass_seconds(run, counted, valid)
    plan = Passes(passes, each) if passes else planned(left - clock.seconds(), each, keep)
    clock.mark("planning the passes")
    size = options.batch_size or BATCH
    fitted, losses = train(
        run,
        counted,
        valid,
        plan.number,
        size,
        options.seed,
        lambda done, total: progress("training on all rows", done, total),
        keep if isinstance(keep, Notes) else None,
    )
    clock.mark("training on all rows")
    params = {k: w.cpu() for k, w in fitted.params.items()}
    model = replace(run.model, params=params)
    judged = judge(run, fitted.params, model, lambda done, total: progress("scoring sealed rows", done, total))
    clock.mark("certifying and scoring")
    facts = {
        **run.model.facts,
        "epochs": fitted.best_epoch.tolist(),
        "kkt": judged.kkt.tolist(),
        "status": list(fitted.status),
        "rows": counted.train,
    }
    return Trained(replace(model, facts=facts), counted, len(valid.y), plan, clock.stages, fitted, losses, judged)


def planned(left: float, each: float, keep: Keep | None) -> Passes:
    """Return the passes that the time left allows, one being needed to certify; a resumed run takes its first plan.

    >>> planned(100.0, 20.0, None).number, planned(1e6, 1.0, None).number, planned(1.0, 20.0, None)
    (4, 5, Passes(number=1, seconds=20.0, late=True))
    """
    name = "passes over the file"
    known = keep.recall(name) if isinstance(keep, Notes) else None
    if known is not None:
        return Passes(**json.loads(known))
    number = int(np.clip((left - each) // max(each, 1e-9), 1, MOST_PASSES))
    plan = Passes(number, each, 2 * each > left)
    if isinstance(keep, Notes):
        keep.remember(name, json.dumps(asdict(plan)).encode())
    return plan


def members_of(run: Run, trained: Trained, seed: int) -> list[MemberResult]:
    """Return a result for every streamed network."""
    fitted, judged, facts = trained.fitted, trained.judged, trained.model.facts
    first = fitted.params["first"]
    norms = run.terms["first"].groups.norms(first).cpu().numpy()
    kept = (first != 0).flatten(1).sum(1).tolist()
    empty = np.zeros((0, 1), dtype=np.float32)
    return [
        MemberResult(
            str(facts["penalty"]), float(facts["lam"]), float(facts["dropout"]), 0, STREAMED, seed,
            float(fitted.valid_loss[i]), float(judged.loss[i]), empty, norms[i], int(kept[i]),
            int(fitted.best_epoch[i]), int(fitted.epochs[i]), float(judged.kkt[i]), fitted.status[i],
        )
        for i in range(len(first))
    ]  # fmt: skip


def summary_of(
    first: Decision,
    large: Large,
    options: Options,
    groups: Mapping[str, str] | None,
    trained: Trained,
) -> dict[str, Any]:
    """Return the sub-sample's decision with what all rows said in its place."""
    model, judged, old = trained.model, trained.judged, dict(first.summary)
    scores = {m: i.as_dict() for m, i in judged.after.intervals(options.seed).items()}
    stream = stream_facts(large, trained, options, scores)
    nested = old["final"] if old["final"]["method"] == "nested" else old["final"].get("nested")
    return {
        **old,
        "table": {**old["table"], "rows": large.drawn.known, "dropped_rows": large.drawn.missing},
        "final": {"method": "sealed rows", "rows": judged.sealed, **scores, "nested": nested},
        "kept": list(model.kept),
        "dropped": list(model.dropped),
        "norms": {v: round(float(norm), 6) for v, norm in zip(model.variables, model.norms, strict=True)},
        "kkt_max": float(judged.kkt.max()),
        "fits": old["fits"] + len(judged.kkt),
        "failed_fits": old["failed_fits"] + sum(s == "diverged" for s in trained.fitted.status),
        "plan": {
            **old["plan"],
            "sample": large.table.n,
            "trained": trained.counted.train,
            "passes": trained.plan.number,
        },
        "options": option_facts(options, groups),
        "stream": stream,
        "seconds": round(old["seconds"] + sum(spent for _, spent in trained.stages), 2),
        "warnings": [*said(large, trained, stream), *old["warnings"]],
    }


def stream_facts(large: Large, trained: Trained, options: Options, scores: dict[str, Any]) -> dict[str, Any]:
    """Return which rows each number rests on, and how like them the sub-sample is."""
    smd, ratio = trained.counted.differences()
    columns = trained.model.encoder.layout.columns
    tested, judged = large.tested, trained.judged
    return {
        "file_rows": large.stream.rows,
        "without_target": large.drawn.missing,
        "sample": large.table.n,
        "second_sample": len(large.drawn.second),
        "strata": large.drawn.strata,
        "train": trained.counted.train,
        "valid": trained.valid,
        "sealed": judged.sealed,
        "block": large.stream.block,
        "batch": min(options.batch_size or BATCH, trained.counted.train),
        "passes": trained.plan.number,
        "representative": {
            "ok": tested.ok, "smd": tested.smd, "log_variance_ratio": tested.log_variance_ratio,
            "auc": tested.auc, "auc_low": tested.auc_low, "rows": tested.total,
        },
        "moments": {
            "rows": trained.counted.rows,
            "smd": float(smd.max(initial=0.0)),
            "smd_column": columns[int(smd.argmax())] if len(smd) else None,
            "log_variance_ratio": float(ratio.max(initial=0.0)),
            "log_variance_ratio_column": columns[int(ratio.argmax())] if len(ratio) else None,
        },
        "unseen_cells": trained.counted.unseen,
        "valid_loss": trained.losses,
        "kkt": judged.kkt.tolist(),
        "scores": {
            "sub-sample model": {m: i.as_dict() for m, i in judged.before.intervals(options.seed).items()},
            "streamed model": scores,
        },
        "intervals": INTERVALS[large.table.task],
        "binning_error": judged.after.error,
    }  # fmt: skip


def said(large: Large, trained: Trained, stream: Mapping[str, Any]) -> list[str]:
    """Say what was streamed and how many rows each number rests on."""
    moments, tested = stream["moments"], large.tested
    lines = [
        f"the file was streamed: decided on a sub-sample of {large.table.n:,} of {large.stream.rows:,} rows, trained "
        f"on {stream['train']:,} rows in {trained.plan.number} passes, stopped by {stream['valid']:,}, scored on "
        f"{stream['sealed']:,} sealed rows; the comparison of candidates rests on the sub-sample alone",
        f"sub-sample against all {moments['rows']:,} unsealed rows: largest standardised mean difference "
        f"{moments['smd']:.3f} ({moments['smd_column']}), largest |log variance ratio| "
        f"{moments['log_variance_ratio']:.2f} ({moments['log_variance_ratio_column']})",
    ]
    if not tested.ok or moments["smd"] > 0.1:
        lines.append("the sub-sample is not like the whole file: do not read the comparison as one of all rows")
    lines += tested.warnings
    if trained.counted.unseen:
        lines.append(f"{trained.counted.unseen:,} cells hold categories that the sub-sample did not have")
    if trained.plan.late:
        lines.append(
            f"a pass over all rows takes about {trained.plan.seconds:.0f} s, more than the budget left: one was made"
        )
    if not trained.fitted.best_epoch.any():
        lines.append("no pass over all rows lowered the validation loss: the model is that of the sub-sample")
    return lines
