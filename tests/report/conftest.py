"""The made-up run as a fixture."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def made():
    """Return the function that makes up a run: (summary, figures)."""
    path = Path(__file__).parent.parent / "plots" / "made.py"
    spec = importlib.util.spec_from_file_location("made_up_run_of_reports", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.made
