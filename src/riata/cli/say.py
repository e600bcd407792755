"""What goes to stdout and stderr."""

from __future__ import annotations

import json
import sys
from typing import Any

from ..errors import one_line


def say(text: str) -> None:
    """Write lines to stdout; control characters (also those of a hostile name) become spaces."""
    clean = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    sys.stdout.write(clean.rstrip("\n") + "\n")
    sys.stdout.flush()


def say_json(facts: Any) -> None:
    """Write strict JSON to stdout, numbers that are not finite as null."""
    from ..choice.chart import plain

    raw(json.dumps(plain(facts), indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def raw(text: str) -> None:
    """Write a text to stdout as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def note(text: str) -> None:
    """Write a remark to stderr, on one line."""
    sys.stderr.write(one_line(f"riata: note: {text}") + "\n")
    sys.stderr.flush()
