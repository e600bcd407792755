"""What a page says of a cohort: people and variants, the views, the clusters, and the selection with its bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..plots.names import METRIC_NAMES, NAMES
from ..plots.views import TITLES, best_of, gained, metrics_of
from .csv import Cell, Sheet, middle, scored, strengths, to_csv
from .text import number, some

Data = Mapping[str, Any]
LINE = 3
"""Linked variants of a lead that the page names; the CSV has all."""


def facts(summary: Data) -> list[tuple[str, str]]:
    """Return what was joined, each as (what, how much)."""
    cohort = summary["cohort"]
    calls = cohort["people"] * cohort["variants"]
    share = f" ({cohort['missing_calls'] / calls:.2%} of all)" if calls else ""
    alone = f"{cohort['monomorphic']:,}, which stand for nothing and are never kept"
    return [
        ("people", f"{cohort['people']:,}"),
        ("variants", f"{cohort['variants']:,}"),
        ("with one genotype only", alone if cohort["monomorphic"] else "none"),
        ("missing calls", f"{cohort['missing_calls']:,}{share}" if cohort["missing_calls"] else "none"),
        ("counted allele", cohort["allele"]),
        ("matching", cohort["match"]),
        ("without a penalty", ", ".join(cohort["unpenalised"]) or "no variable"),
        *certificate(cohort.get("certificate")),
    ]


def certificate(found: Data | None) -> list[tuple[str, str]]:
    """Return how it is known that no variant was left out by mistake; nothing where that was not measured.

    >>> certificate({"outside": 0.99896, "passes": 9})[0][1]
    'the largest gradient of a variant left out is at most 0.99896 of the strength, after 9 passes over all'
    """
    if not found:
        return []
    said = f"the largest gradient of a variant left out is at most {found['outside']:.5f} of the strength"
    return [("certificate", f"{said}, after {found['passes']} passes over all")]


def verdict_words(summary: Data) -> str:
    """Say what clinical variables and variants reach alone and together under the verdict's penalty."""
    penalty, metric, found = summary["verdict"]["penalty"], summary["metric"], summary["cohort"].get("views") or {}
    means = {view: ((rows.get(penalty) or {}).get(metric) or {}).get("mean") for view, rows in found.items()}
    told = [f"{TITLES.get(view, view).lower()} {number(mean)}" for view, mean in means.items() if mean is not None]
    if not told:
        return ""
    text = f"{METRIC_NAMES.get(metric, metric)} by view, each with {NAMES.get(penalty, penalty)}: {', '.join(told)}."
    change = gained(found, penalty, metric)
    if change is None:
        return text
    mean, better, folds = change
    return f"{text} The variants change the clinical one by {mean:+.3f}, for the better in {better} of {folds} folds."


def sheets(summary: Data, figures: Data | None) -> dict[str, Sheet]:
    """Return the tables of a cohort's page by name; those that have no row are left out."""
    cohort = summary.get("cohort")
    if not cohort:
        return {}
    learned = ((figures or {}).get("cohort") or {}).get("representation_views") or {}
    found = {
        "views": views(cohort.get("views") or {}, summary, "views"),
        "representation_views": views(learned, summary, "representation_views"),
        "clusters": clusters(cohort.get("clusters") or []),
    }
    return {name: sheet for name, sheet in found.items() if sheet.rows}


def views(found: Data, summary: Data, name: str) -> Sheet:
    """Return every view under every penalty: scores with intervals, what is kept, or why it was not compared."""
    metrics = metrics_of(found)
    deciding = summary["metric"] if summary["metric"] in metrics else next(iter(metrics), "")
    shown: list[list[Cell]] = []
    lines: list[list[Any]] = []
    for view, rows in found.items():
        best = best_of(rows, deciding)
        for penalty, row in rows.items():
            title, called = TITLES.get(view, view), NAMES.get(penalty, penalty)
            scores, why = [row.get(m) or {} for m in metrics], row.get("why_not") or ""
            counts = [row.get("kept_clinical"), row.get("kept_variants")]
            lams = None if penalty == "none" else row.get("lam")
            shown.append(
                [
                    Cell(title, title, penalty == best),
                    Cell(called, called, under="not compared" if why else ""),
                    *(scored(score) for score in scores),
                    Cell(strengths(lams), middle(lams)),
                    *(Cell(number(count, 1), count) for count in counts),
                    Cell(why, why),
                ]
            )
            numbers = [score.get(part) for score in scores for part in ("mean", "low", "high")]
            lines.append([view, penalty, *numbers, middle(lams), *counts, why])
    parts = [key for m in metrics for key in (m, f"{m}_low", f"{m}_high")]
    return Sheet(
        name,
        (
            *("view", "penalty"),
            *(METRIC_NAMES.get(m, m) for m in metrics),
            *("lam", "clinical kept", "variants kept", "why not"),
        ),
        shown,
        len(shown),
        to_csv(["view", "penalty", *parts, "lam", "kept_clinical", "kept_variants", "why_not"], lines),
    )


def clusters(found: list[Data]) -> Sheet:
    """Return the clusters of linked variants, the strongest first: the lead, its place, and who goes with it."""
    shown: list[list[Cell]] = []
    lines: list[list[Any]] = []
    for c in found:
        others = [(m, r) for m, r in zip(c["members"], c["r2"], strict=False) if m != c["lead"]]
        beside = list(zip(c.get("companions") or (), c.get("companions_r2") or (), strict=False))
        at, share = c["position"], c["share"]
        shown.append(
            [
                Cell(c["lead"], c["lead"]),
                Cell(c["chromosome"] or "-", c["chromosome"]),
                Cell("-" if at is None else f"{at:,}", at),
                Cell(number(c["norm"]), c["norm"]),
                Cell("-" if share is None else f"{share:.0%}", share),
                Cell(linked(others), len(others)),
                Cell(linked(beside), len(beside)),
            ]
        )
        parts = [text for pairs in (others, beside) for text in joined(pairs)]
        lines.append([c["lead"], c["chromosome"], at, c["norm"], share, *parts])
    head = ("lead", "chromosome", "position", "norm of its weights", "kept by", "others kept (r²)", "not kept (r²)")
    names = ["lead", "chromosome", "position", "norm", "share", "members", "r2", "companions", "companions_r2"]
    return Sheet("clusters", head, shown, len(lines), to_csv(names, lines))


def linked(pairs: list[tuple[str, float]]) -> str:
    """Write variants with their squared correlation to the lead, the first few by name.

    >>> linked([("rs1", 0.914), ("rs2", 0.8)]), linked([])
    ('rs1 (0.91), rs2 (0.80)', '-')
    """
    more = f", and {len(pairs) - LINE} more" if len(pairs) > LINE else ""
    return ", ".join(f"{name} ({r:.2f})" for name, r in pairs[:LINE]) + more or "-"


def joined(pairs: list[tuple[str, float]]) -> tuple[str, str]:
    """Write all names as one cell, and their squared correlations as another."""
    return "; ".join(name for name, _ in pairs), "; ".join(f"{r:.4g}" for _, r in pairs)


def selection_words(summary: Data) -> list[str]:
    """Return what half-samples select, how many of it may be false, and how far they agree."""
    found = summary["cohort"].get("stability")
    if not found or not found["halves"]:
        return []
    count = len(found["selected"])
    said = [
        f"{found['halves']} half-samples were searched, each until it held {found['most']:,} variants. "
        f"{count} {'variant is' if count == 1 else 'variants are'} kept by at least {found['threshold']:.0%} of them"
        + (f": {some(found['selected'])}." if count else "."),
        bound_words(found),
    ]
    if found["agreement"] is not None:
        said.append(f"The half-samples agree to {found['agreement']:.2f} of 1, where 0 is chance.")
    return said


def bound_words(found: Data) -> str:
    """Say how many of the selected variants may be false.

    >>> bound_words({"bound": 0.98, "selected": ["rs1"] * 12})
    'At most 1.0 false ones are expected among the 12, by half-samples.'
    """
    count = len(found["selected"])
    if found["bound"] is None:
        return "How many of them are false is not known: no bound holds for these half-samples."
    if not count:
        return f"At most {found['bound']:.1f} false ones would be expected in such a selection, by half-samples."
    return f"At most {found['bound']:.1f} false ones are expected among the {count}, by half-samples."
