"""Names and numbers short enough for a figure."""

from __future__ import annotations

from typing import Any

LABEL = 24


def rounded(value: float) -> float:
    """Return ``value`` with three significant digits.

    >>> rounded(0.0123456), rounded(-0.0)
    (0.0123, 0.0)
    """
    return float(f"{value:.3g}") + 0.0


def shortened(text: str, most: int = LABEL) -> str:
    """Return ``text`` with its middle left out where it is too long.

    >>> shortened("the size of the left kidney in cm", 15)
    'the siz…y in cm'
    """
    head = most // 2
    return text if len(text) <= most else text[:head] + "…" + text[len(text) - (most - 1 - head) :]


def percent(share: float) -> str:
    """Write a share; only all is 100% and only none is 0%.

    >>> percent(0.714), percent(0.9999), percent(0.0)
    ('71%', 'over 99%', '0%')
    """
    if 0 < share < 0.005:
        return "under 1%"
    return "over 99%" if 0.995 <= share < 1 else f"{share:.0%}"


def row_labels(columns: list[dict[str, Any]], variables: list[str]) -> list[str]:
    """Return one label a column, all different: a variable's name, or "variable: level".

    >>> row_labels([{"name": "sex=f", "variable": 0}, {"name": "age", "variable": 1}], ["sex", "age"])
    ['sex: f', 'age']
    """
    labels: list[str] = []
    seen: dict[str, int] = {}
    for column in columns:
        variable, name = variables[column["variable"]], column["name"]
        if name.startswith(f"{variable}="):
            level = shortened(name[len(variable) + 1 :], LABEL // 2)
            name = f"{shortened(variable, LABEL - 2 - len(level))}: {level}"
        label = shortened(name)
        seen[label] = seen.get(label, 0) + 1
        labels.append(label if seen[label] == 1 else f"{shortened(name, LABEL - 5)} ({seen[label]})")
    return labels
