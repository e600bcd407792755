"""``riata plot OUT`` and ``riata compare OUT1 OUT2``: figures of a run, and two runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .arguments import Given
from .folder import readable
from .folders import file_to_write
from .say import raw, say

if TYPE_CHECKING:
    from ..choice.decision import Decision


def plot(given: Given) -> None:
    """Run ``riata plot OUT --what heatmap --to FILE.{png,svg,html}``."""
    from ..plots.registry import plot_named
    from ..plots.save import ENDINGS, save_chart

    plot_named(given["what"])
    target = file_to_write(given["to"])
    if target.suffix.lower() not in ENDINGS:
        raise InputError(f"--to {given['to']}: expected a file that ends in {', '.join(ENDINGS)}; type --to figure.png")
    decision = decision_of(given["run"])
    how = {} if given["penalty"] is None else {"penalty": given["penalty"]}
    with readable(Path(given["run"]), "figures.json"):
        chart = drawn(decision, given["what"], how)
    save_chart(chart, target, dark=given["dark"])
    if not given["quiet"]:
        say(f"figure: {target}")


def drawn(decision: Decision, what: str, how: dict[str, str]):  # type: ignore[no-untyped-def]
    """Return a figure; an option that it does not take is refused."""
    try:
        return getattr(decision.plot, what)(**how)
    except TypeError as error:
        if "unexpected keyword" in str(error):
            raise InputError(f"--what {what} takes no --penalty; leave it out") from None
        raise


def compare(given: Given) -> None:
    """Run ``riata compare OUT1 OUT2``: print the differences and write them as a page."""
    from ..files import write_text
    from ..report.compare import compare_text, render_compare

    target = file_to_write(given["to"] or "compare.html")
    runs = []
    for name in (given["first"], given["second"]):
        with readable(Path(name)):
            runs.append((Path(name).name or name, dict(decision_of(name).summary)))
    with readable(Path(given["first"])):
        page, text = render_compare(runs), compare_text(runs)
    write_text(target, page)
    if given["quiet"]:
        return
    raw(text.rstrip("\n") + "\n")
    say(f"page: {target}")


def decision_of(run: str) -> Decision:
    """Return the decision of a run's folder.

    Raises
    ------
    InputError
        There is none.
    """
    from ..choice.decision import read_decision

    if not run.strip():
        raise InputError("OUT is empty; type the folder that riata choose wrote")
    with readable(Path(run)):
        return read_decision(Path(run))
