"""The documentation is true: its snippets run, its links lead somewhere, its thresholds are those of the code."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import riata
from riata.choice import evidence, look, options, prepare, select, training
from riata.choice.classic import CLASSIC
from riata.choice.default_chart import DEFAULT
from riata.choice.pilot import ladder
from riata.choice.probes import correlation, picture, subsample
from riata.choice.score import METRICS
from riata.data.cells import MISSING, MISSING_AMONG_NUMBERS
from riata.errors import InputError, ResourceError
from riata.penalties import NAMES
from riata.results import Population

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINKED = [*PAGES, ROOT / "README.md"]
SNIPPETS = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MACHINE = re.compile(r"(?<![\w.])/(work|tmp|home|root|Users|mnt)(?=[/\s`'\")])|[A-Z]:\\")
HOSTS = ("pypi.org", "pythonhosted", "download.pytorch", "anaconda.org", "npmjs", "crates.io")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def snippets(page: Path) -> list[tuple[int, str]]:
    """Return the line and the code of every Python block."""
    text = page.read_text(encoding="utf-8")
    return [(text.count("\n", 0, m.start(1)) + 1, m[1]) for m in SNIPPETS.finditer(text)]


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def text_of(name: str) -> str:
    """Return a page with its line breaks as spaces, so that a sentence can be looked for."""
    return " ".join((DOCS / name).read_text(encoding="utf-8").split())


def first_cells(name: str) -> list[str]:
    """Return the first cell of every table row of a page."""
    lines = (DOCS / name).read_text(encoding="utf-8").splitlines()
    return [line.split("|")[1].strip() for line in lines if line.startswith("|")]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Run with one torch thread, and give the others back."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def decided() -> riata.Decision:
    """A small decision."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3))
    frame = pl.DataFrame(x, schema=["a", "b", "c"]).with_columns(pl.Series("y", x[:, 0] + rng.normal(size=90)))
    return riata.choose(
        frame, "y", folds=3, seeds=1, path_length=3, hidden=(4,), epochs=5, dropout=[0.0], workers=1, goal="selection"
    )


@pytest.mark.parametrize("page", [p for p in LINKED if snippets(p)], ids=name_of)
def test_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "snippet"}
    for line, code in snippets(page):
        padded = "\n" * (line - 1) + code
        exec(compile(padded, str(page), "exec"), names)
    assert len(names) > 1


def test_there_are_snippets() -> None:
    assert len(snippets(DOCS / "python.md")) >= 8


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_resolve(page: Path) -> None:
    lost = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists():
            lost.append(target)
        elif anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            lost += [target] if anchor not in map(slug, headings) else []
    assert not lost, f"{name_of(page)}: no such place: {lost}"


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_no_machine_and_no_registry(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not MACHINE.search(text), f"{name_of(page)}: {MACHINE.search(text)}"
    assert not [host for host in HOSTS if host in text]


def test_machine_paths_are_recognised() -> None:
    assert MACHINE.search("see /tmp/x.txt") and MACHINE.search("`/home/me`") and MACHINE.search("/work/main ")
    assert not MACHINE.search("docs/work/x.md and [a](../home/x.md)")


def test_every_page_and_record_is_linked() -> None:
    index, records = (DOCS / "index.md").read_text(encoding="utf-8"), DOCS / "decisions"
    here = {p.name for p in DOCS.glob("*.md")} - {"index.md", "results.md"}
    assert here <= set(LINK.findall(index))
    numbered = sorted(p.name for p in records.glob("[0-9]*.md"))
    assert numbered == sorted(LINK.findall((records / "README.md").read_text(encoding="utf-8")))
    assert [name[:4] for name in numbered] == [f"{i + 1:04d}" for i in range(len(numbered))]


def test_the_glossary_and_the_file_page_know_every_key(decided: riata.Decision) -> None:
    keys = set(json.loads(decided.to_json()))
    glossary = set(re.findall(r"\w+", " ".join(re.findall(r"\*\*(.*?)\*\*", (DOCS / "glossary.md").read_text()))))
    assert keys - glossary <= {"riata", "versions", "seconds"}
    told = set(re.findall(r"`(\w+)`", " ".join(first_cells("files.md"))))
    assert keys <= told, keys - told
    verdict = next(line for line in (DOCS / "files.md").read_text().splitlines() if line.startswith("| `verdict`"))
    assert set(re.findall(r"`(\w+)`", verdict)) == {"verdict", *decided.verdict}
    for name in ("plan", "table", "selection"):
        row = next(line for line in (DOCS / "files.md").read_text().splitlines() if line.startswith(f"| `{name}`"))
        missing = set(decided.summary[name]) - set(re.findall(r"`(\w+)`", row))
        assert not missing, (name, missing)


def test_the_glossary_has_each_term_once_in_order() -> None:
    terms = [cell.strip("*").lower() for cell in first_cells("glossary.md") if cell.startswith("**")]
    assert len(terms) > 40
    assert len(set(terms)) == len(terms)
    assert [t[0] for t in terms] == sorted(t[0] for t in terms)


def test_the_file_page_knows_every_column_and_metric() -> None:
    told = set(re.findall(r"`(\w+)`", " ".join(first_cells("files.md"))))
    assert set(Population(()).columns()) <= told
    page = text_of("files.md")
    assert all(f"`{metric}`" in page for metrics in METRICS.values() for metric in metrics)


def test_the_chart_on_the_page_is_the_chart() -> None:
    rows = [line.split("|") for line in (DOCS / "how-it-decides.md").read_text().splitlines() if line.startswith("| `")]
    told = {r[1].strip().strip("`"): (r[2].strip(), r[4].strip()) for r in rows if len(r) == 6}
    assert told == {key: (q.text, q.kind) for key, q in DEFAULT.questions.items()}
    page = text_of("how-it-decides.md").lower()
    for leaf in (*CLASSIC.leaves, *DEFAULT.leaves):
        assert leaf.replace("_", " ") in page


@pytest.mark.parametrize(
    "said",
    [
        f"at most {look.MOST_ROWS} rows, drawn at random",
        f"at least {look.LEAST_ROWS} rows, at least {look.LEAST_CLASS} rows of the rarest class",
        f"among {subsample.DRAWS} random draws; p < {subsample.DRAW_P:.3f}",
        f"significantly above {subsample.SMD}",
        f"AUC at most {subsample.AUC_LOW:.2f}",
        f"({options.DEFAULT_BUDGET:.0f} s unless",
        f"abs r > {correlation.PARTNER} and",
        f"inflation above {correlation.VIF:.0f} for {correlation.CORRELATED_SHARE:.0%} of the columns",
        f"at least {correlation.ROWS_PER_COLUMN} rows a column",
        f"from {picture.MIN_COLUMNS} single-column variables on",
        f"with {picture.PERMUTATIONS} permutations",
        f"z >= {picture.NEIGHBOUR_Z:.0f}, some width",
        f"lag w/2 by {picture.ROW_EXCESS}",
        f"{picture.SEQUENCE_NEIGHBOURS:.0%} of the neighbours above the {100 * picture.SEQUENCE_QUANTILE:.0f}th",
        f"probability of at most {evidence.CONTENDER:.2f}",
        f"P(not worse than the best) >= {evidence.NOT_WORSE:.2f}",
        f"`decisive` | P(better) >= {evidence.DECISIVE:.2f}",
        f"`leaning` | P(better) >= {evidence.LEANING:.2f}",
        f"`equivalent` | P(equivalent) >= {evidence.EQUIVALENT:.2f}",
        f"within {evidence.ROPE_SHARE:.2f} of AUROC",
        f"From {prepare.SEAL_FROM} rows on",
        "prediction: " + ", ".join(evidence.WALKING_ORDER["prediction"]),
        "selection: " + ", ".join(evidence.WALKING_ORDER["selection"]),
    ],
)
def test_thresholds_are_those_of_the_code(said: str) -> None:
    page = text_of("how-it-decides.md").lower()
    plain = re.sub(r"(?<![\d])0\.", ".", said).lower().replace("_", " ")
    assert plain in re.sub(r"(?<![\d])0\.", ".", page), plain


def test_selection_and_training_numbers_are_those_of_the_code() -> None:
    assert (select.AGREE, select.AGREE_IN_FOLD, select.RELAXED) == (0.75, 0.5, (0.0, 0.25))
    assert (select.GOOD, select.POOR) == (0.75, 0.4)
    page = text_of("selection.md")
    for said in ("three quarters of all", "more than half", "0 and with a quarter", "From .75", "below .4"):
        assert said in page
    record = text_of("decisions/0004-training-defaults.md")
    sizes = [training.batch_size(n) for n in (999, 3999, 15999, 16000)]
    assert "batch {} below 1000 training rows, {} below 4000, {} below 16000, then {}".format(*sizes) in record
    assert f"{training.STEPS} steps" in record
    assert "at least {} and at most {}".format(*training.EPOCHS) in record


def test_tables_page_lists_every_missing_cell_and_exit_code() -> None:
    page = text_of("tables.md")
    assert all(f"`{cell}`" in page for cell in (*MISSING, *MISSING_AMONG_NUMBERS) if cell)
    assert f"| {InputError.exit_code} | the table or an argument" in page
    assert f"| {ResourceError.exit_code} | the machine" in page


def test_objective_page_has_every_penalty() -> None:
    cells = first_cells("objective.md")
    assert all(f"`{name}`" in cells for name in NAMES)


def test_the_budget_is_cut_in_the_order_that_the_page_says() -> None:
    plans = ladder(options.Options(seeds=2, path_length=18, dropout=(0.0, 0.2)))
    names = ("seeds", "strengths", "dropout", "epochs")
    pairs = itertools.pairwise(plans)
    cuts = [name for before, after in pairs for name, a, b in zip(names, before, after, strict=True) if a != b]
    assert cuts == ["dropout", "strengths", "epochs", "seeds", "epochs", "strengths"]
    said = "no dropout arm, half the strengths, half the epochs, fewer seeds, a quarter of the epochs, a third of the"
    assert said in text_of("how-it-decides.md")
