"""What anyone can check: stationarity, failures, versions, hashes, times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import residual

Data = Mapping[str, Any]


def certificates(summary: Data, figures: Data | None) -> list[tuple[str, str]]:
    """Return the checkable facts of a run, each as (what, how much)."""
    table, plan, options = summary["table"], summary.get("plan") or {}, summary.get("options") or {}
    folds, repeats = plan.get("folds", "-"), plan.get("repeats", "-")
    facts = [
        ("KKT residual", f"KKT residual at most {residual(summary['kkt_max'])} over the networks handed back"),
        ("networks", f"{summary['fits']} networks trained, {failures(summary)}"),
        ("networks per fold", f"{plan.get('seeds', '-')} seeds, {folds} folds, {repeats} repeats"),
        ("seed", f"{options.get('seed', '-')}: the same seed, table and versions give the same decision"),
        ("rows", row_words(table)),
        ("table hash (SHA-256)", table["sha256"]),
        ("Riata", summary["riata"]),
        *((name, str(version)) for name, version in summary["versions"].items()),
        ("time", f"{summary['seconds']:.1f} s"),
    ]
    size = (figures or {}).get("size")
    if size:
        facts.append(("size of the model", size_words(size)))
    if (figures or {}).get("command"):
        facts.append(("command", (figures or {})["command"]))
    return facts


def failures(summary: Data) -> str:
    """Say how many networks failed, and what that means."""
    failed = summary["failed_fits"]
    if not failed:
        return "none failed"
    return f"{failed} failed: their loss was no longer finite (diverged). That is a result, not an error"


def size_words(size: Data) -> str:
    """Say how large the model is, and how large without what it dropped.

    >>> one = {"parameters": 2000, "multiply_adds": 128000, "milliseconds": 0.5}
    >>> size_words({"rows": 64, "before": one, "after": {**one, "parameters": 900}})
    '2,000 parameters, 900 when compacted; 128,000 and 128,000 multiply-adds for 64 rows, 0.50 and 0.50 ms'
    """
    b, a = size["before"], size["after"]
    words = (
        f"{b['parameters']:,} parameters, {a['parameters']:,} when compacted; {b['multiply_adds']:,} and "
        f"{a['multiply_adds']:,} multiply-adds for {size['rows']} rows"
    )
    if "milliseconds" not in b or "milliseconds" not in a:  # timings.json was not there
        return words
    return f"{words}, {b['milliseconds']:.2f} and {a['milliseconds']:.2f} ms"


def row_words(table: Data) -> str:
    """Say how many rows were used and how many were not."""
    words = f"{table['rows']} rows used"
    if table.get("dropped_rows"):
        words += f", {table['dropped_rows']} without a target left out"
    if table.get("subjects"):
        words += f", of {table['subjects']} subjects"
    return words


def stages(figures: Data | None) -> list[tuple[str, float, float]]:
    """Return (stage, seconds, share of all) of every stage of the run."""
    found = (figures or {}).get("stages") or []
    total = sum(s["seconds"] for s in found) or 1.0
    return [(s["stage"], s["seconds"], s["seconds"] / total) for s in found]
