"""Reach Ray: one of this machine alone, or the cluster that somebody started."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ..errors import ResourceError, one_line

REACH = 50.0
"""Seconds after which a cluster that does not answer is given up."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_task_oom_retries": "3"}
"""Nothing is reported to Ray's makers, and a piece that needs too much memory is not tried for ever."""
LOCAL = "local"
START = "pip install 'riata[ray]'"


@dataclass(frozen=True)
class Cluster:
    """A connection to Ray. ``mine``: it was opened here, so it is closed here.

    Attributes
    ----------
    ray : module
    address : str
        ``local``, ``host:port`` or ``ray://host:port``.
    mine : bool
    """

    ray: Any
    address: str
    mine: bool

    def cores(self, device: str = "cpu") -> int:
        """Return how many pieces run at once on all nodes: one a core, or one a GPU."""
        return int(sum(n["Resources"].get(resource(device), 0.0) for n in self.ray.nodes() if n["Alive"]))

    def close(self) -> None:
        """End a connection that was opened here; a Ray of this machine ends with it."""
        if self.mine:
            self.ray.shutdown()
            remarks(self.ray, True)


def resource(device: str) -> str:
    """Return what Ray calls the thing that a piece occupies one of.

    >>> resource("cpu"), resource("cuda")
    ('CPU', 'GPU')
    """
    return "GPU" if device == "cuda" else "CPU"


def named(workers: object) -> bool:
    """Tell whether a value names a Ray cluster: ``ray`` or ``ray://host:port``.

    >>> [named(w) for w in ("ray", "ray://10.0.0.5:10001", "Ray", "ray://h:0", 4)]
    [True, True, False, False, False]
    """
    if not isinstance(workers, str):
        return False
    port = re.fullmatch(r"ray(?:://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5}))?", workers)
    return port is not None and 0 < int(port[1] or 1) < 2**16


def cores_here() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def reach(workers: int | str | None, processes: int | None = None) -> Cluster | None:
    """Connect to the Ray that ``workers`` names; None where it names none.

    Parameters
    ----------
    workers : int, str or None
        ``ray`` is the cluster of RAY_ADDRESS, or else a Ray of this machine that listens on the loopback only and asks
        for a token that only this process knows. ``ray://host:port`` is a cluster reached through its client port.
    processes : int, optional
        Cores of a Ray of this machine; all that this process may use if left out.

    Raises
    ------
    ResourceError
        Ray is not installed, or does not answer in time.

    Examples
    --------
    >>> reach(4) is None
    True
    """
    if not isinstance(workers, str):
        return None
    address = workers if "://" in workers else os.environ.get("RAY_ADDRESS") or LOCAL
    ray = load_ray(address)
    if ray.is_initialized():
        return Cluster(ray, address, False)
    began = time.monotonic()
    remarks(ray, False)
    with own_signals():
        if address == LOCAL:
            start(ray, processes or cores_here())
        else:
            knock(address, began)
            in_time(address, began, lambda: ray.init(address, log_to_driver=False, logging_level="ERROR"))
    return Cluster(ray, address, True)


@contextlib.contextmanager
def connected(workers: int | str | None) -> Iterator[None]:
    """Hold one connection to the Ray that ``workers`` names, for several parts of a run; nothing where it names none.

    Raises
    ------
    ResourceError
        See :func:`reach`.
    """
    cluster = reach(workers)
    try:
        yield
    finally:
        if cluster is not None:
            cluster.close()


def start(ray: Any, processes: int) -> None:
    """Start a Ray of this machine. It ends with the thread that starts it, so that must be this one.

    Raises
    ------
    ResourceError
        It does not start.
    """
    facts = {"num_cpus": processes, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(LOCAL, log_to_driver=False, logging_level="ERROR", **facts)
    except (OSError, RuntimeError, ValueError) as error:
        raise unreachable(LOCAL, str(error)) from None


def remarks(ray: Any, wanted: bool) -> None:
    """Let Ray print that it lost a worker, or not: it does so on stdout, where our answer goes, and has no option."""
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    with contextlib.suppress(AttributeError):
        ray._private.worker._worker_logs_enabled = wanted


def load_ray(address: str) -> ModuleType:
    """Import Ray with what must be set before: a Ray of this machine stays on it.

    Raises
    ------
    ResourceError
        It is not installed.
    """
    settings = dict(QUIET)
    if address == LOCAL:
        settings["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray's name for: listen on the loopback only
        if "RAY_AUTH_MODE" not in os.environ:
            settings |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    for name, value in settings.items():
        os.environ.setdefault(name, value)
    try:
        ray = importlib.import_module("ray")
        if address.startswith("ray://"):
            importlib.import_module("grpc")
    except ImportError as error:
        why = f"--workers ray needs {error.name or 'ray'}, which is not installed"
        raise ResourceError(f"{why}; type {START}, or --workers with a number") from None
    return ray


def knock(address: str, began: float) -> None:
    """Wait until something listens at ``host:port``; other addresses are left to Ray.

    Raises
    ------
    ResourceError
        Nothing does.
    """
    found = re.fullmatch(r"(?:ray://)?\[?([^/\]]+)\]?:(\d{1,5})/?", address)
    if found is None:
        return
    why = ""
    while time.monotonic() - began < REACH / 4:
        try:
            with socket.create_connection((found[1], int(found[2])), timeout=5):
                return
        except (OSError, OverflowError) as error:
            why = str(getattr(error, "strerror", None) or error)
        time.sleep(0.5)
    raise unreachable(address, why)


def in_time(address: str, began: float, act: Any) -> None:
    """Run ``act`` and wait for it until :data:`REACH` is over.

    Raises
    ------
    ResourceError
        It failed, or did not end.
    """
    failed: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(0.0, REACH - (time.monotonic() - began)))
    if thread.is_alive():
        raise unreachable(address, f"no answer in {REACH:.0f} s")
    if failed:
        raise unreachable(address, str(failed[0]) or type(failed[0]).__name__) from None


def unreachable(address: str, why: str) -> ResourceError:
    """Return the error that says that Ray cannot be reached."""
    if address == LOCAL:
        said = f"Ray does not start here: {one_line(why, 120)}"
        return ResourceError(f"{said}; type --workers with a number")
    said = f"Ray at {one_line(address, 60)} cannot be reached: {one_line(why, 90)}"
    return ResourceError(f"{said}; look at ray status there, or type --workers with a number")


@contextlib.contextmanager
def own_signals() -> Iterator[None]:
    """Keep the handlers of SIGINT and SIGTERM that were there: Ray sets its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
