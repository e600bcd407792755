"""Several decisions side by side: what each chose, what differs, and what may not be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from markupsafe import Markup

from ..errors import InputError
from ..plots.names import METRIC_NAMES, NAMES
from .page import environment, text_of
from .text import number, printable, some, with_interval

Data = Mapping[str, Any]
Runs = Sequence[tuple[str, Data]]
SHOWN = 500
"""Most variables in the page's table; the rest is counted."""
PLANNED = ("rows", "folds", "repeats", "seeds", "dropout")
"""What the budget may have changed."""
SHAPE = ("hidden", "scaling", "form", "groups")
"""Options that change what a norm means."""


def render_compare(runs: Runs) -> str:
    """Return two or more decisions side by side as one page without scripts.

    Parameters
    ----------
    runs : sequence of (name, summary)
        The name of each run's folder and its ``decision.json``.

    Raises
    ------
    InputError
        If there are fewer than two.
    """
    _check(runs)
    page = (
        environment()
        .get_template("compare.html.j2")
        .render(
            css=Markup(text_of("page.css")),
            runs=[name for name, _ in runs],
            names=NAMES,
            facts=facts(runs),
            notes=notes(runs),
            same=_same(runs, _table),
            options=options(runs),
            scores=scores(runs),
            metric=METRIC_NAMES.get(runs[0][1]["metric"], runs[0][1]["metric"]),
            one_metric=_same(runs, _metric),
            kept=kept(runs),
            most=SHOWN,
            alike=similarities(runs),
        )
    )
    return page.strip() + "\n"


def compare_text(runs: Runs) -> str:
    """Return two or more decisions side by side for a terminal.

    Raises
    ------
    InputError
        If there are fewer than two.
    """
    _check(runs)
    told = facts(runs)
    wanted = ("penalty", "lam", "dropout", "evidence", "variables kept", "final score")
    lines = _columns(["run", *wanted], [[name, *(told[w][i] for w in wanted)] for i, (name, _) in enumerate(runs)])
    lines += ["", "Tables        the same" if _same(runs, _table) else "Tables        not the same"]
    for what, values in options(runs).items():
        lines.append(f"Differs       {what}: {' | '.join(values)}")
    rows = [[NAMES.get(c, c), *(_told(cell) for cell in cells)] for c, cells in scores(runs).items()]
    lines += ["", *_columns(["mean score", *(name for name, _ in runs)], rows)]
    every = [row["name"] for row in kept(runs) if row["all"]]
    lines += ["", f"Kept by all   {len(every)}: {some(every)}"]
    for i, (name, _) in enumerate(runs):
        alone = [row["name"] for row in kept(runs) if row["count"] == 1 and row["cells"][i]["kept"]]
        lines.append(f"Only {name}: {some(alone)}")
    lines += [f"Jaccard similarity of the kept sets {number(s, 2)}: {a} and {b}" for a, b, s in similarities(runs)]
    lines += [f"Note          {note}" for note in notes(runs)]
    return "\n".join(map(printable, lines))


def facts(runs: Runs) -> dict[str, list[str]]:
    """Return what each run chose and how good that is: a label and a text per run."""
    every = [_facts(summary) for _, summary in runs]
    return {label: [told[label] for told in every] for label in every[0]}


def _facts(s: Data) -> dict[str, str]:
    v, final, table, metric = s["verdict"], s["final"], s["table"], s["metric"]
    others = [NAMES.get(c, c) for c in s["contenders"] if c != v["penalty"]]
    inner = final.get("nested") or (final if final["method"] == "nested" else None)
    return {
        "penalty": NAMES.get(v["penalty"], v["penalty"]),
        "lam": "-" if v["penalty"] == "none" or v["lam"] is None else f"{v['lam']:.3g}",
        "dropout": f"{v['dropout']:g}",
        "early stopping": "yes" if v["early_stopping"] else "no",
        "evidence": s["evidence"],
        "contenders besides": ", ".join(others) or "none",
        "variables kept": f"{len(s['kept'])} of {table['variables']}",
        "final score": f"{METRIC_NAMES.get(metric, metric)} {with_interval(final.get(metric))}",
        "measured by": f"{final['method']}, {final['rows']} rows",
        "nested": with_interval(inner.get(metric)) if inner else "-",
        "table": f"{table['name']}: {table['rows']} rows, {table['variables']} variables",
        "target": f"{table['target']} ({s['task']})",
        "table hash": str(table["sha256"])[:16],
        "networks": f"{s['fits']}, {s['failed_fits']} failed",
    }


def options(runs: Runs) -> dict[str, list[str]]:
    """Return what is not the same in all runs of options, of what the budget allowed, and of versions.

    >>> options([("a", {"riata": "1", "options": {"seed": 0}, "versions": {}}),
    ...          ("b", {"riata": "1", "options": {"seed": 1}, "versions": {}})])
    {'seed': ['0', '1']}
    """
    every = [
        {
            **s["options"],
            **{f"plan: {k}": s.get("plan", {}).get(k) for k in PLANNED},
            **{f"version of {k}": v for k, v in {"riata": s["riata"], **s["versions"]}.items()},
        }
        for _, s in runs
    ]
    keys = dict.fromkeys(key for one in every for key in one)
    told = {key: [_value(one.get(key)) for one in every] for key in keys}
    differ = {key: any(one.get(key) != every[0].get(key) for one in every) for key in keys}
    return {key: values for key, values in told.items() if differ[key]}


def _value(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def scores(runs: Runs) -> dict[str, list[dict[str, Any]]]:
    """Return every candidate's score in each run, and its difference to the first run where that has a meaning."""
    names = dict.fromkeys(name for _, s in runs for name in s["scores"])
    return {name: [_cell(name, s, runs[0][1]) for _, s in runs] for name in names}


def _cell(name: str, s: Data, first: Data) -> dict[str, Any]:
    score = s["scores"].get(name, {}).get(s["metric"])
    here, there = _mean(score), _mean(first["scores"].get(name, {}).get(first["metric"]))
    chosen = s["verdict"]["penalty"] == name
    if here is None or there is None or s is first or _metric(s) != _metric(first):
        return {"score": score, "change": None, "chosen": chosen}
    return {"score": score, "change": here - there, "chosen": chosen}


def kept(runs: Runs) -> list[dict[str, Any]]:
    """Return the variables that some run keeps: those that all keep first, then by how many keep them."""
    sets = [set(s["kept"]) for _, s in runs]
    names = dict.fromkeys(name for _, s in runs for name in s["kept"])
    known = [{*s["kept"], *s["dropped"]} for _, s in runs]
    rows = []
    for name in names:
        cells = [
            {"kept": name in sets[i], "there": name in known[i], "norm": s.get("norms", {}).get(name)}
            for i, (_, s) in enumerate(runs)
        ]
        count = sum(cell["kept"] for cell in cells)
        rows.append({"name": name, "count": count, "all": count == len(runs), "cells": cells})
    return sorted(rows, key=lambda row: -row["count"])


def similarities(runs: Runs) -> list[tuple[str, str, float | None]]:
    """Return the Jaccard similarity of every two kept sets: shared variables over all of both; None for two empty ones.

    >>> similarities([("a", {"kept": ["x", "y"]}), ("b", {"kept": ["y"]})])
    [('a', 'b', 0.5)]
    """
    found = []
    for (a, first), (b, second) in combinations(runs, 2):
        one, two = set(first["kept"]), set(second["kept"])
        found.append((a, b, len(one & two) / len(one | two) if one | two else None))
    return found


def notes(runs: Runs) -> list[str]:
    """Say which comparisons are not valid, and why."""
    said = [
        _note(runs, lambda s: (s["table"]["target"], s["task"], s["metric"]),
              "another target, task or metric: their scores measure something else and cannot be subtracted"),
        _note(runs, _table, "another table (its hash differs): a difference may come from the rows, not from a choice"),
        _note(runs, _folds, "other folds (rows, folds, repeats or seed): candidates are not paired, so a small "
              "difference is within chance"),
        _note(runs, lambda s: (s["final"]["method"], s["final"]["rows"]),
              "final scores measured in another way or on another number of rows"),
        _note(runs, lambda s: [s["options"].get(k) for k in SHAPE],
              "another network, scaling or groups: norms are in other units, compare only which variables are kept"),
        _note(runs, lambda s: {"riata": s["riata"], **s["versions"]},
              "other versions of the software: the last digits may differ for no other reason"),
    ]  # fmt: skip
    said += [f"{name}: no candidates were compared in it" for name, s in runs if len(s["scores"]) < 3]
    if len({_table(s) for _, s in runs}) < len(runs):
        said.append("whoever picks the best of several runs on one table by its final score makes that score too good")
    return [note for note in said if note]


def _note(runs: Runs, key: Any, why: str) -> str:
    """Return which runs differ from the first in ``key``, and why that matters; "" where none does."""
    first = key(runs[0][1])
    others = [name for name, s in runs[1:] if key(s) != first]
    return f"{', '.join(others)} against {runs[0][0]}: {why}" if others else ""


def _table(s: Data) -> str:
    return str(s["table"]["sha256"])


def _metric(s: Data) -> tuple[str, str, str]:
    return s["task"], s["metric"], s["table"]["target"]


def _folds(s: Data) -> list[Any]:
    plan = s.get("plan", {})
    return [*(plan.get(k) for k in ("rows", "folds", "repeats")), s["options"].get("seed")]


def _same(runs: Runs, key: Any) -> bool:
    return all(key(s) == key(runs[0][1]) for _, s in runs)


def _mean(score: Data | None) -> float | None:
    return score["mean"] if score else None


def _told(cell: Data) -> str:
    change = "" if cell["change"] is None else f" ({cell['change']:+.3f})"
    return f"{'> ' if cell['chosen'] else '  '}{number(_mean(cell['score']))}{change}"


def _columns(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return lines with aligned columns; long names are cut.

    >>> _columns(["run", "lam"], [["a", "0.1"]])
    ['run  lam', 'a    0.1']
    """
    cut = [[cell if len(cell) <= 30 else cell[:29] + "…" for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cut) for i in range(len(head))]
    return ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in cut]


def _check(runs: Runs) -> None:
    if len(runs) < 2:
        raise InputError(f"compare got {len(runs)} run; expected two or more; type riata compare run1 run2")
