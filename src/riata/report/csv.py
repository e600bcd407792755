"""Tables of the report: what the page shows of them, and the whole as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..plots.names import METRIC_NAMES, METRICS, NAMES
from .text import number, split_kept

Data = Mapping[str, Any]
SHOWN = 300
"""Most variables that the page's table shows; the CSV has all."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Cell:
    """A cell as it is shown, with a smaller line under it, and what it is sorted by."""

    text: str
    by: float | str | None = None
    lit: bool = False
    under: str = ""


@dataclass(frozen=True)
class Sheet:
    """A table of the page.

    Attributes
    ----------
    name : str
        Name of the CSV file.
    head : tuple of str
        Column heads.
    rows : list of list of Cell
        Rows shown; the first cell heads its row.
    of : int
        Rows there are.
    csv : str
        The whole table as CSV.
    """

    name: str
    head: tuple[str, ...]
    rows: list[list[Cell]]
    of: int
    csv: str


def field(value: Any) -> str:
    r"""Write one cell of a CSV file; text that a spreadsheet would run as a formula is prefixed with '.

    >>> field("=1+1"), field(-0.5), field('a "b", c'), field(None)
    ("'=1+1", '-0.5', '"a ""b"", c"', '')
    """
    if value is None:
        return ""
    text = repr(value) if isinstance(value, float) else str(value)
    if isinstance(value, str) and text.startswith(FORMULA):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in '",\r\n') else text


def to_csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV (RFC 4180), safe to open in a spreadsheet."""
    return "".join(",".join(map(field, row)) + "\r\n" for row in (head, *rows))


def candidates(summary: Data, figures: Data | None) -> Sheet:
    """Return the table of every candidate: all metrics with intervals, what is kept, with and without dropout."""
    metrics = METRICS[summary["task"]]
    found = (figures or {}).get("candidates") or [
        {"penalty": name, **row, "dropout": None} for name, row in summary["scores"].items()
    ]
    shown, lines = [], []
    for row in found:
        name, rate = NAMES.get(row["penalty"], row["penalty"]), dropout_words(row)
        means = [row.get(m) or {} for m in metrics]
        lams = None if row["penalty"] in ("constant", "none") else row.get("lam")
        shown.append(
            [
                Cell(name, name, chosen(summary, row)),
                Cell(rate, rate),
                *(scored(m) for m in means),
                Cell(strengths(lams), middle(lams)),
                Cell(number(row.get("kept"), 1), row.get("kept")),
                Cell(number(row.get("weights_kept"), 0), row.get("weights_kept")),
            ]
        )
        numbers = [m.get(part) for m in means for part in ("mean", "low", "high")]
        lines.append([name, rate, *numbers, middle(lams), row.get("kept"), row.get("weights_kept")])
    called = [METRIC_NAMES.get(m, m) for m in metrics]
    parts = [name for m in metrics for name in (m, f"{m}_low", f"{m}_high")]
    return Sheet(
        "candidates",
        ("candidate", "dropout", *called, "lam", "variables kept", "weights kept"),
        shown,
        len(shown),
        to_csv(["candidate", "dropout", *parts, "lam", "variables_kept", "weights_kept"], lines),
    )


def scored(score: Data) -> Cell:
    """Return the cell of a score: the mean, and its interval under it."""
    mean, low, high = (score.get(part) for part in ("mean", "low", "high"))
    known = None not in (mean, low, high)
    return Cell(number(mean), mean, under=f"{number(low)} to {number(high)}" if known else "")


def chosen(summary: Data, row: Data) -> bool:
    """Return whether the row is the verdict's."""
    verdict = summary["verdict"]
    return bool(
        row["penalty"] == verdict["penalty"]
        and (row["dropout"] is None or bool(row["dropout"]) == bool(verdict["dropout"]))
    )


def dropout_words(row: Data) -> str:
    """Say whether a candidate was trained with dropout.

    >>> dropout_words({"dropout": True, "rate": [0.2, 0.2]}), dropout_words({"dropout": False})
    ('with 0.2', 'without')
    """
    if row["dropout"] is None or row.get("penalty") == "constant":
        return "-"
    if not row["dropout"]:
        return "without"
    rates = sorted({float(r) for r in row.get("rate") or () if r})
    return f"with {' or '.join(f'{r:g}' for r in rates)}".rstrip() if rates else "with"


def middle(values: Sequence[float | None] | None) -> float | None:
    """Return the median strength of the folds; None where there is none."""
    found = sorted(v for v in values or () if v)
    return found[len(found) // 2] if found else None


def strengths(values: Sequence[float | None] | None) -> str:
    """Write the strengths that the folds took.

    >>> strengths([0.01, 0.02]), strengths([0.01]), strengths(None)
    ('0.01 to 0.02', '0.01', '-')
    """
    found = sorted({f"{v:.2g}" for v in values or () if v}, key=float)
    return "-" if not found else found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}"


def variables(summary: Data) -> Sheet:
    """Return the table of the variables: kind, levels, missing cells, and what became of them."""
    table, norms = summary["table"], summary.get("norms") or {}
    shares = (summary.get("selection") or {}).get("shares") or {}
    kept = set(summary["kept"])
    shown: list[list[Cell]] = []
    lines: list[list[Any]] = []
    for column in (*table["columns"], *kept_variants(summary)):
        name, levels = column["name"], column.get("levels") or []
        fate = "kept" if name in kept else "dropped"
        norm, share, missing = norms.get(name), shares.get(name), column.get("missing", 0)
        lines.append([name, column["kind"], len(levels) or None, missing, column.get("note", ""), fate, norm, share])
        if len(shown) < SHOWN:
            shown.append(
                [
                    Cell(name, name),
                    Cell(column["kind"], column["kind"]),
                    Cell(levels_words(levels), len(levels)),
                    Cell("-" if missing is None else f"{missing}", missing),
                    Cell(fate, fate, name in kept),
                    Cell(number(norm), norm),
                    Cell("-" if share is None else f"{share:.0%}", share),
                    Cell(column.get("note") or "", column.get("note") or ""),
                ]
            )
    head = ("variable", "kind", "levels", "missing cells", "in the model", "norm of its weights", "kept by", "note")
    names = ["variable", "kind", "levels", "missing", "note", "model", "norm", "share"]
    return Sheet("variables", head, shown, len(lines), to_csv(names, lines))


def kept_variants(summary: Data) -> list[dict[str, Any]]:
    """Return the variants that a cohort's model keeps, as columns: the others are only counted."""
    told: dict[str, str] = {}
    for c in (summary.get("cohort") or {}).get("clusters") or ():
        where = "" if c["chromosome"] is None else f"chromosome {c['chromosome']}, position {c['position']:,}"
        told |= dict.fromkeys(c["members"], f"linked with {c['lead']}")
        told[c["lead"]] = where
    return [
        {"name": name, "kind": "variant", "missing": None, "note": told.get(name, "")}
        for name in split_kept(summary)[1]
    ]


def levels_words(levels: Sequence[Any], most: int = 4) -> str:
    """Write the levels of a categorical variable, the first few by name.

    >>> levels_words(["a", "b"]), levels_words([])
    ('2: a, b', '-')
    """
    if not levels:
        return "-"
    more = ", …" if len(levels) > most else ""
    return f"{len(levels)}: {', '.join(str(v) for v in levels[:most])}{more}"
