"""The process that reads a file at risk, from inside: limits first, then read, then one reply."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any, BinaryIO


def main(asked: dict[str, Any]) -> None:
    """Read what was asked for and leave; started by `riata.data.guard.read_guarded`.

    The reply is a line of JSON, the line numbers as little-endian int64, and the frame as an Arrow stream.
    """
    with os.fdopen(os.dup(1), "wb") as reply:
        os.dup2(2, 1)  # whatever prints is no reply
        limit(asked["memory"], asked["seconds"])
        answer(asked, reply)
    os._exit(0)


def limit(memory: int, seconds: int) -> None:
    """Bound the process's own memory (data, not address space: allocators reserve far more than they use) and time.

    On systems without these limits the parent's clock is the only bound.
    """
    try:
        import resource
    except ImportError:
        return
    for what, most, last in (
        (resource.RLIMIT_DATA, memory, memory),
        (resource.RLIMIT_CPU, seconds, seconds + 5),  # SIGXCPU first, which tells it from other ways to be killed
        (resource.RLIMIT_CORE, 0, 0),
    ):
        with suppress(OSError, ValueError):
            _, hard = resource.getrlimit(what)
            free = hard == resource.RLIM_INFINITY
            resource.setrlimit(what, (most if free else min(most, hard), last if free else min(last, hard)))


def answer(asked: dict[str, Any], reply: BinaryIO) -> None:
    """Write the table, or why there is none."""
    from riata.data.fetch import fetch_raw
    from riata.data.source import understand
    from riata.errors import ResourceError, RiataError

    label = asked["label"]
    try:
        raw = sys.stdin.buffer.read() if asked["source"] is None else fetch_raw(asked["source"])[1]
        source = understand(label, raw, asked["header"])
        del raw
    except MemoryError:
        _say(reply, {"error": "memory"})
        return
    except ResourceError as error:
        memory = isinstance(error.__context__, MemoryError)
        _say(reply, {"error": "memory" if memory else "resource", "text": str(error)})
        return
    except RiataError as error:
        _say(reply, {"error": "input", "text": str(error)})
        return
    _say(reply, {"name": source.name, "rows": len(source.lines), "warnings": source.warnings})
    reply.write(source.lines.astype("<i8").tobytes())
    source.frame.write_ipc_stream(reply)


def _say(reply: BinaryIO, what: dict[str, Any]) -> None:
    """Write one line of JSON."""
    reply.write(json.dumps(what).encode() + b"\n")
