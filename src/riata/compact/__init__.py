"""Smaller networks with the same outputs: what is exactly zero is physically removed."""

from __future__ import annotations

from riata.compact.attention import Attention
from riata.compact.models import compact_model
from riata.compact.reduce import compact
from riata.compact.result import Compacted, Report, Selected
from riata.compact.sizes import Size, measure

__all__ = ["Attention", "Compacted", "Report", "Selected", "Size", "compact", "compact_model", "measure"]
