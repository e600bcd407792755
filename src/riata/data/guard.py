"""The process that reads a file at risk, as it is seen from here: start it, wait, word what became of it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from riata.data.say import refuse
from riata.data.source import Source
from riata.errors import InputError, ResourceError, one_line
from riata.memory import PART, available

MIB = 1024 * 1024
LEAST_MEMORY, MEMORY_PER_BYTE = 1024 * MIB, 100
"""Bytes that the reader may use: the least, and for each byte of the file (gzip packs tenfold, cells take ten)."""
LEAST_SECONDS, SECONDS_PER_MIB = 60, 2
"""Processor time that the reader may use: the least, and for each MiB of the file."""
PATIENCE = 4
"""Seconds on the clock for each second of processor time: the machine may be busy."""
_START = "import json,sys;a=json.loads(sys.argv[1]);sys.path[:]=a['path'];from riata.data.child import main;main(a)"


def read_guarded(source: str | Path | bytes, label: str, size: int, header: bool | None = None) -> Source:
    """Read a table in a process with limits of memory and time.

    Parameters
    ----------
    source : str, Path or bytes
        A regular file, or what was in a pipe.
    label : str
        What messages call the table.
    size : int
        Bytes in the file; the limits grow with it.
    header : bool, optional
        See `riata.data.read.read_source`.

    Returns
    -------
    Source

    Raises
    ------
    InputError
        What the reader refuses; or it crashed, or did not come to an end.
    ResourceError
        It needed more memory than its limit or than 70% of what is free; or it could not be started.
    """
    memory, seconds = memory_limit(size), LEAST_SECONDS + SECONDS_PER_MIB * size // MIB
    piped = source if isinstance(source, bytes) else None
    asked = {
        "path": [p for p in sys.path if isinstance(p, str)],
        "source": None if piped is not None else str(Path(os.fspath(source)).expanduser().absolute()),  # type: ignore[arg-type]
        "label": label,
        "header": header,
        "memory": memory,
        "seconds": seconds,
    }
    code, out, err = _run(asked, piped, label, seconds * PATIENCE)
    return _source(code, out, err, label, memory, seconds)


def memory_limit(size: int) -> int:
    """Return the bytes that the reader of a file of ``size`` bytes may use, at most 70% of what is free.

    >>> memory_limit(0) <= LEAST_MEMORY
    True
    """
    wanted = max(LEAST_MEMORY, MEMORY_PER_BYTE * size)
    free = available()
    return wanted if free is None else min(wanted, int(PART * free))


def _run(asked: Mapping[str, object], piped: bytes | None, label: str, wait: float) -> tuple[int | None, bytes, bytes]:
    """Run the reader; its exit code (None: it was stopped), its reply and what it complained of."""
    few = {"POLARS_MAX_THREADS": os.environ.get("POLARS_MAX_THREADS", "2")}  # each thread's stack and heap count
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, json.dumps(asked)],
            stdin=subprocess.DEVNULL if piped is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **few},
        )
    except (OSError, ValueError, TypeError) as error:
        raise ResourceError(
            one_line(
                f"{label}: no process to read it in ({error}); free memory or processes, or pass a frame in Python"
            )
        ) from None
    try:
        out, err = child.communicate(piped, timeout=wait)
    except subprocess.TimeoutExpired:
        return None, b"", b""
    except MemoryError:
        raise ResourceError(one_line(f"{label}: does not fit into the free memory; use fewer rows")) from None
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    return child.returncode, out, err


def _source(code: int | None, out: bytes, err: bytes, label: str, memory: int, seconds: int) -> Source:
    """Return the table that the reader sent, or word how it ended."""
    if code is None or code == -getattr(signal, "SIGXCPU", 0) != 0:
        raise refuse(f"{label}: reading it took more than {seconds} s; expected a table; write or copy it again")
    if code == -getattr(signal, "SIGKILL", 0) != 0:
        raise ResourceError(one_line(f"{label}: the process that read it was killed (short of memory?); free memory"))
    if code and (b"memory allocation of" in err or b"MemoryError" in err or b"bad_alloc" in err):
        raise _too_large(label, memory)
    head, _, rest = out.partition(b"\n")
    try:
        said = json.loads(head) if code == 0 else {}
        if said.get("error") == "memory":
            raise _too_large(label, memory)
        if "error" in said:
            raise (ResourceError if said["error"] == "resource" else InputError)(one_line(said["text"]))
        lines = np.frombuffer(rest, dtype="<i8", count=said["rows"]).astype(np.int64)
        frame = pl.read_ipc_stream(io.BytesIO(memoryview(rest)[8 * said["rows"] :]))
    except MemoryError:
        raise _too_large(label, memory) from None
    except (InputError, ResourceError):
        raise
    except (Exception, pl.exceptions.PanicException):
        how = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
        raise refuse(f"{label}: the reader crashed on it ({how}); write or copy the file again") from None
    return Source(said["name"], label, frame, lines, tuple(said["warnings"]))


def _too_large(label: str, memory: int) -> ResourceError:
    """Word that the reader's memory was not enough."""
    return ResourceError(
        one_line(f"{label}: reading it takes more than {memory / 1e9:.1f} GB of memory; use fewer rows or columns")
    )
