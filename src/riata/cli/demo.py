"""``riata demo``: the main job on a table that is there everywhere or on a simulated cohort, and overfitting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from .arguments import Given
from .choose import decide_and_write
from .folders import out_folder
from .say import raw, say
from .tables import groups_of, options_of, table_of

if TYPE_CHECKING:
    from ..data import Table

TABLE = "breast_cancer"
SIZES = ("variants", "patients")
OWN = ("demo", "out", "quiet", "debug")
"""What ``riata demo overfit`` understands."""


def demo(given: Given) -> None:
    """Run ``riata demo [breast-cancer|overfit|case-study]``."""
    what = given["demo"] or "breast-cancer"
    if what == "case-study":
        from .case_study import case_study

        case_study(given, options_of(given), groups_of(given))
    elif what == "breast-cancer":
        for name in SIZES:
            if given[name] is not None:
                raise InputError(f"riata demo {what} takes no --{name}; type riata demo case-study --{name} N")
        options, groups = options_of(given), groups_of(given)
        decide_and_write(given, breast_cancer(given), options, groups, "demo")
    elif what == "overfit":
        overfitting(given)
    else:
        raise InputError(
            f"demo {what!r} is unknown; expected breast-cancer or overfit, or case-study; type riata demo overfit"
        )


def breast_cancer(given: Given) -> Table:
    """Return the table that scikit-learn carries, read as a frame."""
    import polars as pl
    from sklearn.datasets import load_breast_cancer

    cells = load_breast_cancer()
    frame = pl.DataFrame({str(n): column for n, column in zip(cells.feature_names, cells.data.T, strict=True)})
    named = pl.Series("target", [str(cells.target_names[code]) for code in cells.target])
    return table_of(given, frame.with_columns(named), "target", TABLE)


def overfitting(given: Given) -> None:
    """Fit polynomials and networks to a dozen points, and write what is to be seen there as a page."""
    from ..engines.threads import one_thread
    from ..overfit import compute, overfit, overfit_text

    typed = [name for name, value in given.items() if value and name not in OWN]
    if typed:
        raise InputError(f"riata demo overfit takes no --{typed[0].replace('_', '-')}; it takes --out and --quiet")
    folder = out_folder(given["out"], "overfit")
    with one_thread():
        found = compute()
    page = overfit(folder, found)
    raw(overfit_text(found).rstrip("\n") + "\n")
    if not given["quiet"]:
        say(f"page: {page}")
