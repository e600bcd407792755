"""From what was typed to a table and options, with the checks that need no training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import words
from .arguments import Given
from .folders import study_name
from .groups import read_groups

if TYPE_CHECKING:
    from ..choice.options import Options
    from ..choice.stream import Large
    from ..data import Table

PLAIN = (
    "task", "goal", "chart", "no_validation", "folds", "repeats", "seeds", "path_length", "patience", "epochs",
    "batch_size", "picture", "scaling", "form", "workers", "device", "seed",
)  # fmt: skip
LISTS: dict[str, Callable[[str], Any]] = {"penalties": words.names, "hidden": words.layers, "dropout": words.rates}


def options_of(given: Given) -> Options:
    """Return the options that were typed; the others keep their defaults.

    Raises
    ------
    InputError
        If a value cannot be used.
    """
    from ..api import make_options
    from ..choice.options import seconds

    typed = {name: given[name] for name in PLAIN if given.get(name) is not None}
    typed |= {name: read(given[name]) for name, read in LISTS.items() if given.get(name) is not None}
    if given.get("budget") is not None:
        typed["budget"] = seconds(given["budget"])
    return make_options(**typed)


def groups_of(given: Given) -> dict[str, str] | None:
    """Return the mapping of ``--groups``, or None."""
    return read_groups(given["groups"]) if given.get("groups") is not None else None


def table_of(given: Given, source: Any = None, target: str | None = None, name: str | None = None) -> Table:
    """Return the table that was named, or ``source`` read as asked.

    Raises
    ------
    InputError
        If the table cannot be used; the message names file, row and column.
    """
    from ..api import load_table
    from ..data import read_source

    if source is None:
        source = read_source(given["table"])
        name = source.name
    return load_table(
        source,
        target or given["target"],
        task=given["task"] or "auto",
        categorical=words.names(given["categorical"] or ""),
        drop=words.names(given["drop"] or ""),
        group_column=given.get("group_column"),
        name=study_name(name or "table"),
    )


def large_of(given: Given, options: Options) -> Large:
    """Return the Parquet file that was named, to be read from disk, with its sub-sample.

    Raises
    ------
    InputError
        If the file, the target or an option cannot be used.
    """
    from ..choice.stream import open_large

    return open_large(
        given["table"],
        given["target"],
        options,
        categorical=words.names(given["categorical"] or ""),
        drop=words.names(given["drop"] or ""),
        group_column=given.get("group_column"),
        name=study_name(Path(given["table"]).stem),
    )
