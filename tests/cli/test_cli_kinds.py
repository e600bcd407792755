"""Every kind of table, from choose through predict and inspect to report."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

Run = Callable[..., tuple[int, str, str]]
FILES = [
    "decision.json", "figures.json", "journal.sqlite", "model.safetensors", "report.html", "results.parquet",
    "timings.json",
]  # fmt: skip


def multiclass(made: Any) -> Path:
    rng = np.random.default_rng(1)
    kind = np.array(["iris", "rose, red", "oak"])[np.arange(90) % 3]
    a, b = rng.normal(np.arange(90) % 3, 0.4), rng.normal(0, 1, 90)
    rows = [[round(x, 3), round(z, 3), f'"{k}"'] for x, z, k in zip(a, b, kind, strict=True)]
    return Path(made.csv(Path("kinds.csv"), ["a", "b", "kind"], rows))


def regression(made: Any) -> Path:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(80, 3))
    y = 100 + 20 * x[:, 0] + rng.normal(0, 3, 80)
    rows = [[*r, value] for r, value in zip(x.round(3).tolist(), y.round(3), strict=True)]
    return Path(made.csv(Path("numbers.csv"), ["a", "b", "c", "y"], rows))


def wide(made: Any) -> Path:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(20, 60))
    y = (x[:, 0] > np.median(x[:, 0])).astype(int)
    rows = [[*r, value] for r, value in zip(x.round(3).tolist(), y, strict=True)]
    return Path(made.csv(Path("wide.csv"), [f"g{i}" for i in range(60)] + ["y"], rows))


def binary(made: Any) -> Path:
    return Path(made.csv(Path("ill.csv"), ["age", "weight", "colour", "y"], made.rows()))


KINDS: dict[str, tuple[Callable[[Any], Path], str, str, int]] = {
    "binary, one-hot, blanks": (binary, "y", "auroc", 80),
    "several classes": (multiclass, "kind", "auroc", 90),
    "regression": (regression, "y", "r2", 80),
    "more columns than rows": (wide, "y", "auroc", 20),
}


@pytest.mark.parametrize("kind", KINDS)
def test_whole_way(riata: Run, made: Any, kind: str) -> None:
    make, target, metric, n = KINDS[kind]
    table = make(made)
    words = ["choose", table, "--target", target, *made.small, "--penalties", "l1,group_lasso", "--out", "out"]
    words += ["--epochs", "60"]  # twenty steps would teach a network nothing
    code, out, err = riata(*words)
    assert code == 0, err
    assert out.splitlines()[-1] == "report: out/report.html"
    assert "Traceback" not in err
    assert sorted(p.name for p in Path("out").iterdir()) == FILES
    decision = json.loads(Path("out/decision.json").read_text(encoding="utf-8"))
    assert decision["metric"] == metric and decision["final"][metric]["mean"] is not None
    assert pl.read_parquet("out/results.parquet").height == decision["fits"]

    code, out, _ = riata("predict", "out", table)
    said = pl.read_csv(io.StringIO(out))
    assert code == 0 and said.height == n and said["row"].to_list() == list(range(1, n + 1))
    shares = said.select(pl.col("^probability_.*$"))
    if metric == "r2":
        assert said.columns == ["row", "prediction"]
        assert float(np.corrcoef(said["prediction"], pl.read_csv(table)["y"])[0, 1]) > 0.8
    else:
        assert shares.columns == [f"probability_{c}" for c in decision["table"]["classes"]]
        np.testing.assert_allclose(shares.to_numpy().sum(1), 1, atol=1e-6)
        best = [decision["table"]["classes"][i] for i in shares.to_numpy().argmax(1)]
        assert best == [str(p) for p in said["prediction"]]

    code, out, _ = riata("inspect", "out", "--json")
    held = json.loads(out)
    assert code == 0 and list(held["kept"]) == decision["kept"] and held["dropped"] == decision["dropped"]
    assert all(norm > 0 for norm in held["kept"].values())
    assert held["weights"]["nonzero"] <= held["weights"]["total"] and held["kkt_max"] == decision["kkt_max"]
    code, out, _ = riata("inspect", "out")
    assert code == 0 and f"Keeps         {len(held['kept'])} of" in out

    before = Path("out/report.html").read_bytes()
    Path("out/report.html").unlink()
    assert riata("report", "out")[:2] == (0, "report: out/report.html\n")
    assert Path("out/report.html").read_bytes() == before


def test_inspect_counts_exact_zeros(riata: Run, made: Any) -> None:
    words = ["choose", wide(made), "--target", "y", *made.small, "--penalties", "group_lasso", "--goal", "selection"]
    assert riata(*words, "--no-validation", "--quiet", "--out", "out")[0] == 0
    held = json.loads(riata("inspect", "out", "--json")[1])
    assert len(held["kept"]) + len(held["dropped"]) == 60
    alive = held["first_layer"]["nonzero"]
    assert (alive < held["first_layer"]["total"]) == bool(held["dropped"])


def test_predict_without_target_to_files_and_from_stdin(riata: Run, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = binary(made)
    assert riata("choose", table, "--target", "y", *made.small, "--penalties", "l2", "--out", "o", "--quiet")[0] == 0
    whole = riata("predict", "o", table)[1]
    pl.read_csv(table, infer_schema=False).drop("y").write_csv("new.csv")
    assert riata("predict", "o", "new.csv")[1] == whole
    with gzip.open("new.csv.gz", "wb") as file:
        file.write(Path("new.csv").read_bytes())
    assert riata("predict", "o/model.safetensors", "new.csv.gz")[1] == whole
    for name, read in (("p.csv", pl.read_csv), ("p.parquet", pl.read_parquet)):
        assert riata("predict", "o", "new.csv", "--to", f"deep/{name}")[0] == 0
        found = read(Path("deep") / name)
        assert found.equals(pl.read_csv(io.StringIO(whole))) or np.allclose(
            found["probability_yes"], pl.read_csv(io.StringIO(whole))["probability_yes"]
        )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("new.csv").read_bytes())))
    assert riata("predict", "o", "-")[1] == whole


def test_predict_refuses_rows_it_cannot_read(riata: Run, made: Any) -> None:
    table = binary(made)
    assert riata("choose", table, "--target", "y", *made.small, "--penalties", "l2", "--out", "o", "--quiet")[0] == 0
    pl.read_csv(table).drop("age").write_csv("short.csv")
    code, out, err = riata("predict", "o", "short.csv")
    assert (code, out) == (2, "") and "short.csv" in err and "'age'" in err and err.count("\n") == 1
    Path("bad.csv").write_text("age,weight,colour\nold,70,red\n")
    code, out, err = riata("predict", "o", "bad.csv")
    assert code == 2 and "'old'" in err and "age" in err
    Path("unseen.csv").write_text("age,weight,colour\n40,70,pink\n")
    code, out, err = riata("predict", "o", "unseen.csv")
    assert code == 0 and "pink" in err and len(out.splitlines()) == 2
    assert riata("predict", "nowhere", table)[0] == 2
    assert riata("predict", "o", "unseen.csv", "--to", "o")[0] == 2


def test_damaged_folder(riata: Run, made: Any) -> None:
    words = ["--target", "y", *made.small, "--penalties", "l2", "--out", "o", "--quiet"]
    assert riata("choose", binary(made), *words)[0] == 0
    whole = json.loads(Path("o/decision.json").read_text())
    for damage in (
        {**whole, "verdict": 3},
        {k: v for k, v in whole.items() if k != "scores"},
        [1],
        {**whole, "schema": 99},
    ):
        Path("o/decision.json").write_text(json.dumps(damage))
        code, out, err = riata("report", "o")
        assert (code, out) == (2, "") and err.count("\n") == 1 and "decision.json" in err
    Path("o/decision.json").write_text(json.dumps(whole))
    model = Path("o/model.safetensors").read_bytes()
    for content in (model[:-7], b"", b"\x00" * 50, b"\xff" * 50):
        Path("o/model.safetensors").write_bytes(content)
        for command in (["inspect", "o"], ["predict", "o", "ill.csv"]):
            code, out, err = riata(*command)
            assert (code, out) == (2, "") and err.count("\n") == 1 and "model.safetensors" in err


def test_rows_without_target_are_dropped_and_said(riata: Run, made: Any) -> None:
    rows = made.rows()
    rows[4][3] = rows[7][3] = ""
    made.csv(Path("t.csv"), ["age", "weight", "colour", "ill"], rows)
    words = ["choose", "t.csv", "--target", "ill", *made.small, "--penalties", "l2", "--json", "--quiet"]
    code, out, err = riata(*words)
    decision = json.loads(out)
    assert code == 0 and decision["table"]["dropped_rows"] == 2 and decision["table"]["rows"] == 78
    assert any("2 rows" in w for w in decision["warnings"]) and err == ""
    assert json.loads(Path("riata-out/t/decision.json").read_text()) == decision


def test_columns_that_are_all_blank_are_left_out(riata: Run, made: Any) -> None:
    rows = [[*r[:3], "", r[3]] for r in made.rows()]
    made.csv(Path("t.csv"), ["age", "weight", "colour", "blank", "ill"], rows)
    code, out, _ = riata("choose", "t.csv", "--target", "ill", *made.small, "--penalties", "l2", "--json")
    assert code == 0 and [c["name"] for c in json.loads(out)["table"]["left_out"]] == ["blank"]


def test_stdin_and_name_of_the_folder(riata: Run, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(made.text(made.rows()))))
    code, out, err = riata("choose", "-", "--target", "ill", *made.small, "--penalties", "l2")
    assert code == 0, err
    assert out.splitlines()[-1] == "report: riata-out/stdin/report.html"
    table = made.csv(Path("ünsafe name;.csv"), ["age", "weight", "colour", "ill"], made.rows())
    assert riata("choose", table, "--target", "ill", *made.small, "--penalties", "l2", "--quiet")[0] == 0
    assert Path("riata-out/nsafe_name/decision.json").exists()


def test_profile_and_path(riata: Run, made: Any) -> None:
    table = binary(made)
    code, out, _ = riata("profile", table, "--target", "y", "--json")
    assert code == 0 and json.loads(out)["answer"] in ("l1", "l2", "elastic_net")
    code, text, err = riata("profile", table, "--target", "y")
    assert code == 0 and text.startswith("Answer        ") and err == "" and not Path("riata-out").exists()
    words = ["path", table, "--target", "y", "--hidden", "none", "--folds", "3", "--path-length", "5", "--workers", "1"]
    code, out, err = riata(*words, "--penalty", "group_lasso")
    assert code == 0, err
    kept = [line.split()[3] for line in out.splitlines()[1:6]]
    assert kept[0] == "0" and kept[-1] == "3" and out.splitlines()[-1] == "path: riata-out/ill/path.json"
    facts = json.loads(Path("riata-out/ill/path.json").read_text())
    assert facts["penalty"] == "group_lasso" and facts["kept"][0] == [] and len(facts["rows"]) == 5
    assert pl.read_parquet("riata-out/ill/path.parquet")["lam"].to_list() == [r["lam"] for r in facts["rows"]]
    code, out, _ = riata(*words, "--penalty", "l1", "--lams", "0.1,0.01", "--json")
    assert code == 0 and [r["lam"] for r in json.loads(out)["rows"]] == [0.1, 0.01]
    for bad in (["--penalty", "lasso"], ["--penalty", "l1", "--lams", "x"], ["--penalty", "l1", "--lams", "-1"]):
        code, out, err = riata(*words, *bad)
        assert (code, out) == (2, "") and err.count("\n") == 1
