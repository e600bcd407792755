"""The command line: ``riata choose TABLE --target COL`` and its sisters. A door: no maths, no formulas."""

from __future__ import annotations

import sys

from .signals import Stop, watching

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    argv : list of str, optional
        The words after ``riata``; by default those of this process.

    Returns
    -------
    int
        0 done; 2 the user's input; 3 the machine (disk, memory, rights); 130 / 143 stopped by a signal; 1 a bug.
        Errors are one line on stderr; a traceback is added only with ``--debug``.

    Examples
    --------
    >>> from riata.cli import main
    >>> main(["--version"])
    riata 0.1.0
    0
    """
    words = sys.argv[1:] if argv is None else list(argv)
    stop = Stop()
    try:
        with watching(stop, process=argv is None):
            from .app import run

            return run(words)
    except BaseException as error:  # whatever it is, the user gets one line and an exit code
        from .outcome import report

        return report(error, stop.asked, words)
