"""Riata: which regularizer a neural network needs on your data, how strong, and what it then keeps."""

from __future__ import annotations

__version__ = "0.1.0"
