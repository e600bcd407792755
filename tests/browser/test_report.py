"""The report in a browser: drawn, silent, and used with a mouse, a keyboard, a phone, in the dark and on paper."""

from __future__ import annotations

import csv
import itertools
import time

import pytest

DRAWN = "[...document.querySelectorAll('figure.plot')].every(f => f.riataView)"
LIT = "f => f.riataView.signal('lit')"


def until(page, expression: str, seconds: float = 30) -> None:
    """Wait until an expression is true; the page's policy forbids the browser to poll a string by itself."""
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(50)


def draw_all(page) -> None:
    """Scroll until every figure has been asked for, and wait until all are drawn."""
    for figure in page.query_selector_all("figure.plot"):
        figure.scroll_into_view_if_needed()
    until(page, DRAWN)


@pytest.mark.parametrize("kind", [{}, {"hostile": True}, {"task": "regression"}, {"picture": (4, 3), "classes": 3}])
def test_every_figure_is_drawn_in_silence(opened, kind):
    page = opened(kind)
    draw_all(page)
    assert page.locator("figure.plot").count() > 5 and page.locator(".failed").count() == 0
    for figure in page.query_selector_all("figure.plot"):
        box = figure.query_selector(".drawing[role=img]")
        assert box.get_attribute("aria-label") == figure.query_selector(".message").inner_text()
        assert box.query_selector("svg, canvas"), figure.get_attribute("id")
    assert page.said == [] and page.asked == [page.url]


def test_figures_wait_until_they_are_near(opened):
    page = opened()
    until(page, "document.querySelector('#figure-scores').riataView")
    assert not page.evaluate(DRAWN)


def test_buttons_sort_the_table(opened):
    page = opened()
    head = page.locator("#table-candidates th", has_text="AUROC")
    cells = "[...document.querySelectorAll('#table-candidates tbody tr')].map(r => r.cells[2].dataset.by)"
    assert head.get_attribute("aria-sort") == "none"
    head.locator("button").click()
    up = [float(v) for v in page.evaluate(cells)]
    assert head.get_attribute("aria-sort") == "ascending" and up == sorted(up) and up[0] == 0.5
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(v) for v in page.evaluate(cells)] == sorted(up, reverse=True)
    page.locator("#table-candidates th", has_text="variables kept").locator("button").click()
    last = page.evaluate("[...document.querySelectorAll('#table-candidates tbody tr')].at(-1).cells[0].innerText")
    assert last == "constant predictor" and head.get_attribute("aria-sort") == "none"  # nothing is sorted last


def test_a_download_is_a_csv_that_no_spreadsheet_runs(opened, made):
    page = opened({"hostile": True})
    found = {}
    for name in ("variables", "candidates"):
        with page.expect_download() as download:
            page.locator(f"[data-csv={name}]").click()
        assert download.value.suggested_filename == f"{name}.csv"
        with download.value.path().open(encoding="utf-8-sig", newline="") as file:
            found[name] = list(csv.DictReader(file))
    summary, figures = made(hostile=True)
    names = [column["name"] for column in summary["table"]["columns"]]
    assert [row["variable"].removeprefix("'") for row in found["variables"]] == names
    assert found["variables"][2]["variable"] == "'=cmd|' /C calc'!A0"
    assert not any(cell.startswith(tuple("=+@")) for row in found["variables"] for cell in row.values())
    assert len(found["candidates"]) == len(figures["candidates"])
    assert float(found["candidates"][1]["auroc_low"]) == figures["candidates"][1]["auroc"]["low"]


@pytest.mark.parametrize("kind", [{}, {"hostile": True}])
def test_a_variable_is_lit_in_every_figure_and_put_out(opened, kind, made):
    page = opened(kind)
    draw_all(page)
    name = made(**kind)[0]["kept"][1]
    chip = page.locator("button.variable").nth(1)
    chip.click()
    assert chip.get_attribute("aria-pressed") == "true" and page.locator("#live").inner_text() == f"{name} is lit"
    for figure in ("heatmap", "stability", "path", "correlation"):
        assert page.eval_on_selector(f"#figure-{figure}", LIT) == name, figure
    page.locator("button.variable").nth(0).click()
    assert chip.get_attribute("aria-pressed") == "false" and page.locator("[aria-pressed=true].variable").count() == 1
    page.keyboard.press("Escape")
    assert page.eval_on_selector("#figure-heatmap", LIT) == "" and page.locator("#live").inner_text() == ""


def test_a_click_on_a_mark_lights_its_variable(opened):
    page = opened()
    draw_all(page)
    page.locator("#figure-sparsity .mark-rect path").nth(2).click()
    name = page.eval_on_selector("#figure-stability", LIT)
    assert name and page.locator("button.variable[aria-pressed=true]").inner_text() == name


def test_a_click_on_a_box_opens_its_evidence(opened):
    page = opened()
    draw_all(page)
    details = page.locator("#q-resources")
    assert details.get_attribute("open") is None
    page.locator("#figure-flowchart svg text", has_text="Are there resources to").first.click()
    until(page, "document.querySelector('#q-resources').open")
    assert "the folds" in details.inner_text() and "convention" in details.inner_text()


def test_the_penalty_of_the_path_is_chosen(opened):
    page = opened()
    draw_all(page)
    before = page.locator("#figure-path .message").inner_text()
    first = page.eval_on_selector("#figure-path select", "e => e.value")
    page.locator("#figure-path select").select_option("l1")
    assert first == "group_lasso" and "L1" in page.locator("#figure-path .message").inner_text() != before
    until(page, "document.querySelector('#figure-path svg').textContent.includes('L1')")


def test_the_rows_of_the_heat_map_are_sorted(opened):
    page = opened()
    draw_all(page)
    rows = """() => { const view = document.querySelector('#figure-heatmap').riataView;
      const name = Object.keys(view._runtime.scales).find(k => /y$/.test(k));
      return view.scale(name).domain(); }"""
    before = page.evaluate(rows)
    button = page.locator("#figure-heatmap [data-order=name]")
    button.click()
    until(page, f"({rows})().join() !== {','.join(before)!r}")
    assert button.get_attribute("aria-pressed") == "true"
    assert sorted(page.evaluate(rows)) == sorted(before)


def test_tab_reaches_the_buttons_and_enter_presses_them(opened):
    page = opened()
    seen = set()
    for _ in itertools.takewhile(lambda _: seen != {"sort", "variable"}, range(80)):
        page.keyboard.press("Tab")
        kind = page.evaluate("document.activeElement.className")
        if kind in ("sort", "variable") and kind not in seen:
            seen.add(kind)
            page.keyboard.press("Enter")
    assert seen == {"sort", "variable"}
    assert page.locator("#table-candidates th[aria-sort=ascending]").count() == 1
    assert page.locator("button.variable[aria-pressed=true]").count() == 1


@pytest.mark.parametrize("kind", [{"hostile": True}, {"task": "regression"}])
def test_a_phone_scrolls_down_only(opened, kind):
    page = opened(kind, width=400)
    draw_all(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_the_dark_is_dark_and_follows_the_system(opened):
    page = opened(scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    until(page, "document.querySelector('#figure-scores').dataset.drawn === 'dark'")
    assert page.evaluate(paper) == "rgb(21, 25, 30)"
    page.emulate_media(color_scheme="light")
    until(page, "document.querySelector('#figure-scores').dataset.drawn === 'light'")
    assert page.evaluate(paper) == "rgb(255, 255, 255)"


def test_on_paper_everything_is_open_and_light(opened):
    page = opened(scheme="dark")
    page.emulate_media(media="print")
    until(page, DRAWN)
    until(page, "[...document.querySelectorAll('figure.plot')].every(f => f.dataset.drawn === 'light')")
    assert page.locator("details").count() == page.locator("details[open]").count() > 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.emulate_media(media="screen")
    until(page, "document.querySelectorAll('details[open]').length === 0")


def test_a_page_without_figures_still_sorts_and_downloads(opened, made, tmp_path):
    from riata.report.page import render_html

    file = tmp_path / "words.html"
    file.write_text(render_html(made()[0]), encoding="utf-8")
    page = opened(file=file)
    page.locator("#table-candidates button.sort").first.click()
    assert page.locator("#table-candidates th[aria-sort=ascending]").count() == 1
    assert page.locator("figure").count() == 0 and page.said == [] and page.asked == [page.url]


def test_a_thousand_variables_are_drawn(opened, written):
    page = opened({"variables": 1000})
    draw_all(page)
    assert written(variables=1000).stat().st_size < 5e6 and page.said == []


def test_twenty_thousand_variables_open(opened):
    page = opened({"variables": 20_000})
    until(page, "document.querySelector('#figure-scores').riataView")
    assert page.locator("button.variable").count() < 1000 and page.said == []
    assert "19596 more" in page.locator("#keeps").inner_text()
