"""Available memory: the least of what the system and the control groups leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from riata.errors import ResourceError
from riata.genome.memory import available, require

GROUP = "sys/fs/cgroup"


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    1000 kB\n"}, 1_024_000),
        (
            {"proc/meminfo": "MemAvailable: 1000 kB\n", f"{GROUP}/memory.max": "5000\n",
             f"{GROUP}/memory.current": "4500\n", f"{GROUP}/memory.stat": "anon 9\ninactive_file 300\n"},
            800,
        ),
        ({"proc/meminfo": "MemAvailable: 1 kB", f"{GROUP}/memory.max": "max", f"{GROUP}/memory.current": "4"}, 1024),
        (
            {"proc/self/cgroup": "0::/job/inner\n", f"{GROUP}/job/inner/memory.max": "700",
             f"{GROUP}/job/inner/memory.current": "300"},
            400,
        ),
        (
            {"proc/self/cgroup": "4:memory:/a\n", f"{GROUP}/memory/a/memory.limit_in_bytes": "700",
             f"{GROUP}/memory/a/memory.usage_in_bytes": "300",
             f"{GROUP}/memory/a/memory.stat": "total_inactive_file 50\n"},
            450,
        ),
        ({f"{GROUP}/memory/memory.limit_in_bytes": "9223372036854771712", f"{GROUP}/memory/memory.usage_in_bytes": "3",
          "proc/meminfo": "MemAvailable: 2 kB\n"}, 2048),
        ({f"{GROUP}/memory.max": "10", f"{GROUP}/memory.current": "30"}, 0),
    ],
)  # fmt: skip
def test_the_least_limit_counts(files: dict[str, str], expected: int, tmp_path: Path) -> None:
    assert available(machine(tmp_path, files)) == expected


def test_without_any_file_it_is_the_physical_memory_or_unknown(tmp_path: Path) -> None:
    found = available(tmp_path)
    assert found is None or found > 0
    assert (available() or 1) > 0


def test_seventy_per_cent_is_the_limit() -> None:
    require(700, "it", "less", free=1000)
    with pytest.raises(ResourceError, match=r"it needs 0\.0 GB") as caught:
        require(701, "it", "less", free=1000)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)
