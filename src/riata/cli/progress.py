"""How far a run is: a bar on a terminal, plain lines elsewhere, always on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

Progress = Callable[[str, int, int], None]
TENTHS = 10


class Lines:
    """Plain lines: a stage when it starts, then every tenth of it.

    Stages before the first that counts are held back until there is something to count: a table that is refused
    leaves one line only.

    >>> lines = Lines(sys.stdout)
    >>> for done in range(4):
    ...     lines("training networks", done + 1, 4)
    training networks: 1 of 4
    training networks: 2 of 4
    training networks: 3 of 4
    training networks: 4 of 4
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.held: list[str] = []
        self.started = False
        self.last: tuple[str, int, int] = ("", 0, 0)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Tell that ``done`` of ``total`` are finished."""
        tenth = TENTHS * done // max(total, 1)
        if (stage, total, tenth) == self.last:
            return
        self.last = (stage, total, tenth)
        self.held.append(f"{stage}: {done} of {total}" if done else stage)
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
        yield lambda stage, done, total: None
        return
    if not sys.stderr.isatty():
        yield Lines(sys.stderr)
        return
    with bar() as tell:
        yield tell


@contextlib.contextmanager
def bar() -> Iterator[Progress]:
    """Give a progress bar on the terminal, gone when done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Bar(*columns, console=Console(stderr=True), transient=True) as drawn:
        task = drawn.add_task("reading", total=None)

        def tell(stage: str, done: int, total: int) -> None:
            drawn.update(task, description=stage, completed=done, total=max(total, 1))

        yield tell
