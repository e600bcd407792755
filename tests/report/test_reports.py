"""Reports of every kind of decision: whole, self-contained, and deaf to what a table's cells try."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import riata
from riata.choice.decision import Decision, read_decision
from riata.report import render_text
from riata.report.page import render_html

SMALL: dict[str, Any] = {
    "hidden": (8,), "epochs": 8, "folds": 3, "seeds": 1, "path_length": 3, "workers": 1, "dropout": (0.0,),
    "device": "cpu",
}  # fmt: skip
MARK = "pwned"
HOSTILE = [
    f"<script>{MARK}(1)</script>", f"\"><img src=http://{MARK}.test/x onerror={MARK}(2)>", f"</style><b>{MARK}",
    f"{{{{ {MARK} }}}}{{% {MARK} %}}", f"</script><svg onload={MARK}()>", f"\x1b[31m{MARK}\x07", f"two\nlines {MARK}",
    f"javascript:{MARK}", f"a'onmouseover='{MARK}()", f"<!-- {MARK} -->",
]  # fmt: skip


class Page(HTMLParser):
    """Tags, attributes and texts of a page, as a browser would find them."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.code, self.values, self.words, self.comments = "", "", "", ""
        self.inside: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag in ("script", "style"):
            self.inside.append(tag)
            self.runs = dict(attrs).get("type") != "application/json"

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if self.inside and self.runs:
            self.code += data
        elif self.inside:
            self.values += data
        else:
            self.words += data

    def handle_comment(self, data: str) -> None:
        self.comments += data


def hostile() -> Decision:
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=60) for name in HOSTILE}
    frame = pl.DataFrame(columns).with_columns(
        kind=pl.Series(rng.choice(HOSTILE[:3], 60)), target=pl.Series(np.where(np.arange(60) % 2, *HOSTILE[:2]))
    )
    return riata.choose(frame.rename({"target": f"<i>{MARK}"}), f"<i>{MARK}", name=HOSTILE[1], **SMALL)


def decision(kind: str) -> Decision:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    score = X[:, 0] + 0.3 * rng.normal(size=60)
    if kind == "hostile":
        return hostile()
    if kind == "by theory":
        return riata.choose(X, score, no_validation=True, **SMALL)
    if kind == "wide":
        wide = rng.normal(size=(30, 80))
        return riata.choose(wide, wide[:, 0], **SMALL)
    if kind == "selection":
        return riata.choose(X, score, goal="selection", penalties=["group_lasso"], **SMALL)
    if kind == "sealed":
        big = rng.normal(size=(1000, 2))
        return riata.choose(big, (big[:, 0] > 0).astype(int), penalties=["l2"], **{**SMALL, "epochs": 2})
    targets = {"binary": score > 0, "several": np.digitize(score, [-0.4, 0.4]), "number": score}
    target = targets[kind]
    return riata.choose(
        X, target if kind == "number" else np.array([f"class {t}" for t in target.astype(int)]), **SMALL
    )


KINDS = ["binary", "several", "number", "by theory", "wide", "selection", "sealed", "hostile"]


@pytest.fixture(scope="module", params=KINDS)
def summary(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(json.loads(decision(request.param).to_json()))


def test_a_page_is_whole_and_asks_nobody_for_anything(summary: dict[str, Any]) -> None:
    text = render_html(summary)
    page = Page(text)
    assert text.lower().startswith("<!doctype html>") and text.rstrip().endswith("</html>")
    policy = [a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policy) == 1 and "default-src 'none'" in policy[0] and "http" not in policy[0]
    assert [a.get("lang") for t, a in page.tags if t == "html"] == ["en"]
    for tag, attributes in page.tags:
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            assert not re.match(r"(?i)\s*(https?:)?//", attributes.get(name, "")), (tag, attributes)
        assert tag not in ("iframe", "object", "embed", "base", "link", "form"), tag
        assert attributes.get("http-equiv", "").lower() != "refresh"
    styles = re.findall(r"(?s)<style[^>]*>(.*?)</style>", text)
    assert styles and not re.search(r"@import|url\(\s*['\"]?(https?:)?//", " ".join(styles))
    assert "prefers-color-scheme: dark" in " ".join(styles) and "color-scheme: light dark" in " ".join(styles)


def test_a_page_shows_the_verdict_the_candidates_and_the_evidence(summary: dict[str, Any]) -> None:
    words = Page(render_html(summary)).words
    assert summary["evidence"] in words and summary["final"]["method"] in words
    assert summary["table"]["sha256"] in words and f"{summary['fits']} networks" in words
    for answer in summary["answers"]:
        assert answer["question"] in words and answer["source"] in words
    for name in summary["scores"]:
        assert f"{summary['scores'][name][summary['metric']]['mean']:.3f}" in words, name
    for warning in summary["warnings"]:
        assert " ".join(warning.split()) in " ".join(words.split())


def test_the_words_for_a_terminal_are_about_ten_lines_without_control_characters(summary: dict[str, Any]) -> None:
    lines = render_text(summary).split("\n")
    notes = [line for line in lines if line.startswith("Note")]
    assert 8 <= len(lines) - len(notes) <= 12 and len(notes) == min(12, len(summary["warnings"]))
    assert all(line.isprintable() and line.strip() for line in lines)
    assert lines[0].startswith("Use ") and summary["evidence"] in lines[1]
    assert f"{summary['final'][summary['metric']]['mean']:.3f}" in lines[2]
    assert f"{len(summary['kept'])} of {summary['table']['variables']}" in "\n".join(lines)


def test_rendering_leaves_the_summary_and_gives_the_same_page_again(summary: dict[str, Any], tmp_path: Path) -> None:
    before = json.dumps(summary)
    assert render_html(summary) == render_html(summary) and json.dumps(summary) == before
    Decision(summary).save(tmp_path)
    assert render_html(read_decision(tmp_path).summary) == (tmp_path / "report.html").read_text(encoding="utf-8")


def test_numbers_that_are_not_there_are_dashes(summary: dict[str, Any]) -> None:
    bare = json.loads(json.dumps(summary))
    bare["kkt_max"] = None
    empty = {"mean": None, "low": None, "high": None}
    bare["final"][bare["metric"]] = empty
    for scores in bare["scores"].values():
        scores[bare["metric"]] = dict(empty)
    assert "KKT residual -" in render_text(bare) and "None" not in render_text(bare)
    assert "None" not in Page(render_html(bare)).words


def test_nothing_of_a_hostile_table_becomes_markup() -> None:
    found = json.loads(decision("hostile").to_json())
    assert json.dumps(found).count(MARK) > 20
    text = render_html(found)
    page, harmless = Page(text), Page(render_html(json.loads(decision("binary").to_json())))
    assert MARK in page.words and f"<script>{MARK}(1)</script>" in page.words  # shown, as text
    assert MARK not in page.comments and f"{MARK}(" not in page.code
    assert {t for t, _ in page.tags} <= {t for t, _ in harmless.tags} | {"ul", "li"}
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert not any(MARK in name for name in attributes)
        assert "javascript:" not in " ".join(v for k, v in attributes.items() if k in ("href", "src", "action"))
    assert MARK in page.values and "<" not in page.values
    assert sum(t == "script" for t, _ in page.tags) == sum(t == "script" for t, _ in harmless.tags)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)


def test_a_long_list_of_names_is_cut_and_counted() -> None:
    found = json.loads(decision("wide").to_json())
    found["kept"], found["dropped"] = [f"v{i}" for i in range(40)], []
    said = render_text(found)
    assert "v11, and 28 more" in said and "v12" not in said and "Drops         none" in said
    found["warnings"] = [f"warning {i}" for i in range(50)]
    assert render_text(found).count("\nNote") == 12
