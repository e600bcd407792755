"""Pictures and words of a decision, from its summary alone."""

from __future__ import annotations

from .text import render_text

__all__ = ["render_text"]
