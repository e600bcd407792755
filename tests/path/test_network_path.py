"""Paths of networks: strengths, folds, options, and what is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import riata
from riata.engines import BatchedEngine, NetworkSpec, loss_for
from riata.groups import by_variable
from riata.path import network
from riata.path.stage import Arm, Data, epoch_index, train_stage
from riata.path.strengths import as_rows, lam_max
from riata.penalties import GroupLasso
from riata.population.design import Training

QUICK: dict[str, Any] = {"hidden": (6,), "folds": 2, "seeds": 1, "path_length": 4, "epochs": 8, "batch_size": 16}


def table(n: int = 60, d: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X[:, 0] + np.abs(X[:, 1]) + 0.3 * rng.normal(size=n)


def test_the_largest_strength_leaves_nothing() -> None:
    X, y = table()
    path = riata.fit_path(X, y, **{**QUICK, "epochs": 60})
    assert path.kept(path.lams[0]) == []
    assert path.norms[0].max() == 0.0
    assert path.kept(path.lams[-1])
    assert (np.diff(path.lams) < 0).all()
    constant = path.predict(X, path.lams[0])
    assert np.ptp(constant) < 1e-6


@pytest.mark.parametrize("form", ["bounded", "ridge"])
def test_no_input_is_stationary_from_lam_max_on(form: str) -> None:
    X, y = table()
    Z, t = X, (y - y.mean()) / y.std()
    spec = NetworkSpec(5, 1, (6,), form=form)
    groups = by_variable((5, 7), list(range(5)), [f"x{j}" for j in range(5)]).to(dtype=torch.float64)
    engine = BatchedEngine(spec, loss_for("regression", 0))
    top = lam_max(engine, as_rows(Z, t, "cpu", torch.float64), GroupLasso(), groups, 0)
    common: dict[str, Any] = {
        "hidden": (6,), "folds": 0, "form": form, "update": "apg", "epochs": 400, "dtype": "float64",
        "direction": "sparse_to_dense",
    }  # fmt: skip
    above = riata.fit_path(X, y, lams=[top * (1 + 1e-6)], **common)
    assert above.kept(above.lams[0]) == []
    assert above.kkt(above.lams[0]) < 1e-5
    below = riata.fit_path(X, y, lams=[0.99 * top], **common)
    assert below.kept(below.lams[0])
    assert below.objective(below.lams[0]) < above.objective(above.lams[0])


def test_a_tolerance_is_met_and_certified() -> None:
    X, y = table()
    plain = riata.fit_path(X, y, hidden=(4,), folds=0, lams=[0.2], epochs=20, standardize=True)
    strict = riata.fit_path(X, y, hidden=(4,), folds=0, lams=[0.2], epochs=20, standardize=True, tol=1e-4)
    assert strict.status(0.2) == "ok"
    assert strict.kkt(0.2) <= 1e-4 < plain.kkt(0.2)
    assert strict.objective(0.2) <= plain.objective(0.2)


@pytest.mark.parametrize(
    "option",
    [
        {"seed": 1}, {"seeds": 2}, {"folds": 3}, {"standardize": True}, {"dropout": 0.5}, {"update": "prox_sgd"},
        {"update": "apg"}, {"dtype": "float64"}, {"early_stopping": False}, {"epochs": 4}, {"batch_size": 8},
        {"patience": 1}, {"form": "ridge"}, {"direction": "sparse_to_dense"}, {"direction": "cold"}, {"lr": 0.001},
        {"hidden": (7,)}, {"groups": ["a", "a", "b", "c", "d"]}, {"penalty": riata.L1()}, {"tol": 1e-3},
        {"penalty": riata.L2()}, {"task": "classification"},
    ],
    ids=str,
)  # fmt: skip
def test_every_option_changes_the_result(option: dict[str, Any]) -> None:
    X, y = table()
    X = 2 * X + 1
    if "task" in option:
        y = np.round(np.clip(y, 0, 2) / 2)
        y[:4] = [2, 2, 2, 2]
    asked = {**QUICK, "lams": [0.3, 0.05, 0.001], "task": "regression", "epochs": 60, "lr": 0.03}
    base = riata.fit_path(X, y, **asked)
    turned = riata.fit_path(X, y, **{**asked, **option})
    assert base.scores is not None and turned.scores is not None
    held = turned.scores.valid_loss.tolist() != base.scores.valid_loss.tolist()
    first, other = base.fits.params["first"], turned.fits.params["first"]
    fitted = first.shape != other.shape or bool((first != other).any())
    if "seeds" in option or "folds" in option:
        assert held
    elif "tol" in option:
        assert fitted
    else:
        assert held and fitted


def test_upper_ridge_and_path_length_change_the_result() -> None:
    X, y = table()
    light, heavy = [
        riata.fit_path(X, y, **{**QUICK, "lams": [0.05], "form": "ridge", "upper_ridge": r}) for r in (1e-3, 1.0)
    ]
    assert (light.weights(0.05) != heavy.weights(0.05)).any()
    assert len(riata.fit_path(X, y, riata.L1(), (), folds=0, path_length=7).lams) == 7


def test_the_same_seed_gives_the_same_bits_and_workers_do_not_matter() -> None:
    X, y = table()
    asked = {**QUICK, "lams": [0.3, 0.05], "seeds": 2}
    one, again, two = (riata.fit_path(X, y, **asked, workers=w) for w in (1, 1, 2))
    assert one.scores is not None and two.scores is not None
    for other in (again, two):
        assert (one.weights(0.05) == other.weights(0.05)).all()
        assert other.scores is not None
        assert (one.scores.valid_loss_folds == other.scores.valid_loss_folds).all()


@pytest.mark.parametrize("option", [{}, {"update": "apg"}, {"dtype": "float64", "dropout": 0.2}], ids=str)
def test_lanes_of_any_size_give_the_same_bits(option: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = table()
    found = set()
    for size in (16, 1, 2, 5):
        monkeypatch.setattr(network, "LANE", size)
        path = riata.fit_path(X, y, **{**QUICK, "folds": 3, "seeds": 2, "lams": [0.3, 0.05], **option})
        assert path.scores is not None
        held = (path.scores.valid_loss_folds, path.fits.kkt, *path.fits.params.values())
        found.add(b"".join(np.ascontiguousarray(v).tobytes() for v in held))
    assert len(found) == 1


def stage_data(X: np.ndarray, y: np.ndarray) -> Data:
    return Data(torch.as_tensor(X[None]).double(), torch.as_tensor(y).double(), np.arange(len(y)) % 3)


def test_a_member_does_not_depend_on_the_others() -> None:
    X, y = table()
    data = stage_data(X, y)
    spec = NetworkSpec(5, 1, (6,))
    engine = BatchedEngine(spec, loss_for("regression", 0))
    groups = by_variable((5, 7), list(range(5)), list("abcde"))
    training = Training(epochs=5, batch_size=16, patience=2, hidden=(6,))
    from riata.engines import initial

    arms = [Arm(0, 0, 0.1, 0.3), Arm(1, 0, 0.02), Arm(2, 4, 0.2, 0.1), Arm(1, 4, 0.5)]

    def fit(which: list[int]) -> torch.Tensor:
        some = [arms[i] for i in which]
        one = [initial(spec, a.seed, dtype=torch.float64) for a in some]
        params = {k: torch.stack([p[k] for p in one]) for k in one[0]}
        return train_stage(engine, data, some, GroupLasso(), groups, training, 0.01, params).params["first"]

    together = fit([0, 1, 2, 3])
    for i in range(4):
        torch.testing.assert_close(fit([i])[0], together[i], rtol=1e-9, atol=1e-12)


def test_an_epoch_reads_every_training_row_once_and_no_other() -> None:
    X, y = table(n=50)
    data = stage_data(X, y)
    arms = [Arm(0, 0, 0.1), Arm(1, 0, 0.1), Arm(2, 3, 0.1)]
    index, weight = epoch_index(data, arms, 2, 8)
    for i, arm in enumerate(arms):
        read = index[i][weight[i] > 0].numpy()
        assert sorted(read) == data.train(arm.fold).tolist()
        assert (weight[i].sum(1) > 0).all()
    again, _ = epoch_index(data, arms, 3, 8)
    assert (again != index).any()


def test_classes_as_texts_and_a_group_column() -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(90, 6))
    y = np.array(["low", "mid", "high"])[np.digitize(X[:, 0] + 0.3 * rng.normal(size=90), [-0.5, 0.5])]
    path = riata.fit_path(X, y, **{**QUICK, "epochs": 40, "lams": [0.5, 0.02]}, groups=[[0, 1], [2, 3], [4, 5]])
    assert path.classes == ("high", "low", "mid")
    assert path.norms.shape == (2, 3)
    assert path.weights(0.02).shape == (6, 6 + 3)
    alive = (path.weights(0.02) != 0).any(1)
    assert (alive[0::2] == alive[1::2]).all()
    assert path.groups == ("x1, x2", "x3, x4", "x5, x6")
    probabilities = path.predict(X, 0.02)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert path.scores is not None and path.scores.metric == "auroc"
    assert path.scores.score[1] > 0.7


def test_more_columns_than_rows() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(30, 80))
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    path = riata.fit_path(X, y, **{**QUICK, "epochs": 30})
    assert path.kept(path.lams[0]) == []
    assert np.isfinite(path.fits.objective).all()


def test_the_target_keeps_its_units() -> None:
    X, y = table(n=120)
    asked = {**QUICK, "hidden": (16,), "epochs": 60, "lams": [0.02]}
    small, large = riata.fit_path(X, y, **asked), riata.fit_path(X, 1000 * y + 5e4, **asked)
    np.testing.assert_allclose(large.predict(X, 0.02), 1000 * small.predict(X, 0.02) + 5e4, rtol=1e-3)
    assert small.scores is not None and large.scores is not None
    assert large.scores.valid_loss[0] == pytest.approx(1e6 * small.scores.valid_loss[0], rel=1e-2)
    assert small.scores.score[0] > 0.5
