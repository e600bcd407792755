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


def split_kept(summary: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the names kept: columns of the table, and variants of a cohort.

    >>> split_kept({"kept": ["age", "rs1"], "cohort": {"variants": 9}, "table": {"columns": [{"name": "age"}]}})
    (['age'], ['rs1'])
    """
    if not summary.get("cohort"):
        return list(summary["kept"]), []
    columns = {column["name"] for column in summary["table"]["columns"]}
    clinical = [name for name in summary["kept"] if name in columns]
    return clinical, [name for name in summary["kept"] if name not in columns]


def counts(summary: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many variables the table has, and how many variants a cohort has beside them."""
    return summary["table"]["variables"], (summary.get("cohort") or {}).get("variants", 0)


def given(summary: Mapping[str, Any]) -> str:
    """Say what there was to predict from.

    >>> given({"table": {"variables": 12}})
    '12 variables'
    """
    variables, variants = counts(summary)
    return f"{variables} clinical variables and {variants:,} variants" if variants else f"{variables} variables"


def held(summary: Mapping[str, Any]) -> str:
    """Say how much of it is kept.

    >>> held({"kept": ["age"], "table": {"variables": 12}})
    '1 of 12 variables'
    >>> table = {"columns": [{"name": "age"}, {"name": "sex"}], "variables": 2}
    >>> held({"kept": ["age", "rs1"], "cohort": {"variants": 5000}, "table": table})
    '1 of 2 clinical variables and 1 of 5,000 variants'
    """
    variables, variants = counts(summary)
    if not variants:
        return f"{len(summary['kept'])} of {variables} variables"
    clinical, genetic = split_kept(summary)
    return f"{len(clinical)} of {variables} clinical variables and {len(genetic):,} of {variants:,} variants"


def sentence(summary: Mapping[str, Any]) -> str:
    """Return the verdict in one sentence."""
    v = summary["verdict"]
    how = f" at lam {v['lam']:.3g}" if v["penalty"] != "none" else ""
    drop = f" with dropout {v['dropout']:g}" if v["dropout"] else ""
    stop = " and early stopping" if v["early_stopping"] else ""
    return f"Use {NAMES[v['penalty']]}{how}{drop}{stop}."


def variants_dropped(summary: Mapping[str, Any]) -> int:
    """Return how many variants of a cohort the model drops: no list names them."""
    return counts(summary)[1] - len(split_kept(summary)[1])


def view_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return a line about the views of a cohort under the verdict's penalty; none for an ordinary table."""
    cohort, penalty = summary.get("cohort"), summary["verdict"]["penalty"]
    if not cohort:
        return []
    each = [
        f"{view} {number(((rows.get(penalty) or {}).get(summary['metric']) or {}).get('mean'))}"
        for view, rows in (cohort.get("views") or {}).items()
    ]
    return [f"Cohort        {cohort['people']:,} people; {', '.join(each) or 'no views'} with {NAMES[penalty]}"]


def of_what(summary: Mapping[str, Any]) -> str:
    """Say what the KKT residual is of: with genotypes the selection is certified, which a relaxed fit then follows."""
    return "lam of the selecting path, over all variants" if summary.get("cohort") else "at the weights handed back"


def render_text(summary: Mapping[str, Any]) -> str:
    """Return the decision in about ten lines."""
    metric, table = summary["metric"], summary["table"]
    final, scores, v = summary["final"], summary["scores"], summary["verdict"]
    others = [NAMES[c] for c in summary["contenders"] if c != v["penalty"]]
    chosen, unnamed = scores.get(v["penalty"], {}), variants_dropped(summary)
    lines = [
        sentence(summary),
        f"Evidence      {summary['evidence']}; contenders besides: {', '.join(others) or 'none'}",
        f"Final {metric:<8}{with_interval(final.get(metric))} by {final['method']}, {final['rows']} rows",
        f"Compared      {with_interval(chosen.get(metric))} in cross-validation; no penalty "
        f"{with_interval(scores.get('none', {}).get(metric))}; constant {number(scores['constant'][metric]['mean'])}",
        f"Keeps         {held(summary)}: {some(summary['kept'])}",
        f"Drops         {some(summary['dropped'])}" + (f"; and {unnamed:,} variants" if unnamed else ""),
        *view_lines(summary),
        f"Theory says   {NAMES[summary['theory']['penalty']]}; the classic chart "
        f"{NAMES.get(summary['classic']['penalty'], 'was not walked')}",
        f"Trained       {summary['fits']} networks, {summary['failed_fits']} failed, on {table['rows']} rows, "
        f"in {summary['seconds']:.1f} s",
        f"Certificate   KKT residual {residual(summary['kkt_max'])} {of_what(summary)}; lam "
        f"{'-' if v['penalty'] == 'none' else format(v['lam'], '.3g')}; 0 is stationary"
        + ("" if summary.get("cohort") else ", early stopping leaves more"),
    ]
    for warning in summary["warnings"][:SHOWN]:
        lines.append(f"Note          {warning}")
    return "\n".join(map(printable, lines))
