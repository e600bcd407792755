"""``riata choose``: decide, write the folder, and say what came out."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import Given
from .folders import out_folder, sweep
from .progress import shown
from .say import raw, say
from .signals import shield_workers
from .tables import groups_of, large_of, options_of, table_of

if TYPE_CHECKING:
    from ..choice.decide import Progress
    from ..choice.decision import Decision
    from ..choice.options import Options
    from ..data import Table
    from ..population.journal import Journal

FREE = ("workers",)
"""Options that a resumed run may change: no result depends on them."""
ASIDE = ("resume", "json", "quiet", "debug")
PLACED = ("table", "demo")


def choose(given: Given) -> None:
    """Run ``riata choose TABLE --target COL``."""
    from ..choice.stream import streams
    from .cohort import choose_cohort, refuse_without_genotypes

    options, groups = options_of(given), groups_of(given)
    if given["genotypes"] is not None:
        choose_cohort(given, options, groups, "choose")
        return
    refuse_without_genotypes(given)
    if streams(given["table"], given.get("stream")):
        choose_streamed(given, options, groups)
        return
    table = table_of(given)
    decide_and_write(given, table, options, groups, "choose")


def choose_streamed(given: Given, options: Options, groups: dict[str, str] | None) -> None:
    """Decide on a sub-sample of a file beyond memory, train on all its rows, write what was found, and print it."""
    from ..choice.stream import passes_of
    from ..choice.stream_decide import decide_large
    from ..engines.threads import one_thread

    out_folder(given["out"], Path(given["table"]).stem)
    large = large_of(given, options)
    passes = passes_of(given.get("stream"))[1]
    typed = {f.name: getattr(options, f.name) for f in fields(options)}
    facts = {**facts_of(large.table, typed, groups), "--stream": passes, "rows of the file": large.stream.rows}

    def decide(progress: Progress, keep: Journal) -> Decision:
        with one_thread():
            return decide_large(large, options, groups=groups, progress=progress, keep=keep, passes=passes)

    run_and_write(given, large.table.name, facts, options, decide, "choose")


def decide_and_write(given: Given, table: Table, options: Options, groups: dict[str, str] | None, command: str) -> None:
    """Choose on a table, write what was found, and print it."""
    from .. import api

    typed = {f.name: getattr(options, f.name) for f in fields(options)}

    def decide(progress: Progress, keep: Journal) -> Decision:
        return api.choose(table, groups=groups, progress=progress, keep=keep, **typed)

    run_and_write(given, table.name, facts_of(table, typed, groups), options, decide, command)


def run_and_write(
    given: Given,
    name: str,
    facts: dict[str, Any],
    options: Options,
    decide: Callable[[Progress, Journal], Decision],
    command: str,
) -> None:
    """Decide with a journal in the folder, write what was found, and print it."""
    from ..population.journal import Journal

    folder = out_folder(given["out"], name)
    if options.processes > 1:
        shield_workers()
    with Journal.open(folder / "journal.sqlite", facts, resume=given["resume"]) as journal:
        with shown(given["quiet"]) as progress:
            decision = decide(progress, journal)
        sweep(folder)
        figures = {**(decision.figures or {}), "command": retyped(given, command)}
        decision = replace(decision, figures=figures)
        decision.save(folder)
    tell(given, decision, folder)


def retyped(given: Given, command: str) -> str:
    """Return the command that asks for the same decision again.

    >>> retyped({"table": "a b.csv", "target": "y", "folds": 3, "no_validation": True, "resume": True}, "choose")
    "riata choose 'a b.csv' --target y --folds 3 --no-validation"
    """
    words = ["riata", command]
    for name, value in given.items():
        if name in ASIDE or value is None or value is False:
            continue
        flag = [] if name in PLACED else ["--" + name.replace("_", "-")]
        words += flag + ([] if value is True else [str(value)])
    return shlex.join(words)


def facts_of(table: Table, typed: dict[str, Any], groups: dict[str, str] | None) -> dict[str, Any]:
    """Return what a resumed run must share with the run that it goes on with."""
    import torch

    from ..version import __version__

    asked = {"--" + name.replace("_", "-"): value for name, value in typed.items() if name not in FREE}
    return {
        "riata": __version__,
        "torch": str(torch.__version__),
        "table": table.sha256,
        **asked,
        "--groups": sorted(groups.items()) if groups else None,
    }


def tell(given: Given, decision: Decision, folder: Path) -> None:
    """Print the decision, the candidates where somebody looks at a terminal, and where the report is."""
    if given["json"]:
        raw(decision.to_json())
        return
    say(str(decision))
    if given["quiet"]:
        return
    if sys.stdout.isatty() and sys.stdout.encoding.lower().startswith("utf"):
        table_of_candidates(decision)
    say(f"report: {folder / 'report.html'}")


def table_of_candidates(decision: Decision) -> None:
    """Print the candidates on the terminal."""
    from rich.console import Console

    from ..choice.chart import plain
    from ..report.terminal import print_table

    console = Console(file=sys.stdout)
    console.print()
    print_table(plain(dict(decision.summary)), console)
