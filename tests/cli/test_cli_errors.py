"""Every bad input: exit code 2, one line that says what to do, no traceback, nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def one_line(code: int, out: str, err: str) -> str:
    assert code == 2, err
    assert out == ""
    assert err.startswith("riata: ") and err.endswith("\n") and err.count("\n") == 1, err
    assert len(err) <= 301 and "Traceback" not in err and "internal error" not in err
    return err


BAD_TABLES: dict[str, tuple[Callable[[Any], bytes], list[str]]] = {
    "empty": (lambda m: b"", ["t.csv", "empty"]),
    "header only": (lambda m: m.text([]), ["t.csv"]),
    "no target at all": (lambda m: m.text([[*r[:3], ""] for r in m.rows()]), ["ill"]),
    "one class": (lambda m: m.text([[*r[:3], "no"] for r in m.rows()]), ["ill", "constant", "'no'"]),
    "ragged": (lambda m: m.text(m.rows()) + b"1,2,red\n", ["t.csv, row 82"]),
    "duplicate names": (lambda m: m.text(m.rows(), "age,age,colour,ill"), ["t.csv", "age"]),
    "infinite": (lambda m: m.changed(3, 0, "inf"), ["t.csv", "row 5", "age"]),
    "too large": (lambda m: m.changed(3, 0, "1e999"), ["t.csv", "row 5", "age"]),
    "not UTF-8": (lambda m: m.changed(3, 2, "x").replace(b"x", b"\xe9"), ["t.csv, row 5", "UTF-8", "iconv"]),
    "few rows": (lambda m: m.text(m.rows(6)), ["t.csv", "6 rows"]),
    "rare class": (
        lambda m: m.text([[*r[:3], "yes" if i < 2 else "no"] for i, r in enumerate(m.rows())]),
        ["yes", "fold"],
    ),
    "nothing to learn from": (lambda m: b"const,ill\n" + b"1,yes\n1,no\n" * 20, ["t.csv", "no column"]),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_table(riata: Run, elsewhere: Path, made: Any, name: str) -> None:
    make, words = BAD_TABLES[name]
    Path("t.csv").write_bytes(make(made))
    err = one_line(*riata("choose", "t.csv", "--target", "ill", *made.small))
    for word in words:
        assert word in err
    assert names(elsewhere) == ["t.csv"]


def test_parquet_that_is_not_one(riata: Run, elsewhere: Path, made: Any) -> None:
    Path("t.parquet").write_bytes(made.text(made.rows()))
    assert "not a Parquet file" in one_line(*riata("choose", "t.parquet", "--target", "ill"))
    Path("t.parquet").write_bytes(b"PAR1" + bytes(range(200)) + b"PAR1")
    assert "t.parquet" in one_line(*riata("choose", "t.parquet", "--target", "ill"))
    assert names(elsewhere) == ["t.parquet"]


BAD_WORDS = {
    "missing file": (["no.csv", "--target", "ill"], ["no.csv", "no such file"]),
    "near file": (["ill.cvs", "--target", "ill"], ["did you mean", "ill.csv"]),
    "no target": (["ill.csv"], ["--target", "type --target COL"]),
    "unknown target": (["ill.csv", "--target", "il"], ["'il'", "did you mean 'ill'?"]),
    "unknown penalty": (["ill.csv", "--target", "ill", "--penalties", "grup_lasso"], ["did you mean group_lasso?"]),
    "empty penalties": (["ill.csv", "--target", "ill", "--penalties", ""], ["--penalties"]),
    "unknown option": (["ill.csv", "--target", "ill", "--fold", "3"], ["--fold", "did you mean --folds?"]),
    "option without value": (["ill.csv", "--target", "ill", "--folds"], ["--folds"]),
    "one word too many": (["ill.csv", "more", "--target", "ill"], ["more"]),
    "budget": (["ill.csv", "--target", "ill", "--budget", "x"], ["--budget 'x'", "60s"]),
    "dropout rate": (["ill.csv", "--target", "ill", "--dropout", "1.5"], ["--dropout", "1.5"]),
    "dropout word": (["ill.csv", "--target", "ill", "--dropout", "a"], ["--dropout 'a'"]),
    "dropout nan": (["ill.csv", "--target", "ill", "--dropout", "nan"], ["--dropout"]),
    "hidden": (["ill.csv", "--target", "ill", "--hidden", "a"], ["--hidden 'a'", "64,64"]),
    "folds": (["ill.csv", "--target", "ill", "--folds", "1"], ["--folds", "--folds 5"]),
    "folds word": (["ill.csv", "--target", "ill", "--folds", "x"], ["--folds 'x'"]),
    "folds too many": (["ill.csv", "--target", "ill", "--folds", "70"], ["70", "--folds"]),
    "seed": (["ill.csv", "--target", "ill", "--seed", "-1"], ["--seed '-1'"]),
    "task": (["ill.csv", "--target", "ill", "--task", "foo"], ["--task 'foo'"]),
    "regression of words": (["ill.csv", "--target", "ill", "--task", "regression"], ["ill"]),
    "device": (["ill.csv", "--target", "ill", "--device", "tpu"], ["--device 'tpu'", "cpu"]),
    "picture": (["ill.csv", "--target", "ill", "--picture", "3by3"], ["--picture 3by3"]),
    "picture too large": (["ill.csv", "--target", "ill", "--picture", "40x40"], ["--picture 40x40"]),
    "categorical": (["ill.csv", "--target", "ill", "--categorical", "color"], ["did you mean 'colour'?"]),
    "drop": (["ill.csv", "--target", "ill", "--drop", "nope"], ["--drop", "'nope'"]),
    "group column": (["ill.csv", "--target", "ill", "--group-column", "nope"], ["--group-column", "'nope'"]),
    "groups file": (["ill.csv", "--target", "ill", "--groups", "no.csv"], ["--groups", "no.csv"]),
    "groups variable": (["ill.csv", "--target", "ill", "--groups", "bad.json"], ["--groups", "'height'"]),
    "groups head": (["ill.csv", "--target", "ill", "--groups", "ill.csv"], ["--groups", "variable,group"]),
    "groups twice": (["ill.csv", "--target", "ill", "--groups", "twice.csv"], ["--groups", "twice"]),
    "groups not a mapping": (["ill.csv", "--target", "ill", "--groups", "list.json"], ["--groups"]),
    "out is a file": (["ill.csv", "--target", "ill", "--out", "ill.csv"], ["--out", "is a file"]),
    "out below a file": (["ill.csv", "--target", "ill", "--out", "ill.csv/deep/er"], ["--out", "is a file"]),
    "out with nul": (["ill.csv", "--target", "ill", "--out", "a\0b"], ["--out"]),
    "out too long": (["ill.csv", "--target", "ill", "--out", "a" * 5000], ["--out"]),
}


@pytest.mark.parametrize("name", BAD_WORDS)
def test_bad_words(riata: Run, ill: Path, elsewhere: Path, name: str) -> None:
    Path("bad.json").write_text('{"height": "size"}')
    Path("list.json").write_text("{1}")
    Path("twice.csv").write_text("variable,group\nage,a\nage,b\n")
    before = names(elsewhere)
    words, said = BAD_WORDS[name]
    err = one_line(*riata("choose", *words))
    for word in said:
        assert word in err
    assert names(elsewhere) == before


def test_unknown_command(riata: Run) -> None:
    assert "did you mean choose?" in one_line(*riata("chose", "t.csv"))


def test_folder_in_the_way_is_seen_before_training(riata: Run, ill: Path, made: Any) -> None:
    Path("out/decision.json").mkdir(parents=True)
    assert "decision.json" in one_line(*riata("choose", ill, "--target", "ill", "--out", "out", *made.small))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_rights_is_seen_before_training(riata: Run, ill: Path, made: Any) -> None:
    Path("locked").mkdir(mode=0o500)
    code, _, err = riata("choose", ill, "--target", "ill", "--out", "locked/out", *made.small)
    assert code == 3 and err.count("\n") == 1


def test_no_traceback_without_debug(riata: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("riata.cli.choose.choose", broken)
    code, out, err = riata("choose", "t.csv", "--target", "y")
    assert (code, out) == (1, "") and err.startswith("riata: internal error RuntimeError: a bug")
    assert err.count("\n") == 1
    code, _, err = riata("choose", "t.csv", "--target", "y", "--debug")
    assert code == 1 and "Traceback" in err and err.splitlines()[-1].startswith("riata: ")


@pytest.mark.parametrize(
    ("error", "code"), [(MemoryError(), 3), (OSError(28, "No space left on device"), 3), (KeyboardInterrupt(), 130)]
)
def test_exit_codes(riata: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("riata.cli.choose.choose", fails)
    found, out, err = riata("choose", "t.csv", "--target", "y")
    assert (found, out) == (code, "") and err.count("\n") == 1


def test_hostile_names_stay_on_one_line(riata: Run, elsewhere: Path, made: Any) -> None:
    made.csv(elsewhere / "t.csv", ["\x1b[31mred", "ill"], [["x\ty", 1]] * 12)
    err = one_line(*riata("choose", "t.csv", "--target", "\x1b[2J"))
    assert "\x1b" not in err
