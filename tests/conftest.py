"""What all tests share: one torch thread, since the machine may be shared; the command; and tests/support."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras reads it once, when it is first imported
sys.path.insert(0, str(Path(__file__).parent / "support"))

Ran = tuple[int, str, str]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Run each test with one torch thread, and give the others back."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def made() -> Callable[..., Any]:
    """Return the function that makes up a run: (summary, figures)."""
    from made_run import made

    return made


@pytest.fixture(scope="session")
def cohort(made: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that makes up a cohort's run: (summary, figures)."""
    from made_cohort import with_cohort

    return lambda task="classification", **how: with_cohort(*made(task=task), **how)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command in this process: exit code, stdout, stderr."""
    from riata.cli import main

    def ran(*words: object) -> Ran:
        capsys.readouterr()
        code = main([str(w) for w in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran
