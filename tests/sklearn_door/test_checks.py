"""scikit-learn's own checks of estimators: all of them, none expected to fail, none skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from riata.sklearn import RegularizedMLPClassifier, RegularizedMLPRegressor, RiataSelector

SWITCHED = "check_array_api_input"
"""Skips itself unless SCIPY_ARRAY_API is set before scipy is imported: it runs in a process of its own."""
ESTIMATORS = {
    "classifier": RegularizedMLPClassifier(),
    "regressor": RegularizedMLPRegressor(),
    "linear classifier": RegularizedMLPClassifier(hidden=()),
    "linear regressor": RegularizedMLPRegressor(hidden=()),
    "other classifier": RegularizedMLPClassifier("sparse_group_lasso", hidden=(8,), epochs=20, dropout=0.2),
    "other regressor": RegularizedMLPRegressor("l1", hidden=(8, 4), epochs=20, early_stopping=False, form="ridge"),
    "linear selector": RiataSelector(hidden=(), path_length=6, folds=3),
    "selector": RiataSelector(hidden=(4,), epochs=6, folds=2, path_length=3, tol=0.1),
}
SCRIPT = """
from sklearn.utils.estimator_checks import estimator_checks_generator
from riata.sklearn import RegularizedMLPClassifier, RegularizedMLPRegressor, RiataSelector
for kind in (RegularizedMLPClassifier, RegularizedMLPRegressor, RiataSelector):
    for estimator, check in estimator_checks_generator(kind(hidden=())):
        if check.func.__name__ == NAME:
            check(estimator)
            print("passed", kind.__name__)
"""


def checks() -> list[Any]:
    """Return every check of every estimator."""
    found = []
    for name, estimator in ESTIMATORS.items():
        for i, (each, check) in enumerate(estimator_checks_generator(estimator)):
            if check.func.__name__ != SWITCHED:
                found.append(pytest.param(each, check, id=f"{name}-{i}-{check.func.__name__}"))
    return found


@pytest.mark.parametrize(("estimator", "check"), checks())
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:No features were selected:UserWarning")
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)


def test_the_check_that_needs_a_switch_passes_with_it() -> None:
    script = SCRIPT.replace("NAME", repr(SWITCHED))
    settings = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("passed") == 3
