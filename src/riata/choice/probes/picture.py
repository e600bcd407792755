"""Is the entire picture needed? Images and sequences show in the order of the columns.

The user's word wins. Else the columns of single-column variables are looked at in file order: neighbouring
columns of an image or a curve resemble one another far more than columns in a shuffled order do. The rule
sees layout, not meaning: it is a convention with measured cases in the tests.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from riata.choice.chart import Context, Evidence
from riata.choice.probes.sample import Floats, some, unit
from riata.errors import InputError

MIN_COLUMNS = 16
PERMUTATIONS = 300
NEIGHBOUR_Z = 5.0
"""z of the neighbours' mean |r| against 300 column permutations."""
ROW_EXCESS = 0.2
"""What a lag of one image row (w) must add to the mean |r| over a lag of half a row."""
MIN_WIDTH = 4
IMAGE_SCALE_SHARE = 0.5
"""Share of columns on one scale that an image needs."""
SEQUENCE_SCALE_SHARE = 0.9
"""Share of columns on one scale that a sequence needs."""
SCALE_FACTOR = 2.0
"""Columns are on one scale where their raw ranges lie within this factor."""
SEQUENCE_NEIGHBOURS = 0.95
"""Share of neighbours that must exceed the 90th percentile of all pairs."""
SEQUENCE_QUANTILE = 0.9
MAX_ROWS = 1000
MAX_PAIRS_COLUMNS = 1500


def parse_word(word: str) -> tuple[int, int] | None:
    """Read the user's word: None for "auto" and "no", (width, height) for "WxH".

    >>> parse_word("28x14")
    (28, 14)
    """
    if word in ("auto", "no"):
        return None
    match = re.fullmatch(r"([1-9]\d{0,5})[xX]([1-9]\d{0,5})", word)
    if match is None:
        raise InputError(f"got --picture {word[:40]!r}; expected auto, no or WxH; type --picture 28x28")
    return int(match[1]), int(match[2])


def one_scale_share(X: Floats) -> float:
    """Return the largest share of varying columns whose ranges (max - min) lie within a factor of 2.

    >>> one_scale_share(np.array([[0.0, 0.0, 0.0], [1.0, 1.5, 100.0]])).__round__(3)
    0.667
    """
    width = np.sort(np.ptp(X, axis=0)) if X.size else np.zeros(0)
    width = width[width > 0]
    if not len(width):
        return 0.0
    inside = np.searchsorted(width, SCALE_FACTOR * width * (1 + 1e-6), side="right") - np.arange(len(width))
    return float(inside.max() / len(width))


def lag_correlation(Z: NDArray[np.float32], lag: int) -> float:
    """Return the mean |r| of columns ``lag`` apart, over pairs without a constant column; Z from ``unit``."""
    r = np.abs(np.einsum("ij,ij->j", Z[:, :-lag], Z[:, lag:]))
    alive = np.abs(Z).sum(axis=0) > 0
    pairs = alive[:-lag] & alive[lag:]
    return float(r[pairs].mean()) if pairs.any() else 0.0


def neighbour_z(Z: NDArray[np.float32], rng: np.random.Generator) -> tuple[float, float, float]:
    """Return (z, neighbours' mean |r|, share of neighbours above the 90th percentile of all pairs).

    The null is 300 permutations of the columns; beyond 1,500 columns it is taken from 1,500 drawn ones,
    whose wider spread makes z smaller, never larger.
    """
    live = Z[:, np.abs(Z).sum(axis=0) > 0]
    if live.shape[1] < 3:
        return 0.0, 0.0, 0.0
    part = live[:, some(live.shape[1], MAX_PAIRS_COLUMNS, rng)]
    r = np.abs(part.T @ part)
    pairs = r[np.triu_indices(len(r), 1)]
    null = np.empty(PERMUTATIONS)
    for i in range(PERMUTATIONS):
        order = rng.permutation(len(r))
        null[i] = r[order[:-1], order[1:]].mean()
    near = np.abs(np.einsum("ij,ij->j", live[:, :-1], live[:, 1:]))
    spread = float(null.std(ddof=1))
    z = (float(near.mean()) - float(null.mean())) / spread if spread > 0 else 0.0
    above = float((near > np.quantile(pairs, SEQUENCE_QUANTILE)).mean())
    return z, float(near.mean()), above


def best_width(Z: NDArray[np.float32]) -> tuple[int | None, float]:
    """Return the width w dividing p whose lag-w correlation exceeds that of lag w/2 most, and the excess."""
    p = Z.shape[1]
    widths = [w for w in range(MIN_WIDTH, p // MIN_WIDTH + 1) if p % w == 0]
    excess = [lag_correlation(Z, w) - lag_correlation(Z, w // 2) for w in widths]
    best = int(np.argmax(excess)) if excess else -1
    return (widths[best], excess[best]) if excess else (None, 0.0)


def detect(X: Floats, seed: int = 0) -> Evidence:
    """Look for an image or a sequence in the order of raw columns.

    Image: p >= 16, z >= 5, some width w dividing p with r(lag w) - r(lag w/2) >= .2, half the columns on
    one scale. Sequence: z >= 5, 95% of the neighbours above the 90th percentile of all pairs, 90% of the
    columns on one scale.

    Parameters
    ----------
    X : array, shape (n, p)
        Raw columns in file order, constant ones included (they carry the layout); at most 1,000 rows are
        drawn.
    seed : int

    Returns
    -------
    Evidence
        ``estimate`` is z; ``detail["kind"]`` is "image", "sequence" or "no".

    Examples
    --------
    >>> detect(np.random.default_rng(0).standard_normal((50, 20))).detail["kind"]
    'no'
    """
    n, p = X.shape
    detail: dict[str, Any] = {"kind": "no", "columns": p, "width": None}
    if p < MIN_COLUMNS or n < 3:
        return Evidence(None, detail=detail | {"why": f"{p} columns, fewer than {MIN_COLUMNS}"})
    rng = np.random.default_rng([seed, 14])
    Xs = X[some(n, MAX_ROWS, rng)]
    Z = unit(Xs)
    z, near, above = neighbour_z(Z, rng)
    scale = one_scale_share(Xs)
    detail |= {"neighbour_r": near, "neighbours_above": above, "one_scale": scale, "excess": 0.0}
    if z >= NEIGHBOUR_Z:
        width, excess = best_width(Z)
        detail |= {"excess": excess}
        if excess >= ROW_EXCESS and scale >= IMAGE_SCALE_SHARE:
            detail |= {"kind": "image", "width": width}
        elif above >= SEQUENCE_NEIGHBOURS and scale >= SEQUENCE_SCALE_SHARE:
            detail |= {"kind": "sequence"}
    return Evidence(z, detail=detail, cost=f"{PERMUTATIONS} column permutations, no training")


def raw_columns(context: Context) -> Floats:
    """Return the raw single-column variables in file order, dropped columns put back as constants.

    One-hot columns are left out: neighbours among them are related by their coding.
    """
    names, counts = np.unique(context.group, return_counts=True)
    single = np.flatnonzero(np.isin(context.group, names[counts == 1]))
    X = np.asarray(context.X[:, single], dtype=np.float64)
    if context.scale is not None:
        X = X * context.scale[single]
    if context.center is not None:
        X = X + context.center[single]
    if context.position is None:
        return X
    position = context.position[single]
    total = context.n_columns if context.n_columns is not None else int(position.max(initial=-1)) + 1
    several = np.setdiff1d(context.position, position)
    full = np.zeros((len(X), total))
    full[:, position] = X
    return np.delete(full, several, axis=1)


def probe(context: Context) -> Evidence:
    """Take the user's word, else :func:`detect`.

    Raises
    ------
    InputError
        If ``WxH`` needs more columns than the table has, or the word cannot be read.
    """
    shape = parse_word(context.picture)
    if context.picture == "no":
        return Evidence(detail={"kind": "no", "why": "the user's word"}, cost="the user's word")
    if shape is None:
        return detect(raw_columns(context), context.seed)
    columns = context.n_columns or context.X.shape[1]
    if shape[0] * shape[1] > columns:
        raise InputError(
            f"got --picture {context.picture} for {columns} columns; expected at most that many "
            "pixels; type --picture no or the true WxH"
        )
    detail = {"kind": "image", "width": shape[0], "height": shape[1], "why": "the user's word"}
    return Evidence(detail=detail, cost="the user's word")


def branch(evidence: Evidence) -> str:
    """Answer "yes" for an image or a sequence."""
    return "no" if evidence.detail["kind"] == "no" else "yes"
