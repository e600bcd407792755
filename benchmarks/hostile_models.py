"""Attack the reader of models with files that are damaged or made to hurt; print what became of each class of them.

    python benchmarks/hostile_models.py [--mutants 20000] [--seed 0]

Every file must either be refused in one line (InputError) or load as a model with finite weights; within a second of
the processor, and with at most twice the file's size and 256 MiB of memory. The classes: truncations, forged headers,
forged descriptions, foreign formats, files that are no files, and random mutations of a sound model. About eight
minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import pickle
import tempfile
import time
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import riata
from riata.errors import InputError, RiataError
from riata.model import load_model

SECONDS = 1.0
FLOOR = 256 * 2**20
NAME = "model.safetensors"


@dataclass(frozen=True)
class Sound:
    """A small model's file in its parts: the description, the header's entries, and the arrays' bytes."""

    content: bytes
    description: dict[str, Any]
    entries: dict[str, Any]
    body: bytes

    def with_description(self, description: Any) -> bytes:
        """Return the file with another description."""
        text = description if isinstance(description, str) else json.dumps(description)
        return pack({**self.entries, "__metadata__": {"riata": text}}, self.body)

    def with_entry(self, name: str, **changed: Any) -> bytes:
        """Return the file with another claim on one array."""
        return self.with_entries({**self.entries, name: {**self.entries[name], **changed}})

    def with_entries(self, entries: dict[str, Any], body: bytes | None = None) -> bytes:
        """Return the file with other claims."""
        text = {"riata": json.dumps(self.description)}
        return pack({"__metadata__": text, **entries}, self.body if body is None else body)


class Hurts:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch '{self.mark}'",)


def pack(header: Any, body: bytes) -> bytes:
    """Return a safetensors file of a header (or its text) and the arrays' bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def sound_model(seed: int = 0) -> riata.Decision:
    """Return a decision with a small model of a number and a category."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"a": rng.normal(size=40), "c": rng.choice(["u", "v", "w"], 40), "y": np.arange(40) % 2})
    return riata.choose(
        frame, "y", no_validation=True, penalties=["group_lasso"], hidden=(4,), epochs=3, folds=3, seeds=1, workers=1,
        device="cpu",
    )  # fmt: skip


def sound(content: bytes) -> Sound:
    """Take a model's file apart."""
    length = int.from_bytes(content[:8], "little")
    entries = json.loads(content[8 : 8 + length])
    description = json.loads(entries.pop("__metadata__")["riata"])
    return Sound(content, description, entries, content[8 + length :])


def truncations(whole: Sound) -> Iterator[tuple[str, bytes]]:
    """Yield the file cut at every length up to the header's first bytes, and at the edges of everything after."""
    size, head = len(whole.content), len(whole.content) - len(whole.body)
    edges = {head + place for entry in whole.entries.values() for place in entry["data_offsets"]}
    cuts = {*range(40), head - 1, size - 1, *(e + d for e in edges for d in (-1, 0, 1))}
    for at in sorted(c for c in cuts if 0 <= c < size):
        yield f"cut at {at}", whole.content[:at]


def headers(whole: Sound) -> Iterator[tuple[str, bytes]]:
    """Yield files whose header lies about its length, is no strict JSON, or claims what is not there."""
    size = len(whole.content)
    for length in (0, 1, size - 8, size - 7, size, 2**20, 2**31, 2**32, 2**40, 2**63 - 1, 2**63, 2**64 - 1):
        yield f"header of {length}", length.to_bytes(8, "little") + whole.content[8:]
    for what, text in broken_json().items():
        yield f"header: {what}", pack(text, whole.body)
    name, entry = next((k, e) for k, e in whole.entries.items() if np.prod(e["shape"]) > 1)
    begin, end = entry["data_offsets"]
    for kind in ("F16", "BF16", "F64", "I64", "BOOL", "F4", "", None, 5, [], "F32" * 1000):
        if kind != entry["dtype"]:
            yield f"dtype {str(kind)[:9]}", whole.with_entry(name, dtype=kind)
    shapes: list[Any] = [[2**62, 4], [2**32, 2**32], [2**63], [10**30], [-1, -1], [0], [1] * 100_000, [1.5], [True],
                         "x", None, {}, [[1]], [2**40]]  # fmt: skip
    for shape in shapes:
        yield f"shape {str(shape)[:20]}", whole.with_entry(name, shape=shape)
        places = ([0, 4 * 2**62], [begin, end], [0, 2**42]) if isinstance(shape, list) else ()
        yield from ((f"shape {str(shape)[:20]} at {p}", whole.with_entry(name, shape=shape, data_offsets=p))
                    for p in places if [shape, p] != [entry["shape"], [begin, end]])  # fmt: skip
    for place in ([begin + 4, end + 4], [end, begin], [begin, 2**63], [-4, end - begin - 4], [0, 0], [begin], "x", None,
                  [begin, end, end], [float(begin), float(end)], [10**40, 10**40]):  # fmt: skip
        yield f"offsets {str(place)[:20]}", whole.with_entry(name, data_offsets=place)
    first = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}
    yield "an array over another", whole.with_entries({**whole.entries, "more": first})
    yield "an array more", whole.with_entries({**whole.entries, "net.more": {
        **first, "data_offsets": [len(whole.body), len(whole.body) + 8]}}, whole.body + bytes(8))  # fmt: skip
    yield "an array less", whole.with_entries({k: e for k, e in whole.entries.items() if k != name})
    yield "bytes after the arrays", whole.content + b"\0"
    empty = {f"n{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(100_000)}
    yield "100,000 empty arrays", whole.with_entries({**whole.entries, **empty})
    for metadata in (None, [], {"riata": 5}, {"riata": None}, {}, {"other": "{}"}, {"riata": ""}, {"format": "pt"}):
        yield f"metadata {metadata}", pack({**whole.entries, "__metadata__": metadata}, whole.body)
    for value in (np.nan, np.inf, -np.inf):
        for name in (n for n, e in whole.entries.items() if e["data_offsets"][0] < e["data_offsets"][1]):
            begin = whole.entries[name]["data_offsets"][0]
            cell = np.array([value], "<f4" if whole.entries[name]["dtype"] == "F32" else "<f8").tobytes()
            body = whole.body[:begin] + cell + whole.body[begin + len(cell) :]
            yield f"{value} in {name}", whole.with_entries(whole.entries, body)


def broken_json() -> dict[str, bytes]:
    """Return texts that no strict reader takes, or that would cost much."""
    deep = 200_000
    return {
        "empty": b"  ", "no JSON": b"{]", "a list": b"[]", "a number": b"17", "null": b"null", "text": b'"riata"',
        "deep lists": b"[" * deep + b"]" * deep, "deep objects": b'{"a":' * deep + b"1" + b"}" * deep,
        "deep, unclosed": b"[" * deep, "100 levels": b'{"a":' * 100 + b"1" + b"}" * 100,
        "the same key twice": b'{"a": 1, "a": 2}', "NaN": b'{"a": NaN}', "Infinity": b'{"a": -Infinity}',
        "1e999": b'{"a": 1e999}', "a number of 5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
        "a number of a million digits": b'{"a": ' + b"9" * 10**6 + b"}", "not UTF-8": b'{"a": "\xff\xfe"}',
        "half a character": b'{"a": "\\ud800"}', "a mark at the start": b"\xef\xbb\xbf{}", "NUL": b'{"a": "\0"}',
        "a trailing comma": b'{"a": 1,}', "single quotes": b"{'a': 1}", "30 MB of spaces": b" " * (30 * 10**6),
        "40 MB of spaces": b"{" + b" " * (40 * 10**6) + b"}", "700,000 keys":
        b"{" + b",".join(b'"%d":1' % i for i in range(700_000)) + b"}", "two million numbers":
        b"[" + b",".join([b"1e5"] * (2 * 10**6)) + b"]", "500,000 objects": b"[" + b",".join([b"{}"] * 500_000) + b"]",
        "10 MB of emoji": b'{"a": "' + "\U0001f479".encode() * (10 * 10**6 // 4) + b'"}',
    }  # fmt: skip


HOSTILE: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**40, 10**19, 0.5, 1e300, "", "x", "../../x", "\x1b[31m", [], [[]], [None], [-1],
    [2**40], ["x"] * 1000, {}, {"x": {}},
)  # fmt: skip
"""What is put in the place of every value of the description."""


def places(part: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the ways to all values of a description; of a list the first."""
    below = part.items() if isinstance(part, dict) else enumerate(part[:1]) if isinstance(part, list) else ()
    return [way, *[found for key, inner in below for found in places(inner, (*way, key))]]


def with_value(facts: dict[str, Any], way: tuple[Any, ...], value: Any) -> Any:
    """Return the description with one value replaced."""
    if not way:
        return value
    copy = json.loads(json.dumps(facts))
    at = copy
    for key in way[:-1]:
        at = at[key]
    at[way[-1]] = value
    return copy


def descriptions(whole: Sound) -> Iterator[tuple[str, bytes]]:
    """Yield files whose description is damaged in one place, or made to cost much."""
    facts = whole.description
    for way in places(facts):
        for value in HOSTILE:
            yield (
                f"{'.'.join(map(str, way)) or 'all'} = {str(value)[:20]!r}",
                whole.with_description(with_value(facts, way, value)),
            )
    for what, text in broken_json().items():
        yield f"description: {what}", whole.with_description(text.decode("latin1"))
    columns = [{**facts["schema"]["columns"][0], "name": f"v{i}"} for i in range(10**6)]
    for count in (10**3, 10**5, 10**6):
        much = {**facts, "schema": {**facts["schema"], "columns": columns[:count]}}
        yield f"{count:,} columns", whole.with_description(much)
    for levels in ([1, 2, 3], [None] * 3, ["u", ["v"], "w"], {"u": 0}, 3):
        column = {**facts["schema"]["columns"][1], "levels": levels}
        schema = {**facts["schema"], "columns": [facts["schema"]["columns"][0], column]}
        yield f"levels {levels}", whole.with_description({**facts, "schema": schema})
    for extra in ("code", "__class__", "pickle"):
        yield f"a part {extra}", whole.with_description({**facts, extra: "import os"})
    yield "a newer format", whole.with_description({"format": 2})


def foreign(folder: Path, mark: Path) -> Iterator[tuple[str, bytes]]:
    """Yield other formats, some of which would write ``mark`` if they were opened by their own readers."""
    import joblib
    import torch

    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"a pickle, protocol {protocol}", pickle.dumps(Hurts(mark), protocol)
    for new in (True, False):
        torch.save({"w": Hurts(mark)}, folder / "m.pt", _use_new_zipfile_serialization=new)
        yield f"torch.save, {'zip' if new else 'old'}", (folder / "m.pt").read_bytes()
    joblib.dump([Hurts(mark)], folder / "m.joblib")
    yield "joblib", (folder / "m.joblib").read_bytes()
    buffer = io.BytesIO()
    np.save(buffer, np.array([Hurts(mark)], dtype=object), allow_pickle=True)
    yield "an array of objects", buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50 * 10**6))
    yield "a zip of zeros", buffer.getvalue()
    for name, start in {"gzip": b"\x1f\x8b\x08", "HDF5": b"\x89HDF\r\n\x1a\n", "GGUF": b"GGUF\3", "ELF": b"\x7fELF\2",
                        "text": b"hello", "HTML": b"<html><script>"}.items():  # fmt: skip
        yield name, start + bytes(200)


def no_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield paths that are no regular files, or far larger than they are."""
    (folder / "a-folder").mkdir()
    os.mkfifo(folder / "a-pipe")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "dangling").symlink_to(folder / "nowhere")
    for device in ("zero", "full", "null", "random", "tty"):
        (folder / device).symlink_to(f"/dev/{device}")
    for name, length in {"sparse": 0, "sparse-long": 2**39, "sparse-32MB": 2**25, "sparse-2": 2}.items():
        with (folder / name).open("wb") as file:
            file.write(length.to_bytes(8, "little"))
            file.truncate(2**40)
    head = json.dumps({"net.first": {"dtype": "F32", "shape": [2**19, 2**19], "data_offsets": [0, 2**40]}}).encode()
    with (folder / "terabyte").open("wb") as file:
        file.write(pack(head, b""))
        file.truncate(8 + len(head) + 2**40)
    yield from ((path.name, path) for path in sorted(folder.iterdir()))
    yield "a name too long", folder / ("x" * 300)
    yield "a NUL in the name", Path(f"{folder}/a\0b")


def mutants(whole: Sound, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield random mutations: bits, bytes, pieces left out, doubled, moved; half of them within the header."""
    rng = np.random.default_rng(seed)
    head, marks = len(whole.content) - len(whole.body), b'{}[],:"0123456789-.eE\\ntrufalsF\0\xff'
    for i in range(count):
        content = bytearray(whole.content)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(0, head if rng.random() < 0.8 else len(content)))
            at, long = min(at, len(content) - 1), int(rng.integers(1, 40))
            kind = int(rng.integers(6))
            if kind == 0:
                content[at] ^= 1 << int(rng.integers(8))
            elif kind == 1:
                content[at] = marks[int(rng.integers(len(marks)))]
            elif kind == 2:
                del content[at : at + long]
            elif kind == 3:
                content[at:at] = content[at : at + long]
            elif kind == 4:
                content[at : at + 8] = int(rng.integers(0, 2**63)).to_bytes(8, "little")
            else:
                content[at : at + long] = bytes(rng.integers(0, 256, long, dtype=np.uint8))
        yield f"mutant {i}", bytes(content)


def outcome(path: Path) -> tuple[str, float]:
    """Load a file: what became of it, and the seconds.

    Raises
    ------
    AssertionError
        It did harm: another error, more than one line, a model with weights that are not finite.
    """
    began = time.process_time()
    try:
        model = load_model(path)
    except InputError as error:
        seconds = time.process_time() - began
        assert str(error).isprintable() and len(str(error)) <= 300, repr(str(error))
        return "refused", seconds
    except RiataError as error:
        assert "GB" in str(error), repr(str(error))  # a sound claim that is larger than the machine
        return "too large", time.process_time() - began
    seconds = time.process_time() - began
    assert all(bool(w.isfinite().all()) for w in model.params.values()), path
    rows = pl.DataFrame({name: ["0.5", "1"] for name in model.variables})
    with contextlib.suppress(InputError):
        assert len(model.predict(rows)) == 2, path
    return "loads", seconds


def weigh(path: Path) -> float:
    """Return the largest memory while a file is read, beyond twice its size, in bytes."""
    size = os.path.getsize(path) if os.path.isfile(path) else 0  # noqa: PTH113, PTH202
    tracemalloc.start()
    try:
        outcome(path)
        return tracemalloc.get_traced_memory()[1] - 2.0 * size
    finally:
        tracemalloc.stop()


def judge(path: Path) -> tuple[str, float]:
    """Return :func:`outcome`; the better of two times of the processor where the first was too long."""
    what, seconds = outcome(path)
    if seconds > SECONDS:
        seconds = min(seconds, outcome(path)[1])
    return what, seconds


def main() -> None:
    """Print a line for every class of files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(f"seed {args.seed}, {args.mutants} mutants")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, mark = folder / NAME, folder / "harm"
        model = sound_model(args.seed).model
        assert model is not None
        model.save(path)
        whole = sound(path.read_bytes())
        classes = {
            "truncated": truncations(whole), "header": headers(whole), "description": descriptions(whole),
            "foreign": foreign(folder, mark), "mutants": mutants(whole, args.mutants, args.seed),
        }  # fmt: skip
        began, odd = time.perf_counter(), folder / "odd"
        odd.mkdir()
        for kind, files in (*classes.items(), ("no files", no_files(odd))):
            seen: Counter[str] = Counter()
            longest, most = 0.0, 0.0
            for case, content in files:
                at = content if isinstance(content, Path) else path
                if isinstance(content, bytes):
                    path.write_bytes(content)
                what, seconds = judge(at)
                seen[what] += 1
                longest = max(longest, seconds)
                if isinstance(content, Path) or len(content) > 10**6 or seen.total() % 100 == 0:
                    most = max(most, weigh(at))
                assert seconds <= SECONDS and most <= FLOOR, f"{kind}, {case}: {seconds:.2f} s, {most / 2**20:.0f} MiB"
            said = ", ".join(f"{n} {what}" for what, n in sorted(seen.items()))
            print(f"{kind}: {said}; longest {longest:.2f} s, beyond twice the file {most / 2**20:.0f} MiB", flush=True)
        assert not mark.exists(), "a pickle was opened"
        load = "/".join(f"{v:.1f}" for v in os.getloadavg())
        print(f"{time.perf_counter() - began:.0f} s, load {load}; no pickle was opened")


if __name__ == "__main__":
    main()
