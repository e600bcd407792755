"""Names and columns that may be one and the same: categories in two spellings, headers in two cases, copied columns."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from riata.data.say import listed, quoted

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_YES, _NO = {"yes", "y", "true", "t", "1", "ja", "oui"}, {"no", "n", "false", "f", "0", "nein", "non"}
_GARBLED = re.compile("[ÃÂ][\u0080-\u00bf]|â€|\ufffd")
_GENE = re.compile(
    r"^([0-3]?[0-9]-(mar|sep|dec|oct|apr|feb|nov)|(mar|sep|dec|oct|apr|feb|nov)-[0-3]?[0-9])$", re.IGNORECASE
)


def plain(text: str) -> str:
    """Return a text without what the eye does not tell apart: case, spaces, invisible and compatibility characters.

    >>> plain("Male\\u200b") == plain("male "), plain("a  b")
    (True, 'a b')
    """
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold().split())


def garbled(text: str) -> bool:
    """Whether a text looks as if it was read in a wrong encoding once.

    >>> garbled("JosÃ©"), garbled("José")
    (True, False)
    """
    return _GARBLED.search(text) is not None


def spreadsheet_date(text: str) -> bool:
    """Whether a text is what a spreadsheet makes of gene names such as SEPT2 and MARCH1.

    >>> spreadsheet_date("2-Sep"), spreadsheet_date("SEPT2")
    (True, False)
    """
    return _GENE.match(text) is not None


def one_or_two(levels: Sequence[str]) -> str | None:
    """Return what to doubt about categories: two that look the same, or two words for yes; or None.

    >>> one_or_two(["F", "f", "m"])
    "'F' and 'f' differ only in case, spaces or invisible characters; write them one way if they are one"
    """
    homes: dict[str, list[str]] = defaultdict(list)
    for level in levels:
        homes[plain(level)].append(level)
    pair = next((same for same in homes.values() if len(same) > 1), None)
    if pair:
        return (
            f"{quoted(pair[0])} and {quoted(pair[1])} differ only in case, spaces or invisible characters; "
            "write them one way if they are one"
        )
    for words in (_YES, _NO):
        both = [h[0] for word, h in homes.items() if word in words]
        if len(both) > 1 and homes.keys() <= _YES | _NO:
            return f"{quoted(both[0])} and {quoted(both[1])} may mean the same; write one word for each answer"
    return None


def doubts_about_names(names: Sequence[str]) -> list[str]:
    """Return warnings about column names that look the same, garbled, or like genes turned into dates.

    >>> doubts_about_names(["Age", "age", "sex"])
    ["columns 'Age' and 'age' differ only in case, spaces or invisible characters"]
    """
    said: list[str] = []
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(plain(name), name)
        if other != name:
            said.append(
                f"columns {quoted(other)} and {quoted(name)} differ only in case, spaces or invisible characters"
            )
    dates = [n for n in names if spreadsheet_date(n)]
    if dates:
        said.append(f"columns {listed(dates, 3)}: a spreadsheet turns gene names such as SEPT2 into such dates")
    bad = [n for n in names if garbled(n)]
    if bad:
        said.append(f"columns {listed(bad, 3)} look garbled; write the file again as UTF-8")
    return [*said[:3], *([f"{len(said) - 3} more doubts about column names"] if len(said) > 3 else [])]


def same_columns(values: npt.NDArray[np.float64], names: Sequence[str]) -> list[str]:
    """Return the warning that columns hold the same values, where some do.

    >>> same_columns(np.array([[1.0, 1.0], [2.0, 2.0]]), ["a", "b"])
    ["columns 'a' and 'b' hold the same values; drop one (--drop b)"]
    """
    first: dict[bytes, str] = {}
    pairs = []
    for j, name in enumerate(names):
        other = first.setdefault(np.ascontiguousarray(values[:, j] + 0.0).tobytes(), name)
        if other != name:
            pairs.append((other, name))
    if not pairs:
        return []
    a, b = pairs[0]
    more = f" ({len(pairs) - 1} more such pairs)" if len(pairs) > 1 else ""
    return [f"columns {quoted(a)} and {quoted(b)} hold the same values{more}; drop one (--drop {b})"]
