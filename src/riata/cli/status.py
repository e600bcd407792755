"""``riata status OUT``: how far a run is, whether it is alive, and whether its decision is there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import InputError
from .arguments import Given
from .folders import is_there
from .say import say, say_json

MEANT = {
    "running": "running",
    "stopped": "stopped; type the command again with --resume to go on",
    "finished": "finished",
}


def status(given: Given) -> None:
    """Run ``riata status OUT``: a run that is alive is not disturbed, and nothing is written."""
    facts = status_of(Path(given["run"]))
    if given["json"]:
        say_json(facts)
        return
    lines = lines_of(facts, time.time())
    say("\n".join(lines[:1] if given["quiet"] else lines))


def status_of(folder: Path) -> dict[str, Any]:
    """Return what ``status --json`` prints.

    Raises
    ------
    InputError
        If there is neither a journal nor a decision in the folder, or the journal cannot be understood.
    """
    journal, decision = folder / "journal.sqlite", folder / "decision.json"
    try:
        there = is_there(journal), is_there(decision)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: not a usable path ({error}); pass the folder of a run") from None
    if not any(there):
        raise InputError(f"{folder}: no run here; pass the folder that riata choose writes (--out)")
    facts: dict[str, Any] = {"folder": str(folder), "state": "finished", "decision": there[1]}
    if not there[0]:
        last = stamp(decision.stat().st_mtime)
        return {**facts, "pieces": 0, "networks": 0, "last_written": last, "stages": [], "parts": {}}
    return {**facts, **of_journal(journal)}


def of_journal(path: Path) -> dict[str, Any]:
    """Return what the journal says, and whether somebody is writing to it."""
    from ..choice.plan_memory import SPENT, TIMES
    from ..population.journal_file import is_open
    from ..population.journal_read import read_journal

    held, alive = read_journal(path), is_open(path)
    stages = [{"stage": stage, **counted(by_penalty)} for stage, by_penalty in held.stages.items()]
    decided = TIMES in held.notes
    return {
        "state": "running" if alive else "finished" if decided else "stopped",
        "decided": decided,
        "riata": held.facts.get("riata"),
        "table": held.facts.get("table"),
        "pieces": held.pieces,
        "networks": held.networks,
        "seconds": float(held.notes.get(SPENT, b"0")),
        "last_written": stamp(held.written),
        "stages": stages,
        "parts": parts_of(held.notes),
    }


def parts_of(notes: Mapping[str, bytes]) -> dict[str, int]:
    """Return how much there is of what a journal keeps as notes: runs with genotypes, and files beyond memory."""
    from ..choice.stream_fit import STANDING
    from ..cohort.work import HALVES, PATHS, REPRESENTATION
    from ..population.standing import passes_in

    parts = {
        "pieces of paths": sum(name.startswith(f"{PATHS} ") for name in notes),
        "learned representation": int(REPRESENTATION in notes),
        "pieces of half-samples": sum(name.startswith(f"{HALVES} ") for name in notes),
        "passes over the file": passes_in(notes[STANDING]) if STANDING in notes else 0,
    }
    return {what: done for what, done in parts.items() if done}


def counted(by_penalty: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """Return how many networks are done, in all and of each candidate.

    >>> counted({"none": (2, 2), "l1": (1, 4)})["done"], counted({"none": (2, 2), "l1": (1, 4)})["total"]
    (3, 6)
    """
    return {
        "done": sum(done for done, _ in by_penalty.values()),
        "total": sum(total for _, total in by_penalty.values()),
        "candidates": {name: {"done": done, "total": total} for name, (done, total) in by_penalty.items()},
    }


def stamp(seconds: float) -> str:
    """Return a time in UTC.

    >>> stamp(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def lines_of(facts: dict[str, Any], now: float) -> list[str]:
    """Return what ``status`` prints."""
    written = datetime.strptime(facts["last_written"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
    lines = [f"State         {MEANT[facts['state']]}"]
    lines.append(f"Decision      {word_of_decision(facts)}")
    lines.append(f"Last written  {facts['last_written']}, {ago(now - written)} ago")
    if "seconds" in facts:
        lines.append(f"Spent         {facts['seconds']:.1f} s until then")
        kept = [f"{facts['networks']} networks in {facts['pieces']} pieces"] if facts["pieces"] else []
        kept += [f"{done} {what}" for what, done in facts["parts"].items()]
        lines.append(f"Kept          {', '.join(kept) or 'nothing yet'}")
    for stage in facts["stages"]:
        lines.append(f"{stage['stage'].capitalize():<13} {stage['done']} of {stage['total']} networks")
        lines += [f"  {name:<20}{c['done']} of {c['total']}" for name, c in stage["candidates"].items()]
    if facts["state"] != "finished" and not facts["stages"] and not facts["parts"]:
        lines.append("Nothing is trained yet: it looks at the table, or runs the pilot")
    return lines


def word_of_decision(facts: dict[str, Any]) -> str:
    """Say whether there is a decision, and whether it is of this run.

    >>> word_of_decision({"decision": True, "decided": False})
    'one of an earlier run is there'
    """
    if not facts["decision"]:
        return "made, not yet written" if facts.get("decided") else "none yet"
    return "there" if facts.get("decided", True) else "one of an earlier run is there"


def ago(seconds: float) -> str:
    """Return a length of time in its largest unit.

    >>> ago(-0.5), ago(59.9), ago(7300)
    ('0 s', '59 s', '2 h')
    """
    whole = max(0, int(seconds))
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if whole >= 2 * length:
            return f"{whole // length} {unit}"
    return f"{whole} s"
