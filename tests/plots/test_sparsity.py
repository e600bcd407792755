from __future__ import annotations

from riata.plots.sparsity import PLOT


def test_the_sparsest_40_come_first_and_the_count_is_said(made):
    summary, figures = made(variables=1000)
    common = figures["data"]["most_common"]
    common["share"] = [i / 60 for i in range(60)]
    data = PLOT.data(summary, figures)
    assert data["rows"][0] == {"variable": "x59", "share": round(59 / 60, 4)}
    assert [r["variable"] for r in data["rows"]] == [f"x{i}" for i in range(59, 19, -1)]
    assert data["half"] == 29
    assert "The 40 sparsest of 1000 variables are shown" in PLOT.message(data)


def test_shares_that_are_not_known_are_left_out(made):
    summary, figures = made()
    figures["data"]["most_common"]["share"][3] = None
    assert "x3" not in {r["variable"] for r in PLOT.data(summary, figures)["rows"]}
    figures["data"]["most_common"]["share"] = [None] * 12
    assert PLOT.data(summary, figures) is None


def test_without_the_facts_there_is_no_figure(made):
    summary, figures = made()
    figures["data"].pop("most_common")
    assert PLOT.data(summary, figures) is None
    assert PLOT.data(summary, figures | {"data": None}) is None


def test_rows_can_be_lit(made):
    spec = PLOT.draw(PLOT.data(*made(hostile=True))).to_dict()
    assert [p["name"] for p in spec["params"]] == ["lit"]
    assert "datum.variable == lit" in str(spec["encoding"])
