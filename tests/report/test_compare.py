"""Runs side by side: what differs is said, what may not be compared too, and names stay names."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser

import pytest

from riata.errors import InputError
from riata.report.compare import compare_text, kept, notes, options, render_compare, scores, similarities


@pytest.fixture
def pair(made):
    first = made()[0]
    return [("a", first), ("b", copy.deepcopy(first))]


class Words(HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.words, self.hidden = [], "", False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.hidden = tag == "style"

    def handle_endtag(self, tag):
        self.hidden = self.hidden and tag != "style"

    def handle_data(self, data):
        self.words += "" if self.hidden else data


def test_equal_runs_differ_in_nothing(pair):
    assert options(pair) == {} and similarities(pair) == [("a", "b", 1.0)]
    assert all(cells[1]["change"] == 0 for cells in scores(pair).values())
    assert all(row["all"] for row in kept(pair))
    words = Words(render_compare(pair)).words
    assert "The tables are the same." in words and "No setting differs." in words
    assert "against" not in " ".join(notes(pair))


def test_only_what_differs_is_listed(pair):
    second = pair[1][1]
    second["options"] = {**second["options"], "hidden": [8, 4]}
    second["versions"] = {**second["versions"], "torch": "9.9"}
    second["plan"] = {**second["plan"], "seeds": 1}
    differing = {"hidden": ["-", "8, 4"], "plan: seeds": ["3", "1"], "version of torch": ["2.13.0", "9.9"]}
    assert options(pair) == differing
    words = Words(render_compare(pair)).words
    assert "8, 4" in words and "3 settings differ." in words


def test_scores_are_subtracted_from_the_first_run(pair):
    pair[1][1]["scores"]["l1"]["auroc"]["mean"] = pair[0][1]["scores"]["l1"]["auroc"]["mean"] + 0.05
    del pair[1][1]["scores"]["l2"]
    found = scores(pair)
    assert found["l1"][0]["change"] is None and found["l1"][1]["change"] == pytest.approx(0.05)
    assert found["l2"][1]["score"] is None and found["l2"][1]["change"] is None
    assert "+0.050" in Words(render_compare(pair)).words and "(+0.050)" in compare_text(pair)


def test_variables_that_all_keep_come_first_and_a_foreign_one_is_said(pair):
    second = pair[1][1]
    second["kept"], second["dropped"] = ["x3", "new"], ["x0", "x1"]
    second["norms"] = {"x3": 0.25, "new": 0.5, "x0": 0.0, "x1": 0.0}
    rows = kept(pair)
    assert [r["name"] for r in rows if r["all"]] == ["x3"] == [rows[0]["name"]]
    assert similarities(pair)[0][2] == pytest.approx(1 / 5)
    cells = {r["name"]: r["cells"] for r in rows}
    assert cells["x0"][1] == {"kept": False, "there": True, "norm": 0.0}
    assert not cells["new"][0]["there"] and not cells["x2"][1]["there"]
    words = Words(render_compare(pair)).words
    assert "✓ 0.250" in words and "not in its table" in words
    text = compare_text(pair)
    assert "Kept by all   1: x3" in text and "Only b: new" in text and "0.20: a and b" in text


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("table", "sha256"), "f" * 64, "another table"),
        (("table", "target"), "z", "another target, task or metric"),
        (("options", "seed"), 7, "other folds"),
        (("plan", "folds"), 10, "other folds"),
        (("final", "method"), "nested", "measured in another way"),
        (("options", "hidden"), [8], "norms are in other units"),
        (("versions", "numpy"), "0.1", "other versions"),
    ],
)
def test_what_may_not_be_compared_is_said(pair, where, value, said):
    pair[1][1][where[0]][where[1]] = value
    found = [n for n in notes(pair) if n.startswith("b against a: ")]
    assert len(found) == 1 and said in found[0]
    assert said in Words(render_compare(pair)).words and said in compare_text(pair)


def test_scores_of_other_tasks_are_never_subtracted(made):
    runs = [("a", made()[0]), ("b", made(task="regression")[0])]
    assert all(cell["change"] is None for cells in scores(runs).values() for cell in cells)
    assert "cannot be subtracted" in Words(render_compare(runs)).words


def test_three_runs_each_with_its_own_column(made):
    runs = [(name, made(seed=i)[0]) for i, name in enumerate("abc")]
    page = Words(render_compare(runs))
    heads = sum(t == "th" and a.get("scope") == "col" for t, a in page.tags)
    tables = sum(t == "table" for t, _ in page.tags)
    assert heads == 4 * tables and len(similarities(runs)) == 3


def test_a_run_without_scores_or_weights_is_shown(pair):
    second = pair[1][1]
    second["scores"] = {
        n: {**s, "auroc": {"mean": None, "low": None, "high": None}} for n, s in second["scores"].items()
    }
    second["final"] = {"method": "nothing", "rows": 0}
    second["kept"], second["dropped"], second["norms"] = [], [], {}
    pair[0][1]["kept"] = []
    assert similarities(pair) == [("a", "b", None)]
    assert "Jaccard similarity -" in Words(render_compare(pair)).words
    assert "Kept by all   0: none" in compare_text(pair)


def test_hostile_names_stay_text(made):
    summary = made(hostile=True)[0]
    summary["kept"] += ["a\x1b[31mred"]
    summary["table"]["name"] = "</style><script>x</script>"
    runs = [("<img src=http://pwned.test onerror=x()>", summary), ("b", made()[0])]
    text = render_compare(runs)
    page = Words(text)
    policy = [a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert not {t for t, _ in page.tags} & {"script", "img", "svg", "iframe", "link", "object", "form", "a"}
    assert not any(re.match("on|src|href", k) for _, a in page.tags for k in a)
    assert "<script>alert(1)</script>" in page.words and runs[0][0] in page.words
    assert "\x1b" not in text and "\x1b" not in compare_text(runs)


def test_many_variables_are_cut_and_counted(made):
    runs = [("a", made(variables=1000)[0]), ("b", made(variables=1000)[0])]
    for _, s in runs:
        s["kept"], s["dropped"] = [*s["kept"], *s["dropped"]], []
    text = render_compare(runs)
    assert "The first 500 of 1000." in Words(text).words and len(text) < 400_000


def test_one_run_is_refused(pair):
    with pytest.raises(InputError, match="two or more"):
        render_compare(pair[:1])
    with pytest.raises(InputError, match="two or more"):
        compare_text(pair[:1])
