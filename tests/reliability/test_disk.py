"""A disk that is full, failing or read-only: exit 3 and one line, what was there stays, and the run goes on later."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from riata.errors import ResourceError
from riata.files import write_bytes
from riata.population.journal import Journal

HERE = Path(__file__).parent
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
CHOOSE = "choose t.csv --target y --folds 3 --seeds 1 --path-length 3 --penalties l1 --hidden 4 --epochs 5 --workers 1"
WORDS = [*CHOOSE.split(), "--dropout", "0", "--out", "out", "--quiet"]


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="needs a C compiler and LD_PRELOAD")
def test_every_call_of_a_save_fails_in_every_way(tmp_path: Path) -> None:
    """Every open, write, fsync, rename of the command, Python's and SQLite's, fails in each of four ways."""
    library = tmp_path / "failing.so"
    words = ["cc", "-shared", "-fPIC", "-o", str(library), str(HERE / "failing.c"), "-ldl"]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    (tmp_path / "run").mkdir()
    done = subprocess.run(
        [sys.executable, str(HERE / "failing_disk.py"), str(tmp_path / "run")],
        env={**ENVIRONMENT, "LD_PRELOAD": str(library)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figure = json.loads(done.stdout.splitlines()[-1])
    assert figure["wrong"] == []
    assert figure["runs"] == 4 * figure["calls"] > 240 and figure["refused"] > 200


def table(folder: Path) -> None:
    rows = [f"{i % 7},{(i * i) % 11},{int(i % 7 > 3)}" for i in range(60)]
    (folder / "t.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")


def run(folder: Path, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``riata choose`` in a shell, after some of its words."""
    line = f'{before} exec "$0" -m riata "$@"'
    return subprocess.run(
        ["/bin/sh", "-c", line, sys.executable, *WORDS, *words],
        cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def refused(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode == 3 and done.stderr.count("\n") == 1 and done.stderr.startswith("riata: ")


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path) -> None:
    table(tmp_path)
    for blocks in (20, 400):  # of 512 bytes: the journal, the report
        done = run(tmp_path, "--resume", before=f"trap '' XFSZ; ulimit -f {blocks};")
        assert refused(done), (blocks, done.returncode, done.stderr)
        assert not (tmp_path / "out" / "decision.json").exists()
        assert not list((tmp_path / "out").glob(".*.part"))
    assert run(tmp_path, "--resume").returncode == 0
    assert (tmp_path / "out" / "decision.json").exists()


def test_a_full_file_system(tmp_path: Path) -> None:
    """A real one of 64 KiB, mounted where nobody else sees it."""
    table(tmp_path)
    (tmp_path / "out").mkdir()
    mount = f"mount -t tmpfs -o size=64k tmpfs {tmp_path / 'out'}"
    if subprocess.run(["unshare", "-rm", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    script = f'{mount} && "$0" -m riata "$@"; echo $? > code; ls -A out > names; cp out/journal* . 2>/dev/null; true'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, sys.executable, *WORDS],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (tmp_path / "code").read_text() == "3\n" and done.stderr.count("\n") == 1, done.stderr
    assert "No space left" in done.stderr or "full" in done.stderr
    assert ".part" not in (tmp_path / "names").read_text()
    for file in tmp_path.glob("journal*"):
        shutil.copy(file, tmp_path / "out")
    assert run(tmp_path, "--resume").returncode == 0


def test_a_folder_that_may_only_be_read(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; path = Path(sys.argv[1])\n"
        "import riata.files, riata.population.journal as j, riata.errors as e\n"
        "os.getuid() or (os.setgid(65534), os.setuid(65534))\n"
        "for act in (lambda: riata.files.write_bytes(path / 'a.json', b'new'),\n"
        "            lambda: j.Journal.open(path / 'journal.sqlite', {}).remember('plan', b'x')):\n"
        "    try: act(); print('written')\n"
        "    except e.ResourceError as error: print(error.exit_code, str(error).count(chr(10)))\n"
    )
    folder = Path("/var/tmp") / f"riata-{os.getpid()}"  # pytest's own folders are closed to other users
    folder.mkdir()
    try:
        (folder / "a.json").write_bytes(b"old")
        folder.chmod(0o555)
        done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
        if "PermissionError" in done.stderr or "ModuleNotFoundError" in done.stderr:
            pytest.skip("another user cannot read the interpreter here")
        assert done.stdout == "3 0\n3 0\n", done.stdout + done.stderr
        assert [(p.name, p.read_bytes()) for p in folder.iterdir()] == [("a.json", b"old")]
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_what_reads_back_differently_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "decision.json"
    write_bytes(path, b"old")
    monkeypatch.setattr(Path, "read_bytes", lambda self: b"rotten")
    with pytest.raises(ResourceError, match="reads back differently"):
        write_bytes(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["decision.json"]


def test_a_full_journal_keeps_what_it_had(tmp_path: Path) -> None:
    """SQLite's own full disk: a limit on its pages."""
    path = tmp_path / "journal.sqlite"
    with Journal.open(path, {}) as journal:
        journal.remember("plan", b"small")
        assert journal._database is not None
        pages = journal._database.execute("PRAGMA page_count").fetchone()[0]
        journal._database.execute(f"PRAGMA max_page_count = {pages + 1}")
        with pytest.raises(ResourceError, match="full"):
            journal.remember("large", bytes(100_000))
        assert journal.recall("plan") == b"small"
        journal._database.execute("PRAGMA max_page_count = 100000")
        journal.remember("large", bytes(100_000))
    with Journal.open(path, {}, resume=True) as journal:
        assert journal.recall("plan") == b"small" and journal.recall("large") == bytes(100_000)
