"""Pictures of pixels' norms: each pixel in its place, zeros apart."""

from __future__ import annotations

import json

import pytest
import vl_convert

from riata.plots.picture import PLOT, picture_data
from riata.plots.theme import ZERO


def test_pixels_keep_their_order_and_their_names(made):
    summary, figures = made(variables=15, picture=(5, 3))
    data = picture_data(summary, figures)
    assert [row["variable"] for row in data["rows"]] == figures["variables"]
    for image in figures["picture"]["images"]:
        assert [row[image["penalty"]] for row in data["rows"]] == pytest.approx(image["values"], rel=5e-3)


def test_other_variables_than_pixels_leave_the_names_out(made):
    data = picture_data(*made(variables=12, picture=(5, 3)))
    assert not data["named"]
    assert "variable" not in data["rows"][0]
    assert PLOT.draw(data).to_dict()


def test_zeros_are_counted_and_dark(made):
    summary, figures = made(variables=16, picture=(4, 4))
    figures["picture"]["images"][2]["values"][:8] = [0.0] * 8
    data = picture_data(summary, figures)
    assert data["zeros"]["l1"] == 0.5
    assert data["titles"]["l1"] == "L1 (lasso): 50% exactly 0"
    assert "L1 (lasso) 50%" in PLOT.message(data)
    colour = PLOT.draw(data).to_dict()["encoding"]["color"]
    assert colour["condition"] == {"test": "datum.norm === 0", "value": ZERO}


def test_first_row_is_drawn_above_the_last(made):
    data = picture_data(*made(variables=6, picture=(3, 2)))
    spec = PLOT.draw(data).to_dict()
    assert spec["encoding"]["y"]["scale"]["reverse"] is True
    assert (spec["width"] / 3) == (spec["height"] / 2)
    assert vl_convert.vegalite_to_svg(json.dumps(spec)).count("<path") > 6


def test_a_large_picture_stays_small(made):
    data = picture_data(*made(variables=28 * 28, picture=(28, 28)))
    assert len(json.dumps(PLOT.draw(data).to_dict())) < 200_000


@pytest.mark.parametrize("picture", [None, {}, {"width": 2, "height": 2, "images": []}])
def test_tables_have_no_picture(made, picture):
    summary, figures = made()
    figures["picture"] = picture
    assert picture_data(summary, figures) is None
