"""Files that are damaged or made to hurt: refused in one line, quickly, in little memory; nothing of them is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest
from load_modules import benchmark

import riata
from riata.choice.decision import Decision
from riata.errors import InputError, ResourceError
from riata.model import load_model
from riata.strict import MOST_BYTES, MOST_VALUES, parse

MUTANTS = 300
Ran = tuple[int, str, str]


@pytest.fixture(scope="module")
def hostile() -> Iterator[ModuleType]:
    with benchmark("hostile_models") as module:
        yield module


@pytest.fixture(scope="module")
def decision() -> Decision:
    """A comparison, so that every part of the report is there."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": rng.choice(["u", "v", "w"], 80), "y": (X[:, 0] > 0) * 1})
    return riata.choose(
        frame, "y", penalties=["group_lasso"], hidden=(4,), epochs=5, folds=3, seeds=1, path_length=3, workers=1,
        dropout=(0.0,), device="cpu",
    )  # fmt: skip


@pytest.fixture(scope="module")
def content(decision: Decision, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "m.safetensors"
    assert decision.model is not None
    decision.model.save(path)
    return path.read_bytes()


@pytest.fixture
def run(decision: Decision, tmp_path: Path) -> Path:
    """The folder of a run, and a table beside it."""
    decision.save(tmp_path / "run")
    (tmp_path / "rows.csv").write_text("a,b,c\n1,2,u\n3,,w\n")
    return tmp_path / "run"


def test_the_sound_file_is_taken_apart_and_put_together(hostile: ModuleType, content: bytes, tmp_path: Path) -> None:
    whole, path = hostile.sound(content), tmp_path / "m.safetensors"
    path.write_bytes(whole.with_description(whole.description))
    assert hostile.outcome(path)[0] == "loads"  # so what follows is refused for what it changes
    path.write_bytes(content)
    again = load_model(path)
    again.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == content


@pytest.mark.parametrize("kind", ["truncations", "headers", "descriptions"])
def test_forged_files_are_refused(kind: str, hostile: ModuleType, content: bytes, tmp_path: Path) -> None:
    path, whole = tmp_path / "m.safetensors", hostile.sound(content)
    seen, loads = 0, []
    for case, forged in getattr(hostile, kind)(whole):
        if len(forged) > 5 * 10**6:
            continue  # the long run has the large ones
        path.write_bytes(forged)
        what, seconds = hostile.judge(path)
        assert seconds <= hostile.SECONDS, case
        seen += 1
        loads += [case] if what == "loads" else []
    assert seen >= 60
    free = ("facts", "schema.name", "schema.target", "schema.sha256", "schema.warnings", "schema.left_out", "schema.n",
            "schema.dropped_rows", "schema.subjects", "groups.0", "y.", "encoder.layout.columns.0",
            "encoder.layout.code.0", "encoder.layout.group.0", "schema.columns.0.", "schema.classes.0",
            "spec.upper_ridge", "encoder.scaling", "spec.skip = 'True'")  # fmt: skip
    assert all(case.startswith(free) for case in loads), [c for c in loads if not c.startswith(free)]
    assert kind == "descriptions" or not loads


def test_mutants_are_refused_or_load_as_a_sound_model(hostile: ModuleType, content: bytes, tmp_path: Path) -> None:
    path, whole = tmp_path / "m.safetensors", hostile.sound(content)
    seen = []
    for _, mutant in hostile.mutants(whole, MUTANTS, 1):
        path.write_bytes(mutant)
        seen.append(hostile.judge(path)[0])
    assert len(seen) == MUTANTS and seen.count("refused") > MUTANTS // 2


def test_other_formats_are_refused_and_not_run(
    hostile: ModuleType, content: bytes, run: Path, tmp_path: Path, command: Callable[..., Ran]
) -> None:
    mark, path = tmp_path / "harm", run / "model.safetensors"
    seen = 0
    for case, forged in hostile.foreign(tmp_path, mark):
        path.write_bytes(forged)
        assert hostile.judge(path)[0] == "refused", case
        code, out, err = command("predict", run, tmp_path / "rows.csv")
        assert (code, out, err.count("\n")) == (2, "", 1) and "model.safetensors" in err, case
        seen += 1
    assert seen > 12 and not mark.exists()
    subprocess.run([sys.executable, "-c", f"import pickle; pickle.load(open({str(tmp_path / 'm.joblib')!r}, 'rb'))"])
    assert mark.exists()  # the same file, opened by pickle, does write it


def test_what_is_no_file_is_refused_at_once(hostile: ModuleType, tmp_path: Path, command: Callable[..., Ran]) -> None:
    """A pipe would hang, a device would never end."""
    (tmp_path / "odd").mkdir()
    (tmp_path / "rows.csv").write_text("a,b,c\n1,2,u\n")
    seen = 0
    for case, path in hostile.no_files(tmp_path / "odd"):
        assert hostile.weigh(path) < 10**7, case
        try:
            load_model(path)
        except (InputError, ResourceError) as error:
            assert str(error).isprintable(), case
        else:
            raise AssertionError(case)
        code, _, err = command("predict", path, tmp_path / "rows.csv")
        assert code in (2, 3) and err.count("\n") == 1, (case, err)
        assert (code == 2) or case in ("terabyte", "a name too long"), (case, err)
        seen += 1
    assert seen >= 14


def test_memory_stays_within_twice_the_file(hostile: ModuleType, content: bytes, tmp_path: Path) -> None:
    path, whole = tmp_path / "m.safetensors", hostile.sound(content)
    for what in ("700,000 keys", "10 MB of emoji", "500,000 objects"):
        path.write_bytes(hostile.pack(hostile.broken_json()[what], whole.body))
        assert hostile.weigh(path) <= hostile.FLOOR, what
    spec = {**whole.description["spec"], "hidden": [512, 4096]}
    entries, at = dict(whole.entries), 0
    sizes = {"first": [spec["inputs"], 513], "b1": [512], "w2": [512, 4096], "b2": [4096], "out": [4096, 1]}
    for name, size in {**sizes, "b_out": [1]}.items():
        entries[f"net.{name}"] = {
            "dtype": "F32",
            "shape": [1, *size],
            "data_offsets": [at, at + 4 * int(np.prod(size))],
        }
        at = entries[f"net.{name}"]["data_offsets"][1]
    parts = {k: e for k, e in whole.entries.items() if k.startswith("encoder.")}
    body = np.zeros(at // 4, dtype="<f4").tobytes()
    for name, entry in parts.items():
        begin, end = entry["data_offsets"]
        entries[name] = {**entry, "data_offsets": [len(body), len(body) + end - begin]}
        body += whole.body[begin:end]
    entries["__metadata__"] = {"riata": json.dumps({**whole.description, "spec": spec})}
    path.write_bytes(hostile.pack(entries, body))
    assert path.stat().st_size > 8 * 10**6 and hostile.outcome(path)[0] == "loads"
    assert hostile.weigh(path) <= 10**6  # a sound file costs at most twice its size


def test_a_newer_format_asks_for_an_update(hostile: ModuleType, content: bytes, tmp_path: Path) -> None:
    whole, path = hostile.sound(content), tmp_path / "m.safetensors"
    path.write_bytes(whole.with_description({**whole.description, "format": 2, "more": [1]}))
    with pytest.raises(InputError, match=r"newer than this version reads \(1\); update riata"):
        load_model(path)


HARMFUL: dict[str, Callable[[dict[str, Any]], Any]] = {
    "cut": lambda s: json.dumps(s)[:-100],
    "newer": lambda s: {**s, "schema": 99},
    "huge schema": lambda s: json.dumps({**s, "schema": 0}).replace('"schema": 0', '"schema": ' + "9" * 400),
    "schema as text": lambda s: {**s, "schema": "1"},
    "NaN": lambda s: json.dumps({**s, "seconds": float("nan"), "size": float("nan")}),
    "1e999": lambda s: json.dumps({**s, "x": 0}).replace('"x": 0', '"x": 1e999'),
    "twice": lambda s: json.dumps(s)[:-1] + ', "schema": 1}',
    "deep": lambda s: json.dumps({**s, "x": 0}).replace('"x": 0', '"x": ' + "[" * 10**5 + "]" * 10**5),
    "100 levels": lambda s: json.dumps({**s, "x": 0}).replace('"x": 0', '"x": ' + "[" * 100 + "]" * 100),
    "half a character": lambda s: json.dumps({**s, "x": 0}).replace('"x": 0', '"x": "\\ud800"'),
    "other": lambda s: {"hello": "world"},
    "a list": lambda s: [s],
    "not UTF-8": lambda s: b'{"schema": 1, "x": "\xff"}',
    "large": lambda s: json.dumps(s) + " " * (MOST_BYTES + 1),
    "a pickle": lambda s: b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00}.",
    "empty": lambda s: b"",
}


@pytest.mark.parametrize("file", ["decision.json", "figures.json"])
@pytest.mark.parametrize("how", HARMFUL)
def test_forged_json_is_refused(file: str, how: str, run: Path, command: Callable[..., Ran]) -> None:
    path = run / file
    forged = HARMFUL[how](json.loads(path.read_text()))
    text = forged if isinstance(forged, bytes | str) else json.dumps(forged)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for words in (("report", run), ("inspect", run), ("compare", run, run)):
        code, _, err = command(*words)
        assert (code, err.count("\n")) == (2, 1) and file in err and len(err) <= 301, (words[0], err)


@pytest.mark.parametrize("file", ["decision.json", "figures.json"])
def test_what_is_no_file_is_refused_in_a_folder_too(file: str, run: Path, command: Callable[..., Ran]) -> None:
    path = run / file
    for make in (
        lambda: os.mkfifo(path),
        path.mkdir,
        lambda: path.symlink_to("/dev/zero"),
        lambda: path.symlink_to(path),
    ):
        path.unlink() if not path.is_dir() or path.is_symlink() else path.rmdir()
        make()
        code, _, err = command("report", run)
        assert (code, err.count("\n")) == (2, 1) and file in err, err


def test_values_of_any_kind_end_in_a_page_or_in_one_line(run: Path, command: Callable[..., Ran]) -> None:
    """Every part of the two files in turn becomes something else."""
    seen = {0: 0, 2: 0}
    values: tuple[Any, ...] = (None, -1, 10**19, "x", [], {}, [[None]])
    for file in ("decision.json", "figures.json"):
        path = run / file
        sound = json.loads(path.read_text())
        for i, key in enumerate(sound):
            path.write_text(json.dumps({**sound, key: values[i % len(values)]}))
            for words in (("report", run), ("inspect", run))[i % 3 > 0 :]:  # a page takes a second
                code, _, err = command(*words)
                assert code in (0, 2) and err.count("\n") == (code == 2), (file, key, err)
                seen[code] += 1
        path.write_text(json.dumps(sound))
    assert min(seen.values()) > 10


def test_what_can_be_written_can_be_read(hostile: ModuleType) -> None:
    """The limits of reading are beyond what a table of 50,000 columns needs."""
    column = {"name": "probe_set_100001_at", "kind": "numeric", "levels": [], "missing": 0, "note": ""}
    schema = {"columns": [{**column, "name": f"{column['name']}{i}"} for i in range(50_000)]}
    names = [c["name"] for c in schema["columns"]]
    layout = {"columns": names, "variables": names, "group": list(range(50_000)), "code": [-3] * 50_000}
    text = json.dumps({"schema": schema, "layout": layout, "groups": layout["group"]}).encode()
    assert len(text) < MOST_BYTES // 2 and sum(text.count(c) for c in b",[{") < MOST_VALUES
    assert parse(text)["schema"] == schema


WITHOUT_PICKLE = """
import pickle, sys
import riata, torch, numpy, polars, joblib, altair, vl_convert
from riata.cli import main
import riata.choice.decision, riata.report.page, riata.report.compare, riata.cli.pictures, riata.cli.folder
import riata.cli.predict, riata.data

def refuse(*args, **facts):
    raise SystemExit("a pickle was opened")

def watch(event, args):
    if event == "pickle.find_class" or event in ("os.system", "subprocess.Popen", "socket.connect"):
        sys.stderr.write(f"{event} {args}")
        raise SystemExit(f"{event} {args}")

pickle.loads = pickle.Unpickler = refuse
for module in (pickle, torch, joblib, numpy):
    module.load = refuse
sys.addaudithook(watch)
run, rows = sys.argv[1:]
model = riata.load_model(run + "/model.safetensors")
assert len(riata.read_decision(run).model.predict(polars.read_csv(rows))) == 2
done = [main(w) for w in (["report", run, "--quiet"], ["inspect", run], ["predict", run, rows, "--quiet"],
                          ["compare", run, run, "--to", run + "/c.html", "--quiet"])]
assert done == [0, 0, 0, 0], done
print("no pickle")
sys.addaudithook(lambda event, args: None)
"""


def test_no_pickle_is_opened_by_anything_that_reads_a_run(run: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", WITHOUT_PICKLE, str(run), str(tmp_path / "rows.csv")]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0 and ran.stdout.endswith("no pickle\n"), ran.stdout + ran.stderr
    proof = "import sys, pickle, collections; b = pickle.dumps(collections.OrderedDict); seen = []\n"
    proof += "sys.addaudithook(lambda e, a: seen.append(e)); pickle.loads(b); print('pickle.find_class' in seen)"
    assert subprocess.run([sys.executable, "-c", proof], capture_output=True, text=True, check=True).stdout == "True\n"
