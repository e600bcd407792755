"""Columns that name rows or subjects: ids to leave out, repeats to point at, groups to keep together."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import polars as pl

from riata.data.cells import natural
from riata.data.say import quoted, refuse

_ID = re.compile(r"(^|[^a-z0-9])(id|ids|uid|uuid|guid)$", re.IGNORECASE)
_CAMEL_ID = re.compile(r"[a-z](ID|Id)$")
_NOUN = (
    "patient|subject|person|participant|individual|user|customer|client|mouse|mice|animal|sample|record|case|"
    "row|employee|student|household|family|donor|encounter|visit|respondent|observation|specimen|pat|subj"
)
_NOUN_ID = re.compile(rf"^({_NOUN})[^a-z0-9]*(id|no|nr|num|number|name|code)$", re.IGNORECASE)
_BARE_NOUN = re.compile(
    r"^(patient|subject|person|participant|individual|mouse|animal|donor|respondent)s?$", re.IGNORECASE
)
_INDEX = {
    "index",
    "index_",
    "row",
    "rows",
    "row.names",
    "rownames",
    "row_names",
    "rowname",
    "unnamed: 0",
    "#",
    "no.",
    "nr",
}


def is_id_name(name: str) -> bool:
    """Whether a column's name says that it identifies rows or subjects.

    >>> [is_id_name(n) for n in ("ID", "patient_id", "MouseID", "row.names", "acid", "humid")]
    [True, True, True, True, False, False]
    """
    bare = name.strip()
    return (
        _ID.search(bare) is not None
        or _CAMEL_ID.search(bare) is not None
        or _NOUN_ID.match(bare) is not None
        or _BARE_NOUN.match(bare) is not None
        or bare.lower() in _INDEX
    )


def id_reason(name: str, cells: pl.Series, text: bool, whole: bool) -> str | None:
    """Return why a column is an id, or None.

    Parameters
    ----------
    name : str
        The column's name.
    cells : polars.Series
        Its cells that are not missing, texts or numbers.
    text : bool
        Whether the cells are texts (not numbers).
    whole : bool
        Whether the cells are whole numbers that were not written as floats.
    """
    distinct, n = cells.n_unique(), len(cells)
    if text and distinct == n:
        return f"an id: all {n} values are different"
    if text and distinct > 0.5 * n and distinct > 20:
        return f"an id or free text: {distinct} different values in {n} rows"
    if text or not whole:
        return repeated_reason(name, cells)
    if distinct == n:
        low, high = cells.min(), cells.max()
        if int(high) - int(low) == n - 1:  # type: ignore[arg-type]
            return f"a running number from {int(low)} to {int(high)}"  # type: ignore[arg-type]
    if is_id_name(name) and distinct > max(0.9 * n, min(n - 1, 20)):
        return f"an id: {distinct} different whole numbers in {n} rows, and its name"
    return repeated_reason(name, cells)


def long_id_reason(cells: pl.Series) -> str | None:
    """Return why whole numbers of 16 digits or more are ids, or None; as numbers they would lose digits.

    >>> long_id_reason(pl.Series([f"90071992547409{k}" for k in range(10, 30)]))
    'an id: 20 different whole numbers of 16 digits or more'
    """
    distinct = cells.n_unique()
    if distinct <= 0.9 * len(cells) or not cells.str.contains(r"^[+-]?[0-9]{16,}$").all():
        return None
    return f"an id: {distinct} different whole numbers of 16 digits or more"


def repeated_reason(name: str, cells: pl.Series) -> str | None:
    """Return why a column names subjects whose rows repeat, or None.

    Its name is that of an id, it has ten or more values, and they occur about equally often (nine in ten
    within half and twice the median count, which is at least two).
    """
    if not is_id_name(name) or len(cells) == 0:
        return None
    counts = cells.value_counts()["count"].to_numpy()
    median = float(np.median(counts))
    even = np.mean((counts >= median / 2) & (counts <= median * 2)) >= 0.9
    if len(counts) < 10 or median < 2 or not even:
        return None
    return f"names {len(counts)} subjects, about {median:g} rows each"


def repeat_warning(name: str, cells: pl.Series, text: bool) -> str | None:
    """Return the warning that rows repeat subjects, where a column says so, or None.

    >>> ids = pl.Series([f"m{k}_{j}" for k in range(12) for j in range(3)])
    >>> print(repeat_warning("id", ids, True))
    rows look like repeated measurements of id (12 subjects, about 3 rows each); use --group-column id
    """
    if text and cells.n_unique() == len(cells):
        stems = _stems(cells)
        if stems is None or stems.n_unique() < 5 or stems.n_unique() > len(cells) / 2:
            return None
        counts = stems.value_counts()["count"].to_numpy()
        median = float(np.median(counts))
        if np.mean((counts >= median / 2) & (counts <= median * 2)) < 0.9:
            return None
        what = f"{len(counts)} subjects, about {median:g} rows each"
    else:
        reason = repeated_reason(name, cells)
        if reason is None:
            return None
        what = reason.removeprefix("names ")
    return f"rows look like repeated measurements of {name} ({what}); use --group-column {quoted_if_needed(name)}"


def quoted_if_needed(name: str) -> str:
    """Return a name as it is typed on a command line.

    >>> quoted_if_needed("a b"), quoted_if_needed("ab")
    ("'a b'", 'ab')
    """
    return name if re.fullmatch(r"[\w.:-]+", name) else quoted(name, 80)


def _stems(cells: pl.Series) -> pl.Series | None:
    """Return what stands before the last ``_`` (or else ``-``) of every cell; None where a cell has none."""
    for mark in ("_", "-"):
        stems = cells.str.extract(rf"^(.+){mark}[^{mark}]*$", 1)
        if stems.null_count() == 0:
            return stems
    return None


def subject_codes(cells: pl.Series, name: str, where: str) -> tuple[npt.NDArray[np.int64], str | None]:
    """Return the subject of every row as codes from 0, and what had to be assumed.

    Parameters
    ----------
    cells : polars.Series of str
        The group column; null where it is blank.
    name, where : str
        The column's name, and how messages call the column.

    Raises
    ------
    InputError
        A row without a subject, or one subject only.

    Examples
    --------
    >>> codes, said = subject_codes(pl.Series(["a_1", "a_2", "b_1"]), "id", "column id")
    >>> codes.tolist(), said
    ([0, 0, 1], 'every id is different: subjects are its part before the last mark, 2 of them')
    """
    blank = cells.null_count()
    if blank:
        raise refuse(f"{where}: {blank} rows have no subject; fill them in, or remove these rows")
    said = None
    if cells.n_unique() == len(cells):
        stems = _stems(cells)
        if stems is not None and stems.n_unique() < len(cells):
            cells = stems
            said = f"every {name} is different: subjects are its part before the last mark, "
            said += f"{cells.n_unique()} of them"
        else:
            said = f"every row has its own {name}: grouping by it changes nothing"
    if cells.n_unique() < 2:
        raise refuse(f"{where}: all rows have the same subject; expected at least two; leave out --group-column")
    order = {subject: code for code, subject in enumerate(natural(set(cells.to_list())))}
    return np.asarray([order[subject] for subject in cells], dtype=np.int64), said
