"""A decision: the verdict, what it rests on, and the model; written to and read from a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ..errors import InputError
from ..files import write_bytes, write_text
from ..model import Model, load_model
from ..report.text import render_text
from ..results import Population
from ..strict import read_json
from ..version import __version__
from .chart import plain
from .own_model import OwnModel
from .timings import SCHEMA as TIMINGS
from .timings import apart, together

if TYPE_CHECKING:
    from ..plots.accessor import Plots

SCHEMA = 1
PARTS = (
    "riata", "table", "task", "metric", "verdict", "evidence", "contenders", "theory", "classic", "answers", "scores",
    "final", "kept", "dropped", "kkt_max", "fits", "failed_fits", "seconds", "warnings", "versions",
)  # fmt: skip
"""What every decision holds; a file without one of them is damaged."""


@dataclass(frozen=True)
class Decision:
    """What :func:`riata.choose` found.

    Attributes
    ----------
    summary : dict
        Everything in ``decision.json``; the report is drawn from it alone.
    model : Model, OwnModel or None
        The networks refitted on all training rows; None where a folder without one was read.
    population : Population or None
        Every trained network.
    figures : dict or None
        What the pictures are drawn from (``figures.json``).
    """

    summary: Mapping[str, Any]
    model: Model | OwnModel | None = None
    population: Population | None = field(default=None, repr=False)
    figures: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def verdict(self) -> dict[str, Any]:
        """Penalty, lam, lam2, dropout and early stopping."""
        return dict(self.summary["verdict"])

    @property
    def evidence(self) -> str:
        """``decisive``, ``leaning``, ``equivalent`` or ``tied``."""
        return str(self.summary["evidence"])

    @property
    def contenders(self) -> list[str]:
        """Candidates that the best does not clearly beat."""
        return list(self.summary["contenders"])

    @property
    def kept(self) -> list[str]:
        """Variables that the refitted model keeps, strongest first."""
        return list(self.summary["kept"])

    @property
    def dropped(self) -> list[str]:
        """Variables whose first-layer weights are all exactly zero."""
        return list(self.summary["dropped"])

    @property
    def scores(self) -> dict[str, Any]:
        """Scores of every candidate with intervals."""
        return dict(self.summary["scores"])

    def to_json(self) -> str:
        """Return ``decision.json``: strict JSON, numbers that are not finite as null."""
        return json.dumps(plain(dict(self.summary)), indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def __str__(self) -> str:
        return render_text(plain(dict(self.summary)))

    def _repr_html_(self) -> str:
        page = escape(self.html(), quote=True)
        return f'<iframe title="report" sandbox="allow-scripts" srcdoc="{page}" width="100%" height="800"></iframe>'

    @property
    def plot(self) -> Plots:
        """The figures as Altair charts: ``decision.plot.heatmap()``.

        Raises
        ------
        InputError
            If the run left no figures behind.
        """
        from ..plots.accessor import Plots

        if self.figures is None:
            raise InputError("this decision has no figures; read the folder of a run that has figures.json")
        return Plots(plain(dict(self.summary)), plain(dict(self.figures)))

    def html(self) -> str:
        """Return the report as one self-contained page."""
        from ..report.page import render_html

        return render_html(plain(dict(self.summary)), None if self.figures is None else plain(dict(self.figures)))

    def report(self, path: str | Path) -> Path:
        """Write the report as one self-contained page and return its path."""
        write_text(Path(path), self.html())
        return Path(path)

    def save(self, folder: str | Path) -> Path:
        """Write decision.json, figures.json, timings.json, results.parquet, the model and report.html into a folder.

        What depends on the clock is in ``timings.json`` and in the line ``seconds`` of ``decision.json``; every other
        byte of the JSON, Parquet and model files is the same each time.
        """
        folder = Path(folder)
        if self.population is not None:
            write_bytes(folder / "results.parquet", parquet(self.population))
        if self.model is not None:
            self.model.save(folder / self.model.FILE)
        if self.figures is not None:
            timeless, timings = apart(self.figures)
            write_text(folder / "timings.json", compact_json({"schema": TIMINGS, **timings}))
            write_text(folder / "figures.json", compact_json(timeless))
        self.report(folder / "report.html")
        write_text(folder / "decision.json", self.to_json())
        return folder


def compact_json(facts: Mapping[str, Any]) -> str:
    """Return strict JSON on one line."""
    return json.dumps(plain(dict(facts)), allow_nan=False, ensure_ascii=False, separators=(",", ":")) + "\n"


def parquet(population: Population) -> bytes:
    """Return the population as a Parquet file, a row per trained network."""
    import io

    buffer = io.BytesIO()
    pl.DataFrame(population.columns()).write_parquet(buffer)
    return buffer.getvalue()


def read_decision(folder: str | Path) -> Decision:
    """Read the decision (and its model) from the folder of a run.

    Raises
    ------
    InputError
        If there is no readable decision in ``folder``.
    """
    folder = Path(folder)
    path = folder / "decision.json"
    try:
        summary = read_json(path)
    except FileNotFoundError:
        raise InputError(f"{folder}: no decision.json here; pass the folder that riata choose wrote") from None
    except InputError as error:
        raise InputError(f"{path}: not readable ({error}); run riata choose again") from None
    if not isinstance(summary, dict) or not isinstance(summary.get("schema"), int) or "verdict" not in summary:
        raise InputError(f"{path}: not a decision of riata; pass the folder that riata choose wrote")
    if summary["schema"] > SCHEMA:
        raise InputError(f"{path}: schema {summary['schema']} is newer than {__version__} reads; update riata")
    lost = [key for key in PARTS if key not in summary]
    if lost:
        raise InputError(f"{path}: damaged, {lost[0]!r} is not there; run riata choose again")
    try:
        render_text(summary)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise InputError(f"{path}: damaged ({error!r}); run riata choose again") from None
    model = folder / "model.safetensors"
    return Decision(summary, load_model(model) if model.exists() else None, figures=read_figures(folder))


def read_figures(folder: Path) -> dict[str, Any] | None:
    """Return ``figures.json`` of a run's folder with the times beside it; None where there is none.

    Raises
    ------
    InputError
        If it is there but cannot be read, or is newer than this version.
    """
    figures = read_part(folder / "figures.json", "the figures", SCHEMA)
    timings = read_part(folder / "timings.json", "the times", TIMINGS)
    if figures is None or timings is None:
        return figures
    try:
        return together(figures, timings)
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{folder}/timings.json: damaged ({error!r}); delete it, or run riata choose again") from None


def read_part(path: Path, what: str, newest: int) -> dict[str, Any] | None:
    """Return a JSON file of a run's folder; None where there is none.

    Raises
    ------
    InputError
        If it is there but cannot be read, or is newer than this version.
    """
    try:
        facts = read_json(path)
    except FileNotFoundError:
        return None
    except InputError as error:
        raise InputError(f"{path}: not readable ({error}); run riata choose again") from None
    if not isinstance(facts, dict) or not isinstance(facts.get("schema"), int):
        raise InputError(f"{path}: not {what} of a run; run riata choose again")
    if facts["schema"] > newest:
        raise InputError(f"{path}: schema {facts['schema']} is newer than {__version__} reads; update riata")
    return facts
