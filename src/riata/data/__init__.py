"""Rows, columns and folds: from a file or a frame to arrays a network can be trained on."""

from __future__ import annotations

from riata.data.build import make_table
from riata.data.encode import Encoder, fit_encoder
from riata.data.plan import Layout, layout
from riata.data.read import Source, read_frame, read_source
from riata.data.rows import values_from_frame
from riata.data.split import fold_ids, seal, subsample
from riata.data.table import Column, LeftOut, Table

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
