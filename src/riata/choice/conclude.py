"""From measured candidates to the decision: walk the chart, settle, refit, score honestly, and write it all down."""

from __future__ import annotations

from collections.abc import Sequence

from ..results import Population
from .chart import Context, walk
from .decision import Decision
from .figures import figures_of
from .figures.size import size_of
from .look import CHARTS
from .settle import Job, Measured, final_score, fit_verdict, settle
from .summary import summarize


def conclude(job: Job, measured: Measured, context: Context, warnings: Sequence[str]) -> Decision:
    """Return the decision."""
    walked = walk(CHARTS[job.options.chart], context)
    verdict = settle(job, measured, walked.leaf)
    job.clock.mark("choosing")
    final = final_score(job, measured, context, verdict)
    model, refits = fit_verdict(job, verdict, job.table)
    job.clock.mark("refitting and scoring")
    figures = figures_of(job, measured, context, walked, verdict)
    figures["size"] = size_of(model)
    job.clock.mark("watching the best networks")
    summary = summarize(job, measured, context, walked, verdict, final, model, refits, warnings)
    chosen = verdict.selection.fits.members if verdict.selection else ()
    figures["estimate_seconds"] = round(measured.plan.estimate, 1)
    figures["stages"] = [{"stage": stage, "seconds": round(spent, 2)} for stage, spent in job.clock.stages]
    everything = Population((*measured.found.population.members, *chosen, *refits))
    return Decision(summary, model, everything, figures)
