"""Pictures and pages of figures: whole, offline, and nothing breaks out of them."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
from pathlib import Path

import altair as alt
import pytest

from riata.errors import InputError, ResourceError
from riata.plots.save import chart_html, save_chart, spec_of
from riata.plots.script import bundle, json_for_script
from riata.plots.theme import config

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "<!--<script>",
    "a\u2028b\u2029c",
    "&lt;",
)


def bars(names=("a", "b")):
    """Return a chart with the names as rows; its values count up."""
    rows = [{"variable": name, "value": i + 1} for i, name in enumerate(names)]
    chart = alt.Chart(alt.InlineData(values=rows)).mark_bar(color="#009e73")
    return chart.encode(x="value:Q", y="variable:N").properties(width=200)


class Scripts(html.parser.HTMLParser):
    """Collects tags and the texts of scripts, as a browser reads them."""

    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.tags, self.scripts, self.inside = [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag == "script"
        if self.inside:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.scripts[-1] += data


def read(page):
    parser = Scripts()
    parser.feed(page)
    return parser


@pytest.mark.parametrize("text", HOSTILE)
def test_json_for_script_is_json_and_holds_no_tag(text):
    said = json_for_script({text: [text, 1.5, None]})
    assert json.loads(said) == {text: [text, 1.5, None]}
    assert not set(said) & set("<>&\u2028\u2029")


def test_json_for_script_refuses_what_is_not_json():
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_for_script([float("nan")])


def test_page_holds_only_its_own_scripts_and_the_policy_lets_no_other_run():
    page = chart_html(bars(HOSTILE), HOSTILE[1])
    found = read(page)
    assert [tag for tag, _ in found.tags].count("script") == 2
    assert not {"img", "link", "iframe", "base"} & {tag for tag, _ in found.tags}
    data, code = found.scripts
    policy = next(a["content"] for tag, a in found.tags if tag == "meta" and "http-equiv" in a)
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert policy == f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'"
    assert "http" not in re.sub(r"http-equiv|\$schema\":\"https://vega", "", page.replace(bundle(), ""))
    (rows,) = json.loads(data)["spec"]["datasets"].values()
    assert [row["variable"] for row in rows] == list(HOSTILE)


def test_dark_pages_and_pictures_have_dark_paper(tmp_path):
    light, dark = (config(d)["background"] for d in (False, True))
    assert f"background: {dark}" in chart_html(bars(), "t", dark=True)
    assert dark in save_chart(bars(), tmp_path / "d.svg", dark=True).read_text()
    assert light in save_chart(bars(), tmp_path / "l.svg").read_text()


def test_svg_shows_names_as_text(tmp_path):
    svg = save_chart(bars(HOSTILE), tmp_path / "c.svg").read_text()
    assert svg.startswith("<svg") and "&lt;script" in svg
    assert "<script" not in svg and "<img" not in svg


def test_png_is_twice_as_large_as_the_drawing(tmp_path):
    png = save_chart(bars(), tmp_path / "c.PNG").read_bytes()
    svg = save_chart(bars(), tmp_path / "c.svg").read_text()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width = float(re.search(r'width="([0-9.]+)"', svg).group(1))
    assert abs(int.from_bytes(png[16:20], "big") - 2 * width) <= 2


@pytest.mark.parametrize("name", ["c.pdf", "c", "png"])
def test_another_ending_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(InputError, match=r"\.png, \.svg, \.html"):
        save_chart(bars(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_written_leaves_the_old_one(tmp_path):
    (tmp_path / "c.svg").mkdir()
    with pytest.raises(ResourceError):
        save_chart(bars(), tmp_path / "c.svg")
    assert [p.name for p in tmp_path.iterdir()] == ["c.svg"]


def test_unchecked_spec_is_the_checked_one():
    assert spec_of(bars()) == bars().to_dict(validate=True)


@pytest.mark.skipif(not CHROMIUM.exists(), reason="no chromium here")
def test_page_draws_in_a_browser_without_a_request_or_an_error(tmp_path, made):
    sync_api = pytest.importorskip("playwright.sync_api")
    from riata.plots.registry import figure

    charts = [bars(HOSTILE), figure("flowchart", *made(hostile=True))]
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        try:
            for number, chart in enumerate(charts):
                path = save_chart(chart, tmp_path / f"{number}.html")
                page, said, asked = browser.new_page(), [], []
                page.on("console", lambda message, said=said: said.append(message.text))
                page.on("pageerror", lambda error, said=said: said.append(str(error)))
                page.on("dialog", lambda dialog, said=said: (said.append(dialog.message), dialog.dismiss()))
                page.on("request", lambda request, asked=asked: asked.append(request.url))
                page.goto(path.as_uri())
                page.wait_for_selector("#figure svg", timeout=20_000)
                texts = page.locator("#figure svg text").all_text_contents()
                assert said == []
                assert asked == [path.as_uri()]
                assert page.locator("img").count() == 0
                assert (HOSTILE[0] if number == 0 else "Which of the contenders?") in texts
        finally:
            browser.close()
