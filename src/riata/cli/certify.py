"""``riata certify OUT TABLE --genotypes FILE``: the certificate again, in float64 over all variants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from .arguments import Given
from .cohort import study_of
from .predict import model_of
from .say import say, say_json


def certify(given: Given) -> None:
    """Run ``riata certify OUT TABLE --genotypes FILE``."""
    from ..cohort.certify import certify_folder

    named = asked(given["run"])
    study = study_of({**given, **named, "id": given["id"] or named["id"]})
    facts = certify_folder(Path(given["run"]), study)
    if given["json"]:
        say_json(facts)
    else:
        say("\n".join(lines_of(facts)))


def asked(run: str) -> dict[str, Any]:
    """Return how the table of a run was read: target, task, columns by kind, and those that no penalty may drop.

    Raises
    ------
    InputError
        If the folder is not that of a run with genotypes.
    """
    from ..choice.decision import read_decision
    from ..data.build import BY_REQUEST, NAMES_SUBJECT

    schema = model_of(run).schema
    cohort = read_decision(run).summary.get("cohort") if Path(run).is_dir() else None
    if "variants" not in schema or not isinstance(cohort, Mapping):
        raise InputError(f"{run}: a run without genotypes; expected the folder of riata choose with --genotypes")
    kinds = {c["name"]: c["kind"] for c in schema["columns"] if c["name"] not in schema["variants"]}
    reasons = {c["name"]: c["reason"] for c in schema["left_out"]}
    return {
        "target": schema["target"],
        "task": schema["task"],
        "id": schema.get("id"),
        "categorical": listed([name for name, kind in kinds.items() if kind == "categorical"]),
        "drop": listed([name for name, reason in reasons.items() if reason == BY_REQUEST]),
        "group_column": next((name for name, reason in reasons.items() if reason == NAMES_SUBJECT), None),
        "unpenalised": listed(cohort["unpenalised"]),
    }


def listed(names: list[str]) -> str:
    """Return names as they are typed after an option; one with a comma stands in double quotes.

    >>> listed(["age", "a,b"])
    'age,"a,b"'
    """
    import csv
    import io

    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return text.getvalue()


def lines_of(facts: Mapping[str, Any]) -> list[str]:
    """Return a certificate as lines, a name and a value each.

    >>> lines_of({"worst_inactive": 0.99896, "variants": 500000})
    ['worst inactive  0.99896', 'variants        500000']
    """
    names = {key: key.replace("_", " ") for key in facts}
    width = max((len(name) for name in names.values()), default=0) + 2
    values = {key: f"{value:.6g}" if isinstance(value, float) else str(value) for key, value in facts.items()}
    return [f"{names[key]:<{width}}{values[key]}" for key in facts]
