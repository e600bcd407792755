"""SIGINT and SIGTERM: end the workers, unwind, and leave with 130 or 143, without a traceback or an orphan."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

PATIENCE = 8.0
"""Seconds after which a stop that hangs is cut short."""
LISTENED = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal asked the program to stop."""


@dataclass
class Stop:
    """The signal that asked the program to stop; 0 while none has. ``unwinding`` once it is being obeyed.

    ``limit`` cuts a stop short that hangs.
    """

    asked: int = 0
    unwinding: bool = False
    limit: threading.Timer | None = None


@contextmanager
def watching(stop: Stop, process: bool) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into :class:`Stopped` while the block runs.

    Parameters
    ----------
    stop : Stop
        Told which signal came.
    process : bool
        The block is the whole process: Ctrl-C is kept from the workers (they would each print a traceback; this
        process ends them), and signals that come after the block are ignored. Otherwise the old handlers come back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def obey(number: int, frame: FrameType | None) -> None:
        if stop.unwinding:
            return
        stop.asked, stop.unwinding = stop.asked or number, True
        stop.limit = stop.limit or _leave_in_time(stop)
        end_half_started(frame)
        end_workers()
        raise Stopped

    before = {number: signal.signal(number, obey) for number in LISTENED}
    if process:
        _keep_interrupts_from_workers(stop)
        _leave_in_time_also_from_a_long_call(stop)
    try:
        yield
    finally:
        for number in LISTENED:
            signal.signal(number, signal.SIG_IGN if process else before[number])
        if stop.limit is not None and not process:
            stop.limit.cancel()


def end_workers() -> None:
    """Terminate the worker processes of this process."""
    if "multiprocessing" in sys.modules:
        from multiprocessing import active_children

        for child in active_children():
            child.terminate()


def end_half_started(frame: FrameType | None) -> None:
    """End the worker that is being started where the signal came: multiprocessing does not know it yet."""
    while frame is not None:
        if frame.f_code.co_name == "_launch" and "multiprocessing" in frame.f_code.co_filename:
            pid = getattr(frame.f_locals.get("self"), "pid", None)
            if isinstance(pid, int):
                with suppress(OSError):
                    os.kill(pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        frame = frame.f_back


def shield_workers() -> None:
    """Start multiprocessing's own helper now: when it starts, it lets SIGINT through again, also to later children."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        return
    from multiprocessing import resource_tracker

    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_in_time(stop: Stop) -> threading.Timer:
    """Leave the process if unwinding takes longer than :data:`PATIENCE`."""
    timer = threading.Timer(PATIENCE, lambda: os._exit(128 + (stop.asked or signal.SIGTERM)))
    timer.daemon = True
    timer.start()
    return timer


def _leave_in_time_also_from_a_long_call(stop: Stop) -> None:
    """Count the time from the signal on, also while the main thread is in a call that Python cannot interrupt."""
    if sys.platform == "win32":
        return
    came, told = os.pipe()
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)

    def wait() -> None:
        os.read(came, 1)
        stop.limit = stop.limit or _leave_in_time(stop)

    threading.Thread(target=wait, daemon=True).start()


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
