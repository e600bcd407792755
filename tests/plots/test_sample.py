from __future__ import annotations

from riata.plots.sample import PLOT


def test_differences_are_sorted_by_size_whatever_their_sign(made):
    summary, figures = made()
    sample = figures["data"]["sample"]
    sample["difference"] = [0.01 * i * (-1) ** i for i in range(12)]
    data = PLOT.data(summary, figures)
    assert data["rows"][0] == {"variable": "x11", "difference": -0.11, "outside": True}
    sizes = [abs(r["difference"]) for r in data["rows"]]
    assert sizes == sorted(sizes, reverse=True)
    assert data["outside"] == 1
    assert data["reach"] > 0.11


def test_limits_are_drawn_on_both_sides(made):
    spec = PLOT.draw(PLOT.data(*made())).to_dict()
    drawn = [r["at"] for layer in spec["layer"] for r in layer.get("data", {}).get("values", []) if "at" in r]
    assert {-0.1, 0.1} <= set(drawn)
    assert [p["name"] for p in spec["params"]] == ["lit"]


def test_small_differences_still_show_the_limits(made):
    summary, figures = made()
    figures["data"]["sample"]["difference"] = [0.0] * 12
    data = PLOT.data(summary, figures)
    assert data["reach"] > data["limit"]
    assert "0 of 12 variables" in PLOT.message(data)


def test_the_count_is_said(made):
    data = PLOT.data(*made(variables=1000))
    assert len(data["rows"]) == 40
    said = PLOT.message(data)
    assert "The 40 largest of 1000 variables are shown" in said
    assert "960 of 4000 rows" in said


def test_where_all_rows_were_used_there_is_no_figure(made):
    summary, figures = made()
    figures["data"]["sample"] = None
    assert PLOT.data(summary, figures) is None
    figures["data"].pop("sample")
    assert PLOT.data(summary, figures) is None


def test_a_difference_that_is_not_known_is_left_out(made):
    summary, figures = made()
    figures["data"]["sample"]["difference"][11] = None
    assert "x11" not in {r["variable"] for r in PLOT.data(summary, figures)["rows"]}
