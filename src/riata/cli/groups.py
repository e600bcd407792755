"""``--groups FILE``: which variables live and die together, from a two-column table or a JSON mapping."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..errors import InputError, one_line

HOW = "expected two columns headed variable,group, or a JSON mapping of variable to group"


def read_groups(path: str) -> dict[str, str]:
    """Return the group of each variable that the file names.

    Parameters
    ----------
    path : str
        CSV or TSV with the header ``variable,group``; or JSON, ``{"age": "person"}``.

    Raises
    ------
    InputError
        If the file is missing or is neither, or names a variable twice.
    """
    from ..data.fetch import fetch
    from ..data.read import decode

    try:
        label, content = fetch(path)
        text = decode(content, label)
        pairs = from_json(text, label) if text.lstrip().startswith("{") else from_table(text, label)
    except InputError as error:
        raise InputError(one_line(f"--groups: {error}")) from None
    return unique(pairs, label)


def from_json(text: str, label: str) -> list[tuple[str, str]]:
    """Return the pairs of a JSON mapping, repeated names among them."""
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{label}: not JSON ({error}); {HOW}") from None
    for variable, group in pairs:
        if not isinstance(group, str) or not group.strip():
            raise InputError(f"{label}: the group of {variable!r} is not a name; {HOW}")
    return [(variable, group.strip()) for variable, group in pairs]


def from_table(text: str, label: str) -> list[tuple[str, str]]:
    """Return the pairs of a delimited text."""
    from ..data.delimited import parse_delimited

    frame = parse_delimited(text, label, True)[0]
    heads = {name.strip().lower(): name for name in frame.columns}
    if frame.width != 2 or set(heads) != {"variable", "group"}:
        raise InputError(f"{label}: the columns are {', '.join(frame.columns[:4])}; {HOW}")
    rows = frame.select(heads["variable"], heads["group"]).rows()
    for number, (variable, group) in enumerate(rows, 2):
        if not (variable or "").strip() or not (group or "").strip():
            raise InputError(f"{label}, row {number}: a blank cell; {HOW}")
    return [(variable.strip(), group.strip()) for variable, group in rows]


def unique(pairs: Sequence[tuple[str, str]], label: str) -> dict[str, str]:
    """Return the pairs as a mapping, or refuse one that names a variable twice."""
    found: dict[str, str] = {}
    for variable, group in pairs:
        if variable in found:
            raise InputError(one_line(f"--groups: {label} names {variable!r} twice; name each variable once"))
        found[variable] = group
    return found
