"""What the clock said of a run, kept apart: everything else of a decision is the same bytes each time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SCHEMA = 1
SIDES = ("before", "after")
"""The model as it was trained, and compacted."""


def apart(figures: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return figures without what depends on the clock, and that alone.

    >>> size = {"rows": 64, "before": {"parameters": 9, "milliseconds": 0.5}, "after": {"parameters": 4}}
    >>> timeless, timings = apart({"stages": [{"stage": "pilot", "seconds": 0.2}], "size": size})
    >>> timeless["size"]["before"], timings["size"], "stages" in timeless
    ({'parameters': 9}, {'before': 0.5}, False)
    """
    timeless = {name: value for name, value in figures.items() if name not in ("stages", "estimate_seconds")}
    timings = {name: figures[name] for name in ("estimate_seconds", "stages") if name in figures}
    size = figures.get("size")
    if size:
        timings["size"] = {s: size[s]["milliseconds"] for s in SIDES if "milliseconds" in size[s]}
        timeless["size"] = {**size, **{s: _without(size[s]) for s in SIDES}}
    return timeless, timings


def together(figures: Mapping[str, Any], timings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what :func:`apart` took apart.

    >>> figures = {"size": {"rows": 1, "before": {"milliseconds": 0.5}, "after": {"milliseconds": 0.4}}, "stages": []}
    >>> together(*apart(figures)) == figures
    True
    """
    whole = {**figures, **{name: timings[name] for name in ("estimate_seconds", "stages") if name in timings}}
    size, times = whole.get("size"), timings.get("size") or {}
    if size:
        timed = {s: {**size[s], "milliseconds": times[s]} for s in SIDES if s in times}
        whole["size"] = {**size, **timed}
    return whole


def times_bytes(summary: Mapping[str, Any], figures: Mapping[str, Any]) -> bytes:
    """Return the times of a finished decision, for a run that is resumed after it."""
    return json.dumps({"seconds": summary["seconds"], **apart(figures)[1]}).encode()


def with_times(
    summary: Mapping[str, Any], figures: Mapping[str, Any], content: bytes
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a decision's summary and figures with the times that :func:`times_bytes` wrote.

    >>> with_times({"seconds": 9.0}, {"stages": []}, times_bytes({"seconds": 2.5}, {"stages": [1]}))
    ({'seconds': 2.5}, {'stages': [1]})
    """
    times = json.loads(content)
    return {**summary, "seconds": times.pop("seconds")}, together(apart(figures)[0], times)


def _without(side: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in side.items() if name != "milliseconds"}
