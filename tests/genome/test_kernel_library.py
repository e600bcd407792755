"""The compiled library: kept where nobody else can write, never loaded damaged, and never missed."""

from __future__ import annotations

import ctypes
import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest

from riata.genome import kernel, library

pytestmark = pytest.mark.usefixtures("own_cache")
SOURCE = Path(kernel.__file__).with_name("kernel.c")
needs_compiler = pytest.mark.skipif(library.compiler() is None, reason="no compiler: pip install riata[kernel]")


@pytest.mark.parametrize(
    "script",
    ["exit 1", "exit 0", "exec sleep 60", 'printf "not a library" > library.so', "printf '\\177ELF' > library.so"],
)
def test_a_compiler_that_fails_is_no_error(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "cc"
    program.write_text(f"#!/bin/sh\nPATH=/bin:/usr/bin\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(library, "SECONDS", 0.5)
    for name in (program, tmp_path / "missing"):
        monkeypatch.setattr(kernel, "compiler", lambda name=name: library.Compiler(name, script, "t"))
        kernel.found.cache_clear()
        assert kernel.chosen(9) is None


@needs_compiler
def test_a_damaged_library_is_never_loaded_but_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert kernel.found("auto") is not None
    (file,) = (tmp_path / "riata").iterdir()
    assert file.parent.stat().st_mode & 0o777 == 0o700
    whole = file.read_bytes()
    assert len(whole) > 4096
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    damaged = [b"", whole[:1], whole[:40], whole[: len(whole) // 2], whole[:-1], whole + b"\0", bytes(flipped)]
    for content in damaged:
        file.write_bytes(content)
        assert library._loaded(file) is None
    build = library.compiler()
    assert library.opened(SOURCE, build) is not None
    assert file.read_bytes() == whole  # built again, and the same
    elsewhere = file.rename(tmp_path / "elsewhere.so")
    file.symlink_to(elsewhere)
    assert library._loaded(file) is None
    assert library.opened(SOURCE, build) is not None
    assert not file.is_symlink()
    assert library._loaded(file) is not None
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    monkeypatch.setattr(library, "private", lambda folder: True)
    assert library._loaded(file) is None  # another user's


@needs_compiler
def test_a_cache_that_others_can_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    folder = library.cache_folder()
    assert folder == tmp_path / "home" / "riata"
    loaded: list[Path] = []
    load = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda name: loaded.append(Path(name)) or load(name))
    for place, mode in ((folder, 0o777), (folder, 0o770), (folder.parent, 0o777), (folder.parent, 0o770)):
        before = place.stat().st_mode
        place.chmod(mode)
        assert library.cache_folder() is None
        kernel.found.cache_clear()
        assert kernel.found("auto") is not None  # from a folder of this process, which is gone
        assert not list(folder.iterdir())
        assert folder not in loaded[-1].parents
        assert not loaded[-1].parent.exists()
        place.chmod(before)
    assert library.cache_folder() == folder
    folder.parent.chmod(0o1777)  # as /tmp: nobody else can rename what is ours
    assert library.cache_folder() == folder
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert library.cache_folder() is None


def test_caches_that_cannot_be(tmp_path: Path) -> None:
    file, loop = tmp_path / "file", tmp_path / "loop"
    file.write_text("")
    loop.symlink_to(loop)
    for name in (file, loop, Path("/proc/none")):
        assert library.cache_folder({"XDG_CACHE_HOME": str(name)}) is None
    (tmp_path / "riata").symlink_to(file)
    assert library.cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) is None


@needs_compiler
def test_several_that_build_at_once_do_not_disturb_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    build = library.compiler()
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: library.opened(SOURCE, build), range(3)))
    assert None not in found
    assert [file.name for file in (tmp_path / "riata").iterdir()] == [build.name(SOURCE)]


def test_without_the_extra_or_elsewhere_there_is_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    with monkeypatch.context() as patch:
        patch.setattr(metadata, "distribution", nothing)
        assert library.compiler() is None
        assert kernel.chosen(9) is None
    for what, value in (("sys.platform", "win32"), ("sys.platform", "darwin"), ("platform.machine", lambda: "riscv64")):
        with monkeypatch.context() as patch:
            patch.setattr(what, value)
            assert library.compiler() is None


@needs_compiler
@pytest.mark.parametrize(("target", "machine"), [("x86_64-linux-gnu", 62), ("aarch64-linux-gnu", 183)])
def test_it_builds_for_both_machines_and_needs_no_library(target: str, machine: int) -> None:
    content = replace(library.compiler(), target=target).compiled(SOURCE)
    assert content[:4] == b"\x7fELF"
    assert content[18] == machine
    assert b".so" not in content  # it names no other one


def test_the_source_travels_with_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["riata"]
    assert any(fnmatch("genome/kernel.c", pattern) for pattern in patterns)
    assert "kernel" in project["project"]["optional-dependencies"]
