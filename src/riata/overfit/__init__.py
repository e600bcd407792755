"""Overfitting explained: twelve points, two polynomials, and a network with and without each regularizer."""

from __future__ import annotations

from .fits import Found, compute
from .page import overfit, render_overfit
from .words import overfit_text

__all__ = ["Found", "compute", "overfit", "overfit_text", "render_overfit"]
