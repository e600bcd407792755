"""``riata choose`` and ``riata demo``: decide, write the folder, and say what came out."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import Given
from .folders import out_folder, sweep
from .progress import shown
from .say import raw, say
from .signals import shield_workers
from .tables import groups_of, options_of, table_of

if TYPE_CHECKING:
    from ..choice.decision import Decision
    from ..choice.options import Options
    from ..data import Table

DEMO = "breast_cancer"
FREE = ("workers",)
"""Options that a resumed run may change: no result depends on them."""


def choose(given: Given) -> None:
    """Run ``riata choose TABLE --target COL``."""
    options, groups = options_of(given), groups_of(given)
    table = table_of(given)
    decide_and_write(given, table, options, groups)


def demo(given: Given) -> None:
    """Run ``riata demo``: the breast-cancer table that scikit-learn carries, read as a frame."""
    import polars as pl
    from sklearn.datasets import load_breast_cancer

    options, groups = options_of(given), groups_of(given)
    cells = load_breast_cancer()
    frame = pl.DataFrame({str(n): column for n, column in zip(cells.feature_names, cells.data.T, strict=True)})
    named = pl.Series("target", [str(cells.target_names[code]) for code in cells.target])
    table = table_of(given, frame.with_columns(named), "target", DEMO)
    decide_and_write(given, table, options, groups)


def decide_and_write(given: Given, table: Table, options: Options, groups: dict[str, str] | None) -> None:
    """Choose with a journal in the folder, write what was found, and print it."""
    from .. import api
    from ..population.journal import Journal

    folder = out_folder(given["out"], table.name)
    typed = {f.name: getattr(options, f.name) for f in fields(options)}
    facts = facts_of(table, typed, groups)
    if options.processes > 1:
        shield_workers()
    with Journal.open(folder / "journal.sqlite", facts, resume=given["resume"]) as journal:
        with shown(given["quiet"]) as progress:
            decision = api.choose(table, groups=groups, progress=progress, keep=journal, **typed)
        sweep(folder)
        decision.save(folder)
    tell(given, decision, folder)


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
    """Print the decision, and where the report is."""
    if given["json"]:
        raw(decision.to_json())
        return
    say(str(decision))
    if not given["quiet"]:
        say(f"report: {folder / 'report.html'}")
