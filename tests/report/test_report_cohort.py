"""The page, the terminal and the tables of a cohort's decision."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from riata.report import render_text, verdict
from riata.report.cohort import bound_words, facts, selection_words, sheets, verdict_words
from riata.report.csv import variables
from riata.report.page import render_html
from riata.report.terminal import print_table
from riata.report.text import counts, given, held, split_kept

HELD = "4 of 12 clinical variables and 14 of 500,000 variants"
FIGURES = ("views", "variants", "cohort_path", "representation", "representation_views")


@pytest.fixture(scope="session")
def run(cohort):
    """Return one cohort's run and its page, drawn once: (summary, figures, page)."""
    summary, figures = cohort()
    return summary, figures, render_html(summary, figures)


class Words(HTMLParser):
    """The texts and tags of a page outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said, self.tags, self.inside = "", [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag in ("script", "style")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        self.said += "" if self.inside else data


def words(text):
    return " ".join(Words(text).said.split())


def test_every_sentence_counts_clinical_variables_and_variants_apart(run):
    summary, _, text = run
    page = words(text)
    assert f"What it keeps: {HELD}" in page and f"it keeps {HELD}." in page
    assert "1200 rows, 12 clinical variables and 500,000 variants, classification" in page
    assert "And 499,986 of 500,000 variants, which no list names." in page
    assert verdict.spoken(summary).startswith("To predict y from these 12 clinical variables and 500,000 variants,")
    said = render_text(summary)
    assert f"Keeps         {HELD}: x0, x1" in said and "x10, x11; and 499,986 variants" in said
    assert re.search(
        r"Cohort        3,000 people; clinical 0\.\d{3}, genetic 0\.\d{3}, combined 0\.\d{3} with group", said
    )
    out = io.StringIO()
    print_table(summary, Console(file=out, width=100))
    assert "4.0 of 500,012" in out.getvalue()
    assert not re.search(r"18 of 12|\b18 of", page + said)


def test_an_ordinary_decision_has_none_of_it(made):
    summary, figures = made()
    page = render_html(summary)
    assert not re.search(r'cohort|variants|id="representation"|table-views|table-clusters', page.split("<script>")[0])
    assert sheets(summary, figures) == {} and split_kept(summary) == (summary["kept"], [])
    assert (counts(summary), given(summary), held(summary)) == ((12, 0), "12 variables", "4 of 12 variables")
    assert "Cohort" not in render_text(summary)


def test_the_page_shows_the_join_the_views_and_the_clusters(run):
    summary, _, text = run
    page, found = words(text), summary["cohort"]
    for what, value in facts(summary):
        assert what in page and " ".join(value.split()) in page
    assert found["allele"] in page and found["match"] in page and "5,512" in page
    for name in FIGURES:
        assert f'id="figure-{name}"' in text
    for rows in found["views"].values():
        for row in rows.values():
            assert (row["why_not"] if "why_not" in row else f"{row['auroc']['mean']:.3f}") in page
    for c in found["clusters"]:
        assert f"{c['position']:,}" in page and c["lead"] in page
        assert all(name in page for name in (*c["members"], *c["companions"]))
    assert "0.99896 of the strength, after 9 passes" in page
    assert verdict_words(summary) in page and "for the better in" in verdict_words(summary)


def test_without_figures_words_and_tables_stand(run):
    summary, _, drawn = run
    text = render_html(summary)
    assert 'id="table-views"' in text and 'id="table-clusters"' in text and "<figure" not in text
    assert 'id="table-representation_views"' not in text and 'id="representation"' not in text
    assert 'id="table-representation_views"' in drawn


@pytest.mark.parametrize("lost", ["views", "clusters", "stability"])
def test_a_part_that_is_missing_is_left_out(cohort, lost):
    summary, _ = cohort()
    del summary["cohort"][lost]
    text = render_html(summary)
    assert HELD in text and HELD in render_text(summary)
    assert ('id="table-views"' in text) == (lost != "views")
    assert ('id="table-clusters"' in text) == (lost != "clusters")
    assert ("Selected by half-samples" in text) == (lost != "stability")


def test_hostile_names_stay_text(cohort, run):
    evil = "<script>alert(3)</script>"
    summary, figures = cohort(hostile=True)
    summary["cohort"]["match"] = summary["cohort"]["allele"] = evil
    summary["cohort"]["unpenalised"] = [evil]
    summary["cohort"]["views"]["genetic"]["none"]["why_not"] = evil
    summary["cohort"]["clusters"][0]["chromosome"] = evil
    figures["cohort"]["representation"]["explained"] = evil
    text, plain = render_html(summary, figures), run[2]
    assert evil not in text and evil in words(text)
    assert [t for t, _ in Words(text).tags].count("script") == [t for t, _ in Words(plain).tags].count("script")
    assert not any(k.startswith("on") for _, attributes in Words(text).tags for k in attributes)


def test_the_views_table_has_every_number_and_its_csv_too(cohort):
    summary, figures = cohort()
    sheet = sheets(summary, figures)["views"]
    rows = list(csv.DictReader(io.StringIO(sheet.csv, newline="")))
    assert len(rows) == len(sheet.rows) == 15
    for row in rows:
        source = summary["cohort"]["views"][row["view"]][row["penalty"]]
        assert row["why_not"] == source.get("why_not", "")
        for part, key in (("mean", "accuracy"), ("low", "accuracy_low"), ("high", "accuracy_high")):
            assert row[key] == ("" if "why_not" in source else repr(source["accuracy"][part]))
    lit = [(row[0].text, row[1].text) for row in sheet.rows if row[0].lit]
    best = {
        view: max((p for p in scored if "auroc" in scored[p]), key=lambda p: scored[p]["auroc"]["mean"])
        for view, scored in summary["cohort"]["views"].items()
    }
    assert len(lit) == 3 and {r["penalty"] for r, s in zip(rows, sheet.rows, strict=True) if s[0].lit} == set(
        best.values()
    )


def test_regression_has_its_own_metrics(cohort):
    summary, figures = cohort(task="regression")
    assert sheets(summary, figures)["views"].head[2:5] == ("R²", "RMSE", "MAE")
    assert "R² by view" in verdict_words(summary) and "R²" in words(render_html(summary))


def test_kept_variants_stand_in_the_table_of_variables(cohort):
    summary, _ = cohort()
    sheet = variables(summary)
    rows = {row["variable"]: row for row in csv.DictReader(io.StringIO(sheet.csv, newline=""))}
    clinical, genetic = split_kept(summary)
    assert len(rows) == sheet.of == 12 + len(genetic) and clinical == ["x0", "x1", "x2", "x3"] and len(genetic) == 14
    first = summary["cohort"]["clusters"][0]
    assert rows[first["lead"]]["kind"] == "variant" and rows[first["lead"]]["model"] == "kept"
    assert f"position {first['position']:,}" in rows[first["lead"]]["note"]
    assert rows[first["members"][0]]["note"] == f"linked with {first['lead']}"


def test_a_verdict_without_variants_or_without_clinical_variables_is_counted_right(cohort):
    summary, _ = cohort()
    clinical, genetic = split_kept(summary)
    alone = summary | {"kept": clinical}
    assert held(alone) == "4 of 12 clinical variables and 0 of 500,000 variants"
    assert "and 500,000 variants" in render_text(alone) and "And 500,000 of 500,000 variants" in words(
        render_html(alone)
    )
    only = summary | {"kept": genetic, "dropped": []}
    assert held(only) == "0 of 12 clinical variables and 14 of 500,000 variants" and held(only) in words(
        render_html(only)
    )


def test_the_bound_is_said_in_words(cohort):
    summary, _ = cohort()
    said = " ".join(selection_words(summary))
    assert "100 half-samples" in said and "700 variants" in said and "at least 75%" in said and "0.61 of 1" in said
    assert "At most 1.0 false ones are expected among the 7, by half-samples." in said
    assert "no bound holds" in bound_words({"bound": None, "selected": ["rs1"]})
    assert "would be expected" in bound_words({"bound": 1.0, "selected": []})
    summary["cohort"]["stability"] |= {"selected": ["rs1"], "agreement": None}
    assert "1 variant is kept" in selection_words(summary)[0] and len(selection_words(summary)) == 2
    summary["cohort"]["stability"]["halves"] = 0
    assert selection_words(summary) == []


def test_places_that_are_not_known_are_dashes(cohort):
    summary, figures = cohort(placed=False)
    sheet = sheets(summary, figures)["clusters"]
    assert {(row[1].text, row[2].text) for row in sheet.rows} == {("-", "-")}
    assert "None" not in words(render_html(summary))
