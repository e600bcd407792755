"""How a command that did not end well leaves: one line on stderr and an exit code."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import sys
import traceback
from collections.abc import Sequence

import typer

from ..errors import InputError, ResourceError, RiataError, one_line
from .signals import Stopped

RESUMABLE = ("choose", "demo")
USAGE = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""Base class of everything typer says about how a command was typed."""


class ReaderGoneError(Exception):
    """Whoever read our output has closed it."""


def report(error: BaseException, signal_number: int, words: Sequence[str]) -> int:
    """Say what happened in one line on stderr and return the exit code."""
    if isinstance(error, ReaderGoneError | SystemExit):  # typer leaves when it finds stdout closed
        _discard_stdout()
        return 0
    code, line = judge(error, signal_number, words)
    with contextlib.suppress(OSError, ValueError):
        if "--debug" in words and code not in (130, 143):
            traceback.print_exception(error, file=sys.stderr)
        sys.stderr.write(one_line(f"riata: {line}") + "\n")
        sys.stderr.flush()
    return code


def judge(error: BaseException, signal_number: int, words: Sequence[str]) -> tuple[int, str]:
    """Return the exit code and the sentence for an error."""
    if signal_number or isinstance(error, KeyboardInterrupt | Stopped):
        again = "; type the command again with --resume to go on" if resumable(words) else ""
        return 128 + (signal_number or 2), f"stopped{again}"
    if isinstance(error, USAGE):
        return InputError.exit_code, usage(error, words)
    if isinstance(error, RiataError):
        return error.exit_code, str(error)
    if isinstance(error, MemoryError):
        return ResourceError.exit_code, "out of memory; use fewer rows, --workers 1, or a machine with more"
    if type(error).__name__ == "BrokenProcessPool":
        then = ", and --resume to go on" if resumable(words) else ""
        why = f"a worker process died, perhaps for memory; type --workers 1{then}"
        return ResourceError.exit_code, why
    if isinstance(error, OSError):
        return ResourceError.exit_code, f"{error.strerror or error}{_of(error)}; make room or check the rights"
    return 1, f"internal error {type(error).__name__}: {error}"[:200] + "; run again with --debug"


def resumable(words: Sequence[str]) -> bool:
    """Return whether a command can go on with ``--resume``.

    >>> resumable(["choose", "t.csv"]), resumable(["predict", "out", "t.csv"])
    (True, False)
    """
    return bool(words) and words[0] in RESUMABLE


def usage(error: BaseException, words: Sequence[str]) -> str:
    """Say what was wrong with how a command was typed, and what to type.

    >>> usage(typer.BadParameter("not a folder.", param_hint="'--out'"), ["choose"])
    '--out: not a folder; see riata choose --help'
    """
    context = getattr(error, "ctx", None)
    command = getattr(context, "command", None)
    option = getattr(error, "option_name", "")
    if type(error).__name__ == "NoSuchOption":
        known = [o for p in getattr(command, "params", []) for o in (*p.opts, *p.secondary_opts)]
        return f"option {option} is unknown; {near(option, [*known, '--help'])}"
    if type(error).__name__ == "MissingParameter":
        flag, shown = error.param.opts[0], error.param.metavar  # type: ignore[attr-defined]
        if not flag.startswith("--"):
            return f"{shown} is missing; see riata {words[0]} --help"
        return f"{flag} is missing; type {flag} {shown}"
    said: str = getattr(error, "format_message", lambda: str(error))()
    wrong = re.match(r"No such command '(.*?)'", said, re.DOTALL)
    if wrong:
        return f"command {wrong[1]!r} is unknown; {near(wrong[1], list(getattr(command, 'commands', {})))}"
    said = re.sub(r"^Invalid value for '?(.*?)'?: ", r"\1: ", said.strip())
    here = f"riata {words[0]}" if words and not words[0].startswith("-") else "riata"
    return f"{said.rstrip('.')}; see {here} --help"


def near(word: str, known: Sequence[str]) -> str:
    """Return the nearest known word as a hint, or all of them.

    >>> near("--fold", ["--folds", "--seeds"])
    'did you mean --folds?'
    """
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {found[0]}?" if found else f"expected one of {', '.join(known)}"


def _of(error: OSError) -> str:
    return f": {error.filename}" if error.filename is not None else ""


def _discard_stdout() -> None:
    """Point stdout at nothing, so that the interpreter does not complain when it flushes at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
