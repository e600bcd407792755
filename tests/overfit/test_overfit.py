"""The page about overfitting: the story it tells is true, and the page is whole."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from riata.overfit import compute, overfit, overfit_text, render_overfit
from riata.overfit.draw import curve_chart, degrees_chart, errors_chart, svg
from riata.overfit.fits import CURVE, polynomial
from riata.overfit.points import NOISE, draw_points, powers, truth
from riata.overfit.words import sentences

REGULARIZED = ("l2", "l1", "elastic_net", "group_lasso")


@pytest.fixture(scope="module")
def found():
    return compute()


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.words = [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data


def test_the_polynomials_tell_the_truth(found):
    low, high = found.fits["degree_3"], found.fits["degree_10"]
    assert high.train < 0.5 * low.train and high.fresh > 2 * low.fresh
    assert high.largest > 10 * low.largest and low.fresh < 1.5 * NOISE
    train = [t for _, t, _ in found.degrees]
    assert all(b <= a + 1e-9 for a, b in pairwise(train)) and len(train) == 11
    assert found.degrees[-1][2] > max(f for _, _, f in found.degrees[:9])


def test_the_networks_tell_the_truth(found):
    none, best = found.fits["none"], found.best
    assert best.fresh < 0.9 * none.fresh and best.key in REGULARIZED
    for key in REGULARIZED:
        fit = found.fits[key]
        assert fit.fresh < none.fresh and fit.train > none.train, key
        assert fit.largest < none.largest, key
        assert fit.fresh < found.degrees[0][2], f"{key} is no better than a flat line"
        assert fit.fresh > NOISE


def test_zeros_are_where_the_page_says(found):
    fits = found.fits
    assert fits["none"].weights == fits["l2"].weights == fits["none"].of and len(fits["l2"].kept) == 10
    for key in ("l1", "elastic_net", "group_lasso"):
        assert 0 < fits[key].weights < fits[key].of and 0 < len(fits[key].kept) < 10, key
    whole = fits["group_lasso"]
    assert whole.weights > fits["l1"].weights, "group lasso leaves a power's weights together"


def test_a_polynomial_is_least_squares():
    points = draw_points(3)
    fit = polynomial(points, 3)
    ours, theirs = fit.curve, np.polyval(np.polyfit(points.x, points.y, 3), CURVE)
    assert np.allclose(ours, theirs, atol=1e-8)
    assert fit.train == pytest.approx(
        np.sqrt(np.mean((np.polyval(np.polyfit(points.x, points.y, 3), points.x) - points.y) ** 2))
    )
    assert powers(points.x).shape == (12, 10)
    assert np.std(points.fresh_y - truth(points.fresh_x)) == pytest.approx(NOISE, rel=0.1)


def test_three_sentences_a_picture_with_the_numbers_of_the_fits(found):
    for key, fit in found.fits.items():
        said = sentences(found, key)
        assert len(said) == 3 and all(s.endswith(".") for s in said), key
        assert f"{fit.fresh:.2f}" in " ".join(said), key


def test_the_page_has_every_number_and_asks_nobody(found):
    text = render_overfit(found)
    page = Page(text)
    for fit in found.fits.values():
        assert all(n in page.words for n in (f"{fit.train:.2f}", f"{fit.fresh:.2f}", f"{fit.weights} of {fit.of}"))
    policy = [a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert not {t for t, _ in page.tags} & {"script", "img", "image", "iframe", "link", "object", "form"}
    assert sum(t == "svg" for t, _ in page.tags) == len(found.fits) + 2
    assert not any(k in ("src", "href", "xlink:href") for _, a in page.tags for k in a)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids)) and set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)
    assert render_overfit(found) == text


def test_it_is_written_whole(found, tmp_path):
    path = overfit(tmp_path / "new", found)
    assert path == tmp_path / "new" / "overfit.html" and [p.name for p in path.parent.iterdir()] == ["overfit.html"]
    assert path.read_text(encoding="utf-8") == render_overfit(found)


def test_the_words_for_a_terminal_are_a_table(found):
    lines = overfit_text(found).split("\n")
    for fit in found.fits.values():
        assert sum(f"{fit.fresh:.2f}" in line and f"{fit.weights} of {fit.of}" in line for line in lines) >= 1
    assert all(len(line) <= 80 for line in lines if " of " in line and "." in line and line.startswith("Network"))


def test_charts_hold_every_curve_point_and_error(found):
    spec = curve_chart(found, found.fits["l1"]).to_dict()
    assert [len(layer["data"]["values"]) for layer in spec["layer"]] == [201, 201, 12]
    assert len(degrees_chart(found).to_dict()["data"]["values"]) == 22
    assert svg(errors_chart(found), "errors").count("<svg") == 1
