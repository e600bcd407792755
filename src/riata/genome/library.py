"""Library: a C file, built once, kept where nobody else can write, looked at before it is loaded."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from riata.errors import ResourceError
from riata.files import write_bytes

__all__ = ["Compiler", "cache_folder", "compiler", "opened", "private"]

FLAGS = ("-std=c11", "-O3", "-g0", "-fPIC", "-shared", "-nostdlib", "-ffreestanding", "-fno-sanitize=all",
         "-fvisibility=hidden", "-Wl,-z,defs")  # fmt: skip
"""No library is linked, none may be missing, and only what the source names is visible."""

SECONDS = 60
"""The longest that a compiler may take; half a second is usual."""

DIGEST = 32
"""Bytes of the checksum behind a kept library."""


@dataclass(frozen=True)
class Compiler:
    """A clang that came as a package: its program, its version, and the machine that it is to compile for.

    The target is named so that nothing of the processor at hand is assumed: a home folder is shared by many.
    """

    program: Path
    version: str
    target: str

    def compiled(self, source: Path) -> bytes:
        """Return the library of a C file; nothing of the environment is handed on.

        Raises
        ------
        OSError, SubprocessError
            If the compiler cannot be run, fails or takes too long.
        """
        with tempfile.TemporaryDirectory(prefix="riata-") as folder:
            out = Path(folder) / "library.so"
            command = (self.program, "cc", "-target", self.target, *FLAGS, "-o", out, source)
            environment = {"ZIG_GLOBAL_CACHE_DIR": folder, "ZIG_LOCAL_CACHE_DIR": folder, "TMPDIR": folder}
            subprocess.run(command, cwd=folder, env=environment, timeout=SECONDS, check=True, input=b"",
                           capture_output=True)  # fmt: skip
            return out.read_bytes()

    def name(self, source: Path) -> str:
        """Return the file name of a library: other sources, flags and compilers have other names."""
        said = (source.read_bytes(), self.version, self.target, *FLAGS)
        digest = hashlib.sha256(b"\0".join(part if isinstance(part, bytes) else part.encode() for part in said))
        return f"{source.stem}-{digest.hexdigest()[:32]}.so"


def compiler() -> Compiler | None:
    """Return the compiler that the extra ``riata[kernel]`` brings, or None: no extra, or not Linux on x86-64 or ARM."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in ("x86_64", "aarch64"):
        return None
    try:
        package = metadata.distribution("ziglang")
    except metadata.PackageNotFoundError:
        return None
    program = Path(str(package.locate_file("ziglang/zig")))
    return Compiler(program, package.version, f"{machine}-linux-gnu") if program.is_file() else None


def opened(source: Path, build: Compiler) -> ctypes.CDLL | None:
    """Return the library of a C file: the kept one, or a new one, kept where that is safe; None if there is none.

    Where the cache cannot be used, the library lies in a temporary folder while it is loaded.
    """
    try:
        name, folder = build.name(source), cache_folder()
        if folder is not None and (kept := _loaded(folder / name)) is not None:
            return kept
        content = build.compiled(source)
        sealed = content + hashlib.sha256(content).digest()
        if folder is not None and (new := _placed(folder / name, sealed)) is not None:
            return new
        with tempfile.TemporaryDirectory(prefix="riata-") as only_now:
            return _placed(Path(only_now).resolve() / name, sealed)
    except (OSError, subprocess.SubprocessError):
        return None


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Return the user's cache of Riata, made if it is not there; None where it is not private (see :func:`private`)."""
    try:
        named = Path(environment.get("XDG_CACHE_HOME", ""))
        folder = (named if named.is_absolute() else Path.home() / ".cache") / "riata"
        folder.mkdir(0o700, parents=True, exist_ok=True)
        folder = folder.resolve(strict=True)
        return folder if private(folder) else None
    except (OSError, RuntimeError):  # no home, no right to write, a loop of links
        return None


def private(folder: Path) -> bool:
    """Return whether only this user, and root, can put a file there or put another folder in its place.

    The folder is this user's, and nobody else can write in it. Those above are this user's or root's, and nobody else
    can write there, or only beside what others own (the sticky bit of /tmp).
    """
    me = os.geteuid()
    own = folder.lstat()
    if not stat.S_ISDIR(own.st_mode) or own.st_uid != me or own.st_mode & 0o022:
        return False
    above = [parent.lstat() for parent in folder.parents]
    return all(each.st_uid in (0, me) and (not each.st_mode & 0o022 or each.st_mode & stat.S_ISVTX) for each in above)


def _placed(file: Path, content: bytes) -> ctypes.CDLL | None:
    """Return a new library from its file, or None where it cannot be written or loaded."""
    try:
        write_bytes(file, content)
    except ResourceError:
        return None
    return _loaded(file)


def _loaded(file: Path) -> ctypes.CDLL | None:
    """Return a library that is a file of this user, in a private folder, as long and as whole as it was written."""
    try:
        found = file.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or not private(file.parent):
            return None
        content = file.read_bytes()
        if hashlib.sha256(content[:-DIGEST]).digest() != content[-DIGEST:]:
            return None
        return ctypes.CDLL(str(file))
    except OSError:
        return None
