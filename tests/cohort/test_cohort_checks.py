"""What cannot be asked with genotypes is one sentence, whichever door it comes through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

import riata
from riata.choice.look import LEAST_CLASS, LEAST_ROWS, obstacle, rarest
from riata.choice.options import Options
from riata.cohort.checks import LEAST_FOLDS, SAYS_NOTHING, check_options, check_people
from riata.cohort.decide import decide_study
from riata.cohort.study import Study, open_study
from riata.errors import InputError

OTHER: dict[str, dict[str, Any]] = {
    "picture": {"picture": "4x5"},
    "no validation": {"no_validation": True},
    "scaling": {"scaling": "quantile"},
    "form": {"form": "ridge"},
    "budget": {"budget": 60.0},
    "repeats": {"repeats": 2},
    "seeds": {"seeds": 2},
    "dropout": {"dropout": (0.0,)},
    "two layers": {"hidden": (8, 8)},
    "sparse group lasso": {"penalties": ("l1", "sparse_group_lasso")},
}


def study(rare: int, common: int) -> Study:
    """People with one clinical variable and ten variants; so many are ill."""
    rng = np.random.default_rng(0)
    n = rare + common
    frame = pl.DataFrame({"age": rng.normal(50, 9, n).round(3), "ill": [1] * rare + [0] * common})
    return open_study(frame, "ill", rng.integers(0, 3, (n, 10)).astype(np.int8))


def said(call: Callable[[], Any]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert len(message) <= 300 and message.isprintable()
    return message


def test_every_option_that_says_nothing_is_tried() -> None:
    tried = {name for asked in OTHER.values() for name in asked}
    assert tried == {*SAYS_NOTHING, "hidden", "penalties"}


@pytest.mark.parametrize("name", OTHER)
def test_every_door_refuses_in_the_same_words(name: str) -> None:
    people, options = study(30, 30), Options(**OTHER[name])
    by_check = said(lambda: check_options(options))
    assert (
        "does not apply with --genotypes" in by_check and "--" + next(iter(OTHER[name])).replace("_", "-") in by_check
    )
    assert said(lambda: decide_study(people, options)) == by_check
    frame = pl.DataFrame({"age": range(60), "ill": [0, 1] * 30})
    assert said(lambda: riata.choose(frame, "ill", genotypes=np.ones((60, 3)), **OTHER[name])) == by_check


def test_groups_are_refused_and_what_applies_is_not() -> None:
    assert "--groups does not apply" in said(lambda: check_options(Options(), {}))
    for options in (Options(), Options(hidden=()), Options(hidden=(20,)), Options(folds=3, penalties=("l1", "l2"))):
        check_options(options)


def test_the_limits_are_those_of_any_comparison() -> None:
    """Refused is exactly what has an obstacle, with the same words; and what the refusal says to type is taken."""
    folds_named = 0
    for rare, common, folds in (
        (30, 19, 3),
        (30, 20, 3),
        (14, 60, 3),
        (15, 60, 3),
        (26, 60, 5),
        (24, 60, 5),
        (19, 60, 5),
        (49, 60, 10),
    ):
        table, options = study(rare, common).table, Options(folds=folds)
        why = obstacle(table, options)
        assert bool(why) == (rare + common < LEAST_ROWS or rare // folds < LEAST_CLASS)
        if not why:
            check_people(table, options)
            continue
        message = said(lambda: check_people(table, options))  # noqa: B023
        assert message.startswith(why + "; ")
        if "--folds" in message:
            fewer = int(message.rpartition(" ")[2])
            assert LEAST_FOLDS <= fewer < folds and obstacle(table, Options(folds=fewer + 1))
            check_people(table, Options(folds=fewer))
            folds_named += 1
        else:
            assert message.endswith("; add people") and obstacle(table, Options(folds=LEAST_FOLDS))
    assert folds_named == 3


def test_fewer_folds_cannot_be_asked_for() -> None:
    Options(folds=LEAST_FOLDS)
    with pytest.raises(InputError, match="--folds"):
        Options(folds=LEAST_FOLDS - 1)


def test_a_class_that_no_row_has_is_the_rarest() -> None:
    table = study(30, 30).table
    alone = replace(table, y=np.zeros(60, dtype=np.int64))
    assert rarest(table) == 30 and rarest(alone) == 0
    assert said(lambda: check_people(alone, Options())).startswith("0 rows of the rarest class per fold")
