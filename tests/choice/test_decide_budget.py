"""Where the grids begin and end, and what is left out for a budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import riata
from riata.choice.options import DEFAULT_BUDGET, Options
from riata.choice.pilot import MOST_REPEATS, SELECTION_COST, Budgeted, Pilot, estimate_seconds, ladder, pilot, plan_for
from riata.choice.prepare import Arena, arena
from riata.choice.search import EDGE_POINTS, EXTENSIONS, Plan, Run, Search, best_setting, search
from riata.choice.summary import said_of
from riata.choice.training import training_for
from riata.data import make_table
from riata.path.strengths import grid
from riata.population.design import Design, Member
from riata.population.run import fit_chunk
from riata.results import MemberResult, Population

OPTIONS = Options(hidden=(8,), epochs=40, folds=3, seeds=1, path_length=6, workers=1, device="cpu")
NOTHING = np.zeros(0)


@pytest.fixture(scope="module")
def field() -> Arena:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 6))
    table = make_table(X, 2 * X[:, 0] - X[:, 1] + 0.3 * rng.normal(size=90))
    return arena(table, np.arange(90), OPTIONS, 1, 1, "cpu", None)


def made_run(loss_of: Callable[[float], float]) -> Run:
    """Train nothing: a member's validation loss is a function of its strength."""

    def run(design: Design) -> Population:
        return Population(
            tuple(
                MemberResult(
                    m.penalty, m.lam, m.dropout, m.split, design.splits[m.split].fold, m.seed, loss_of(m.lam), 0.0,
                    NOTHING, NOTHING, 0, 1, 1, 0.0, "ok",
                )
                for m in design.members
            )
        )  # fmt: skip

    return run


def searched(field: Arena, penalty: str, loss_of: Callable[[float], float]) -> Search:
    plan = Plan({penalty: grid(1.0, 6, 1e-3)}, (0.0,))
    return search(field, plan, training_for(OPTIONS, 30), made_run(loss_of))


def said(found: Search, field: Arena) -> list[str]:
    measured = SimpleNamespace(found=found, field=field, plan=SimpleNamespace(left_out=[]))
    parts, model = SimpleNamespace(pool=field.table), SimpleNamespace(kept=("a",), dropped=())
    return said_of(measured, parts, model, {"stability": 1.0})  # type: ignore[arg-type]


def test_a_best_strength_inside_extends_nothing(field: Arena) -> None:
    found = searched(field, "l1", lambda lam: abs(np.log(max(lam, 1e-9) / 0.06)))
    assert found.extended == [] and found.on_edge == [] and said(found, field) == []
    assert len(found.plan.strengths["l1"]) == 6


def test_a_grid_is_extended_past_its_lower_edge_until_the_best_lies_inside(field: Arena) -> None:
    found = searched(field, "l1", lambda lam: 1 + abs(np.log(max(lam, 1e-9) / 6e-4)))
    lams = found.plan.strengths["l1"]
    assert found.extended == ["l1"] and found.on_edge == [] and said(found, field) == []
    assert (np.diff(lams) < 0).all() and lams[-1] < 6e-4 and len(lams) == 6 + EDGE_POINTS
    best = best_setting(found.population.select(penalty="l1"))[0]
    assert lams[-1] < best < lams[5]
    asked = {(m.lam, m.split) for m in found.population.select(penalty="l1")}
    assert asked == {(lam, split) for lam in lams for split in range(3)}  # the new ones on every fold


def test_a_best_strength_still_on_the_edge_is_said(field: Arena) -> None:
    found = searched(field, "l1", lambda lam: lam)
    assert found.on_edge == ["l1"] and len(found.plan.strengths["l1"]) == 6 + EXTENSIONS * EDGE_POINTS
    assert said(found, field) == ["the best strength of l1 lies on the edge of its grid"]


def test_a_levelled_lower_edge_and_an_empty_upper_one_are_no_edges(field: Arena) -> None:
    assert searched(field, "l1", lambda lam: 1 + 1e-6 * lam).extended == []
    assert searched(field, "l1", lambda lam: -lam).extended == []  # at the top nothing is kept


def test_the_ridge_has_no_strength_that_empties_it_so_its_top_is_extended(field: Arena) -> None:
    found = searched(field, "l2", lambda lam: 1 + abs(np.log(max(lam, 1e-9) / 30)))
    assert found.extended == ["l2"] and found.plan.strengths["l2"][0] > 30 and found.on_edge == []
    assert searched(field, "l2", lambda lam: -lam).on_edge == ["l2"]


def test_lam_max_is_confirmed_by_running_it(field: Arena) -> None:
    names = ["l1", "elastic_net", "group_lasso", "sparse_group_lasso"]
    training = training_for(OPTIONS, 30)
    found = pilot(field, names, training, scaled=False)
    first = field.splits[0]
    for name in names:
        top = found.largest[name]
        assert found.confirmed[name] in (1.0, 2.0, 4.0, 8.0)
        members = tuple(Member(name, lam, 0.0, 0, first[1]) for lam in (top, top / 20))
        whole = replace(training, early_stopping=False)
        _, (strong, weak) = fit_chunk(field.blocks, Design(members, (first[2],), whole), [0, 1])
        assert strong.kept == 0 and strong.weights_kept == 0, name
        assert weak.kept > 0, name
    assert found.seconds_per_fit > 0


def plan_at(budget: float, **options: Any) -> Budgeted:
    made = Pilot({"l1": 1.0, "l2": 10.0}, {"l1": 1e-3, "l2": 1e-5}, {}, 1.0, 0.0)
    asked = Options(**{"workers": 1, "device": "cpu", "budget": budget, **options})
    return plan_for(made, asked, 0.0)


def test_the_ladder_cuts_in_the_documented_order() -> None:
    rungs = ladder(Options(workers=1))
    assert rungs == [
        (3, 20, (0.0, 0.2), 1.0),
        (3, 20, (0.0,), 1.0),
        (3, 10, (0.0,), 1.0),
        (3, 10, (0.0,), 0.5),
        (2, 10, (0.0,), 0.5),
        (1, 10, (0.0,), 0.5),
        (1, 10, (0.0,), 0.25),
        (1, 6, (0.0,), 0.25),
    ]
    assert {effort for *_, effort in ladder(Options(workers=1, epochs=9))} == {1.0}


def test_a_smaller_budget_never_buys_more_and_every_cut_is_said() -> None:
    rungs, seen = ladder(Options(workers=1)), []
    for budget in np.geomspace(3000, 20, 60):
        plan = plan_at(float(budget))
        rung = (plan.seeds, len(plan.plan.strengths["l1"]), plan.plan.dropout, plan.effort)
        seen.append(rungs.index(rung))
        words = " ".join(plan.left_out)
        assert ("epochs" in words) == (plan.effort < 1)
        assert ("dropout 0.2" in words) == (plan.plan.dropout == (0.0,))
        assert ("strengths instead of 20" in words) == (rung[1] < 20)
        assert ("seeds instead of 3" in words) == (plan.seeds < 3)
        assert plan.fits == (plan.estimate <= 0.8 * budget)
    assert seen == sorted(seen) and set(seen) == set(range(len(rungs)))


def test_what_is_left_of_a_set_budget_goes_into_repeats() -> None:
    assert plan_at(1e6).repeats == MOST_REPEATS and plan_at(1e6).left_out == []
    whole = plan_at(1e6).estimate
    middle = plan_at(0.8 * whole)
    assert 1 < middle.repeats < MOST_REPEATS and middle.estimate <= 0.8 * 0.8 * whole
    nobody = plan_for(Pilot({"l1": 1.0}, {"l1": 1e-3}, {}, 1e-6, 0.0), Options(workers=1, device="cpu"), 0.0)
    assert nobody.repeats == 1 and nobody.estimate < DEFAULT_BUDGET
    assert plan_at(1e6, repeats=2).repeats == MOST_REPEATS


def test_a_set_budget_repeats_the_folds_of_a_small_table() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    small: dict[str, Any] = {
        "hidden": (4,),
        "epochs": 3,
        "folds": 3,
        "seeds": 1,
        "path_length": 3,
        "workers": 1,
        "dropout": (0.0,),
    }
    found = riata.choose(X, X[:, 0], penalties=["l2"], budget="10m", device="cpu", **small).summary
    assert found["plan"]["repeats"] == MOST_REPEATS
    assert len(found["scores"]["l2"]["per_fold"]["r2"]) == 3 * MOST_REPEATS
    folds = [tuple(round(v, 9) for v in found["scores"]["none"]["per_fold"]["rmse"][i : i + 3]) for i in (0, 3, 6)]
    assert len(set(folds)) == 3  # each repeat draws its own folds


def test_the_estimate_counts_the_selection_stage() -> None:
    made = Pilot({"l1": 1.0}, {"l1": 1e-3}, {}, 2.0, 0.0)
    plan = Plan({"l1": grid(1.0, 10, 1e-3)}, (0.0,))
    asked = [Options(goal=g, workers=1, device="cpu", folds=4) for g in ("prediction", "selection")]
    plain, selecting = (estimate_seconds(made, plan, options, 2, 1) for options in asked)
    assert selecting - plain == pytest.approx(plain * SELECTION_COST * 10 / plan.count())
    assert estimate_seconds(made, plan, asked[0], 2, 3) == pytest.approx(3 * plain)


def test_a_budget_that_nothing_fits_is_answered_by_theory() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5))
    small: dict[str, Any] = {
        "hidden": (8,),
        "epochs": 5,
        "folds": 3,
        "seeds": 1,
        "path_length": 4,
        "workers": 1,
        "device": "cpu",
    }
    found = riata.choose(X, X[:, 0], budget=0.001, **small).summary
    assert found["evidence"] == "tied" and found["verdict"]["penalty"] == found["theory"]["penalty"] == "l1"
    assert set(found["scores"]) == {"constant", "none", "l1"}
    assert any("nothing was compared" in w and "more than a budget of 0 s leaves" in w for w in found["warnings"])
    resources = next(a for a in found["answers"] if a["key"] == "resources")
    assert resources["answer"] == "no" and resources["evidence"]["detail"]["can_validate"] is False
