"""Thousands of damaged tables: each is read and understood, or refused in one line; never a traceback.

    python benchmarks/fuzz_tables.py                          10,000 mutants, about 10 minutes on one core
    python benchmarks/fuzz_tables.py --count 300 --seed 1     a check

Small valid tables (CSV, TSV, semicolons, gzip, Parquet, ARFF) are mutated 1 to 4 times each: flipped bits, cuts,
quotes, separators, line ends and NULs put in, lines and columns removed or repeated, other encodings, huge numbers,
long fields, headers gone or repeated. Mutant k of seed s is always the same one (`--only K` runs one and shows it).
A batch is a process of its own under a memory limit, watched from outside; a mutant that ends its process is read
once more as `riata` reads it. Every 40th goes through `riata profile` with its exit code and what it prints.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from riata.cli import main as command_line
from riata.data import Table, make_table, read_source
from riata.data.source import Source, understand
from riata.errors import InputError, ResourceError

LEAST, MOST_SECONDS, SILENCE = 40, 5.0, 60.0
"""Rows of a base table; processor seconds a mutant may take; wall seconds without a word before a batch is stopped."""
MEMORY = 2 * 1024**3
BATCH = 500
COMMAND_LINE_EVERY = 40
KINDS = ("csv", "tsv", "semicolons", "csv.gz", "parquet", "arff")
JUNK = (
    b'"', b"'", b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\0", b"|", b"\\", b"{", b"}", b"%", b"#", b" ",
    b"\xff", b"\xef\xbb\xbf", b"\xe2\x88\x92", b"\xc2\xa0", b"\xe2\x80\x8b", b"NA", b"nan", b"inf", b"1e999",
    b"-1e308", b"1,234", b"00", b"9" * 400, b"@data\n", b"@attribute z real\n", b"\xe2\x80\xae", b"\x1b[31m",
)  # fmt: skip
EXTREME = (
    b"1e308", b"-1e308", b"1e-320", b"9" * 30, b"", b"x" * 100_000, b"0", b"NA", b"1e5", b"2020-01-01", b"True",
    b"\xe2\x88\x921", b"5%", b"0x1F", b"1_000", b"-", b".", b"1e", b"(" * 9000, b" " * 5000 + b"'", b"'" * 51,
)  # fmt: skip


def base(kind: str, rng: np.random.Generator) -> bytes:
    """Return a small valid table."""
    n = int(rng.integers(LEAST, 80))
    frame = pl.DataFrame(
        {
            "age": rng.integers(20, 90, n),
            "dose": rng.normal(size=n).round(3),
            "sex": rng.choice(["m", "f"], n),
            "site": rng.choice(["Oslo", "Bergen, N", 'the "old" one', "Tromsø"], n),
            "blank": [None if v < 0.2 else float(v) for v in rng.random(n).round(3)],
            "y": rng.choice(["ill", "well"], n) if rng.random() < 0.5 else rng.normal(size=n).round(2),
        }
    )
    if kind == "parquet":
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression=str(rng.choice(["zstd", "snappy", "uncompressed", "gzip"])))  # type: ignore[arg-type]
        return buffer.getvalue()
    if kind == "arff":
        kinds = {"age": "integer", "dose": "real", "sex": "{m,f}", "site": "string", "blank": "numeric"}
        kinds["y"] = "{ill,well}" if frame["y"].dtype == pl.String else "numeric"
        head = "@relation t\n" + "".join(f"@attribute {name} {kind}\n" for name, kind in kinds.items()) + "@data\n"
        return (head + frame.write_csv(include_header=False, null_value="?")).encode().replace(b'""', b'\\"')
    text = frame.write_csv(separator={"tsv": "\t", "semicolons": ";"}.get(kind, ",")).encode()
    return gzip.compress(text, mtime=0) if kind == "csv.gz" else text


def spot(data: bytes, rng: np.random.Generator) -> int:
    """Return a position, now and then near an end."""
    near = int(rng.integers(0, 12))
    return min(len(data), [near, len(data) - near, int(rng.integers(len(data) + 1))][int(rng.integers(3))])


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip up to eight bits."""
    out = bytearray(data)
    for at in rng.integers(0, max(1, len(out)), int(rng.choice([1, 1, 2, 8]))):
        if out:
            out[at] ^= 1 << int(rng.integers(8))
    return bytes(out)


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    """Drop the end, or a piece within."""
    a = spot(data, rng)
    return data[:a] if rng.random() < 0.5 else data[:a] + data[a + int(rng.integers(1, 60)) :]


def insert(data: bytes, rng: np.random.Generator) -> bytes:
    """Put junk in at up to five places."""
    for _ in range(int(rng.choice([1, 1, 2, 5]))):
        at = spot(data, rng)
        data = data[:at] + JUNK[int(rng.integers(len(JUNK)))] * int(rng.choice([1, 1, 1, 2, 50])) + data[at:]
    return data


def lines(data: bytes, rng: np.random.Generator) -> bytes:
    """Drop, repeat, swap or join lines; the header too."""
    rows = data.split(b"\n")
    a, b = (int(v) for v in rng.integers(0, len(rows), 2))
    a = 0 if rng.random() < 0.3 else a
    how = int(rng.integers(6))
    if how == 0:
        del rows[a]
    elif how == 1:
        rows.insert(b, rows[a])
    elif how == 2:
        rows[a], rows[b] = rows[b], rows[a]
    elif how == 3:
        rows = rows[:1] * int(rng.integers(1, 40))
    elif how == 4:
        rows = rows + rows if rng.random() < 0.5 else rows[:1] + rows[1:2] * 60
    else:
        rows[a] = rows[a] + rows[b]
    return b"\n".join(rows)


def columns(data: bytes, rng: np.random.Generator) -> bytes:
    """Drop or repeat a column, or a cell of one row."""
    mark = max((b",", b"\t", b";"), key=data.count)
    rows = [row.split(mark) for row in data.split(b"\n")]
    at, one = int(rng.integers(0, 7)), int(rng.integers(len(rows)))
    drop, alone = rng.random() < 0.5, rng.random() < 0.4
    for k, row in enumerate(rows):
        if (k == one or not alone) and at < len(row):
            row[at : at + 1] = [] if drop else [row[at]] * int(rng.choice([2, 3, 40]))
    return b"\n".join(mark.join(row) for row in rows)


def recode(data: bytes, rng: np.random.Generator) -> bytes:
    """Write the text in another encoding or with other line ends."""
    text = data.decode("latin1" if rng.random() < 0.3 else "utf-8", "replace")
    if rng.random() < 0.3:
        return text.replace("\n", str(rng.choice(["\r", "\r\n", "\n\n", "\u2028", "\x0b"]))).encode()
    return text.encode(str(rng.choice(["utf-16", "utf-16-le", "utf-32", "latin1", "utf-8-sig", "cp037"])), "replace")


def cells(data: bytes, rng: np.random.Generator) -> bytes:
    """Replace the cells of a column, or one, by something extreme."""
    mark = max((b",", b"\t", b";"), key=data.count)
    rows = [row.split(mark) for row in data.split(b"\n")]
    new, at, one = (
        EXTREME[int(rng.integers(len(EXTREME)))],
        int(rng.integers(0, 6)),
        int(rng.integers(1, len(rows) + 1)),
    )
    for k, row in enumerate(rows[1:], 1):
        if at < len(row) and (k == one or one % 3 == 0):
            row[at] = new
    return b"\n".join(mark.join(row) for row in rows)


MUTATIONS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    flip,
    cut,
    insert,
    lines,
    columns,
    recode,
    cells,
)


def mutant(k: int, seed: int) -> tuple[str, bytes]:
    """Return the name and the bytes of mutant ``k``."""
    rng = np.random.default_rng([seed, k])
    kind = KINDS[k % len(KINDS)]
    data = base(kind, rng)
    inside = kind == "csv.gz" and rng.random() < 0.7
    data = gzip.decompress(data) if inside else data
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        data = MUTATIONS[int(rng.integers(len(MUTATIONS)))](data, rng)
    return f"m{k}.{kind if rng.random() < 0.9 else 'csv'}", gzip.compress(data, mtime=0) if inside else data


def target_of(source: Source) -> str:
    """Return the column to predict: ``y``, or the last one."""
    return "y" if "y" in source.frame.columns else source.frame.columns[-1]


def unsound(source: Source, table: Table, data: bytes) -> str:
    """Return what is wrong with a table that was understood; nothing where it is sane."""
    most = data.count(b"\n") + data.count(b"\r") + 1
    wrong = [
        ("rows are lost", table.n + table.dropped_rows != source.frame.height),
        ("more rows than lines", not data.startswith((b"PAR1", b"\x1f\x8b")) and source.frame.height > most),
        ("line numbers", len(source.lines) != source.frame.height or bool((np.diff(source.lines) <= 0).any())),
        ("values are infinite", bool(np.isinf(table.values).any()) or not np.isfinite(table.y).all()),
        ("a warning is no line", any(len(w) > 300 or not w.isprintable() for w in table.warnings)),
    ]
    return ", ".join(name for name, bad in wrong if bad)


def try_one(name: str, data: bytes) -> str:
    """Return ``read``, ``refused``, or ``BUG ...``."""
    try:
        source = understand(name, data)
        table = make_table(source, target_of(source))
    except (InputError, ResourceError) as error:
        text = str(error)
        good = isinstance(error, InputError) and text and len(text) <= 300 and text.isprintable()
        return "refused" if good else f"BUG {type(error).__name__}: {text[:200]!r}"
    except BaseException as error:
        return f"BUG {type(error).__name__}: {str(error)[:200]!r}"
    wrong = unsound(source, table, data)
    return f"BUG {wrong}" if wrong else "read"


def try_command(name: str, data: bytes, folder: Path) -> str:
    """Return the same of ``riata profile FILE --target COL``: its exit code and what it prints."""
    path = folder / name
    path.write_bytes(data)
    try:
        target = target_of(read_source(path))
    except InputError:
        target = "y"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = command_line(["profile", str(path), f"--target={target}", "--json"])
    path.unlink()
    line = err.getvalue().strip()
    if code == 0:
        json.loads(out.getvalue())
        return "read"
    good = code == 2 and line and len(line) <= 320 and line.isprintable()
    return "refused" if good else f"BUG exit code {code}: {line[:200]!r}"


def batch(numbers: range, seed: int) -> None:
    """Run mutants in this process; a line before and a line after each."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory() as folder:
        for k in numbers:
            print(json.dumps({"start": k}), flush=True)
            name, data = mutant(k, seed)
            began = time.process_time()
            result = try_one(name, data)
            took = time.process_time() - began
            if took > MOST_SECONDS:
                result = f"BUG {took:.1f} s"
            if k % COMMAND_LINE_EVERY == 0 and not result.startswith("BUG"):
                again = try_command(name, data, Path(folder))
                result = again if again == result else f"BUG read here: {result}; riata profile: {again}"
            rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(json.dumps({"done": k, "result": result, "seconds": took, "rss": rss}), flush=True)


def watch(numbers: range, seed: int, tally: dict[str, Any]) -> range:
    """Run a batch in a process of its own; return the mutants that are left where it ended before its end."""
    words = [sys.executable, __file__, "--batch", str(numbers.start), str(numbers.stop), "--seed", str(seed)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdout is not None
    at, finished = numbers.start - 1, False
    with child:
        while select.select([child.stdout], [], [], SILENCE)[0]:
            line = child.stdout.readline()
            if not line:
                break
            said = json.loads(line)
            at = said.get("start", at)
            if "done" in said:
                count(said["done"], seed, said["result"], tally)
                tally["slowest"] = max(tally["slowest"], said["seconds"])
                tally["rss"] = max(tally["rss"], said["rss"])
                finished = said["done"] == numbers.stop - 1
        child.kill()
    if finished:
        return range(0)
    tally["ended their process"] += 1
    count(max(at, numbers.start), seed, alone(max(at, numbers.start), seed), tally)
    return range(max(at, numbers.start) + 1, numbers.stop)


def alone(k: int, seed: int) -> str:
    """Read a mutant that ended its process as `riata` does: in a guarded process where its format is at risk."""
    name, data = mutant(k, seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        code = "import sys; from riata.cli import main; sys.exit(main(['profile', sys.argv[1], '--target', 'y']))"
        try:
            done = subprocess.run(
                [sys.executable, "-c", code, str(path)], capture_output=True, timeout=SILENCE, text=True
            )
        except subprocess.TimeoutExpired:
            return f"BUG no end in {SILENCE:g} s"
    return "refused" if done.returncode in (2, 3) else f"BUG exit code {done.returncode}: {done.stderr[-200:]!r}"


def count(k: int, seed: int, result: str, tally: dict[str, Any]) -> None:
    """Note one result; a bug is printed at once."""
    tally["results"][(KINDS[k % len(KINDS)], result.split()[0])] += 1
    if result.startswith("BUG"):
        tally["bugs"].append((k, result))
        print(f"mutant {k} (--only {k} --seed {seed}): {result}", flush=True)


def fuzz(amount: int, seed: int, first: int = 0) -> dict[str, Any]:
    """Run mutants ``first .. first + amount - 1`` in batches and return the tally."""
    tally: dict[str, Any] = {"results": Counter(), "bugs": [], "slowest": 0.0, "rss": 0, "ended their process": 0}
    for start in range(first, first + amount, BATCH):
        left = range(start, min(start + BATCH, first + amount))
        while len(left):
            left = watch(left, seed, tally)
    return tally


def main() -> int:
    """Run what was asked for; 1 where a mutant showed a bug."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--only", type=int, help="run one mutant here, and show its beginning")
    parser.add_argument("--batch", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.batch:
        batch(range(*given.batch), given.seed)
        return 0
    if given.only is not None:
        name, data = mutant(given.only, given.seed)
        print(name, len(data), data[:2000], try_one(name, data), sep="\n")
        return 0
    print(f"seed {given.seed}, mutants {given.first} to {given.first + given.count - 1}, load {os.getloadavg()[0]:.1f}")
    began = time.monotonic()
    tally = fuzz(given.count, given.seed, given.first)
    for kind in KINDS:
        print(f"{kind:12}" + "".join(f"{w} {tally['results'][(kind, w)]:6}  " for w in ("read", "refused", "BUG")))
    print(f"{given.count} mutants, {len(tally['bugs'])} bugs, {tally['ended their process']} ended their process")
    print(
        f"slowest {tally['slowest']:.2f} s, most memory {tally['rss'] / 1024:.0f} MB, {time.monotonic() - began:.0f} s"
    )
    return 1 if tally["bugs"] else 0


if __name__ == "__main__":
    sys.exit(main())
