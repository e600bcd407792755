"""Can a sub-sample with the same distribution be taken? It is drawn, then tested here.

Raw Kolmogorov-Smirnov p-values or raw mean differences above 0.1 reject almost every honest draw at 100
columns, so each test here is calibrated: (a) against 200 random draws, a warning only; (b) one-sided above
0.1, Bonferroni; (c) a classifier that tells sample from rest; (d) head of the file against its tail, a
warning. "No" is (b) or (c). Every test compares the drawn rows with the rows left behind.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from riata.choice.chart import Context, Evidence
from riata.choice.probes.sample import Floats, some
from riata.choice.probes.two_sample import told_apart
from riata.errors import InputError

DRAWS = 200
DRAW_P = 0.025
"""Permutation p below which the largest mean difference, or log variance ratio, is a warning."""
SMD = 0.1
"""Standardized mean difference that no column may significantly exceed (Austin 2009)."""
SMD_ALPHA = 0.05
AUC_LOW = 0.55
"""Lower 95% bound of the classifier's AUC above which sample and rest are told apart."""
MAX_ROWS = 20_000
MAX_COLUMNS = 2000
MAX_CELLS = 2_000_000


@dataclass(frozen=True)
class Representative:
    """What the four tests said; ``ok`` is False on (b) or (c) only.

    ``smd`` and ``log_variance_ratio`` are the largest over columns, ``smd_p`` and ``log_variance_ratio_p``
    their permutation p-values, ``columns_off`` the columns significantly above an SMD of 0.1,
    ``auc``/``auc_low`` the classifier (None where there were too few rows), ``drift_columns`` those in
    which head and tail differ.
    """

    ok: bool
    size: int
    total: int
    drift_columns: tuple[int, ...]
    warnings: tuple[str, ...]
    cost: str
    seconds: float
    smd: float = 0.0
    smd_p: float = 1.0
    log_variance_ratio: float = 0.0
    log_variance_ratio_p: float = 1.0
    columns_off: tuple[int, ...] = ()
    auc: float | None = None
    auc_low: float | None = None

    def evidence(self) -> Evidence:
        """Return the report as evidence: the AUC with its lower bound, the rest in the detail."""
        detail = {name: value for name, value in asdict(self).items() if name not in ("cost", "seconds")}
        return Evidence(self.auc, self.auc_low, None, detail, self.cost, self.seconds)


def _moments(weights: Floats, X: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Return the column means and variances, (s, d) each, of every 0/1 weighted set of rows."""
    size = weights.sum(axis=1)[:, None]
    mean = weights @ X / size
    return mean, np.maximum(weights @ (X * X) / size - mean**2, 0.0)


def _differences(inside: Floats, X: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Return the SMD and the |log variance ratio| of each column between rows in and out: (s, d) twice."""
    mean_in, var_in = _moments(inside, X)
    mean_out, var_out = _moments(1.0 - inside, X)
    tiny = 1e-6
    ratio = np.abs(np.log((var_in + tiny) / (var_out + tiny)))
    return (mean_in - mean_out) / np.sqrt((var_in + var_out) / 2 + tiny), ratio


def _significant(smd: Floats, n_in: int, n_out: int) -> tuple[int, ...]:
    """Return the columns whose |SMD| is above 0.1, one-sided at 5% over all columns.

    Standard error of an SMD: ``sqrt(1/n1 + 1/n2 + smd^2 / (2 (n1 + n2)))`` (Hedges & Olkin 1985, chapter 5).
    """
    error = np.sqrt(1 / n_in + 1 / n_out + smd**2 / (2 * (n_in + n_out)))
    limit = stats.norm.isf(SMD_ALPHA / max(1, len(smd)))
    return tuple(int(j) for j in np.flatnonzero((np.abs(smd) - SMD) / error > limit))


def _drift(X: NDArray[np.float32], columns: NDArray[np.int64]) -> tuple[int, ...]:
    third = len(X) // 3
    if third < 2:
        return ()
    ends = np.vstack([X[:third], X[-third:]])
    inside = np.repeat([1.0, 0.0], third).astype(np.float32)[None, :]
    return tuple(int(columns[j]) for j in _significant(_differences(inside, ends)[0][0], third, third))


def _permutation(inside: NDArray[np.float32], X: NDArray[np.float32], rng: np.random.Generator) -> tuple[float, float]:
    """Return p of the largest SMD and log variance ratio among 200 random draws of the same size."""
    smd, ratio = _differences(inside, X)
    draws = np.stack([rng.permutation(inside[0]) for _ in range(DRAWS)])
    null_smd, null_ratio = _differences(draws, X)
    above_smd = (np.abs(null_smd).max(axis=1) >= np.abs(smd).max()).sum()
    above_ratio = (null_ratio.max(axis=1) >= ratio.max()).sum()
    return float((1 + above_smd) / (1 + DRAWS)), float((1 + above_ratio) / (1 + DRAWS))


def _words(smd_p: float, ratio_p: float, drift: tuple[int, ...]) -> tuple[str, ...]:
    said = []
    if min(smd_p, ratio_p) < DRAW_P:
        said.append(f"the sub-sample is an unusual draw (p = {min(smd_p, ratio_p):.3f} among {DRAWS} random draws)")
    if drift:
        said.append(f"head and tail of the file differ in {len(drift)} columns: the rows are in an order")
    return tuple(said)


def representative(X: Floats, rows: NDArray[Any], seed: int = 0) -> Representative:
    """Test whether ``rows`` of ``X`` have the same distribution as the rows left behind.

    Parameters
    ----------
    X : array, shape (n, d)
        All rows in file order, encoded and finite; standardized or not.
    rows : int array, shape (m,)
        The drawn rows, distinct. All rows (m = n) are representative by definition.
    seed : int

    Returns
    -------
    Representative
        At most 20,000 rows, 2,000 columns and 2 million cells are used, drawn at random from each side.

    Raises
    ------
    InputError
        If ``rows`` is empty, repeats a row or points outside X.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((1000, 4))
    >>> representative(X, np.arange(0, 1000, 2)).ok
    True
    """
    start = perf_counter()
    (n, d), inside = X.shape, _mark(rows, len(X))
    m, rng = int(inside.sum()), np.random.default_rng([seed, 16])
    columns = some(d, MAX_COLUMNS, rng)
    cap = min(MAX_ROWS, max(1000, MAX_CELLS // max(1, len(columns)))) // 2
    taken = [np.flatnonzero(side)[some(int(side.sum()), cap, rng)] for side in (inside, ~inside)]
    ordered = X[np.ix_(some(n, 2 * cap, rng), columns)].astype(np.float32)
    center, scale = ordered.mean(axis=0), ordered.std(axis=0)
    scale = np.where(scale > 1e-6 * (1 + np.abs(center)), scale, 1.0)
    drift = _drift((ordered - center) / scale, columns)
    cost = f"{sum(map(len, taken))} of {n} rows, {len(columns)} of {d} columns, no network trained"
    known: dict[str, Any] = {
        "ok": m >= 2 or m == n,
        "size": m,
        "total": n,
        "drift_columns": drift,
        "cost": cost,
    }
    if m >= 2 and n - m >= 2:
        pool = [((X[np.ix_(part, columns)] - center) / scale).astype(np.float32) for part in taken]
        known |= _compare(pool[0], pool[1], columns, rng)
    known["warnings"] = _words(known.get("smd_p", 1.0), known.get("log_variance_ratio_p", 1.0), drift)
    return Representative(**known, seconds=perf_counter() - start)


def _mark(rows: NDArray[Any], n: int) -> NDArray[np.bool_]:
    inside = np.zeros(n, dtype=bool)
    rows = np.asarray(rows)
    if not len(rows) or rows.min() < 0 or rows.max() >= n:
        raise InputError(f"got {len(rows)} drawn rows; expected indices from 0 to {n - 1}; draw them again")
    inside[rows] = True
    if inside.sum() != len(rows):
        raise InputError("got a row twice in the sub-sample; expected distinct rows; draw without replacement")
    return inside


def _compare(
    drawn: NDArray[np.float32],
    rest: NDArray[np.float32],
    columns: NDArray[np.int64],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Run tests (a), (b) and (c) on the drawn rows and the rest, both standardized."""
    pool = np.vstack([drawn, rest])
    label = np.repeat([1.0, 0.0], [len(drawn), len(rest)]).astype(np.float32)[None, :]
    smd, ratio = (part[0] for part in _differences(label, pool))
    smd_p, ratio_p = _permutation(label, pool, rng)
    off = tuple(int(columns[j]) for j in _significant(smd, len(drawn), len(rest)))
    auc, auc_low = told_apart(rest, drawn, rng)
    return {
        "ok": not off and (auc_low is None or auc_low <= AUC_LOW),
        "smd": float(np.abs(smd).max()),
        "smd_p": smd_p,
        "log_variance_ratio": float(ratio.max()),
        "log_variance_ratio_p": ratio_p,
        "columns_off": off,
        "auc": auc,
        "auc_low": auc_low,
    }


def probe(context: Context) -> Evidence:
    """Return the report that the context carries; without one all rows are used."""
    if context.subsample is not None:
        return context.subsample
    return Evidence(detail={"ok": True, "size": context.rows, "total": context.rows}, cost="all rows are used")


def branch(evidence: Evidence) -> str:
    """Answer "all" where nothing was left behind, else "yes" or "no"."""
    if evidence.detail["size"] == evidence.detail["total"]:
        return "all"
    return "yes" if evidence.detail["ok"] else "no"
