"""Files are whole or not there, and never left half written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from riata.errors import ResourceError, RiataError, one_line
from riata.files import write_bytes, write_text


def test_folders_are_made_and_text_is_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.txt"
    write_text(path, "Größe, 大きさ\n")
    assert path.read_bytes().decode("utf-8") == "Größe, 大きさ\n"
    write_text(path, "again")
    assert path.read_text() == "again" and [p.name for p in path.parent.iterdir()] == ["c.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "decision.json"
    write_bytes(path, b"old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full) if step == "fsync" else monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ResourceError, match=r"decision\.json: No space left") as error:
        write_bytes(path, b"new" * 1000)
    assert "\n" not in str(error.value)
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["decision.json"]


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(ResourceError, match="cannot write"):
        write_text(tmp_path / "out" / "decision.json", "{}")
    (tmp_path / "dir.json").mkdir()
    with pytest.raises(ResourceError, match=r"dir\.json"):
        write_text(tmp_path / "dir.json", "{}")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dir.json", "out"]


def test_a_new_file_is_read_by_someone_only_when_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    whole = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.append([p.name for p in tmp_path.iterdir()])
        assert self.parent == target.parent and self.read_bytes() == b"content"
        return whole(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    write_bytes(tmp_path / "m.safetensors", b"content")
    assert len(seen) == 1 and "m.safetensors" not in seen[0]


def test_errors_are_one_printable_line() -> None:
    said = one_line("a\x1b[2J\r\nb\u202e" + "c" * 1000)
    assert said.isprintable() and len(said) <= 300 and said.endswith("…")
    assert issubclass(ResourceError, RiataError) and issubclass(ResourceError, OSError)
