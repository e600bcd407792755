"""Encoding: what a fold learns from its training rows, and nothing else."""

from __future__ import annotations

import json
from typing import Literal

import numpy as np
import polars as pl
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from riata.data import Encoder, Table, fit_encoder, layout, make_table
from riata.errors import InputError

N = 300
SCALINGS: tuple[Literal["standard", "quantile"], ...] = ("standard", "quantile")


@pytest.fixture(scope="module")
def table() -> Table:
    rng = np.random.default_rng(0)
    x = np.exp(rng.normal(size=N))
    return make_table(
        pl.DataFrame(
            {
                "a": x,
                "b": [None if k % 11 == 0 else v for k, v in enumerate(rng.normal(5, 3, N))],
                "sex": rng.choice(["m", "f"], N),
                "ward": [None if k % 13 == 0 else v for k, v in enumerate(rng.choice(["u", "v"], N))],
                "drug": rng.choice(["p", "q", "r"], N),
                "y": rng.normal(size=N),
            }
        ),
        "y",
    )


def test_layout(table: Table) -> None:
    plan = layout(table)
    assert plan.columns == (
        "a", "b", "b=missing", "sex=m", "ward=u", "ward=v", "ward=missing", "drug=p", "drug=q", "drug=r",
    )  # fmt: skip
    assert plan.group.tolist() == [0, 1, 1, 2, 3, 3, 3, 4, 4, 4]
    assert plan.variables == ("a", "b", "sex", "ward", "drug")


def test_layout_is_the_same_in_every_fold(table: Table) -> None:
    blank = np.isnan(table.values).any(axis=1)
    assert layout(table.take(~blank)).columns == layout(table).columns
    encoder = fit_encoder(table, np.flatnonzero(~blank))
    coded = encoder.transform(table.values)
    assert coded.shape == (N, 10) and not coded[:, 2].any()  # no blank was seen: the indicator is silent


def test_names_stay_distinct() -> None:
    frame = pl.DataFrame({"c": ["missing", "u", "v", None] * 5, "y": [0.5, 1, 2, 3] * 5})
    assert layout(make_table(frame, "y", task="regression")).columns == (
        "c=missing",
        "c=u",
        "c=v",
        "c=missing'",
    )


def test_standard_equals_scikit_learn(table: Table) -> None:
    rows = np.arange(0, N, 2)
    coded = fit_encoder(table, rows).transform(table.values)
    imputer, scaler = SimpleImputer(), StandardScaler()
    scaler.fit(imputer.fit_transform(table.values[rows, :2]))
    expected = scaler.transform(imputer.transform(table.values[:, :2]))
    np.testing.assert_allclose(coded[:, :2], expected, rtol=2e-6, atol=2e-6)
    sex = (table.values[:, 2] - table.values[rows, 2].mean()) / table.values[rows, 2].std()
    np.testing.assert_allclose(coded[:, 3], sex, rtol=2e-6)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_training_rows_are_standardized(table: Table, scaling: Literal["standard", "quantile"]) -> None:
    rows = np.arange(200)
    coded = fit_encoder(table, rows, scaling).transform(table.values[rows]).astype(np.float64)
    np.testing.assert_allclose(coded.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(coded.std(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_held_out_rows_do_not_matter(table: Table, scaling: Literal["standard", "quantile"]) -> None:
    rows = np.arange(200)
    values = table.values.copy()
    values[200:, :2] *= 1000
    changed = fit_encoder(type(table)(**{**table.__dict__, "values": values}), rows, scaling)
    same = fit_encoder(table, rows, scaling)
    np.testing.assert_array_equal(changed.transform(table.values), same.transform(table.values))


def test_standard_is_affine(table: Table) -> None:
    encoder = fit_encoder(table, np.arange(N))
    rows = np.nan_to_num(table.values[:3])
    rows[:, 0] = [0.0, 1e6, 2e6]
    coded = encoder.transform(rows)[:, 0].astype(np.float64)
    assert coded[1] > 1e4
    np.testing.assert_allclose(coded[2] - coded[1], coded[1] - coded[0], rtol=1e-6)


def test_quantile_gives_normal_scores(table: Table) -> None:
    encoder = fit_encoder(table, np.arange(N), "quantile")
    rows = np.tile(np.nan_to_num(table.values[:1]), (500, 1))
    rows[:, 0] = np.linspace(-50, 500, 500)
    line = encoder.transform(rows)[:, 0].astype(np.float64)
    assert (np.diff(line) >= 0).all()
    low, high = (np.array([-3.0, 3.0]) - encoder.centre[0]) / encoder.scale[0]
    assert line[0] == pytest.approx(low, abs=1e-5) and line[-1] == pytest.approx(high, abs=1e-5)
    scores = encoder.transform(table.values)[:, 0]
    expected = np.log(table.values[:, 0])  # the column is log-normal
    assert np.corrcoef(scores, expected)[0, 1] > 0.99
    assert encoder.knots.shape == (5, 256)


def test_quantile_with_ties() -> None:
    values = np.array([[0.0]] * 30 + [[1.0]] * 10)
    frame = pl.DataFrame({"k": values[:, 0]})
    coded = fit_encoder(make_table(frame, np.arange(40) % 2), np.arange(40), "quantile").transform(values)
    assert len(np.unique(coded)) == 2 and coded[0] < coded[-1]
    flat = fit_encoder(make_table(frame, np.arange(40) % 2), np.arange(30), "quantile")
    assert not flat.transform(values).any()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_blank_and_unknown_cells(table: Table, scaling: Literal["standard", "quantile"]) -> None:
    encoder = fit_encoder(table, np.arange(N), scaling)
    rows = np.array([[1.0, np.nan, -1.0, -1.0, -1.0], [1.0, np.nan, np.nan, np.nan, np.nan]])
    coded = encoder.transform(rows)
    raw = coded * encoder.scale + encoder.centre
    np.testing.assert_allclose(raw[:, 2], [1, 1], atol=1e-6)  # b is blank
    assert (coded[:, 3] == 0).all()  # sex has one column: its mean
    np.testing.assert_allclose(raw[:, 4:7], [[0, 0, 0], [0, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(raw[:, 7:], 0, atol=1e-6)
    if scaling == "standard":
        assert raw[0, 1] == pytest.approx(np.nanmean(table.values[:, 1]))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_state_is_exact(table: Table, scaling: Literal["standard", "quantile"]) -> None:
    encoder = fit_encoder(table, np.arange(0, N, 3), scaling)
    state, arrays = encoder.to_state()
    again = Encoder.from_state(json.loads(json.dumps(state, allow_nan=False)), arrays)
    np.testing.assert_array_equal(again.transform(table.values), encoder.transform(table.values))
    assert again.layout.columns == encoder.layout.columns


def test_damaged_state_is_refused(table: Table) -> None:
    state, arrays = fit_encoder(table, np.arange(N), "quantile").to_state()
    with pytest.raises(InputError, match="damaged"):
        Encoder.from_state({**state, "scaling": "none"}, arrays)
    with pytest.raises(InputError, match="array is missing"):
        Encoder.from_state(state, {k: v for k, v in arrays.items() if k != "fill"})
    with pytest.raises(InputError, match="centre"):
        Encoder.from_state(state, {**arrays, "centre": arrays["centre"][:-1]})
    with pytest.raises(InputError, match="scale"):
        Encoder.from_state(state, {**arrays, "scale": arrays["scale"] * np.nan})
    with pytest.raises(InputError, match="points nowhere"):
        Encoder.from_state({**state, "layout": {**state["layout"], "group": [99] * 10}}, arrays)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_odd_numbers(scaling: Literal["standard", "quantile"]) -> None:
    n = 40
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=n) * 1e300, rng.normal(size=n) * 1e-300, rng.normal(size=n), np.zeros(n)])
    x[:, 0] *= np.where(rng.random(n) < 0.5, 1e7, 1)
    x[20:, 3] = 1  # constant in the first half
    x[:20, 2] = np.nan  # blank in the first half
    table = make_table(x, rng.normal(size=n))
    with np.errstate(all="raise", under="ignore"):
        coded = fit_encoder(table, np.arange(20), scaling).transform(table.values)
    assert np.isfinite(coded).all()
    assert coded[:20, :2].std(axis=0) == pytest.approx(1, abs=1e-5)
    assert not coded[:, 2:].any()
    assert np.isfinite(fit_encoder(table, np.arange(n), scaling).transform(np.full((1, 4), 1.7e308))).all()


def test_wrong_shapes(table: Table) -> None:
    encoder = fit_encoder(table, np.arange(N))
    with pytest.raises(InputError, match=r"expected .m, 5. variables"):
        encoder.transform(np.zeros((2, 4)))
    with pytest.raises(InputError, match="no rows"):
        fit_encoder(table, np.arange(0))
