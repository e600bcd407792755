"""A compiled kernel that each test finds anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from riata.genome import kernel


@pytest.fixture(scope="module")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def own_cache(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let each test find the kernel anew, in a cache of its own, and let none leave what it found."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    monkeypatch.delenv("RIATA_KERNEL", raising=False)
    kernel.found.cache_clear()
    yield
    kernel.found.cache_clear()
