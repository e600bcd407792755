"""Small tables, and the command line called in this process, in an empty folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

SMALL = ["--folds", "3", "--seeds", "1", "--path-length", "4", "--hidden", "8", "--epochs", "10", "--workers", "1"]
Ran = tuple[int, str, str]


def write_csv(path: Path, head: list[str], rows: list[list[object]]) -> Path:
    path.write_text("\n".join(",".join(map(str, row)) for row in [head, *rows]) + "\n", encoding="utf-8")
    return path


def binary_rows(n: int = 80, seed: int = 0) -> list[list[object]]:
    """Rows age, weight, colour, ill; some cells blank."""
    rng = np.random.default_rng(seed)
    age, weight = rng.normal(50, 10, n), rng.normal(70, 12, n)
    colour = rng.choice(["red", "green", "blue"], n)
    ill = np.where(age + rng.normal(0, 4, n) > 50, "yes", "no")
    rows: list[list[object]] = [list(r) for r in zip(age.round(3), weight.round(3), colour, ill, strict=True)]
    for i in range(0, n, 9):
        rows[i][1] = ""
    return rows


class Made:
    """Tables made on the fly, for tests that change one thing in them."""

    small = tuple(SMALL)
    rows = staticmethod(binary_rows)
    csv = staticmethod(write_csv)

    @staticmethod
    def text(rows: list[list[object]], head: str = "age,weight,colour,ill") -> bytes:
        return ("\n".join([head, *[",".join(map(str, r)) for r in rows]]) + "\n").encode()

    def changed(self, row: int, column: int, cell: object) -> bytes:
        rows = self.rows()
        rows[row][column] = cell
        return self.text(rows)


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test works in its own empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def riata(command: Callable[..., Ran]) -> Callable[..., Ran]:
    """Run a command: exit code, stdout, stderr."""
    return command


@pytest.fixture
def ill(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "ill.csv", ["age", "weight", "colour", "ill"], binary_rows())
