"""Are the features correlated? Strong pairs above chance; collinearity only where it can be measured.

The share of columns that have a strong partner decides. Variance inflation joins in only where n >= 5 d: at
n = 100, d = 99 uncorrelated data shows a variance inflation above 1,000. The condition index (same limit)
can only make the answer unsure; the effective rank over that of permuted columns is reported and decides
nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from riata.choice.chart import Context, Evidence
from riata.choice.probes.sample import Floats, some, unit
from riata.shares import wilson

PARTNER = 0.8
"""Absolute correlation above which two columns are partners (Dormann et al. 2013 warn from .7)."""
CORRELATED_SHARE = 0.10
"""Share of columns with a partner from which the table is called correlated."""
UNSURE_SHARE = 0.05
"""Share from which the answer without training is "unsure" rather than no."""
VIF = 10.0
"""Variance inflation above which a column is collinear (Marquardt 1970)."""
CONDITION_INDEX = 30.0
"""Condition index above which the design is collinear (Belsley, Kuh & Welsch 1980, chapter 3)."""
ROWS_PER_COLUMN = 5
"""Variance inflation and condition index are looked at only where n >= 5 d."""
MAX_ROWS = 1000
MAX_COLUMNS = 2000
MAX_PRODUCTS = 1.0e10
"""Cap on rows * columns * asked columns, which keeps the probe under a few seconds on one core."""
RANK_ROWS = 500
BLOCK = 256


def _largest(Z: NDArray[np.float32], group: NDArray[Any], asked: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return, for each asked column, the largest |r| with a column of another variable."""
    out = np.zeros(len(asked))
    for start in range(0, len(asked), BLOCK):
        columns = asked[start : start + BLOCK]
        r = np.abs(Z[:, columns].T @ Z)
        r[group[columns][:, None] == group[None, :]] = 0.0
        out[start : start + BLOCK] = r.max(axis=1, initial=0.0)
    return np.minimum(out, 1.0)


def _permuted(X: Floats, rng: np.random.Generator) -> NDArray[np.float32]:
    return np.asarray(rng.permuted(np.asarray(X, dtype=np.float32), axis=0))


def effective_rank(X: Floats) -> float:
    """Return the exponential of the entropy of the correlation matrix's spectrum, in [1, min(n, d)].

    ``exp(-sum p_i log p_i)`` with ``p_i`` the eigenvalues over their sum (Roy & Vetterli 2007, definition 1).

    >>> round(effective_rank(np.array([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]])), 6)
    1.0
    """
    Z = unit(X)
    gram = (Z @ Z.T if Z.shape[0] < Z.shape[1] else Z.T @ Z).astype(np.float64)
    values = np.clip(np.linalg.eigvalsh(gram), 0.0, None)
    if values.sum() <= 0:
        return 1.0
    share = values[values > 1e-9 * values.max()] / values.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def collinearity(X: Floats, group: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """Return the variance inflation of every column and the condition index of the standardized columns.

    ``VIF_j = 1 / (1 - R_j^2)``, the diagonal of the inverse correlation matrix; condition index
    ``sqrt(largest / smallest eigenvalue)``. The last column of a variable with several is left out first:
    one-hot columns add up to a constant, which is a coding and not a correlation. Infinite where the matrix
    is singular.
    """
    last = {int(g): j for j, g in enumerate(group)}
    sizes = np.bincount(np.unique(group, return_inverse=True)[1])
    several = {int(g) for g, size in zip(np.unique(group), sizes, strict=True) if size > 1}
    kept = [j for j, g in enumerate(group) if int(g) not in several or last[int(g)] != j]
    Z = unit(X[:, kept]).astype(np.float64)
    Z = Z[:, np.abs(Z).sum(axis=0) > 0]
    if Z.shape[1] < 2:
        return np.ones(Z.shape[1]), 1.0
    values, vectors = np.linalg.eigh(Z.T @ Z)
    if values[0] <= 1e-6:
        values = np.maximum(values, 1e-12)
    inflation = (vectors**2 / values).sum(axis=1)
    return np.maximum(inflation, 1.0), float(np.sqrt(values[-1] / values[0]))


def correlation(X: Floats, group: NDArray[Any], seed: int = 0) -> Evidence:
    """Measure the share of columns with a partner: |r| > .8 and above the column-permuted null.

    Parameters
    ----------
    X : array, shape (n, d)
        Any finite columns; at most 1,000 rows and 2,000 asked columns are drawn (fewer for very wide
        tables), each compared with every column of another variable.
    group : int array, shape (d,)
        Variable of each column; columns of one variable are no partners.
    seed : int

    Returns
    -------
    Evidence
        ``estimate`` is the share, in [0, 1], with Wilson's interval over the asked columns (columns are
        treated as draws: a heuristic); ``detail`` holds the null, variance inflation, condition index and
        effective ranks.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((200, 10))
    >>> correlation(np.hstack([x, x + 0.1]), np.arange(20)).estimate
    1.0
    """
    rng = np.random.default_rng([seed, 11])
    n, d = X.shape
    Xs = np.asarray(X[some(n, MAX_ROWS, rng)], dtype=np.float32)
    fits = int(MAX_PRODUCTS / max(1, Xs.shape[0] * d))
    asked = some(d, max(BLOCK, min(MAX_COLUMNS, fits)), rng)
    partners = _largest(unit(Xs), group, asked)
    null = float(_largest(unit(_permuted(Xs, rng)), group, asked).max(initial=0.0))
    hits = int((partners > max(PARTNER, null)).sum())
    low, high = wilson(hits, len(asked))
    share = hits / max(1, len(asked))
    detail: dict[str, Any] = {
        "threshold": max(PARTNER, null),
        "null": null,
        "rows": len(Xs),
        "columns": len(asked),
        "of_columns": d,
        "capped": len(asked) < d,
    }
    detail |= _collinear(X, group, rng) | _ranks(Xs, asked[:MAX_COLUMNS], rng)
    said = f"{len(asked)} of {d} columns, {len(Xs)} of {n} rows, no training"
    return Evidence(share, low, high, detail, said, figure={"largest_r": np.sort(partners)[::-1][:200]})


def _collinear(X: Floats, group: NDArray[Any], rng: np.random.Generator) -> dict[str, Any]:
    n, d = X.shape
    if n < ROWS_PER_COLUMN * d or d > MAX_COLUMNS:
        return {"vif_share": None, "vif_max": None, "condition_index": None}
    rows = some(n, max(MAX_ROWS, ROWS_PER_COLUMN * d), rng)
    inflation, index = collinearity(X[rows], group)
    share = float((inflation > VIF).mean()) if len(inflation) else 0.0
    return {"vif_share": share, "vif_max": float(inflation.max(initial=1.0)), "condition_index": index}


def _ranks(Xs: Floats, asked: NDArray[np.int64], rng: np.random.Generator) -> dict[str, float]:
    part = Xs[:RANK_ROWS, asked]
    rank, permuted = effective_rank(part), effective_rank(_permuted(part, rng))
    return {
        "effective_rank": rank,
        "effective_rank_permuted": permuted,
        "effective_rank_ratio": rank / permuted,
    }


def probe(context: Context) -> Evidence:
    """Run :func:`correlation` on the context's sub-sample."""
    return correlation(context.X, context.group, context.seed)


def collinear(evidence: Evidence) -> bool:
    """Say whether 10% of the columns or more have a variance inflation above 10 (n >= 5 d only)."""
    share = evidence.detail["vif_share"]
    return share is not None and share >= CORRELATED_SHARE


def branch(evidence: Evidence) -> str:
    """Answer "yes" from a share of 10%, of partners or of inflated variances; else "no".

    The condition index alone is no yes: one near-dependency among hundreds of columns is enough to pass 30.
    """
    return "yes" if (evidence.estimate or 0.0) >= CORRELATED_SHARE or collinear(evidence) else "no"


def branch_unsure(evidence: Evidence) -> str:
    """Answer as :func:`branch`, and "unsure" at 5 to 10% of partners or a condition index above 30."""
    if branch(evidence) == "yes":
        return "yes"
    near = (evidence.detail["condition_index"] or 0.0) > CONDITION_INDEX
    return "unsure" if near or (evidence.estimate or 0.0) >= UNSURE_SHARE else "no"
