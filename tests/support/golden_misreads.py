"""Files that a reader may misread without a word: what each holds, what a silent reader makes of it, what is said."""

from __future__ import annotations

import gzip
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

Outcome = Literal["refused", "said", "read"]
N = 60
_RNG = np.random.default_rng(7)
X = [f"{v:.3f}" for v in _RNG.normal(size=N)]
Y = [str(v) for v in _RNG.permutation(["ill"] * 27 + ["well"] * 33)]


@dataclass(frozen=True)
class Case:
    """One file.

    ``silent`` is what a silent reader makes of it. ``words`` is a pattern: of the refusal (``refused``), or of a
    warning or the reason why a column is left out (``said``). For ``read`` it is the kind and the first cells of v.
    """

    name: str
    content: bytes
    silent: str
    outcome: Outcome
    words: str
    target: str = "y"
    suffix: str = ".csv"


def cycle(*cells: str, n: int = N) -> list[str]:
    """Return ``n`` cells, the given ones over and over."""
    return list(itertools.islice(itertools.cycle(cells), n))


def mixed(rare: str, often: Sequence[str] = X, every: int = 60) -> list[str]:
    """Return ``often`` with ``rare`` in every so-many-th place."""
    return [rare if k % every == every // 2 else cell for k, cell in enumerate(often)]


def text(*rows: Sequence[str], end: str = "\n", mark: str = ",") -> str:
    """Return rows as delimited text."""
    return "".join(mark.join(row) + end for row in rows)


def table(v: Sequence[str], name: str = "v", y: Sequence[str] = Y, mark: str = ",", quote: bool = False) -> str:
    """Return a table of x, the column under test and y."""
    cells = [f'"{c}"' if quote else c for c in v]
    return text(["x", name, "y"], *zip(X[: len(v)], cells, y, strict=False), mark=mark)


def case(name: str, v: Sequence[str], silent: str, outcome: Outcome, words: str, /, **how: Any) -> Case:
    """Return the case of one column ``v``."""
    return Case(name, table(v, **how).encode(), silent, outcome, words)


def whole(name: str, content: str | bytes, silent: str, outcome: Outcome, words: str, **more: str) -> Case:
    """Return the case of a whole file."""
    return Case(name, content.encode() if isinstance(content, str) else content, silent, outcome, words, **more)  # type: ignore[arg-type]


def _parquet(**columns: Any) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame({"x": [float(v) for v in X], **columns, "y": Y}).write_parquet(buffer)
    return buffer.getvalue()


PLAIN = table(cycle("1.5", "2.5", "4"))
ROWS = PLAIN.splitlines(keepends=True)
INTEGERS = [str(v) for v in np.random.default_rng(1).integers(20, 90, N)]
LONGER = text(["x", "v", "y"], *zip(cycle(*X, n=10_501), [*X * 175, "unknown"], cycle(*Y, n=10_501), strict=True))
LONG = [str(9007199254740993 + 7 * k) for k in np.random.default_rng(2).permutation(N)]

NUMBERS = (
    case("percent signs", cycle("5%", "7.5%", "9%"), "texts", "said", "'5%' are read as texts; write plain numbers"),
    case("currency", cycle("$5", "$7.50", "$12"), "texts", "said", r"'\$5' are read as texts"),
    case("euro behind", cycle("5 €", "7.50 €"), "texts", "said", "'5 €' are read as texts"),
    case("unit suffixes", cycle("5 kg", "7.5kg", "80 kg"), "texts", "said", "'5 kg' are read as texts"),
    case("some with a percent sign", cycle("5%", "0.05", "7%"), "texts", "said", "look like numbers.*'5%'"),
    case(
        "thousands separators",
        cycle("1,234", "2,345", "999"),
        "1.234",
        "refused",
        "row 2, column v: '1,234' may be a decimal comma or a thousands",
        quote=True,
    ),
    case(
        "millions", cycle("1,234,567", "2,345,678", "5"), "texts", "said", "look like numbers.*'1,234,567'", quote=True
    ),
    case(
        "thousands by dots",
        cycle("1.234", "987", "12.345"),
        "1.234",
        "said",
        "'1.234' is read as 1.234; if its dot groups",
    ),
    case("German amounts", cycle("1.234,56", "987,10"), "texts", "said", "look like numbers", mark=";"),
    case("thousands by spaces", cycle("1 234", "12 345", "7"), "texts", "said", "look like numbers.*'1 234'"),
    case("thousands by apostrophes", cycle("1'234", "12'345", "7"), "texts", "said", "look like numbers"),
    case("thousands by thin spaces", cycle("1\u202f234", "5"), "texts", "said", "look like numbers"),
    case(
        "decimal commas", cycle("3,14", "2,5", "7"), "texts", "said", "decimal commas, '3,14' is read as 3.14", mark=";"
    ),
    case(
        "decimal commas unquoted",
        [f"{k},{k % 9}" for k in range(1, 61)],
        "shifted columns",
        "said",
        "one cell more than the header",
    ),
    case("Unicode minus", cycle("−5", "3", "−2.5"), "texts", "said", "look like numbers.*'−5'"),
    case("one Unicode minus", mixed("−5"), "texts", "refused", "row 32, column v: '−5' among numbers"),
    case("zero-width space", cycle("5\u200b", "6", "7"), "texts", "said", "look like numbers"),
    case("non-breaking spaces around", cycle("\u00a05", "6\u00a0", "7"), "texts", "read", "numeric 5 6 7"),
    case("accounting negatives", cycle("(5)", "12", "30"), "texts", "said", r"look like numbers.*'\(5\)'"),
    case("stars of significance", cycle("5.1*", "4.2", "3.3**"), "texts", "said", "look like numbers"),
    case("below detection", cycle("<0.5", "1.2", "3.4"), "texts", "said", "look like numbers.*'<0.5'"),
    case("open-ended counts", cycle("0", "1", "2", "3+"), "texts", "said", r"look like numbers.*'3\+'"),
    case("quoted numbers", cycle("5", "6.5", "7"), "texts", "read", "numeric 5 6.5 7", quote=True),
    case("apostrophe before numbers", cycle("'5", "'6", "'7"), "texts", "said", "look like numbers"),
    case("scientific integers", cycle("1e5", "2E3", "7"), "texts", "read", "numeric 100000 2000 7"),
    case("Fortran exponents", cycle("1.5D+03", "2.5D-01"), "texts", "said", "look like numbers"),
    case("hexadecimal", cycle("0x1F", "0x2A", "0x07"), "31", "said", "look like numbers"),
    case("underscores", cycle("1_000", "2_500"), "1000", "said", "look like numbers"),
    case("blood pressure", cycle("120/80", "135/90", "110/70"), "texts", "said", "'120/80' hold two numbers"),
    case("mean and deviation", cycle("5.1±0.3", "4.2±0.2"), "texts", "said", "hold two numbers"),
    case("1e999", mixed("1e999"), "infinity", "refused", "row 32, column v: '1e999' is not a finite number"),
    case("inf", mixed("inf"), "infinity", "refused", "row 32, column v: 'inf' is not a finite number"),
    case("-Infinity", mixed("-Infinity"), "infinity", "refused", "'-Infinity' is not a finite number"),
    case("1.#INF", mixed("1.#INF"), "texts", "refused", "'1.#INF' among numbers"),
    case("-nan as C prints it", cycle("-nan", "1.5", "2.5"), "texts", "said", "look like numbers.*'-nan'"),
    case(
        "int64 overflow",
        cycle("9223372036854775808", "18446744073709551616", "5"),
        "wrapped or rounded",
        "said",
        "lose their last digits",
    ),
    case("long ids", LONG, "rounded numbers", "said", "an id: 60 different whole numbers of 16 digits"),
    case(
        "ids rounded by a spreadsheet",
        cycle("1.23457E+11", "1.23458E+11", "1.23459E+11"),
        "numbers",
        "said",
        "that a spreadsheet has rounded",
    ),
    whole(
        "mixed after row 10,000",
        LONGER,
        "texts, or an error mid-way",
        "refused",
        "row 10502, column v: 'unknown' among numbers",
    ),
)
MISSING = (
    case("NA for Namibia", cycle("NA", "DE", "FR"), "missing", "said", "20 cells 'NA' are read as missing"),
    case("None as a word", cycle("None", "mild", "severe"), "missing", "said", "20 cells 'None' are read as missing"),
    case("-999", mixed("-999", INTEGERS, 10), "a number", "said", "6 cells are -999, the others .*; blank them"),
    case("-9", mixed("-9", cycle("0", "1", "2", "3"), 10), "a number", "said", "6 cells are -9"),
    case("999", mixed("999", INTEGERS, 10), "a number", "said", "6 cells are 999"),
    case(
        "-9 in the target", cycle("1", "2"), "a class", "said", "cells are -9", y=mixed("-9", cycle("1", "2", "1"), 10)
    ),
    case(
        "unknown among numbers",
        cycle("unknown", *X[:5]),
        "texts",
        "said",
        "numbers or look like numbers, others such as 'unknown'",
    ),
    case("n.a. in few values", cycle("n.a.", "1", "2", "3"), "texts", "said", "others such as 'n.a.'"),
    case("#DIV/0!", cycle("#DIV/0!", "a", "b"), "a category", "said", "'#DIV/0!' are errors of a spreadsheet"),
    case("one #REF!", mixed("#REF!"), "texts", "refused", "'#REF!' among numbers"),
    case("empty column", [""] * N, "zeros", "said", "column v: all cells are missing"),
    case("huge number for missing", mixed("1e35", X, 10), "a number", "said", "numbers as large as 1e.35"),
)

CODES = (
    case("leading zeros", cycle("02139", "10001", "94105"), "2139", "said", "'02139' start with a zero; read as codes"),
    case("ISO dates", [f"2020-01-{k % 28 + 1:02}" for k in range(N)], "texts", "said", "dates or times"),
    case("German dates", [f"{k % 28 + 1}.3.2020" for k in range(N)], "texts", "said", "dates or times"),
    case("months by name", [f"{k % 28 + 1}-Jan-2020" for k in range(N)], "texts", "said", "dates or times"),
    case("times", [f"{k % 24}:{k % 60:02}" for k in range(N)], "texts", "said", "dates or times"),
    case("dates without dashes", [f"202001{k % 28 + 1:02}" for k in range(N)], "numbers", "said", "look like dates"),
    case(
        "serial dates",
        [str(43_831 + 5 * k % 97) for k in range(N)],
        "numbers",
        "said",
        "counted from a day",
        name="visit date",
    ),
    case(
        "time stamps",
        [str(1_577_836_800 + 977 * (k * 7 % 60)) for k in range(N)],
        "numbers",
        "said",
        "counted from a day",
        name="time",
    ),
    case("running number", [str(k) for k in range(N)], "a predictor", "said", "a running number from 0 to 59"),
    case("names", [f"name {k}" for k in range(N)], "a category", "said", "an id: all 60 values are different"),
    case(
        "patient number",
        [str(v) for v in np.random.default_rng(3).permutation(9000)[:N]],
        "a predictor",
        "said",
        "an id: 60 different whole numbers",
        name="patient_no",
    ),
    case(
        "repeated subjects",
        [str(100 + k // 3) for k in range(N)],
        "rows are independent",
        "said",
        "repeated measurements of subject",
        name="subject",
    ),
    case(
        "repeated subjects by suffix",
        [f"m{k // 3}_{k % 3}" for k in range(N)],
        "rows are independent",
        "said",
        "use --group-column",
        name="MouseID",
    ),
    case(
        "genes as dates",
        cycle("2-Sep", "TP53", "1-Mar", "KRAS"),
        "a category",
        "said",
        "'2-Sep' are what a spreadsheet makes of gene names",
    ),
    case(
        "genes as dates in the header",
        X,
        "a name",
        "said",
        "columns '2-Sep': a spreadsheet turns gene names",
        name="2-Sep",
    ),
    case(
        "two cases",
        cycle("Male", "female", "male"),
        "three categories",
        "said",
        "'Male' and 'male' differ only in case",
    ),
    case("trailing blanks", cycle("m ", "f", "m"), "three categories", "read", "categorical m f m"),
    case(
        "non-breaking space within",
        cycle("stage\u00a0I", "stage I", "stage II"),
        "three categories",
        "said",
        "differ only in case, spaces or invisible",
    ),
    case(
        "zero-width in a category",
        cycle("a", "a\u200b", "b"),
        "three categories",
        "said",
        "differ only in case, spaces or invisible",
    ),
    case("two Unicode forms", cycle("Jose\u0301", "José", "Ana"), "three categories", "said", "differ only in case"),
    case(
        "booleans in several spellings", cycle("yes", "Y", "no", "TRUE"), "four categories", "said", "may mean the same"
    ),
    case("booleans in two cases", cycle("TRUE", "True", "false"), "three categories", "said", "differ only in case"),
    case("mojibake", cycle("JosÃ©", "Ana", "Eva"), "a category", "said", "'JosÃ©' look garbled"),
    case("replacement characters", cycle("Jos\ufffd", "Ana", "Eva"), "a category", "said", "look garbled"),
    case("free text", [f"w{k % 40}" for k in range(N)], "40 inputs", "said", "an id or free text: 40 different"),
    case("constant", ["5"] * N, "a predictor", "said", "constant: always 5"),
    case("a copied column", X, "two predictors", "said", "'x' and 'v' hold the same values"),
)

TARGETS = (
    case(
        "target leaks as a copy",
        [{"ill": "1", "well": "2"}[v] for v in Y],
        "a perfect score",
        "said",
        "column v tells the target one to one",
    ),
    case(
        "one class without blanks",
        X,
        "two classes",
        "refused",
        "column y: the target has one class, 'ill'",
        y=cycle("ill", ""),
    ),
    case(
        "classes in two cases",
        X,
        "three classes",
        "said",
        "column y: 'Ill' and 'ill' differ only in case",
        y=cycle("Ill", "ill", "well"),
    ),
    case("class of one row", X, "a class", "refused", "class 'maybe' has one row", y=[*Y[:-1], "maybe"]),
    case("target without blanks", X, "fewer rows", "said", "6 rows without a target", y=mixed("", Y, 10)),
    case(
        "amounts or classes",
        X,
        "amounts",
        "said",
        "3 distinct whole numbers are read as classes",
        y=cycle("0", "1", "2"),
    ),
    case("target with a unit", X, "60 classes", "said", "write plain numbers", y=cycle("5%", "10%", "20%")),
    whole("repeated rows", PLAIN + "".join(ROWS[1:31]), "more rows", "said", "of the rows repeat another row"),
)

FILES = (
    whole(
        "ragged row",
        "".join(ROWS[:20]) + "1,2\n" + "".join(ROWS[20:]),
        "blanks",
        "refused",
        "row 21: this row has 2 cells, the header has 3",
    ),
    whole(
        "a long row",
        "".join(ROWS[:20]) + "1,2,3,4\n" + "".join(ROWS[20:]),
        "cut",
        "refused",
        "row 21: this row has 4 cells",
    ),
    whole(
        "duplicate names", PLAIN.replace("x,v,y", "x,x,y", 1), "x.1", "refused", "columns 1 and 2 are both called 'x'"
    ),
    whole(
        "names in two cases",
        PLAIN.replace("x,v,y", "X,x,y", 1),
        "two columns",
        "said",
        "'X' and 'x' differ only in case",
    ),
    whole(
        "a name that is missing",
        PLAIN.replace("x,v,y", "x,,y", 1),
        "a made-up name",
        "said",
        "column 2 has no name: it is called column_2",
    ),
    whole(
        "byte-order mark",
        b"\xef\xbb\xbf" + table(cycle("1.5", "2"), name="v").encode(),
        "a name with a mark",
        "read",
        "numeric 1.5 2",
    ),
    whole("UTF-16", PLAIN.encode("utf-16"), "bytes", "read", "numeric 1.5 2.5 4"),
    whole("UTF-16 without a mark", PLAIN.encode("utf-16-le"), "bytes", "refused", "NUL byte .* UTF-16"),
    whole(
        "latin-1",
        PLAIN.replace("ill", "böse").encode("latin1"),
        "other letters",
        "refused",
        "not UTF-8 .*iconv -f latin1",
    ),
    whole(
        "header missing",
        "".join(ROWS[1:]),
        "a header of data",
        "said",
        "no header line found: the columns are called c1",
        target="c3",
    ),
    whole(
        "header of years",
        text(["2019", "2020", "y"], *zip(X, X[::-1], Y, strict=True)),
        "years",
        "refused",
        "row 1, column c3: class 'y' has one row",
        target="c3",
    ),
    whole(
        "header of years only",
        text(["2019", "2020", "2021"], *zip(X, X[::-1], INTEGERS, strict=True)),
        "years",
        "said",
        "no header line found",
        target="c3",
    ),
    whole(
        "header missing among texts",
        text(["m", "new", Y[0]], *zip(cycle("m", "f", "f"), cycle("u", "v", "w"), Y, strict=True)),
        "a header of data",
        "said",
        "the first row is read as the header, but 'm' also is a value",
        target=Y[0],
    ),
    whole(
        "first row of data again",
        text(*zip(cycle("m", "f"), cycle("u", "v"), cycle("ill", "well"), strict=True)),
        "a header of data",
        "refused",
        "row 3: the header again; .* if the first row is data",
        target="ill",
    ),
    whole("two files joined", PLAIN + PLAIN, "a category", "refused", "row 62: the header again"),
    whole(
        "two files joined with a mark", PLAIN + "\ufeff" + PLAIN, "a category", "refused", "row 62: the header again"
    ),
    whole("trailing separators", PLAIN.replace("\n", ",\n"), "a column", "said", "column 4 has no name"),
    whole(
        "trailing separators below",
        "x,v,y\n" + "".join(r.replace("\n", ",\n") for r in ROWS[1:]),
        "shifted columns",
        "read",
        "numeric 1.5 2.5 4",
    ),
    whole(
        "row names",
        "x,v,y\n" + "".join(f"r{k},{r}" for k, r in enumerate(ROWS[1:])),
        "shifted columns",
        "said",
        "read as their name, called index",
    ),
    whole("comment line", "# made by hand\n" + PLAIN, "a header", "refused", "the header has 1"),
    whole(
        "comment between",
        "".join(ROWS[:9]) + "# break\n" + "".join(ROWS[9:]),
        "a row",
        "refused",
        "row 10: this row has 1 cells",
    ),
    whole("title above", "Study 12,,\n" + table(X), "a header", "refused", "among numbers|no column 'y'"),
    whole(
        "units below the header",
        "".join([ROWS[0], "mm,kg,s\n", *table(X, y=INTEGERS).splitlines(keepends=True)[1:]]),
        "a category",
        "refused",
        "row 2, column y: 's' among numbers",
    ),
    whole(
        "totals row",
        text(["site", "v", "y"], *zip(cycle("a", "b", "c"), INTEGERS, Y, strict=True), ["Total", "3012", "well"]),
        "a row",
        "said",
        r"row 62 looks like a row of totals \('Total'\)",
    ),
    whole(
        "a spreadsheet's note", "sep=,\n" + PLAIN, "a header", "refused", "row 1: 'sep=,?' is a note for a spreadsheet"
    ),
    whole(
        "mixed line ends", PLAIN.replace("\n", "\r\n", 30), "cells with a carriage return", "read", "numeric 1.5 2.5 4"
    ),
    whole("old Mac line ends", PLAIN.replace("\n", "\r"), "one line", "read", "numeric 1.5 2.5 4"),
    whole(
        "embedded newline",
        table(['"a\nb"' if k == 5 else "c" if k % 2 else "d" for k in range(N)]).replace('"a\nb"', '"c\n"'),
        "a broken row",
        "read",
        "categorical d c d",
    ),
    whole(
        "quote that never closes",
        PLAIN.replace("1.5", '"1.5', 1),
        "the rest in one cell",
        "refused",
        "row 2: .*expected",
    ),
    whole("backslash quotes", table([r'"a\"b"'] * N), "shifted cells", "refused", "expected cells in double quotes"),
    whole(
        "cut gzip",
        gzip.compress(PLAIN.encode(), mtime=0)[:-30],
        "fewer rows",
        "refused",
        "gzip file is truncated",
        suffix=".csv.gz",
    ),
    whole(
        "cut Parquet",
        _parquet(v=[1.5, 2.5, 4.0] * 20)[:-20],
        "fewer rows",
        "refused",
        "damaged Parquet",
        suffix=".parquet",
    ),
    whole(
        "integers in Parquet above 2^53",
        _parquet(v=[2**54 * (k % 7) + 1 for k in range(N)]),
        "rounded",
        "said",
        "lose their last digits",
        suffix=".parquet",
    ),
    whole(
        "infinity in Parquet",
        _parquet(v=[1.0, 2.0, float("inf")] * 20),
        "infinity",
        "refused",
        "row 3, column v: 'inf' is not a finite number",
        suffix=".parquet",
    ),
    whole(
        "numbers as texts in Parquet",
        _parquet(v=["1.5", "2.5", "oops?"] * 20),
        "a category",
        "said",
        "others such as 'oops.'",
        suffix=".parquet",
    ),
    whole(
        "dates in Parquet",
        _parquet(v=pl.Series([18_262 + k for k in range(N)]).cast(pl.Date)),
        "numbers",
        "said",
        "dates or times",
        suffix=".parquet",
    ),
    whole(
        "lists in Parquet", _parquet(v=[[1, 2]] * N), "texts", "said", "cells are not single values", suffix=".parquet"
    ),
    whole(
        "ARFF value not declared",
        "@relation t\n@attribute x real\n@attribute y {ill,well}\n@data\n"
        + "".join(f"{x},{y}\n" for x, y in zip(X, [*Y[:-1], "Ill"], strict=True)),
        "missing",
        "refused",
        "row 64, column y: 'Ill' is not declared",
        suffix=".arff",
    ),
    whole("Excel as CSV", b"PK\x03\x04" + b"0" * 99, "an error in a parser", "refused", "a zip or Excel file"),
    whole(
        "a login page", "<!DOCTYPE html><html><body>Sign in</body></html>\n" * 20, "one column", "refused", "a web page"
    ),
    whole("JSON", '[{"x": 1, "y": 2},\n' * 20, "columns of braces", "refused", "this is JSON"),
    whole(
        "Git LFS pointer",
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "one column",
        "refused",
        "git lfs pull",
    ),
)

CASES = (*NUMBERS, *MISSING, *CODES, *TARGETS, *FILES)
