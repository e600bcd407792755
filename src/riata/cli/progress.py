"""How far a run is: a bar on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

    from ..choice.decide import Progress

TENTHS = 10
BAR = 20
"""Characters of the bar: with the stage, the count and both times it fits into 80."""
SPEED_OVER = 600.0
"""Seconds over which the speed is averaged for the time left; penalties differ in how long they train."""


def so_far(best: str) -> str:
    """Return how the best candidate is told.

    >>> so_far("group lasso 0.012, loss 0.412")
    'best so far: group lasso 0.012, loss 0.412'
    """
    return f"best so far: {best}"


class Lines:
    """Plain lines: a stage when it starts, then every tenth of it.

    Stages before the first that counts are held back until there is something to count: a table that is refused
    leaves one line only.

    >>> lines = Lines(sys.stdout)
    >>> for done in range(4):
    ...     lines("training networks", done + 1, 4, "L1 (lasso) 0.1, loss 0.4" if done else "")
    training networks: 1 of 4
    training networks: 2 of 4; best so far: L1 (lasso) 0.1, loss 0.4
    training networks: 3 of 4; best so far: L1 (lasso) 0.1, loss 0.4
    training networks: 4 of 4; best so far: L1 (lasso) 0.1, loss 0.4
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.held: list[str] = []
        self.started = False
        self.last: tuple[str, int, int] = ("", 0, 0)

    def __call__(self, stage: str, done: int, total: int, best: str = "", /) -> None:
        """Tell that ``done`` of ``total`` are finished."""
        tenth = TENTHS * done // max(total, 1)
        if (stage, total, tenth) == self.last:
            return
        self.last = (stage, total, tenth)
        line = f"{stage}: {done} of {total}" if done else stage
        self.held.append(f"{line}; {so_far(best)}" if best else line)
        self.started = self.started or done > 0
        if self.started:
            with contextlib.suppress(OSError, ValueError):
                self.stream.write("\n".join(self.held) + "\n")
                self.stream.flush()
            self.held.clear()


@contextlib.contextmanager
def shown(quiet: bool) -> Iterator[Progress]:
    """Give what tells the user how far a run is."""
    if quiet:
        yield lambda stage, done, total, best="", /: None
        return
    if not sys.stderr.isatty() or os.environ.get("TERM") in ("dumb", "unknown"):
        yield Lines(sys.stderr)
        return
    from rich.console import Console

    with bar(Console(stderr=True)) as tell:
        yield tell


@contextlib.contextmanager
def bar(console: Console) -> Iterator[Progress]:
    """Give a bar with the time passed and left, and the best candidate in the line below; both are gone when done."""
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(BAR), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[left]}"),
    )  # fmt: skip
    drawn = Bar(*columns, console=console, speed_estimate_period=SPEED_OVER)
    task = drawn.add_task("reading", total=1, left="")
    with Live(drawn, console=console, transient=True, refresh_per_second=10) as live:

        def tell(stage: str, done: int, total: int, best: str = "", /) -> None:
            drawn.update(task, description=stage, completed=done, total=max(total, 1), left="left" if done else "")
            if best:
                live.update(Group(drawn, Text(so_far(best), style="dim", overflow="ellipsis", no_wrap=True)))

        yield tell
