"""The commands, and the one call that runs them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from importlib import import_module

import typer

from .arguments import (
    CHOOSE,
    COHORT,
    DEBUG,
    JSON,
    LOOKING,
    OUT,
    QUIET,
    READING,
    SAYING,
    SCALING,
    STREAM,
    TABLE,
    TARGET,
    TRAINING,
    WRITING,
    Given,
    Option,
    command,
    switch,
    whole,
)

PENALTY = Option("penalty", "none, l2, l1, elastic_net, group_lasso or sparse_group_lasso.", shown="P", required=True)
LAMS = Option("lams", "Strengths, instead of an automatic grid.", shown="0.1,0.01")
TO = Option("to", "File to write, CSV, TSV or Parquet by its ending [stdout].", shown="FILE")
ONNX = Option("to", "File to write, such as model.onnx.", shown="FILE.onnx", positional=True, required=True)
RUN = Option("run", "The folder that riata choose writes.", shown="OUT", positional=True, required=True)
OPEN = switch("open", "Show it in the browser.")
WHAT = Option("what", "scores, flowchart, heatmap, path, ...; another word lists all.", shown="FIGURE", required=True)
FIGURE = Option("to", "File to write: .png, .svg or .html.", shown="FILE", required=True)
ALONG = Option("penalty", "The penalty of a path [the verdict's].", shown="P")
DARK = switch("dark", "On dark paper.")
FIRST = Option("first", "The folder of a run.", shown="OUT1", positional=True, required=True)
SECOND = Option("second", "The folder of another run.", shown="OUT2", positional=True, required=True)
PAGE = Option("to", "Page to write [compare.html].", shown="FILE")
DEMO = Option(
    "demo",
    "breast-cancer, overfit: why regularize, or case-study: half a million variants [breast-cancer].",
    shown="WHAT",
    positional=True,
)
SIMULATED = (
    whole("variants", "Variants of the case study [500000].", 10**9, 100, 500_000),
    whole("patients", "People of the case study [3000].", 10**8, 30, 3000),
)
GENOTYPES = Option("genotypes", "Variants of all people, as for choose.", shown="FILE", required=True)
# the folds of a path are drawn by rows: it takes no subjects
PATH = (*(o for o in READING if o.name != "group_column"), SCALING, *TRAINING, WRITING[0])
COMMANDS: tuple[tuple[str, str, tuple[Option, ...], str], ...] = (
    ("choose", "choose:choose", (TABLE, TARGET, *COHORT, STREAM, *CHOOSE), "The main job: decide, refit, report."),
    (
        "profile",
        "profile:profile",
        (TABLE, TARGET, *READING, *LOOKING, *SAYING),
        "The answer without any training, in seconds.",
    ),
    (
        "path",
        "path:path",
        (TABLE, TARGET, PENALTY, LAMS, *PATH, *SAYING),
        "One penalty's whole path.",
    ),
    (
        "predict",
        "predict:predict",
        (OUT, TABLE, *COHORT[:2], TO, QUIET, DEBUG),
        "Score new rows with the model that choose wrote.",
    ),
    (
        "certify",
        "certify:certify",
        (OUT, TABLE, GENOTYPES, COHORT[1], *SAYING),
        "Check the model of a run with genotypes again, over all variants.",
    ),
    (
        "status",
        "status:status",
        (RUN, *SAYING),
        "How far a run is: what is done, whether it is alive, what it decided.",
    ),
    ("report", "folder:report", (OUT, OPEN, QUIET, DEBUG), "Write the report again from the run's folder."),
    ("plot", "pictures:plot", (OUT, WHAT, FIGURE, ALONG, DARK, QUIET, DEBUG), "Draw one figure of a run."),
    ("compare", "pictures:compare", (FIRST, SECOND, PAGE, QUIET, DEBUG), "Two runs side by side, as a page."),
    ("export", "folder:export", (OUT, ONNX, QUIET, DEBUG), "Write the model as ONNX, with the preprocessing inside."),
    ("inspect", "folder:inspect", (OUT, JSON, QUIET, DEBUG), "What the model keeps, its size, its certificate."),
    (
        "demo",
        "demo:demo",
        (DEMO, *SIMULATED, *CHOOSE),
        "choose on the breast-cancer table or a simulated cohort, or overfitting.",
    ),
)
"""Name, module and function, options, help."""


def build() -> typer.Typer:
    """Return the program."""
    app = typer.Typer(
        name="riata",
        help="Which regularizer does a neural network need on your table, how strong, and what does it then keep?",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback(invoke_without_command=True)
    def root(
        context: typer.Context,
        version: bool = typer.Option(False, "--version", help="Show the version."),
    ) -> None:
        if version:
            from ..version import __version__

            typer.echo(f"riata {__version__}")
        elif context.invoked_subcommand is None:
            typer.echo(context.get_help())

    for name, place, options, help_ in COMMANDS:
        app.command(name)(command(later(place), options, help_))
    return app


def later(place: str) -> Callable[[Given], None]:
    """Return a function that imports its module when it is called: ``riata --help`` costs no torch."""
    module, function = place.split(":")

    def act(given: Given) -> None:
        getattr(import_module(f"{__package__}.{module}"), function)(given)

    return act


def run(words: Sequence[str]) -> int:
    """Run one command and return 0; what goes wrong is raised."""
    program = typer.main.get_command(build())
    with warnings.catch_warnings():
        if "--debug" not in words:
            warnings.simplefilter("ignore")
        code = program.main(list(words), prog_name="riata", standalone_mode=False)
    return code if isinstance(code, int) else 0
