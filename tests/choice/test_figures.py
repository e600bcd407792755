"""figures.json: what the pictures are drawn from is what was measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import riata
from riata.choice.chart import plain
from riata.choice.decision import Decision
from riata.choice.figures.networks import strongest
from riata.choice.figures.paths import least, path_of
from riata.choice.figures.predictions import calibration, of_class, regression, thin
from riata.choice.figures.table import between, correlation_map
from riata.population.design import Design, Member
from riata.population.run import Blocks, train_population
from riata.population.watch import watch_member
from riata.results import MemberResult

SMALL: dict[str, Any] = {
    "hidden": (8,), "epochs": 12, "folds": 3, "seeds": 2, "path_length": 5, "workers": 1, "dropout": (0.0, 0.3),
    "device": "cpu", "penalties": ["none", "l2", "l1", "elastic_net", "group_lasso", "sparse_group_lasso"],
}  # fmt: skip

CLOCK = ("stages", "size", "estimate_seconds")
"""What the clock says: it lies apart, in timings.json."""


def table(task: str, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5))
    X[:, 4] = X[:, 3] + 0.01 * rng.normal(size=n)
    y = X[:, 0] + 0.5 * rng.normal(size=n)
    return X, (y > 0).astype(int) if task == "classification" else y


@pytest.fixture(scope="module", params=["classification", "regression"])
def found(request: pytest.FixtureRequest) -> Decision:
    return riata.choose(*table(request.param), **SMALL)


def shape(value: Any) -> Any:
    """Return the keys and the kinds of values, lists by their first item."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items() if v is not None and k not in ("command", "sample", "charts")}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_a_real_run_has_the_form_that_the_plots_are_tested_on(found: Decision, made: Callable[..., Any]) -> None:
    task = found.summary["task"]
    real, fake = shape(plain(dict(found.figures or {}))), shape(made(task=task)[1])
    real["candidates"], fake["candidates"] = real["candidates"][0].keys(), fake["candidates"][0].keys()
    paths = {frozenset(p) for p in real.pop("paths").values()}, {frozenset(p) for p in fake.pop("paths").values()}
    assert real.keys() == fake.keys() | {"rows", "estimate_seconds"}
    assert {k: real[k] for k in fake} == fake
    assert paths[0] == paths[1]


def test_figures_survive_the_folder_and_are_the_same_every_time(found: Decision, tmp_path: Path) -> None:
    found.save(tmp_path / "out")
    again = riata.read_decision(tmp_path / "out")
    timeless = {k: v for k, v in plain(dict(found.figures or {})).items() if k not in CLOCK}
    assert again.figures is not None
    assert {k: v for k, v in again.figures.items() if k not in CLOCK} == timeless
    repeated = riata.choose(*table(found.summary["task"]), **SMALL)
    assert {k: v for k, v in plain(dict(repeated.figures or {})).items() if k not in CLOCK} == timeless


def test_there_is_a_network_of_every_penalty_from_two_seeds(found: Decision) -> None:
    figures = found.figures or {}
    best = [n for n in figures["networks"] if n["at"] == "best"]
    assert [(n["penalty"], n["seed"]) for n in best] == [(p, s) for p in SMALL["penalties"] for s in (0, 1)]
    for n in (n for n in figures["networks"] if n["at"] == "one_se"):
        assert n["lam"] == figures["paths"][n["penalty"]]["one_se"] > figures["paths"][n["penalty"]]["lams"][-1]
    for n in figures["networks"]:
        first = np.array(n["first"])
        assert first.shape == (5, 8 + 1)
        assert (first != 0).sum() == n["weights_kept"] == first.size - n["histogram"]["zeros"]
        assert sum(n["histogram"]["counts"]) == n["weights_kept"]
        assert len(n["curves"]["epoch"]) == n["epochs"] == n["curves"]["epoch"][-1]


def test_the_network_of_the_first_seed_is_one_that_was_compared(found: Decision) -> None:
    assert found.population is not None
    for n in (n for n in (found.figures or {})["networks"] if n["seed"] == 0):
        same = found.population.select(
            penalty=n["penalty"], lam=n["lam"], dropout=n["dropout"], fold=0, seed=0, best_epoch=n["best_epoch"],
            weights_kept=n["weights_kept"],
        )  # fmt: skip
        assert same, n["penalty"]


def test_candidates_are_there_with_and_without_dropout(found: Decision) -> None:
    rows = (found.figures or {})["candidates"]
    assert [(r["penalty"], r["dropout"]) for r in rows] == [
        ("constant", False), *[(p, d) for p in SMALL["penalties"] for d in (False, True)]
    ]  # fmt: skip
    assert all(r["rate"] == ([0.3] if r["dropout"] else [0.0]) for r in rows[1:])
    metric = found.summary["metric"]
    assert rows[0][metric] == plain(found.summary["scores"]["constant"][metric])


def test_charts_hold_the_way_that_was_walked(found: Decision) -> None:
    chart = (found.figures or {})["charts"]["default"]
    decided = [(a["key"], a["answer"]) for a in found.summary["answers"] if a["decided"]]
    assert [(s["key"], s["answer"]) for s in chart["walk"]] == decided
    assert chart["leaf"] == found.summary["verdict"]["penalty"]
    assert (found.figures or {})["charts"]["classic"]["leaf"] == found.summary["classic"]["penalty"]
    arrows = {(e["from"], e["answer"]): e for e in chart["edges"]}
    assert all(step in arrows for step in decided)
    assert arrows["resources", "yes"]["action"]


def test_what_would_change_the_answer_is_another_walk(found: Decision) -> None:
    said = {o["if"].split("(")[1].rstrip(")"): o for o in found.summary["otherwise"]}
    assert said["--no-validation"]["then"] == found.summary["theory"]["penalty"]
    assert said["--chart classic"]["then"] == found.summary["classic"]["penalty"]
    asked = riata.choose(*table(found.summary["task"]), **{**SMALL, "goal": "selection"})
    assert said["--goal selection"]["then"] == asked.verdict["penalty"]
    leaf = found.verdict["penalty"]
    assert all(o["same"] == (o["then"] == leaf) for o in found.summary["otherwise"])


def test_stages_add_up_to_the_time_of_the_run(found: Decision) -> None:
    stages = (found.figures or {})["stages"]
    assert len({s["stage"] for s in stages}) == len(stages) == 6
    assert sum(s["seconds"] for s in stages) == pytest.approx(found.summary["seconds"], abs=0.2)


def test_correlated_variables_stand_side_by_side_in_one_cluster(found: Decision) -> None:
    c = (found.figures or {})["data"]["correlation"]
    pair = [c["variables"].index(3), c["variables"].index(4)]
    assert abs(pair[0] - pair[1]) == 1
    assert c["cluster"][pair[0]] == c["cluster"][pair[1]]
    assert len(set(c["cluster"])) == 4
    assert np.diag(np.array(c["matrix"])).tolist() == [1.0] * 5


def small_design() -> tuple[Blocks, Design]:
    from riata.engines import Loss
    from riata.population.design import Split, Training

    X, y = table("classification", 90)
    blocks = Blocks(
        X[None].astype(np.float32), y[None].astype(np.float32), np.arange(5), tuple("abcde"), Loss("logistic", 1)
    )
    split = Split(0, np.arange(50), np.arange(50, 70), np.arange(70, 90))
    members = tuple(Member("group_lasso", lam, d) for lam in (0.3, 0.03) for d in (0.0, 0.3))
    return blocks, Design(members, (split,), Training(epochs=20, batch_size=16, hidden=(8,), patience=4))


def test_a_watched_member_is_the_populations_own_bit_by_bit() -> None:
    blocks, design = small_design()
    together = train_population(blocks, design).members
    for i, member in enumerate(together):
        seen = watch_member(blocks, design, i)
        for name in ("valid_loss", "train_loss", "best_epoch", "epochs", "kkt", "weights_kept", "status"):
            assert getattr(seen.result, name) == getattr(member, name)
        assert np.array_equal(seen.result.norms, member.norms)
        assert np.count_nonzero(seen.first) == member.weights_kept
        at = seen.curves.epoch.index(member.best_epoch)
        assert seen.curves.valid[at] == pytest.approx(member.valid_loss, rel=1e-6)
        assert seen.curves.train[at] == pytest.approx(member.train_loss, rel=1e-5)
        assert seen.curves.kept[at] == member.kept


def member(lam: float, fold: int, loss: float, norms: list[float], status: str = "ok") -> MemberResult:
    empty = np.zeros((0, 1), np.float32)
    return MemberResult("l1", lam, 0.0, fold, fold, 0, loss, loss, empty, np.array(norms), 1, 1, 1, 0.0, status)


def test_a_path_has_means_over_folds_and_the_one_standard_error_rule() -> None:
    losses = {1.0: (0.7, 0.8), 0.1: (0.45, 0.55), 0.01: (0.4, 0.5), 0.001: (0.6, 0.9)}
    members = [
        member(lam, f, v, [1.0, 0.0 if lam > 0.05 else 0.5]) for lam, vs in losses.items() for f, v in enumerate(vs)
    ]
    path = path_of(members)
    assert path["lams"] == [1.0, 0.1, 0.01, 0.001]
    assert path["loss"] == [0.75, 0.5, 0.45, 0.75]
    assert path["se"][2] == pytest.approx(0.05)
    assert (path["best"], path["one_se"]) == (0.01, 0.1)
    assert path["kept"] == [1.0, 1.0, 2.0, 2.0]
    assert path["norms"] == [[1.0] * 4, [0.0, 0.0, 0.5, 0.5]]


def test_a_strength_at_which_a_network_diverged_has_no_loss() -> None:
    path = path_of([member(1.0, 0, 0.5, [1.0]), member(0.1, 0, 0.1, [1.0], "diverged")])
    assert path["loss"] == [0.5, None]
    assert path["best"] == 1.0
    assert least(np.array([np.inf]), np.array([np.nan])) == (None, None)


def test_curves_of_a_class_are_those_of_scikit_learn_and_calibration_covers_every_row() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(5000)
    is_class = rng.random(5000) < p
    found = of_class("a", is_class, p)
    assert found is not None
    assert len(found["roc"]["x"]) == 200
    assert (found["roc"]["x"][0], found["roc"]["y"][-1]) == (0.0, 1.0)
    assert np.trapezoid(found["roc"]["y"], found["roc"]["x"]) == pytest.approx(found["auroc"], abs=2e-3)
    bins = calibration(is_class, p)
    assert sum(b["rows"] for b in bins) == 5000
    assert sum(b["low"] <= b["predicted"] <= b["high"] for b in bins) >= 8
    assert of_class("none of them", np.zeros(5, bool), p[:5]) is None


def test_regression_points_are_cut_with_the_count_said() -> None:
    y = np.arange(3000.0)
    found = regression(y, y + 1, 0)
    assert (found["rows"], found["of"], len(found["actual"])) == (2000, 3000, 2000)
    assert np.allclose(np.array(found["predicted"]) - np.array(found["actual"]), 1, atol=0.2)
    assert thin(np.arange(5.0), np.arange(5.0))["x"] == [0, 1, 2, 3, 4]


def test_correlation_between_variables_of_several_columns_is_that_of_the_closest_two() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((500, 2))
    X = np.column_stack([a, -a[:, 1] + 0.1 * rng.standard_normal(500)])
    r = between(X, np.array([0, 0, 1]), [0, 1])
    assert r[0, 1] == pytest.approx(np.corrcoef(X[:, 1], X[:, 2])[0, 1], abs=1e-5)
    assert correlation_map(X, np.array([0, 0, 1]), [0], 2) is None


def test_the_strongest_columns_are_relative_to_their_network() -> None:
    class Seen:
        def __init__(self, first: list[list[float]]) -> None:
            self.first = np.array(first)

    weak, strong = Seen([[0.0], [0.0], [0.01]]), Seen([[5.0], [1.0], [0.0]])
    assert strongest([weak, strong], 2) == [0, 2]


def test_json_of_the_figures_is_strict(found: Decision) -> None:
    text = json.dumps(plain(dict(found.figures or {})), allow_nan=False)
    assert len(text) < 200_000
