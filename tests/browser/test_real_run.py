"""The page of a real run: every figure drawn, every part that can be clicked clicked, in silence."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import riata

KINDS = ("two classes", "three classes", "regression")


def table(kind: str) -> pd.DataFrame:
    """Return 150 rows with a category, blanks and a hostile name."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(150, 4)), columns=["age", "dose", "<b>height</b>", "noise"])
    frame["city"] = rng.choice(["Bonn", "</script>", "Turin"], 150)
    risk = 1.5 * frame["age"] + 2.0 * (frame["city"] == "Bonn") + rng.normal(size=150)
    frame.loc[::9, "dose"] = np.nan
    if kind == "regression":
        return frame.assign(target=risk)
    return frame.assign(target=pd.qcut(risk, 3 if kind == "three classes" else 2, labels=False).map(lambda c: f"k{c}"))


@pytest.fixture(scope="module", params=KINDS)
def page_of(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    quick = {"folds": 3, "seeds": 2, "path_length": 5, "hidden": (8,), "epochs": 20, "workers": 1}
    decision = riata.choose(table(request.param), "target", name=request.param.replace(" ", "_"), **quick)
    return decision.save(tmp_path_factory.mktemp("real")) / "report.html"


def wait(page, expression: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(50)


def test_a_real_page_is_drawn_and_answers_every_click(opened, page_of: Path) -> None:
    page = opened(file=page_of)
    for figure in page.query_selector_all("figure.plot"):
        figure.scroll_into_view_if_needed()
    wait(page, "[...document.querySelectorAll('figure.plot')].every(f => f.riataView)")
    assert page.locator("figure.plot").count() >= 12 and page.locator(".failed").count() == 0
    for button in page.query_selector_all("main button"):
        if button.get_attribute("data-csv") is None and button.is_visible():
            button.click()
    for select in page.query_selector_all("main select"):
        for option in select.query_selector_all("option"):
            select.select_option(option.get_attribute("value"))
    for details in page.query_selector_all("main details"):
        details.query_selector("summary").click()
        assert details.get_attribute("open") is not None
    for name in ("candidates", "variables"):
        with page.expect_download() as download:
            page.locator(f"[data-csv={name}]").click()
        assert download.value.path().stat().st_size > 100
    wait(page, "[...document.querySelectorAll('figure.plot')].every(f => f.riataView)")
    assert page.locator("main b").count() == 0
    assert page.said == [] and page.asked == [page.url]
