"""Real runs on made tables reach the leaves: by theory where nothing can be compared, measured elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import riata
from riata.choice.decision import Decision

SMALL: dict[str, Any] = {
    "hidden": (8,), "epochs": 20, "folds": 3, "seeds": 1, "path_length": 4, "workers": 1, "dropout": (0.0,),
    "device": "cpu",
}  # fmt: skip


def plain(n: int = 80, p: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, p))


def correlated(n: int = 80) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.repeat(rng.normal(size=(n, 3)), 3, axis=1) + 0.1 * rng.normal(size=(n, 9))


def digits(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    images = load_digits()
    return images.data[:n], images.target[:n] % 2


def answers(found: Decision) -> dict[str, str]:
    return {a["key"]: a["answer"] for a in found.summary["answers"] if a["decided"]}


def assert_by_theory(found: Decision, leaf: str, reason: str) -> None:
    summary = found.summary
    assert summary["verdict"]["penalty"] == leaf == summary["theory"]["penalty"]
    assert found.evidence == "tied" and found.contenders == [leaf]
    assert set(found.scores) == {"constant", "none", leaf}
    assert any("nothing was compared" in w and reason in w for w in summary["warnings"])
    assert answers(found)["resources"] == "no"
    assert set(summary["final"]["picks"]) == {leaf}
    assert found.population is not None and {m.penalty for m in found.population.members} == {"none", leaf}


def test_validation_switched_off() -> None:
    X = plain()
    assert_by_theory(riata.choose(X, X[:, 0], no_validation=True, **SMALL), "l1", "switched off")


def test_fewer_than_fifty_rows() -> None:
    X = plain(49)
    assert_by_theory(riata.choose(X, X[:, 0], **SMALL), "l1", "49 rows")
    assert riata.choose(plain(50), plain(50)[:, 0], **SMALL).summary["scores"].keys() > {"l1", "l2"}


def test_a_rare_class() -> None:
    X = plain(120)
    for rare, compared in ((14, False), (15, True)):
        y = (np.arange(120) < rare).astype(int)
        found = riata.choose(X, y, penalties=["l2"], **SMALL)
        if compared:
            assert answers(found)["resources"] == "yes" and set(found.scores) == {"constant", "none", "l2"}
        else:
            assert_by_theory(found, "l1", "4 rows of the rarest class per fold")


def test_theory_leaves_of_the_default_chart() -> None:
    X = correlated()
    assert_by_theory(riata.choose(X, X[:, 0], no_validation=True, **SMALL), "l2", "switched off")
    selecting = riata.choose(X, X[:, 0], no_validation=True, goal="selection", **SMALL)
    assert selecting.verdict["penalty"] == "elastic_net"
    wide = plain(40, 60)
    assert_by_theory(riata.choose(wide, wide[:, 0], **SMALL), "elastic_net", "40 rows")
    groups = {f"x{i + 1}": "ab"[i % 2] for i in range(6)}
    narrow = plain()
    grouped = riata.choose(narrow, narrow[:, 0], groups=groups, no_validation=True, **SMALL)
    assert_by_theory(grouped, "group_lasso", "switched off")


@pytest.mark.parametrize(
    ("table", "options", "leaf", "trace"),
    [
        ((correlated(), correlated()[:, 0]), {}, "l2", {"correlated": "yes"}),
        (digits(), {}, "l2", {"correlated": "yes"}),
        ((plain(), plain()[:, 0]), {"picture": "3x2"}, "l2", {"correlated": "no", "picture": "yes"}),
        ((plain(), plain()[:, 0]), {}, "l1", {"correlated": "no", "picture": "no"}),
    ],
    ids=["correlated", "digits", "picture", "uncorrelated"],
)
def test_classic_chart_by_prior_knowledge(
    table: tuple[np.ndarray, np.ndarray], options: dict[str, Any], leaf: str, trace: dict[str, str]
) -> None:
    found = riata.choose(*table, chart="classic", no_validation=True, **{**SMALL, **options})
    assert_by_theory(found, leaf, "switched off")
    assert answers(found) == {"subsample": "all", "resources": "no", **trace}
    assert found.summary["classic"]["penalty"] == leaf


def test_digits_are_a_picture_for_the_charts() -> None:
    profile = riata.profile(*digits())
    assert profile.answer == "l2" and {a.question.key: a.answer for a in profile.answers}["picture"] == "yes"


def sparse(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(120, 40))
    return X, 2 * X[:, 0] + 2 * X[:, 1] - 1.5 * X[:, 2] + 0.5 * rng.normal(size=120)


def curved(seed: int, n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + X[:, 3] ** 2 + 0.1 * rng.normal(size=n)


def test_the_classic_chart_reaches_every_measured_leaf() -> None:
    wanted: set[str] = {"elastic_net", "l1", "l2", "none"}
    reached: dict[str, int] = {}
    tries = [(sparse, seed, 8, length) for seed in (0, 1) for length in (6, 4)]
    for table, seed, width, length in [*tries, *[(curved, seed, 16, 4) for seed in range(12)]]:
        X, y = table(seed)
        options = {**SMALL, "hidden": (width,), "epochs": 30, "path_length": length}
        found = riata.choose(X, y, chart="classic", seed=seed, **options)
        leaf = found.verdict["penalty"]
        assert leaf == found.summary["classic"]["penalty"]
        assert set(found.scores) == {"constant", "none", "l2", "l1", "elastic_net"}
        means = {name: scores["r2"]["mean"] for name, scores in found.scores.items()}
        better = means["elastic_net"] > means["none"]
        if better:
            assert leaf == ("l1" if means["l1"] > means["elastic_net"] else "elastic_net")
        else:
            assert leaf == ("l2" if means["l2"] > means["none"] else "none")
        if leaf == "none":
            assert found.verdict["lam"] == 0 and found.dropped == []
        reached.setdefault(leaf, seed)
        if set(reached) == wanted:
            break
    assert set(reached) == wanted, reached


def test_the_classic_chart_ignores_other_candidates() -> None:
    X = plain()
    found = riata.choose(X, X[:, 0], chart="classic", penalties=["group_lasso"], **SMALL)
    assert set(found.scores) == {"constant", "none", "l2", "l1", "elastic_net"}


def test_the_default_chart_keeps_what_regularizes_unless_none_is_proved() -> None:
    X, y = sparse(1)
    found = riata.choose(X, y, penalties=["l1", "elastic_net"], **SMALL)
    assert set(found.scores) == {"constant", "none", "l1", "elastic_net"}
    assert found.verdict["penalty"] in ("l1", "elastic_net") and found.verdict["penalty"] in found.contenders
    assert (found.verdict["lam2"] is not None) == (found.verdict["penalty"] == "elastic_net")


def test_a_linear_model_goes_the_whole_way_without_stopping_early() -> None:
    X, y = sparse(2)
    found = riata.choose(X, y, penalties=["l1"], **{**SMALL, "hidden": (), "epochs": 300})
    assert found.verdict["penalty"] == "l1" and found.verdict["early_stopping"] is False
    assert found.model is not None and {len(w) for w in found.model.params.values()} == {1}
    assert found.summary["kkt_max"] < 1e-3  # solved on all rows, not stopped
    assert {"x1", "x2", "x3"} <= set(found.kept) and found.dropped
    assert found.summary["final"]["r2"]["mean"] > 0.7
