"""The short form of benchmarks/fuzz_tables.py, and what earlier mutants taught."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType

import pytest
from load_modules import benchmark

from riata.data import make_table
from riata.data.guard import read_guarded
from riata.data.source import understand
from riata.errors import InputError


@pytest.fixture(scope="module")
def fuzz() -> Iterator[ModuleType]:
    with benchmark("fuzz_tables") as module:
        yield module


def test_three_hundred_mutants(fuzz: ModuleType) -> None:
    tally = fuzz.fuzz(300, seed=1)
    assert tally["bugs"] == [] and tally["ended their process"] == 0
    results = tally["results"]
    assert sum(results.values()) == 300
    for kind in fuzz.KINDS:  # neither all refused nor all read: the mutants reach beyond the first check
        assert results[(kind, "read")] >= 3 and results[(kind, "refused")] >= 10


def test_a_mutant_is_always_the_same(fuzz: ModuleType) -> None:
    assert [fuzz.mutant(k, 3) for k in range(12)] == [fuzz.mutant(k, 3) for k in range(12)]
    assert len({fuzz.mutant(k, s)[1] for k in range(12) for s in (3, 4)}) == 24


def test_the_bases_are_read(fuzz: ModuleType) -> None:
    import numpy as np

    for kind in fuzz.KINDS:
        assert fuzz.try_one(f"t.{kind}", fuzz.base(kind, np.random.default_rng(0))) == "read"


def test_the_judge_can_find_fault(fuzz: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    content = b"x,y\n" + b"".join(b"%d.5,%d\n" % (k * k, k % 2) for k in range(20))
    assert fuzz.try_one("t.csv", content) == "read"
    source = understand("t.csv", content)
    table = make_table(source, "y")
    assert fuzz.unsound(source, table, content) == "" and fuzz.unsound(source, table, b"") == "more rows than lines"
    assert fuzz.unsound(source, table.take(range(19)), content) == "rows are lost"
    monkeypatch.setattr(fuzz, "make_table", fails)
    assert fuzz.try_one("t.csv", content).startswith("BUG ZeroDivisionError")
    monkeypatch.setattr(fuzz, "understand", lambda *_: (_ for _ in ()).throw(InputError("a\nb")))
    assert fuzz.try_one("t.csv", content).startswith("BUG InputError")


@pytest.mark.parametrize(
    "content",
    [
        b"@relation t\n@attribute a string\n@data\na" + b" " * 300_000 + b"'\n",
        b"@relation t\n@attribute a string\n@data\n'" + b"\\" * 300_000 + b"\n",
        b"@relation t\n" + b"".join(b"@attribute a%d real\n" % k for k in range(120_000)) + b"@data\n1\n",
        b"@relation t\n@attribute a real\n@data\n{" + b"0 1" + b" " * 300_000 + b"x}\n",
        b",".join(b"g%d" % k for k in range(120_000)) + b"\n" + b"1," * 119_999 + b"1\n",
        b"," * 60_000 + b"\n" + b"," * 60_000,
    ],
    ids=["spaces", "backslashes", "attributes", "sparse spaces", "wide", "no names"],
)
def test_work_grows_with_the_file_and_not_with_its_square(content: bytes) -> None:
    """Where it does not, each of these takes the reader beyond its 60 s of processor time."""
    try:
        source = read_guarded(content, "t", len(content))
    except InputError as error:
        assert re.search("cannot read|120000 attributes|no rows|sparse cell", str(error)), error
    else:
        assert source.frame.width >= 60_000


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (
            b"x,v,y\n" + b"".join(b"%d.5,%s,%d\n" % (k, b"9" * 20_000 if k % 3 else b"a", k % 2) for k in range(20)),
            "9a",
        ),
        (b",,y\n,1,a\n" + b"".join(b"%d.5,%d,%s\n" % (k, k % 3, b"ab"[k % 2 :][:1]) for k in range(20)), ""),
    ],
    ids=["numbers of 20,000 digits", "header of blanks"],
)
def test_what_earlier_mutants_broke(content: bytes, kind: str) -> None:
    table = make_table(understand("t", content), "y")
    assert table.n >= 20
    if kind:
        assert [level[0] for level in table.columns[-1].levels] == list(kind)
