"""The page: words and pictures, no script, no request."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..files import write_text
from . import words
from .draw import curve_chart, degrees_chart, errors_chart, svg
from .fits import Found, compute

NAME = "overfit.html"
POLYNOMIALS = ("degree_3", "degree_10")


def render_overfit(found: Found) -> str:
    """Return the page as HTML: pictures are part of it, and nothing is fetched or run."""
    env = Environment(
        loader=PackageLoader("riata", "overfit"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    cards = {key: _card(found, key) for key in found.fits}
    page = env.get_template("overfit.html.j2").render(
        css=Markup(files("riata").joinpath("report/page.css").read_text(encoding="utf-8")),
        answer=words.answer(found),
        polynomials=[cards[key] for key in POLYNOMIALS],
        networks=[card for key, card in cards.items() if key not in POLYNOMIALS],
        degrees=Markup(svg(degrees_chart(found), "degrees")),
        errors=Markup(svg(errors_chart(found), "errors")),
        fairness=words.fairness(),
        title=words.title,
        fits=list(found.fits.values()),
        best=found.best.key,
    )
    return page.strip() + "\n"


def overfit(folder: Path, found: Found | None = None) -> Path:
    """Write ``overfit.html`` into a folder and return its path; without ``found`` everything is fitted first."""
    path = Path(folder) / NAME
    write_text(path, render_overfit(compute() if found is None else found))
    return path


def _card(found: Found, key: str) -> dict[str, object]:
    fit = found.fits[key]
    return {
        "fit": fit,
        "title": words.title(key),
        "sentences": words.sentences(found, key),
        "svg": Markup(svg(curve_chart(found, fit), key)),
    }
