"""Numbers and codes to standardized network inputs, everything learned from the training rows of a fold."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from riata.data.plan import BINARY, MISSING, NUMBER, Layout, layout
from riata.data.say import quoted, refuse
from riata.data.table import Table

Scaling = Literal["standard", "quantile"]
Floats = npt.NDArray[np.float64]

_KNOTS = 256
_MOST_SCORE = 3.0
_MOST_INPUT = 1e15
_FLAT = 1e-12


@dataclass(frozen=True, eq=False)
class Encoder:
    r"""A fitted encoding, :math:`(v - c) / s` per column; made by `fit_encoder`.

    Attributes
    ----------
    layout : Layout
    scaling : {"standard", "quantile"}
    fill : ndarray of float64, shape (V,)
        What stands in for a blank number: the mean of the training rows (``quantile``: the median).
    centre, scale : ndarray of float64, shape (d,)
        Mean and standard deviation (denominator n) of the training rows; a column of scale 0 is 0 throughout.
    knots, scores : ndarray of float64, shape (V, K)
        For ``quantile``: values and their normal scores, non-decreasing, the last repeated; otherwise K = 0.
    """

    layout: Layout
    scaling: Scaling
    fill: Floats
    centre: Floats
    scale: Floats
    knots: Floats
    scores: Floats

    def transform(self, values: Floats) -> npt.NDArray[np.float32]:
        """Encode rows.

        Parameters
        ----------
        values : ndarray of float64, shape (m, V)
            As in `Table.values`; NaN is missing, -1 a category that the table did not have.

        Returns
        -------
        ndarray of float32, shape (m, d)
            Finite. A category that the table did not have is none of the levels: zeros before centring in a
            one-hot group, the mean in the single column of a two-level variable. Numbers beyond 1e15 standard
            deviations are cut there; short of that ``standard`` is exactly affine.

        Raises
        ------
        InputError
            The number of variables differs.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.layout.variables):
            raise refuse(f"rows of shape {values.shape}; expected (m, {len(self.layout.variables)}) variables")
        raw = _raw(values, self.layout, self.fill, self.knots, self.scores)
        with np.errstate(over="ignore"):
            out = (raw / _unit(self.scale) - self.centre / _unit(self.scale)) * (self.scale > 0)
        out[np.isnan(raw)] = 0.0
        return np.asarray(np.clip(out, -_MOST_INPUT, _MOST_INPUT), dtype=np.float32)

    def to_state(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return the encoder as a JSON-able dictionary and arrays; `from_state` restores it bit for bit."""
        arrays = {k: getattr(self, k).copy() for k in ("fill", "centre", "scale", "knots", "scores")}
        return {"scaling": self.scaling, "layout": self.layout.to_state()}, arrays

    @classmethod
    def from_state(cls, state: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Encoder:
        """Return the encoder that `to_state` described.

        Raises
        ------
        InputError
            A part is missing, has the wrong shape, or is not finite.
        """
        names = ("fill", "centre", "scale", "knots", "scores")
        if not isinstance(state.get("layout"), dict) or state.get("scaling") not in ("standard", "quantile"):
            raise refuse("the stored encoder is damaged (scaling or layout); write the model again")
        if any(k not in arrays for k in names):
            raise refuse("the stored encoder is damaged (an array is missing); write the model again")
        plan = Layout.from_state(state["layout"])
        got = {k: np.array(arrays[k], dtype=np.float64) for k in names}
        d, v = len(plan.columns), len(plan.variables)
        knots = got["knots"].shape
        shapes = {
            "fill": (v,),
            "centre": (d,),
            "scale": (d,),
            "knots": (v, knots[-1] if knots else 0),
            "scores": knots,
        }
        for name, shape in shapes.items():
            if got[name].shape != shape or not np.isfinite(got[name]).all():
                raise refuse(
                    f"the stored encoder is damaged ({name} of shape {got[name].shape}); write the model again"
                )
        if state["scaling"] == "quantile" and knots[-1] == 0:
            raise refuse("the stored encoder is damaged (no quantiles); write the model again")
        return cls(plan, state["scaling"], **got)


def fit_encoder(table: Table, rows: npt.ArrayLike, scaling: Scaling = "standard") -> Encoder:
    """Learn an encoding from some rows of a table.

    Blank numbers get the mean of the rows (``quantile``: the median), then every column is centred and
    divided by its standard deviation; one that is constant in these rows becomes 0. ``quantile`` first maps
    a number through at most 256 quantiles of the rows, piecewise linearly, to normal scores, continues the
    outermost pieces and clips at 3.

    Parameters
    ----------
    table : Table
    rows : array-like
        Training rows: positions, or a boolean mask.
    scaling : {"standard", "quantile"}

    Returns
    -------
    Encoder

    Raises
    ------
    InputError
        No rows, or another word for ``scaling``.

    Examples
    --------
    >>> from riata.data.build import make_table
    >>> table = make_table(np.arange(20.0).reshape(20, 1) ** 2, np.arange(20) % 2)
    >>> encoder = fit_encoder(table, np.arange(10))
    >>> encoder.transform(table.values[:10]).std().round(3).item()
    1.0
    """
    index = np.asarray(rows)
    values = table.values[index]
    if scaling not in ("standard", "quantile"):
        raise refuse(f"scaling is {quoted(scaling)}; expected standard or quantile")
    if len(values) == 0:
        raise refuse("no rows to fit the encoding on; expected at least one")
    plan = layout(table)
    numeric = np.zeros(values.shape[1], dtype=bool)
    numeric[plan.group[plan.code == NUMBER]] = True
    fill = np.zeros(values.shape[1])
    known = numeric & ~np.isnan(values).all(axis=0)
    if scaling == "standard":
        unit = _unit(np.nanmax(np.abs(values[:, known]), axis=0, initial=0.0))
        fill[known] = np.nanmean(values[:, known] / unit, axis=0) * unit
    else:
        fill[known] = np.nanmedian(values[:, known], axis=0)
    knots, scores = _quantiles(values, known) if scaling == "quantile" else (np.zeros((len(fill), 0)),) * 2
    raw = _raw(values, plan, fill, knots, scores)
    centre, scale = _moments(raw)
    return Encoder(plan, scaling, fill, centre, scale, knots, scores)


def _raw(values: Floats, plan: Layout, fill: Floats, knots: Floats, scores: Floats) -> Floats:
    """Return the columns before centring; NaN where a single column has nothing to say."""
    raw = values[:, plan.group]
    blank = np.isnan(raw)
    for code in (NUMBER, BINARY, MISSING):
        at = np.flatnonzero(plan.code == code)
        if code == NUMBER:
            raw[:, at] = np.where(blank[:, at], fill[plan.group[at]], raw[:, at])
        elif code == BINARY:
            raw[:, at] = np.where((raw[:, at] == 0) | (raw[:, at] == 1), raw[:, at], np.nan)
        else:
            raw[:, at] = blank[:, at]
    hot = np.flatnonzero(plan.code >= 0)
    raw[:, hot] = raw[:, hot] == plan.code[hot]
    if knots.shape[1]:
        for j in np.flatnonzero(plan.code == NUMBER):
            v = plan.group[j]
            raw[:, j] = _score(raw[:, j], knots[v], scores[v])
    return raw


def _moments(raw: Floats) -> tuple[Floats, Floats]:
    """Return the mean and standard deviation (denominator n) per column; 0 where it is flat to 1e-12."""
    unit = _unit(np.nanmax(np.abs(raw), axis=0, initial=0.0))
    part = raw / unit
    known = ~np.isnan(part).all(axis=0)
    mean, deviation = np.zeros(raw.shape[1]), np.zeros(raw.shape[1])
    mean[known] = np.nanmean(part[:, known], axis=0)
    deviation[known] = np.nanstd(part[:, known], axis=0)
    deviation[deviation <= _FLAT] = 0.0
    return mean * unit, deviation * unit


def _unit(scale: Floats) -> Floats:
    """Return ``scale`` with 1 where it is 0."""
    return np.where(scale > 0, scale, 1.0)


def _quantiles(values: Floats, known: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return the knots and normal scores of every numeric variable; equal knots share their mean score."""
    size = int(min(_KNOTS, max(2, len(values))))
    levels = (np.arange(size) + 0.5) / size
    normal = np.asarray([NormalDist().inv_cdf(float(p)) for p in levels])
    knots = np.zeros((len(known), size))
    scores = np.zeros((len(known), size))
    full = known & ~np.isnan(values).any(axis=0)
    knots[full] = np.quantile(values[:, full], levels, axis=0, method="hazen").T
    for v in np.flatnonzero(known):
        if not full[v]:
            knots[v] = np.quantile(values[~np.isnan(values[:, v]), v], levels, method="hazen")
        points = np.maximum.accumulate(knots[v])
        distinct, where = np.unique(points, return_inverse=True)
        mean = np.bincount(where, weights=normal) / np.bincount(where)
        knots[v] = np.concatenate([distinct, np.full(size - len(distinct), distinct[-1])])
        scores[v] = np.concatenate([mean, np.full(size - len(mean), mean[-1])])
    return knots, np.clip(scores, -_MOST_SCORE, _MOST_SCORE)


def _score(x: Floats, knots: Floats, scores: Floats) -> Floats:
    """Map numbers to scores piecewise linearly; the outermost pieces go on, up to +-3."""
    distinct, first = np.unique(knots, return_index=True)
    score = scores[first]
    if len(distinct) < 2:
        return np.zeros_like(x)
    out = np.interp(x, distinct, score)
    with np.errstate(over="ignore"):
        low, high = np.diff(score)[[0, -1]] / np.diff(distinct)[[0, -1]]
        out = np.where(x < distinct[0], score[0] + (x - distinct[0]) * low, out)
        out = np.where(x > distinct[-1], score[-1] + (x - distinct[-1]) * high, out)
    return np.asarray(np.clip(out, -_MOST_SCORE, _MOST_SCORE), dtype=np.float64)
