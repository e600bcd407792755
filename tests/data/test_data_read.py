"""Reading: every shape of file is read as it stands, or refused with its row and column."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from riata.data import read_frame, read_source
from riata.errors import InputError, ResourceError

Write = Callable[[str, bytes | str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, content: bytes | str) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_delimiters_and_line_endings(write: Write, mark: str, ending: str) -> None:
    text = ending.join(mark.join(row) for row in (["a", "b c", "d"], ["1", "x", ""], ["2", "y", "z"]))
    frame = read_frame(write("t.txt", text))  # no final newline
    assert frame.columns == ["a", "b c", "d"]
    assert frame.rows() == [("1", "x", ""), ("2", "y", "z")]


def test_semicolons_with_decimal_commas(write: Write) -> None:
    assert read_frame(write("t.csv", "a;b\n1,5;2,5\n3,5;4,5\n")).row(1) == ("3,5", "4,5")


def test_text_is_not_misread(write: Write) -> None:
    frame = read_frame(write("t.csv", "zip,c,x\n007,NA,1e999\n 010 ,null,1_0\n"))
    assert frame.rows() == [("007", "NA", "1e999"), ("010", "null", "1_0")]
    assert set(frame.dtypes) == {pl.String}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
def test_encodings(write: Write, encoding: str) -> None:
    assert read_frame(write("t.csv", "naïve,β\n1,é\n".encode(encoding))).rows() == [("1", "é")]


def test_quotes_newlines_and_lines(write: Write) -> None:
    source = read_source(write("t.csv", 'a,b\n"x\ny, ""z""",1\n\n2,3\n'))
    assert source.frame.rows() == [('x\ny, "z"', "1"), ("2", "3")]
    assert source.lines.tolist() == [2, 5]


@pytest.mark.parametrize("pack", [lambda b: b, gzip.compress])
def test_format_is_decided_by_content(write: Write, pack: Callable[[bytes], bytes]) -> None:
    buffer = io.BytesIO()
    pl.DataFrame({"a": [1, 2], "b": [True, None]}).write_parquet(buffer)
    frame = read_frame(write("wrong.csv", pack(buffer.getvalue())))
    assert frame.dtypes == [pl.Int64, pl.Boolean]
    assert read_frame(write("t.bin", pack(b"a,b\n1,2\n"))).columns == ["a", "b"]


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a,b\n1,2\n")))
    source = read_source("-")
    assert (source.name, source.frame.rows()) == ("stdin", [("1", "2")])


@pytest.mark.parametrize(
    ("text", "names", "warns"),
    [
        ("1,2,x\n3,4,y\n", ["c1", "c2", "c3"], True),
        ("a,b,c\n3,4,y\n", ["a", "b", "c"], False),
        ("x,y\nu,v\n", ["x", "y"], False),
        ("0,1,2\n3.5,4,1\n", ["0", "1", "2"], False),
        ("1,?,x\n3,4,y\n", ["c1", "c2", "c3"], True),
        ("age,4\n3,4\n", ["age", "4"], False),
    ],
)
def test_header_is_found(write: Write, text: str, names: list[str], warns: bool) -> None:
    source = read_source(write("t.csv", text))
    assert source.frame.columns == names
    assert any("no header" in w for w in source.warnings) == warns
    assert source.frame.height == (2 if warns else 1)
    assert source.lines[0] == (1 if warns else 2)


def test_header_can_be_told(write: Write) -> None:
    path = write("t.csv", "1,2\n3,4\n")
    assert read_frame(path, header=True).columns == ["1", "2"]
    assert read_frame(write("u.csv", "a,b\nc,d\n"), header=False).height == 2
    with pytest.raises(InputError, match="row 2: this row has 3 cells, the header has 2"):
        read_frame(write("v.csv", "1,2\n3,4,5\n6,7,8\n"), header=False)


def test_names_that_are_missing(write: Write) -> None:
    source = read_source(write("t.csv", ",x,\n0,5,1\n1,6,2\n"))
    assert source.frame.columns == ["index", "x", "column_3"]
    assert any("column_3" in w for w in source.warnings)
    assert read_frame(write("u.csv", ",x\na,5\na,6\n")).columns == ["column_1", "x"]


def test_row_names_as_r_writes_them(write: Write) -> None:
    frame = read_frame(write("t.csv", "x,y\nr1,5,u\nr2,6,v\n"))
    assert frame.columns == ["index", "x", "y"]
    assert read_frame(write("u.csv", "x,y\n5,u,\n6,v,\n")).columns == ["x", "y"]
    with pytest.raises(InputError, match="row 2: this row has 3 cells, the header has 2"):
        read_frame(write("v.csv", "x,y\n5,u,1\n6,v\n"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"", "empty"),
        ("t.csv", b"\n \n", "empty"),
        ("t.csv", b"\xef\xbb\xbf", "empty"),
        ("t.csv", b"a,b\n", "only a header"),
        ("t.csv", b"a,b\n1,2\n3\n", "row 3: this row has 1 cells, the header has 2"),
        ("t.csv", b'a,b\n1,2\n"x\ny",2\n3,4,5\n', "row 5: this row has 3 cells"),
        ("t.csv", b"a,b,a\n1,2,3\n", "columns 1 and 3 are both called 'a'"),
        ("t.csv", b"a,b\n1,\xe9\n", "row 2: not UTF-8 .byte 0xe9 at offset 6.; type: iconv -f latin1"),
        ("t.csv", b"a,b\n1,\x00\n", "row 2: NUL byte"),
        ("t.csv", b'a,b\n1,2\n"x,2\n', "row 3: unexpected end of data"),
        ("t.csv", b'a,b\n"x"y,2\n', "row 2: .*expected"),
        ("t.parquet", b"a,b\n1,2\n", "not a Parquet file"),
        ("t.parquet", b"PAR1garbagePAR1", "damaged Parquet"),
        ("t.csv", b"PK\x03\x04aaa", "Excel"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 50, mtime=0)[:-12], "truncated"),
        ("t.csv.gz", b"\x1f\x8bnot gzip at all", "damaged gzip"),
    ],
)
def test_refusals(write: Write, name: str, content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_frame(write(name, content))
    message = str(caught.value)
    assert name in message and "\n" not in message and len(message) <= 300


def test_paths_that_do_not_work(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("patients.csv", "a,b\n1,2\n")
    with pytest.raises(InputError, match=r"no such file; did you mean '.*patients\.csv'"):
        read_frame(tmp_path / "patient.csv")
    with pytest.raises(InputError, match="directory"):
        read_frame(tmp_path)
    with pytest.raises(InputError, match="does not exist either"):
        read_frame(tmp_path / "nowhere" / "t.csv")
    with pytest.raises(InputError, match="address"):
        read_frame("https://example.org/t.csv")
    with pytest.raises(InputError, match="not a usable path"):
        read_frame("a" * 5000)

    def denied(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(ResourceError, match="Permission denied"):
        read_frame(tmp_path / "patients.csv")


ARFF = """% a comment
@RELATION demo
@attribute 'blood pressure' REAL
@attribute sex {m, 'f x'}
@attribute note string
@attribute day date "yyyy-MM-dd"
@DATA
% another
1.5, m, "it, is", 2020-01-01
?, 'f x', ?, 2020-01-02
"""


def test_arff(write: Write) -> None:
    source = read_source(write("t.arff", ARFF))
    assert source.frame.columns == ["blood pressure", "sex", "note", "day"]
    assert source.frame.rows()[1] == (None, "f x", None, "2020-01-02")
    assert source.frame["sex"].dtype == pl.Enum(["m", "f x"])
    assert source.frame["note"][0] == "it, is"
    assert source.lines.tolist() == [9, 10]


def test_arff_sparse(write: Write) -> None:
    text = "@relation t\n@attribute a real\n@attribute b {u,v}\n@attribute c real\n@data\n{0 2, 1 v}\n{2 5}\n"
    assert read_frame(write("t.arff", text)).rows() == [(2.0, "v", 0.0), (0.0, "u", 5.0)]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("1.5, m", "abc, m", "row 9, column blood pressure: 'abc' is not a number"),
        ("1.5, m", "1.5, x", "row 9, column sex: 'x' is not declared"),
        (", 2020-01-02", "", "row 10: this row has 3 cells"),
        ("@DATA", "@DATUM", "row 7: .*did you mean '@data'"),
        ("REAL", "RALE", "row 3: type"),
        ("'f x'}", "'f x'", "row 4: the values of 'sex' are not closed"),
        ('"it, is"', '"it, is', "row 9: cannot read"),
        ("note", "sex", "row 5: the attribute 'sex' is declared twice"),
    ],
)
def test_arff_refusals(write: Write, old: str, new: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_frame(write("t.arff", ARFF.replace(old, new, 1)))


def test_damaged_bytes_never_escape(write: Write) -> None:
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    pl.DataFrame({"a": rng.normal(size=30), "b": ["x", "y", "z"] * 10}).write_parquet(buffer)
    csv = pl.DataFrame({"a": rng.normal(size=30), "b": ["x", "y", "z"] * 10}).write_csv().encode()
    seen = set()
    for base in (buffer.getvalue(), csv, gzip.compress(csv, mtime=0), ARFF.encode()):
        for _ in range(60):
            content = bytearray(base)
            for at in rng.integers(len(content), size=int(rng.integers(1, 4))):
                content[at] = rng.choice(list(b',;"\n{}\x00\xff?1'))
            cut = int(rng.integers(len(content))) if rng.random() < 0.2 else len(content)
            try:
                read_frame(write("t.csv", bytes(content[:cut])))
                seen.add("read")
            except InputError as error:
                seen.add("refused")
                assert "\n" not in str(error) and len(str(error)) <= 300
    assert seen == {"read", "refused"}
