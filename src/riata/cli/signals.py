"""SIGINT and SIGTERM: end the workers, unwind, and leave with 130 or 143, without a traceback or an orphan."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

PATIENCE = 8.0
"""Seconds after which a stop that hangs is cut short."""
LISTENED = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal asked the program to stop."""


@dataclass
class Stop:
    """The signal that asked the program to stop; 0 while none has. ``unwinding`` once it is being obeyed."""

    asked: int = 0
    unwinding: bool = False


@contextmanager
def watching(process: bool) -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into :class:`Stopped` while the block runs.

    Parameters
    ----------
    process : bool
        The block is the whole process: Ctrl-C is kept from the workers (they would each print a traceback; this
        process ends them), and signals that come after the block are ignored. Otherwise the old handlers come back.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def obey(number: int, frame: FrameType | None) -> None:
        if stop.unwinding:
            return
        stop.asked, stop.unwinding = stop.asked or number, True
        _leave_in_time(stop.asked)
        end_workers()
        raise Stopped

    before = {number: signal.signal(number, obey) for number in LISTENED}
    if process:
        _keep_interrupts_from_workers(stop)
    try:
        yield stop
    finally:
        for number in LISTENED:
            signal.signal(number, signal.SIG_IGN if process else before[number])


def end_workers() -> None:
    """Terminate the worker processes of this process."""
    if "multiprocessing" in sys.modules:
        from multiprocessing import active_children

        for child in active_children():
            child.terminate()


def _leave_in_time(number: int) -> None:
    """Leave the process if unwinding takes longer than :data:`PATIENCE`."""
    timer = threading.Timer(PATIENCE, os._exit, (128 + number,))
    timer.daemon = True
    timer.start()


def _keep_interrupts_from_workers(stop: Stop) -> None:
    """Block SIGINT (children inherit that) and let a thread wait for it and pass it on as SIGTERM."""
    if sys.platform == "win32":
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})

    def forward() -> None:
        while True:
            signal.sigwait({signal.SIGINT})
            stop.asked = stop.asked or signal.SIGINT
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=forward, daemon=True).start()
