from __future__ import annotations

import pytest

from riata.plots.classes import PLOTS

ROC, PRECISION_RECALL, CALIBRATION = PLOTS


def test_two_classes_have_one_curve_and_its_area_in_the_label(made):
    data = ROC.data(*made())
    assert data["labels"] == ["class 1 (AUROC 0.710)"]
    assert ROC.message(data) == "Area under the ROC curve on 960 rows: class 1 0.710."
    assert PRECISION_RECALL.data(*made())["labels"] == ["class 1 (AP 0.600)"]


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_spec_is_valid_with_a_reference(made, plot, classes):
    spec = plot.draw(plot.data(*made(classes=classes))).to_dict()
    assert "'strokeDash': [" in str(spec)


def test_many_classes_are_cut_to_the_most_frequent_and_the_count_is_said(made):
    summary, figures = made(classes=12)
    for i, c in enumerate(figures["predictions"]["classes"]):
        c["share"], c["auroc"] = 0.01 * i, 0.5 + 0.01 * i
    data = ROC.data(summary, figures)
    assert [a["class"] for a in data["areas"]] == [f"class {i}" for i in range(2, 12)]
    assert "the 10 most frequent of 12 classes" in ROC.message(data)
    assert "from class 2 0.520 to class 11 0.610" in ROC.message(data)


def test_no_two_curves_look_alike(made):
    spec = ROC.draw(ROC.data(*made(classes=10))).to_dict()
    encoding = spec["layer"][1]["encoding"]
    looks = zip(encoding["color"]["scale"]["range"], encoding["strokeDash"]["scale"]["range"], strict=True)
    assert len({(colour, tuple(dash)) for colour, dash in looks}) == 10


def test_long_curves_are_thinned_and_keep_their_ends(made):
    summary, figures = made()
    curve = figures["predictions"]["classes"][0]["roc"]
    curve["x"] = [i / 4999 for i in range(5000)]
    curve["y"] = [(i / 4999) ** 0.5 for i in range(5000)]
    rows = ROC.data(summary, figures)["rows"]
    assert len(rows) == 200
    assert (rows[0]["x"], rows[-1]["x"]) == (0.0, 1.0)


def test_the_share_of_a_class_is_the_reference_of_its_precision(made):
    summary, figures = made()
    figures["predictions"]["classes"][0]["share"] = 0.3
    data = PRECISION_RECALL.data(summary, figures)
    rules = PRECISION_RECALL.draw(data).to_dict()["layer"][0]
    assert [r["share"] for r in rules["data"]["values"]] == [0.3]
    assert "by chance it would be the share of the class, class 1 0.300" in PRECISION_RECALL.message(data)


def test_calibration_weighs_bins_by_their_rows(made):
    summary, figures = made()
    figures["predictions"]["classes"][0]["calibration"] = [
        {"predicted": 0.1, "observed": 0.2, "low": 0.15, "high": 0.3, "rows": 300},
        {"predicted": 0.9, "observed": 0.9, "low": 0.8, "high": 1.0, "rows": 100},
        {"predicted": None, "observed": None, "low": None, "high": None, "rows": 0},
    ]
    data = CALIBRATION.data(summary, figures)
    assert data["gap"] == pytest.approx(0.075)
    assert len(data["rows"]) == 2
    assert "outside the interval of 1 of 2 bins" in CALIBRATION.message(data)


@pytest.mark.parametrize("plot", PLOTS)
def test_without_predictions_of_classes_there_is_no_figure(made, plot):
    summary, figures = made()
    assert plot.data(*made(task="regression")) is None
    assert plot.data(summary, figures | {"predictions": None}) is None
    assert plot.data(summary, figures | {"predictions": {"classes": [], "rows": 0}}) is None


def test_areas_that_are_not_known_are_left_out(made):
    summary, figures = made()
    figures["predictions"]["classes"][0]["auroc"] = None
    data = ROC.data(summary, figures)
    assert data["labels"] == ["class 1"]
    assert "unknown" in ROC.message(data)
