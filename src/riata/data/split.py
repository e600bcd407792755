"""Which rows are held out together: folds, the sealed rows, a representative sub-sample."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from riata.data.say import quoted, refuse
from riata.data.table import Table

Ints = npt.NDArray[np.int64]


def fold_ids(table: Table, k: int, seed: int) -> Ints:
    """Return the fold of every row: stratified by class (or decile of y), whole subjects in one fold.

    Parameters
    ----------
    table : Table
    k : int
        Number of folds, at least 2.
    seed : int
        The same seed gives the same folds.

    Returns
    -------
    ndarray of int64, shape (n,)
        Values 0..k-1. Every fold leaves rows of every class to train on.

    Raises
    ------
    InputError
        A class has fewer rows (or subjects) than folds, or there are fewer than 2k rows.

    Examples
    --------
    >>> from riata.data.build import make_table
    >>> table = make_table(np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2)
    >>> np.bincount(fold_ids(table, 5, seed=0)).tolist()
    [4, 4, 4, 4, 4]
    """
    if k < 2:
        raise refuse(f"{k} folds; expected at least 2; type --folds 5")
    if table.n < 2 * k:
        raise refuse(f"{table.n} rows for {k} folds; expected at least {2 * k}; {_fewer(table.n // 2)}")
    strata = _strata(table, k)
    if table.task == "classification":
        counts = np.bincount(table.y, minlength=len(table.classes))
        counts = np.where(counts == 0, table.n, counts)
        least = int(counts.argmin())
        if counts[least] < k:
            raise refuse(
                f"class {quoted(table.classes[least])} has {counts[least]} rows, fewer than the {k} folds; "
                f"{_fewer(int(counts[least]))}, or merge the class with another"
            )
    return _folds(table, strata, k, seed)


def seal(table: Table, fraction: float = 0.2, seed: int = 0) -> npt.NDArray[np.bool_]:
    """Return which rows are sealed: set aside until the final score; stratified, whole subjects.

    Parameters
    ----------
    table : Table
    fraction : float
        Share of the rows, in (0, 0.5]. With subjects it is met as nearly as whole subjects allow.
    seed : int

    Returns
    -------
    ndarray of bool, shape (n,)
        True is sealed. Rows of every class stay unsealed.

    Raises
    ------
    InputError
        ``fraction`` out of range, or too few rows or subjects to set some aside.

    Examples
    --------
    >>> from riata.data.build import make_table
    >>> table = make_table(np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 2)
    >>> seal(table, 0.2, seed=0).sum().item()
    10
    """
    if not 0 < fraction <= 0.5:
        raise refuse(f"fraction of sealed rows is {fraction}; expected above 0 and at most 0.5")
    from sklearn.model_selection import StratifiedShuffleSplit

    sealed = np.zeros(table.n, dtype=bool)
    if table.subject is not None:
        subjects = len(np.unique(table.subject))
        parts = 20 if subjects >= 100 else 10 if subjects >= 30 else max(2, round(1 / fraction))
        sealed = _folds(table, _strata(table, parts), parts, seed) < max(1, round(fraction * parts))
    else:
        strata = _strata(table, 5)
        size = max(round(fraction * table.n), len(np.unique(strata)))
        if table.n - size < len(np.unique(strata)):
            raise refuse(f"{table.n} rows are too few to set {fraction:.0%} of them aside; add rows")
        splitter = StratifiedShuffleSplit(n_splits=1, test_size=size, random_state=seed)
        sealed[next(splitter.split(np.zeros((table.n, 1)), strata))[1]] = True
    if table.task == "classification" and len(np.unique(table.y[~sealed])) < len(np.unique(table.y)):
        raise refuse("a class would have all its rows sealed; merge it with another, or use another --seed")
    return sealed


def subsample(table: Table, size: int, seed: int) -> Ints:
    """Return a representative sub-sample: stratified by class (or decile of y), never the head of the file.

    Each stratum gets its share of ``size``, rounded by largest remainder, but at least two of its rows.

    Parameters
    ----------
    table : Table
    size : int
        Number of rows; all rows where it is n or more.
    seed : int

    Returns
    -------
    ndarray of int64
        Sorted row positions, ``min(size, n)`` of them.

    Raises
    ------
    InputError
        ``size`` is below two rows per class.

    Examples
    --------
    >>> from riata.data.build import make_table
    >>> table = make_table(np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 2)
    >>> len(subsample(table, 10, seed=0))
    10
    """
    if size >= table.n:
        return np.arange(table.n, dtype=np.int64)
    strata = _strata(table, 2)
    names, codes, counts = np.unique(strata, return_inverse=True, return_counts=True)
    least = np.minimum(counts, 2)
    if size < least.sum():
        raise refuse(f"a sub-sample of {size} rows; expected at least {least.sum()}, two of each class; take more")
    share = size * counts / table.n
    take = np.maximum(np.floor(share).astype(np.int64), least)
    order = np.argsort(-(share - np.floor(share)), kind="stable")
    step = 0
    while take.sum() != size:
        at = order[step % len(order)]
        if take.sum() < size and take[at] < counts[at]:
            take[at] += 1
        elif take.sum() > size:
            room = np.where(take > least, take - share, -np.inf)
            take[int(room.argmax())] -= 1
        step += 1
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(np.flatnonzero(codes == c), int(take[c]), replace=False) for c in range(len(names))]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _strata(table: Table, k: int) -> Ints:
    """Return the class, or the decile of y (fewer bins where a bin would hold fewer than ``k`` rows)."""
    if table.task == "classification":
        return table.y.astype(np.int64)
    bins = max(1, min(10, table.n // max(k, 2)))
    rank = np.argsort(np.argsort(table.y, kind="stable"), kind="stable")
    return (rank * bins // table.n).astype(np.int64)


def _folds(table: Table, strata: Ints, k: int, seed: int) -> Ints:
    """Return fold numbers from scikit-learn's splitters (imported here: reading a table needs none of it)."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    ids = np.empty(table.n, dtype=np.int64)
    blank = np.zeros((table.n, 1))
    if table.subject is None:
        splits = StratifiedKFold(k, shuffle=True, random_state=seed).split(blank, strata)
    else:
        subjects = len(np.unique(table.subject))
        if subjects < k:
            raise refuse(f"{subjects} subjects for {k} folds; expected at least {k}; {_fewer(subjects)}")
        splits = StratifiedGroupKFold(k, shuffle=True, random_state=seed).split(blank, strata, table.subject)
    for fold, (_, held) in enumerate(splits):
        ids[held] = fold
    if len(np.unique(ids)) < k:
        raise refuse(f"the subjects do not fill {k} folds; {_fewer(k - 1)}")
    if table.task == "classification":
        for code in np.unique(table.y):
            if len(np.unique(ids[table.y == code])) < 2:
                raise refuse(
                    f"class {quoted(table.classes[code])} comes from one subject, so a fold would train "
                    "without it; merge the class with another, or leave out --group-column"
                )
    return ids


def _fewer(most: int) -> str:
    """Say what number of folds would do."""
    return f"use --folds {min(most, 3)}" if most >= 2 else "add rows"
