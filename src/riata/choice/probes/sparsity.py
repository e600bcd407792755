"""Facts of the table that need no test: how sparse, how wide, how grouped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from riata.choice.chart import Context, Evidence
from riata.choice.probes.sample import Floats, some, unit

VERY_SPARSE = 0.9
"""Share of cells that hold their column's most common value above which a table is very sparse."""
DENSE = 0.5
"""Share up to which it is dense; between the two the answer is "unsure"."""
WIDE = 1.0
"""Columns over rows above which L1 alone cannot keep what it may need (it keeps at most n variables)."""
GROUPED_SHARE = 0.5
"""Share of columns in variables of several columns from which whole variables are the unit."""
SAME = 0.999
"""Absolute correlation from which two columns of a variable say the same."""
MAX_ROWS = 2000
MAX_VARIABLES = 2000


def most_common_share(X: Floats, group: NDArray[Any], seed: int = 0) -> Evidence:
    """Return the mean over variables of the share of rows at the variable's most common value.

    For counts and one-hot text that value is zero. A variable of several columns (a category) counts once,
    by its most common row, so that one-hot coding does not look like sparsity. At most 2,000 rows and
    variables are read.

    Examples
    --------
    >>> X = np.zeros((100, 2)); X[0] = 1
    >>> most_common_share(X, np.arange(2)).estimate
    0.99
    """
    rng = np.random.default_rng([seed, 12])
    rows = some(X.shape[0], MAX_ROWS, rng)
    names = np.unique(group)
    asked = names[some(len(names), MAX_VARIABLES, rng)]
    order = np.argsort(group, kind="stable")
    bounds = np.searchsorted(group[order], np.stack([asked, asked + 1]))
    shares = np.zeros(len(asked))
    for i, (start, stop) in enumerate(bounds.T):
        part = np.ascontiguousarray(X[np.ix_(rows, order[start:stop])], dtype=np.float32)
        key = part.ravel() if stop - start == 1 else (part.astype(np.float64) @ rng.random(stop - start)).round(6)
        shares[i] = np.unique(key, return_counts=True)[1].max(initial=0) / max(1, len(rows))
    share = float(shares.mean()) if len(shares) else 0.0
    spread = 1.96 * float(shares.std()) / max(1, len(shares)) ** 0.5
    detail = {"variables": len(asked), "of_variables": len(names), "rows": len(rows)}
    said = f"{len(asked)} of {len(names)} variables, {len(rows)} rows, no training"
    return Evidence(
        share,
        max(0.0, share - spread),
        min(1.0, share + spread),
        detail,
        said,
        figure={"most_common_share": np.sort(shares)[::-1][:200]},
    )


def probe_sparse(context: Context) -> Evidence:
    """Run :func:`most_common_share` on the context's sub-sample."""
    return most_common_share(context.X, context.group, context.seed)


def branch_sparse(evidence: Evidence) -> str:
    """Answer "yes" above .9, "no" (dense) up to .5, "unsure" between."""
    share = evidence.estimate or 0.0
    return "yes" if share > VERY_SPARSE else "no" if share <= DENSE else "unsure"


def probe_wide(context: Context) -> Evidence:
    """Return encoded columns over training rows of the whole table: d / n."""
    d = context.n_encoded or context.X.shape[1]
    return Evidence(d / max(1, context.rows), detail={"columns": d, "rows": context.rows}, cost="a count")


def branch_wide(evidence: Evidence) -> str:
    """Answer "yes" where d > n."""
    return "yes" if (evidence.estimate or 0.0) > WIDE else "no"


def _is_group(columns: Floats) -> bool:
    """Two columns are a group unless they say the same, or are a number with its missing-value indicator."""
    if columns.shape[1] != 2:
        return len(columns.T) > 2
    levels = sorted(len(np.unique(columns[:, j])) for j in range(2))
    if levels[0] <= 1 or (levels[0] == 2 and levels[1] > 2):
        return False
    first, second = unit(columns).T
    return abs(float(np.dot(first, second))) < SAME


def probe_grouped(context: Context) -> Evidence:
    """Return the share of columns that belong to a variable (or a declared group) of several columns."""
    rows = some(context.X.shape[0], MAX_ROWS, np.random.default_rng([context.seed, 13]))
    names, inverse, sizes = np.unique(context.group, return_inverse=True, return_counts=True)
    grouped = 0
    variables = 0
    for index in np.flatnonzero(sizes > 1):
        columns = np.flatnonzero(inverse == index)
        if _is_group(context.X[np.ix_(rows, columns)]):
            grouped += len(columns)
            variables += 1
    share = grouped / max(1, context.X.shape[1])
    return Evidence(share, detail={"variables": len(names), "grouped_variables": variables}, cost="a count")


def branch_grouped(evidence: Evidence) -> str:
    """Answer "yes" where half the columns or more live in groups."""
    return "yes" if (evidence.estimate or 0.0) >= GROUPED_SHARE else "no"
