"""What cannot be asked where there are genotypes, for every door that takes them: Python, the command line, a study."""

from __future__ import annotations

from collections.abc import Mapping

from ..choice.look import LEAST_CLASS, LEAST_ROWS, obstacle, rarest
from ..choice.options import Options, flag
from ..data import Table
from ..errors import InputError

__all__ = ["check_options", "check_people"]

SAYS_NOTHING: Mapping[str, str] = {
    "picture": "variants are no picture",
    "no_validation": "the views are compared by measuring",
    "scaling": "variants are standardised",
    "form": "every view has one first layer",
    "budget": "every path is followed to its end",
    "repeats": "the folds are drawn once",
    "seeds": "a fold has one network a strength",
    "dropout": "the paths are without dropout",
}
"""Options that say nothing where there are genotypes, and why."""
LEAST_FOLDS = 3
"""Fewest outer folds that :class:`Options` takes."""


def check_options(options: Options, groups: Mapping[str, str] | None = None) -> None:
    """Refuse options that say nothing where there are genotypes.

    Raises
    ------
    InputError
        Names the option and why.

    Examples
    --------
    >>> check_options(Options(folds=4, hidden=(20,)))
    >>> check_options(Options(picture="4x5"))
    Traceback (most recent call last):
    riata.errors.InputError: --picture does not apply with --genotypes: variants are no picture; leave --picture out
    """
    usual = Options()
    asked = {name: why for name, why in SAYS_NOTHING.items() if getattr(options, name) != getattr(usual, name)}
    if groups is not None:
        asked["groups"] = "a variant is a group of its own"
    for name, why in asked.items():
        raise InputError(f"{flag(name)} does not apply with --genotypes: {why}; leave {flag(name)} out")
    if len(options.hidden) > 1 and options.hidden != usual.hidden:
        layers = ",".join(map(str, options.hidden))
        raise InputError(f"--hidden {layers} does not apply with --genotypes: one layer is used; type --hidden 20")
    if "sparse_group_lasso" in options.penalties and options.penalties != usual.penalties:
        raise InputError("--penalties sparse_group_lasso does not apply with --genotypes; type --penalties group_lasso")


def check_people(table: Table, options: Options) -> None:
    """Refuse people among whom nothing can be compared; the limits are those of any comparison.

    Raises
    ------
    InputError
        If there are too few, or too few of a class in each fold; says how many folds are possible.
    """
    why = obstacle(table, options)
    if not why:
        return
    folds = rarest(table) // LEAST_CLASS if table.n >= LEAST_ROWS else 0
    then = f"type --folds {folds}" if folds >= LEAST_FOLDS else "add people"
    raise InputError(f"{why}; {then}")
