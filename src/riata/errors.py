"""Errors a user can act on: what arrived, what was expected, what to type next."""

from __future__ import annotations


class RiataError(Exception):
    """Base class of every error that Riata raises on purpose."""

    exit_code = 1


class InputError(RiataError, ValueError):
    """The user's table or arguments cannot be used as they are (exit code 2)."""

    exit_code = 2


class ResourceError(RiataError, OSError):
    """The machine cannot do it: disk, memory or rights (exit code 3)."""

    exit_code = 3


def one_line(message: object, limit: int = 300) -> str:
    """Return ``message`` as one printable line of at most ``limit`` characters.

    Control characters (also those of a hostile cell or file name) become spaces.

    >>> one_line("bad\\x1b[31m cell\\nnext")
    'bad [31m cell next'
    """
    text = "".join(c if c.isprintable() else " " for c in str(message))
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
