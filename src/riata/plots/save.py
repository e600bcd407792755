"""Writing a figure as a picture or as a page of its own."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import write_bytes
from .plot import Chart
from .script import bundle, json_for_script, sha256_source
from .theme import config

ENDINGS = (".png", ".svg", ".html")
SCALE = 2.0
START = """
const {spec, config} = JSON.parse(document.getElementById("figure-data").textContent);
vegaEmbed("#figure", spec, {mode: "vega-lite", ast: true, actions: false, renderer: "svg", config});
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src {source}; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ margin: 1rem; background: {paper}; }}</style>
</head>
<body>
<div id="figure"></div>
<script type="application/json" id="figure-data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def spec_of(chart: Chart) -> dict[str, Any]:
    """Return a chart's Vega-Lite specification, unchecked: checking a large one takes longer than drawing it."""
    spec: dict[str, Any] = chart.to_dict(validate=False)
    return spec


def chart_html(chart: Chart, title: str, *, dark: bool = False) -> str:
    """Return a page with the chart that needs nothing outside itself: no request, no other script, no eval."""
    script = bundle() + START
    theme = config(dark)
    return PAGE.format(
        source=sha256_source(script),
        title=html.escape(title),
        paper=theme["background"],
        data=json_for_script({"spec": spec_of(chart), "config": theme}),
        script=script,
    )


def save_chart(chart: Chart, path: str | Path, *, dark: bool = False) -> Path:
    """Write a chart as .png (at twice its size), .svg or .html, and return the path.

    Raises
    ------
    InputError
        If the file has another ending.
    ResourceError
        If it cannot be written.
    """
    import vl_convert

    path = Path(path)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InputError(f"got {path.name!r}; expected a name that ends in {', '.join(ENDINGS)}; choose one of them")
    if ending == ".html":
        content = chart_html(chart, path.stem, dark=dark).encode("utf-8")
    elif ending == ".svg":
        content = vl_convert.vegalite_to_svg(spec_of(chart), config=config(dark), allowed_base_urls=[]).encode("utf-8")
    else:
        content = vl_convert.vegalite_to_png(spec_of(chart), scale=SCALE, config=config(dark), allowed_base_urls=[])
    write_bytes(path, content)
    return path
