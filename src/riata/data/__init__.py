"""Rows, columns and folds: from a file or a frame to arrays a network can be trained on."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "Column": "table",
    "Encoder": "encode",
    "Layout": "plan",
    "LeftOut": "table",
    "Source": "source",
    "Table": "table",
    "fit_encoder": "encode",
    "fold_ids": "split",
    "layout": "plan",
    "make_table": "build",
    "read_frame": "read",
    "read_source": "read",
    "seal": "split",
    "subsample": "split",
    "values_from_frame": "rows",
}

__all__ = [
    "Column",
    "Encoder",
    "Layout",
    "LeftOut",
    "Source",
    "Table",
    "fit_encoder",
    "fold_ids",
    "layout",
    "make_table",
    "read_frame",
    "read_source",
    "seal",
    "subsample",
    "values_from_frame",
]

if TYPE_CHECKING:
    from riata.data.build import make_table
    from riata.data.encode import Encoder, fit_encoder
    from riata.data.plan import Layout, layout
    from riata.data.read import read_frame, read_source
    from riata.data.rows import values_from_frame
    from riata.data.source import Source
    from riata.data.split import fold_ids, seal, subsample
    from riata.data.table import Column, LeftOut, Table


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the process that reads a file needs few of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'riata.data' has no attribute {name!r}")
    return getattr(import_module(f"riata.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
