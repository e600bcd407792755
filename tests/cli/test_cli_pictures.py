"""Single figures, two runs side by side, the report again, and the demo that explains."""

from __future__ import annotations

import json
import shutil
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from riata.plots.registry import PLOTS

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def done(riata: Run, made: Any) -> Path:
    """A run in the folder ``out``."""
    made.csv(Path("ill.csv"), ["age", "weight", "colour", "ill"], made.rows())
    code, _, err = riata("choose", "ill.csv", "--target", "ill", *made.small, "--out", "out")
    assert code == 0, err
    return Path("out")


def test_every_figure_is_drawn_or_refused_in_words(riata: Run, done: Path) -> None:
    cohort = {"views", "representation_views", "variants", "cohort_path", "representation"}
    nothing = {"predicted", "residuals", "picture", "sample", *cohort}
    for plot in PLOTS:
        code, out, err = riata("plot", done, "--what", plot.name, "--to", f"{plot.name}.svg")
        assert code == (2 if plot.name in nothing else 0), (plot.name, err)
        if plot.name in nothing:
            assert "this run holds nothing for it" in err and not Path(f"{plot.name}.svg").exists()
        else:
            assert out == f"figure: {plot.name}.svg\n"
            assert Path(f"{plot.name}.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_files_ending_chooses_the_form(riata: Run, done: Path) -> None:
    assert riata("plot", done, "--what", "scores", "--to", "a.png", "--quiet") == (0, "", "")
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    assert riata("plot", done, "--what", "scores", "--to", "a.html")[0] == 0
    assert "default-src 'none'" in Path("a.html").read_text(encoding="utf-8")
    assert riata("plot", done, "--what", "scores", "--to", "dark.svg", "--dark")[0] == 0
    assert riata("plot", done, "--what", "scores", "--to", "light.svg")[0] == 0
    assert Path("dark.svg").read_bytes() != Path("light.svg").read_bytes()
    code, _, err = riata("plot", done, "--what", "scores", "--to", "a.pdf")
    assert code == 2 and ".png" in err and not Path("a.pdf").exists()


def test_a_path_is_that_of_the_penalty_that_was_asked_for(riata: Run, done: Path) -> None:
    for penalty in ("l1", "group_lasso"):
        assert riata("plot", done, "--what", "path", "--penalty", penalty, "--to", f"{penalty}.svg")[0] == 0
    assert Path("l1.svg").read_bytes() != Path("group_lasso.svg").read_bytes()
    code, _, err = riata("plot", done, "--what", "scores", "--penalty", "l1", "--to", "a.svg")
    assert code == 2 and "takes no --penalty" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plot", "out", "--what", "heatmpa", "--to", "a.png"), "expected one of scores, flowchart"),
        (("plot", "nowhere", "--what", "heatmap", "--to", "a.png"), "no decision.json here"),
        (("plot", "out", "--what", "heatmap"), "--to is missing"),
        (("compare", "out"), "OUT2 is missing"),
        (("compare", "out", "nowhere"), "no decision.json here"),
        (("demo", "chess"), "expected breast-cancer or overfit"),
        (("demo", "overfit", "--folds", "3"), "takes no --folds"),
    ],
)
def test_what_cannot_be_is_one_line(riata: Run, done: Path, words: tuple[str, ...], said: str) -> None:
    code, out, err = riata(*words)
    assert (code, out) == (2, "")
    assert said in err and err.count("\n") == 1


def test_figures_that_are_gone_or_damaged_are_one_line(riata: Run, done: Path) -> None:
    figures = json.loads((done / "figures.json").read_text(encoding="utf-8"))
    (done / "figures.json").write_text('{"schema": 1}', encoding="utf-8")
    code, _, err = riata("plot", done, "--what", "heatmap", "--to", "a.png")
    assert code == 2 and "figures.json: damaged" in err
    (done / "figures.json").write_text(json.dumps({**figures, "schema": 99}), encoding="utf-8")
    assert "newer" in riata("plot", done, "--what", "heatmap", "--to", "a.png")[2]
    (done / "figures.json").write_text("{", encoding="utf-8")
    assert "not readable" in riata("plot", done, "--what", "heatmap", "--to", "a.png")[2]
    (done / "figures.json").unlink()
    assert "no figures" in riata("plot", done, "--what", "heatmap", "--to", "a.png")[2]
    assert riata("report", done)[0] == 0


def test_the_report_is_written_again_byte_by_byte_and_shown(
    riata: Run, done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, shown = (done / "report.html").read_bytes(), []
    monkeypatch.setattr(webbrowser, "open", lambda address: shown.append(address) or True)
    assert riata("report", done, "--open")[0] == 0
    assert (done / "report.html").read_bytes() == before
    assert shown == [(done / "report.html").absolute().as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    assert "no browser" in riata("report", done, "--open")[2]


def test_the_report_says_what_was_typed(done: Path, made: Any) -> None:
    figures = json.loads((done / "figures.json").read_text(encoding="utf-8"))
    assert figures["command"].startswith("riata choose ill.csv --target ill --")
    assert " ".join(made.small[:2]) in figures["command"]
    assert "riata choose ill.csv --target ill" in (done / "report.html").read_text(encoding="utf-8")


def test_two_runs_side_by_side(riata: Run, done: Path, made: Any) -> None:
    words = ["choose", "ill.csv", "--target", "ill", *made.small, "--seed", "1", "--penalties", "l1"]
    assert riata(*words, "--out", "other")[0] == 0
    code, out, err = riata("compare", "out", "other", "--to", "both.html")
    assert code == 0, err
    assert "Differs       seed" in out and out.endswith("page: both.html\n")
    assert "other" in Path("both.html").read_text(encoding="utf-8")
    assert riata("compare", "out", "other", "--quiet") == (0, "", "")
    assert Path("compare.html").exists()


def test_overfitting_is_explained(riata: Run) -> None:
    code, out, err = riata("demo", "overfit", "--out", "explained")
    assert code == 0, err
    assert "degree 10" in out and out.endswith("page: explained/overfit.html\n")
    page = Path("explained/overfit.html").read_text(encoding="utf-8")
    assert "<script" not in page and page.count("<svg") >= 4
    shutil.rmtree("explained")
    assert riata("demo", "overfit", "--quiet")[0] == 0
    assert Path("riata-out/overfit/overfit.html").exists()


def test_the_model_goes_out_as_onnx_and_says_what_the_model_says(riata: Run, done: Path) -> None:
    import numpy as np
    import onnxruntime

    code, out, err = riata("export", done, "model.onnx")
    assert (code, out) == (0, "model: model.onnx\n"), err
    session = onnxruntime.InferenceSession("model.onnx")
    takes = session.get_modelmeta().custom_metadata_map
    assert takes
    (given,) = session.get_inputs()
    (said,) = session.run(None, {given.name: np.zeros((3, given.shape[1]))})[:1]
    assert said.shape == (3, 2) and np.allclose(said.sum(1), 1)
    code, _, err = riata("export", "nowhere", "other.onnx")
    assert code == 2 and "no such folder" in err and not Path("other.onnx").exists()
