"""``riata profile``: the answer without any training."""

from __future__ import annotations

from .arguments import Given
from .say import say, say_json
from .tables import groups_of, options_of, table_of


def profile(given: Given) -> None:
    """Run ``riata profile TABLE --target COL``."""
    from .. import api

    options, groups = options_of(given), groups_of(given)
    table = table_of(given)
    asked = {k: v for k, v in vars(options).items() if k != "no_validation"}
    found = api.profile(table, groups=groups, **asked)
    facts = {"table": table.name, **found.to_dict(), "warnings": list(table.warnings)}
    if given["json"]:
        say_json(facts)
        return
    lines = [f"Answer        {found.answer}: {found.why}", f"Theory says   {found.theory}: {found.theory_why}"]
    if not given["quiet"]:
        lines += [f"Asked         {a.question.text} {a.answer}" for a in found.answers]
        lines += [f"Fact          {name.replace('_', ' ')} {short(value)}" for name, value in facts["facts"].items()]
        lines += [f"Note          {warning}" for warning in table.warnings]
    say("\n".join(lines))


def short(value: object) -> str:
    """Write a fact: numbers with four digits.

    >>> short(0.123456), short(30), short("none")
    ('0.1235', '30', 'none')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)
