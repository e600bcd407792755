"""What is typed after an option, as values: lists, widths, rates."""

from __future__ import annotations

import csv
import re

from ..errors import InputError


def names(text: str) -> tuple[str, ...]:
    """Return the names of a list; one with a comma is written in double quotes.

    >>> names('age, "a,b"')
    ('age', 'a,b')
    """
    row = next(csv.reader([text], skipinitialspace=True), [])
    return tuple(name.strip() for name in row if name.strip())


def layers(text: str) -> tuple[int, ...]:
    """Return the widths of the hidden layers; "", none and 0 are a linear model.

    >>> layers("64,32"), layers("none")
    ((64, 32), ())

    Raises
    ------
    InputError
        If a width is not a whole number of 1 to 65536.
    """
    words = [w.strip() for w in text.split(",")]
    if words in ([""], ["none"], ["0"]):
        return ()
    if not all(re.fullmatch(r"[0-9]{1,5}", w) and 0 < int(w) <= 65536 for w in words):
        raise InputError(f"--hidden {text!r} is not a list of widths; type --hidden 64,64, or none for a linear model")
    return tuple(int(w) for w in words)


def rates(text: str) -> tuple[float, ...]:
    """Return dropout rates, each once.

    >>> rates("0,0.2")
    (0.0, 0.2)

    Raises
    ------
    InputError
        If one is not a number.
    """
    try:
        return tuple(dict.fromkeys(float(w) for w in text.split(",")))
    except ValueError:
        raise InputError(f"--dropout {text!r} is not a list of rates in [0, 1); type --dropout 0,0.2") from None


def strengths(text: str) -> tuple[float, ...]:
    """Return the strengths of a path, each once, the largest first.

    >>> strengths("0.01,0.1")
    (0.1, 0.01)

    Raises
    ------
    InputError
        If one is not a positive number.
    """
    try:
        found = sorted({float(w) for w in text.split(",")}, reverse=True)
    except ValueError:
        found = []
    if not found or not all(0 < lam < float("inf") for lam in found):
        raise InputError(f"--lams {text!r} is not a list of positive numbers; type --lams 0.1,0.01")
    return tuple(found)
