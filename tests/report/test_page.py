"""The page of a made-up run: its policy, its words, its tables, and what it does where parts are missing."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re

import pytest

from riata.report import verdict
from riata.report.certificate import failures
from riata.report.csv import candidates, to_csv, variables
from riata.report.page import render_html


def test_the_policy_names_the_scripts_that_run_and_no_other(made):
    text = render_html(*made())
    scripts = re.findall(r"(?s)<script>(.*?)</script>", text)
    assert len(scripts) == 2 and not re.search(r"\son\w+=", re.sub(r"(?s)<script.*?</script>", "", text))
    hashes = {base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts}
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert set(re.findall(r"'sha256-([^']+)'", policy)) == hashes
    assert "unsafe-eval" not in policy and "default-src 'none'" in policy and "base-uri 'none'" in policy


def test_the_page_is_the_same_when_it_is_written_again(made):
    summary, figures = made(hostile=True)
    assert render_html(summary, figures) == render_html(summary, figures)


@pytest.mark.parametrize(
    "lost", ["predictions", "picture", "networks", "paths", "candidates", "stages", "command", "data", "charts"]
)
def test_a_part_that_is_missing_is_left_out(made, lost):
    summary, figures = made()
    empty = {"networks": [], "paths": {}, "candidates": [], "stages": [], "command": "", "charts": {}}
    if lost == "data":
        figures["data"]["sample"] = None
    elif lost == "charts":
        figures["charts"]["classic"] = None
    else:
        figures[lost] = empty.get(lost)
    text = render_html(summary, figures)
    assert 'id="figure-scores"' in text or lost == "candidates"
    assert ('id="figure-path"' in text) == (lost != "paths") and ('id="figure-roc"' in text) == (lost != "predictions")
    assert ('id="figure-classic"' in text) == (lost != "charts")


def test_an_old_summary_without_the_newer_keys_is_shown(made):
    summary, _ = made()
    for key in ("otherwise", "norms", "selection", "plan", "options", "path"):
        del summary[key]
    assert "What would change" not in render_html(summary)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "train the network with a group lasso penalty of strength 0.013 and early stopping; it keeps 4 of 12"),
        (
            {"penalty": "none", "dropout": 0.2},
            "train the network without a penalty, with dropout 0.2 and early stopping",
        ),
        ({"penalty": "l1", "dropout": 0.2}, "with an L1 (lasso) penalty of strength 0.013, dropout 0.2 and early"),
        ({"penalty": "elastic_net", "early_stopping": False}, "with an elastic net penalty of strength 0.013; it"),
    ],
)
def test_the_verdict_can_be_read_aloud(made, change, words):
    summary, _ = made()
    summary["verdict"] |= change
    assert words in verdict.spoken(summary) and verdict.spoken(summary).startswith("To predict y from these 12")


def test_the_evidence_is_said_in_words(made):
    summary, _ = made()
    said = set()
    for word in ("decisive", "leaning", "equivalent", "tied"):
        summary["evidence"] = word
        said.add(verdict.evidence_words(summary))
    summary["answers"][1]["answer"] = "no"
    assert len(said) == 4 and "theory" in verdict.evidence_words(summary) not in said


def test_the_commands_to_type_next_can_be_typed(made):
    summary, figures = made()
    typed = [step["command"] for step in verdict.following(summary, figures)]
    assert typed[0] == "riata predict riata-out/made NEW.csv --to predictions.csv"
    assert "riata choose 'a table.csv' --target y --budget 960s" in typed
    assert "riata choose 'a table.csv' --target y --goal selection" in typed
    summary["warnings"] = []
    assert any("--repeats 5" in step["command"] for step in verdict.following(summary, figures))
    summary["table"]["target"] = "$(reboot)"
    assert any("'$(reboot)'" in step["command"] for step in verdict.following(summary, None))


def test_failures_are_told(made):
    summary, _ = made()
    assert "2 failed" in failures(summary) and "diverged" in failures(summary)
    assert failures({**summary, "failed_fits": 0}) == "none failed"


def test_the_csv_is_read_back_and_starts_no_formula(made):
    summary, figures = made(hostile=True, variables=500)
    sheet = variables(summary)
    rows = list(csv.DictReader(io.StringIO(sheet.csv, newline="")))
    assert len(rows) == sheet.of == 500 > len(sheet.rows)
    assert rows[1]["variable"] == "</script><img src=x onerror=alert(2)>" and rows[2]["variable"].startswith("'=cmd")
    assert sheet.csv.endswith("\r\n") and to_csv(["a"], [["\tx"], ['q"'], [None]]) == 'a\r\n\'\tx\r\n"q"""\r\n\r\n'
    table = candidates(summary, figures)
    assert [row[0].lit for row in table.rows].count(True) == 1
    assert {row[1].text for row in table.rows} == {"-", "without", "with 0.2"}
