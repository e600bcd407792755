"""A browser, and the pages of made-up runs; skipped where there is no browser, unless RIATA_BROWSER=required."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Start a browser; skip where none is installed."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    found = program and importlib.util.find_spec("playwright")
    if not found:
        if os.environ.get("RIATA_BROWSER") == "required":
            pytest.fail(f"RIATA_BROWSER=required, but playwright and one of {', '.join(NAMES)} are not here")
        pytest.skip("no browser here")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def written(made, tmp_path_factory) -> Callable[..., Path]:
    """Return a function that writes the page of a made-up run, once per kind."""
    from riata.report.page import render_html

    folder, pages = tmp_path_factory.mktemp("pages"), {}

    def write(**kind) -> Path:
        name = "-".join(f"{k}-{v}" for k, v in sorted(kind.items())) or "plain"
        if name not in pages:
            pages[name] = folder / f"{name}.html"
            pages[name].write_text(render_html(*made(**kind)), encoding="utf-8")
        return pages[name]

    return write


@pytest.fixture
def opened(browser, written) -> Iterator[Callable]:
    """Return a function that opens a page of a made-up run; what went wrong gathers in ``page.said``."""
    contexts = []

    def open_page(kind=None, width=1000, scheme="light", file: Path | None = None):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda m: page.said.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: page.said.append(str(e)))
        page.on("dialog", lambda d: (page.said.append(f"dialog {d.message}"), d.dismiss()))
        page.on("request", lambda r: page.asked.append(r.url))
        page.goto((file or written(**(kind or {}))).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
