"""Programs and files that no package holds, as modules: what tests of several folders share to load them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def load(path: Path) -> ModuleType:
    """Return a file as a module, under a name of its own; beside it lies what it imports, as when it is run."""
    name = f"{path.parent.name}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by name
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(str(path.parent))
    return module


@contextmanager
def loaded(path: Path) -> Iterator[ModuleType]:
    """Load a file as a module for as long as it is needed."""
    module = load(path)
    try:
        yield module
    finally:
        sys.modules.pop(module.__name__, None)


@contextmanager
def benchmark(name: str) -> Iterator[ModuleType]:
    """Load a program of benchmarks/ for as long as it is needed."""
    with loaded(BENCHMARKS / f"{name}.py") as module:
        yield module
