"""The process that reads files at risk: same tables, and every way to die there is one line here."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from riata.cli import main
from riata.data import guard, read_source
from riata.data.source import understand
from riata.errors import InputError, ResourceError

MIB = 1024 * 1024
CELLS = {
    "n": [1, None, 3] * 5,
    "b": [True, False, None] * 5,
    "s": ["a", "ü\n", ""] * 5,
    "l": [[1], [], None] * 5,
    "y": [0.5, 1.5, float("inf")] * 5,
}
ARFF = b"@relation t\n@attribute c {u,'v w'}\n@attribute x real\n@data\nu,1\n?,2\n'v w',?\n"


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def typed() -> pl.DataFrame:
    days = pl.Series("d", range(15)).cast(pl.Date)
    amounts = pl.Series("m", range(15)).cast(pl.Decimal(10, 2))
    return pl.DataFrame(CELLS).with_columns(days, amounts, c=pl.col("s").cast(pl.Categorical))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", parquet(typed())),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n,x\n", mtime=0)),
        ("t.arff", ARFF),
        ("t.csv", b"a,b\n" + b"1,2\n" * (MIB // 3)),
    ],
)
def test_the_same_table_as_read_here(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    there, here = read_source(path), understand(str(path), content)
    assert (there.name, there.label, there.warnings) == (here.name, here.label, here.warnings)
    assert there.frame.equals(here.frame) and there.frame.schema == here.frame.schema
    assert there.lines.tolist() == here.lines.tolist() and there.lines.dtype == here.lines.dtype


def test_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(parquet(typed()))))
    source = read_source("-")
    assert source.label == "stdin" and source.frame.height == 15


def test_a_path_that_starts_where_the_caller_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ü 1.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n1,2,3\n"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^ü 1\.csv\.gz, row 3: this row has 3 cells"):
        read_source("ü 1.csv.gz")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os; os.kill(os.getpid(), 11)", "the reader crashed on it .SIGSEGV.; write or copy the file again"),
        ("import os; os._exit(7)", "the reader crashed on it .exit code 7."),
        ("raise RuntimeError('no')", "the reader crashed on it .exit code 1."),
        ("print('{}')", "the reader crashed on it .exit code 0."),
        ("""print('{"rows": 1, "name": "t", "warnings": []}')""", "the reader crashed on it"),
        ("from riata.data.child import limit; limit(2**30, 1)\nwhile True: pass", "took more than 1 s"),
        ("import time; time.sleep(600)", "took more than 1 s"),
    ],
)
def test_a_reader_that_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    start = guard._START.split("from riata")[0]
    monkeypatch.setattr(guard, "_START", f"{start}\n{program}")
    monkeypatch.setattr(guard, "LEAST_SECONDS", 1)
    monkeypatch.setattr(guard, "PATIENCE", 4)
    started: list[subprocess.Popen[bytes]] = []

    class Popen(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            started.append(self)

    monkeypatch.setattr(guard.subprocess, "Popen", Popen)
    with pytest.raises(InputError, match=words) as caught:
        read_source(path)
    assert str(caught.value).isprintable() and len(str(caught.value)) <= 300
    assert len(started) == 1
    with pytest.raises(ChildProcessError):
        os.waitpid(started[0].pid, os.WNOHANG)  # it was waited for: no zombie is left


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(bytes(16 * MIB), mtime=0) * 64,
        gzip.compress(b"1,2\n" * (4 * MIB), mtime=0) * 8,
        parquet(pl.select(a=pl.repeat(1.5, 60_000_000))),
    ],
    ids=["zeros", "text", "parquet"],
)
def test_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    assert len(content) < 2 * MIB
    monkeypatch.setattr(guard, "LEAST_MEMORY", 300 * MIB)
    monkeypatch.setattr(guard, "MEMORY_PER_BYTE", 1)
    path = tmp_path / "bomb.csv"
    path.write_bytes(content)
    with pytest.raises(ResourceError, match=r"takes more than 0\.3 GB of memory"):
        read_source(path)
    assert main(["profile", str(path), "--target", "y"]) == 3
    assert capsys.readouterr().err.count("\n") == 1


def test_no_process_to_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(ResourceError, match=r"no process to read it in .*pass a frame in Python"):
        read_source(path)
