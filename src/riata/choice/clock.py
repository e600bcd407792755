"""Where the time of a run went, what it had spent before it was stopped included."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

RESUMED = "before it was stopped"
"""The stage that a resumed run begins with."""


@dataclass
class Clock:
    """Seconds since a run began, and of each of its stages; ``before`` is what it had spent until it was stopped.

    >>> now = iter([0.0, 2.0, 2.5]).__next__
    >>> clock = Clock(now)
    >>> clock.mark("looking"), clock.mark("training"), clock.stages
    (None, None, [('looking', 2.0), ('training', 0.5)])
    >>> Clock(iter([0.0, 2.0]).__next__, before=30.0).seconds()
    32.0
    """

    now: Callable[[], float] = time.perf_counter
    stages: list[tuple[str, float]] = field(default_factory=list)
    before: float = 0.0

    def __post_init__(self) -> None:
        self.began = self._last = self.now()
        if self.before:
            self.stages.append((RESUMED, self.before))

    def mark(self, stage: str) -> None:
        """Note that a stage ends here."""
        now = self.now()
        self.stages.append((stage, now - self._last))
        self._last = now

    def seconds(self) -> float:
        """Return the seconds since the run began."""
        return self.before + self.now() - self.began
