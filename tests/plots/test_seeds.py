"""Two seeds side by side: which variables only one of them keeps."""

from __future__ import annotations

from riata.plots.seeds import PLOT, seeds_data


def test_the_verdicts_penalty_is_shown_and_the_differing_variable_named(made):
    data = seeds_data(*made())
    assert data["penalty"] == "group_lasso"
    kept = {m["variable"]: m["kept"] for m in data["marks"]}
    assert kept["x4"] == "seed 1 only"
    assert kept["x0"] == "both" and kept["x11"] == "neither"
    assert data["differ"] == 1
    assert "1 of 12 variables" in PLOT.message(data)


def test_variables_of_several_columns_count_once(made):
    summary, figures = made()
    for network in figures["networks"]:
        if network["penalty"] == "group_lasso" and network["seed"] == 0:
            for i in range(3):
                network["first"][i] = [0.0] * len(network["first"][i])
    data = seeds_data(summary, figures)
    assert data["differ"] == 2
    assert {m["kept"] for m in data["marks"] if m["variable"] == "x0"} == {"seed 1 only"}


def test_without_the_verdicts_penalty_the_sparsest_is_shown(made):
    summary, figures = made()
    summary["verdict"]["penalty"] = "constant"
    assert seeds_data(summary, figures)["penalty"] == "sparse_group_lasso"
    assert seeds_data(summary, figures, penalty="l1")["penalty"] == "l1"


def test_one_seed_alone_has_no_figure(made):
    summary, figures = made()
    figures["networks"] = [n for n in figures["networks"] if n["seed"] == 0]
    assert seeds_data(summary, figures) is None


def test_panels_and_marks_share_their_rows(made):
    data = seeds_data(*made(variables=1000))
    spec = PLOT.draw(data).to_dict()
    assert len(spec["concat"]) == 3
    assert all(chart["encoding"]["y"]["sort"] == data["sort"] for chart in spec["concat"])
    assert [m["row"] for m in data["marks"]] == data["sort"]
    assert "40 strongest of 1002 columns" in PLOT.message(data)
    assert "those of the 200 strongest columns" in PLOT.message(data)
    assert [p["name"] for p in spec["params"]] == ["lit"]
