"""The decision in ten lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plots.names import NAMES

SHOWN = 12


def number(value: float | None, digits: int = 3) -> str:
    """Write a score, or a dash where there is none.

    >>> number(0.98765), number(None)
    ('0.988', '-')
    """
    return "-" if value is None else f"{value:.{digits}f}"


def with_interval(score: Mapping[str, float | None] | None) -> str:
    """Write a score with its interval.

    >>> with_interval({"mean": 0.71, "low": 0.69, "high": 0.73})
    '0.710 (0.690 to 0.730)'
    """
    if not score or score["mean"] is None:
        return "-"
    if score["low"] is None:
        return number(score["mean"])
    return f"{number(score['mean'])} ({number(score['low'])} to {number(score['high'])})"


def residual(value: float | None) -> str:
    """Write a KKT residual, or a dash where there is none.

    >>> residual(1.25e-7), residual(None)
    ('1.2e-07', '-')
    """
    return "-" if value is None else f"{value:.1e}"


def printable(text: str) -> str:
    r"""Return the text with a space for every control character, also those of a hostile name or cell.

    >>> printable("a\x1b[31m\nb")
    'a [31m b'
    """
    return "".join(c if c.isprintable() else " " for c in text)


def some(names: list[str], most: int = SHOWN) -> str:
    """Write names, cut after ``most`` with the count said."""
    shown = ", ".join(names[:most])
    return shown + (f", and {len(names) - most} more" if len(names) > most else "") or "none"


def sentence(summary: Mapping[str, Any]) -> str:
    """Return the verdict in one sentence."""
    v = summary["verdict"]
    how = f" at lam {v['lam']:.3g}" if v["penalty"] != "none" else ""
    drop = f" with dropout {v['dropout']:g}" if v["dropout"] else ""
    stop = " and early stopping" if v["early_stopping"] else ""
    return f"Use {NAMES[v['penalty']]}{how}{drop}{stop}."


def render_text(summary: Mapping[str, Any]) -> str:
    """Return the decision in about ten lines."""
    metric, table = summary["metric"], summary["table"]
    final, scores, v = summary["final"], summary["scores"], summary["verdict"]
    others = [NAMES[c] for c in summary["contenders"] if c != v["penalty"]]
    chosen = scores.get(v["penalty"], {})
    lines = [
        sentence(summary),
        f"Evidence      {summary['evidence']}; contenders besides: {', '.join(others) or 'none'}",
        f"Final {metric:<8}{with_interval(final.get(metric))} by {final['method']}, {final['rows']} rows",
        f"Compared      {with_interval(chosen.get(metric))} in cross-validation; no penalty "
        f"{with_interval(scores['none'].get(metric))}; constant {number(scores['constant'][metric]['mean'])}",
        f"Keeps         {len(summary['kept'])} of {table['variables']} variables: {some(summary['kept'])}",
        f"Drops         {some(summary['dropped'])}",
        f"Theory says   {NAMES[summary['theory']['penalty']]}; the classic chart "
        f"{NAMES.get(summary['classic']['penalty'], 'was not walked')}",
        f"Trained       {summary['fits']} networks, {summary['failed_fits']} failed, on {table['rows']} rows, "
        f"in {summary['seconds']:.1f} s",
        f"Certificate   KKT residual {residual(summary['kkt_max'])} at the weights handed back; lam "
        f"{'-' if v['penalty'] == 'none' else format(v['lam'], '.3g')}; 0 is stationary, early stopping leaves more",
    ]
    for warning in summary["warnings"][:SHOWN]:
        lines.append(f"Note          {warning}")
    return "\n".join(map(printable, lines))
