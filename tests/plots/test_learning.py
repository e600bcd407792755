"""Learning curves: thinned, stopped where they say, and cut where a network blew up."""

from __future__ import annotations

import json

import pytest

from riata.plots.learning import PLOT, learning_data, thinned


def first(figures):
    return figures["networks"][0]


def test_one_panel_a_penalty_with_the_epoch_that_was_kept(made):
    summary, figures = made()
    data = learning_data(summary, figures)
    assert [p["penalty"] for p in data["panels"]] == [
        "none", "l2", "l1", "elastic_net", "group_lasso", "sparse_group_lasso",
    ]  # fmt: skip
    stop = data["panels"][0]["stop"]
    assert stop["label"] == "stopped here: epoch 25 of 40"
    assert stop["loss"] == pytest.approx(first(figures)["curves"]["valid"][24], rel=1e-4)
    assert "no penalty epoch 25 of 40" in PLOT.message(data)


def test_penalty_is_apart_from_the_data_loss(made):
    summary, figures = made()
    data = learning_data(summary, figures)
    assert data["panels"][2]["curve"]["cost"] == pytest.approx(figures["networks"][6]["curves"]["penalty"], rel=1e-3)
    spec = PLOT.draw(data).to_dict()
    losses, cost = spec["concat"][2]["vconcat"]
    assert cost["encoding"]["y"]["field"] == "cost"
    assert "cost" not in json.dumps(losses["layer"][0]["encoding"])


def test_long_training_is_thinned_but_keeps_first_last_and_best(made):
    summary, figures = made()
    epochs = list(range(1, 2001))
    for network in figures["networks"]:
        network["curves"] = {k: [1.0 / e for e in epochs] for k in network["curves"]} | {"epoch": epochs}
        network |= {"epochs": 2000, "best_epoch": 777}
    data = learning_data(summary, figures)
    shown = data["panels"][0]["curve"]["epoch"]
    assert len(shown) <= 121 and shown[0] == 1 and shown[-1] == 2000 and 777 in shown
    assert len(json.dumps(PLOT.draw(data).to_dict())) < 200_000


def test_a_rise_after_the_best_epoch_is_named(made):
    summary, figures = made()
    figures["networks"][6]["curves"]["valid"][-1] = 2.5
    rise = 2.5 - figures["networks"][6]["curves"]["valid"][24]
    assert f"rises most with L1 (lasso), by {rise:.3g}" in PLOT.message(learning_data(summary, figures))


def test_a_network_that_blew_up_does_not_flatten_the_others(made):
    summary, figures = made()
    first(figures)["curves"]["train"][-1] = 1e9
    first(figures)["curves"]["valid"][-2:] = [1e12, None]
    low, high = learning_data(summary, figures)["domain"]
    assert low < 0.5 and high < 2


def test_the_last_epoch_is_not_called_a_stop(made):
    summary, figures = made()
    first(figures)["best_epoch"] = 40
    stop = learning_data(summary, figures)["panels"][0]["stop"]
    assert stop["label"] == "the last epoch: 40"
    assert stop["side"] == "right"


def test_an_unknown_best_epoch_leaves_the_mark_out(made):
    summary, figures = made()
    first(figures)["best_epoch"] = None
    data = learning_data(summary, figures)
    assert data["panels"][0]["stop"] is None
    assert "no penalty unknown" in PLOT.message(data)
    assert PLOT.draw(data).to_dict()["concat"]


@pytest.mark.parametrize("curves", [None, {}, {"epoch": [], "train": [], "valid": [], "penalty": [], "largest": []}])
def test_runs_without_curves_have_no_figure(made, curves):
    summary, figures = made()
    for network in figures["networks"]:
        network["curves"] = curves
    assert learning_data(summary, figures) is None


def test_thinning_one_epoch():
    assert thinned([1], None) == [0]
