"""How the data layer words its refusals: one line, with the nearest name that exists."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from riata.errors import InputError, one_line


def refuse(message: str) -> InputError:
    """Return an `InputError` whose text is one printable line.

    >>> str(refuse("table.csv, row 3:\\nbad"))
    'table.csv, row 3: bad'
    """
    return InputError(one_line(message))


def quoted(cell: object, limit: int = 40) -> str:
    """Return a cell or a name in quotes, on one line, cut to ``limit`` characters.

    >>> quoted("a\\tb")
    "'a b'"
    """
    return "'" + one_line(cell, limit) + "'"


def near(name: str, names: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"``, or the names there are when none is near.

    >>> near("agee", ["age", "sex"])
    "did you mean 'age'?"
    >>> near("zzz", ["age", "sex"])
    "there are 'age', 'sex'"
    """
    known = list(names)
    lower = {k.lower(): k for k in reversed(known)}
    hit = difflib.get_close_matches(name.lower(), list(lower), n=1, cutoff=0.6)
    if hit:
        return f"did you mean {quoted(lower[hit[0]])}?"
    return "there are " + listed(known) if known else "there are none"


def listed(items: Sequence[object], most: int = 6) -> str:
    """Return quoted items, at most ``most`` of them and a count of the rest.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b' and 1 more"
    """
    text = ", ".join(quoted(i) for i in items[:most])
    return text if len(items) <= most else f"{text} and {len(items) - most} more"
