"""The table in figures: correlated variables, most common values, the sub-sample against all rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform

from ..chart import Context
from ..probes.correlation import PARTNER
from ..probes.sample import some, unit
from .rounded import short

MOST_VARIABLES = 60
MOST_ROWS = 1000
DIFFERENCE = 0.1
"""Standardized mean difference from which two samples are called different (Austin 2009)."""


def table_figures(
    context: Context, names: Sequence[str], order: Sequence[int], detail: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the figures of the table.

    ``names`` are those of the variables, ``order`` ranks them, ``detail`` is what the correlation probe measured.
    Variables are given by their place in ``data["names"]``.
    """
    shown = sorted(order[:MOST_VARIABLES])
    X = context.X[some(len(context.X), MOST_ROWS, np.random.default_rng([context.seed, 29]))]
    return {
        "names": [names[i] for i in shown],
        "correlation": correlation_map(X, context.group, shown, int(context.group.max(initial=-1)) + 1),
        "effective_rank": short(detail.get("effective_rank", np.nan)),
        "effective_rank_permuted": short(detail.get("effective_rank_permuted", np.nan)),
        "columns": context.X.shape[1],
        "most_common": most_common(X, context.group, shown),
        "sample": sample(context, shown),
    }


def correlation_map(X: np.ndarray, group: np.ndarray, shown: list[int], of: int) -> dict[str, Any] | None:
    """Return the correlations of some variables, like ones side by side, and the cluster of each.

    Between two variables the correlation of largest size between a column of the one and one of the other; clusters
    join at an average of |r| above :data:`~riata.choice.probes.correlation.PARTNER`.
    """
    if len(shown) < 2:
        return None
    r = between(X, group, shown)
    far = 1 - np.abs(r)
    np.fill_diagonal(far, 0.0)
    flat = squareform((far + far.T) / 2, checks=False)
    tree = optimal_leaf_ordering(linkage(flat, "average"), flat)
    leaves, cluster = leaves_list(tree), fcluster(tree, 1 - PARTNER, "distance")
    return {
        "variables": [int(i) for i in leaves],
        "matrix": np.round(r[np.ix_(leaves, leaves)], 2).tolist(),
        "cluster": [int(cluster[i]) for i in leaves],
        "of": of,
        "threshold": PARTNER,
        "rows": len(X),
    }


def between(X: np.ndarray, group: np.ndarray, shown: list[int]) -> np.ndarray:
    """Return the signed correlation of largest size between the columns of each two variables, (S, S)."""
    columns = np.flatnonzero(np.isin(group, shown))
    Z = unit(X[:, columns]).astype(np.float64)
    everything = Z.T @ Z
    places = [np.flatnonzero(group[columns] == g) for g in shown]
    r = np.eye(len(shown))
    for i, a in enumerate(places):
        for j, b in enumerate(places[:i]):
            block = everything[np.ix_(a, b)].ravel()
            r[i, j] = r[j, i] = float(np.clip(block[np.argmax(np.abs(block))], -1, 1)) if block.size else 0.0
    return r


def most_common(X: np.ndarray, group: np.ndarray, shown: list[int]) -> dict[str, Any]:
    """Return the share of rows that hold each variable's most common value."""
    shares = []
    for g in shown:
        _, counts = np.unique(X[:, group == g], axis=0, return_counts=True)
        shares.append(float(counts.max()) / len(X) if len(counts) else 1.0)
    return {"variables": list(range(len(shown))), "share": short(shares), "of": int(group.max(initial=-1)) + 1}


def sample(context: Context, shown: list[int]) -> dict[str, Any] | None:
    """Return the mean of each variable in the sub-sample, in standard deviations from that of all rows.

    Of a variable with several columns the one that differs most.
    """
    if context.subsample is None:
        return None
    means = context.X.mean(0)
    worst = [float(means[context.group == g][np.argmax(np.abs(means[context.group == g]))]) for g in shown]
    return {
        "rows": len(context.X),
        "of": context.rows,
        "of_variables": int(context.group.max(initial=-1)) + 1,
        "variables": list(range(len(shown))),
        "difference": short(worst),
        "limit": DIFFERENCE,
    }
