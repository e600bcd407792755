"""Every option of the command line, written once: its name, kind, range and help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from ..errors import InputError
from .outcome import ReaderGoneError
from .signals import Stopped

Given = Mapping[str, Any]
"""What was typed: the value of every option by its name, None (or False) where it was not."""


@dataclass(frozen=True)
class Option:
    """An option, or with ``positional`` a word that stands by its place.

    ``kind`` is str, int or bool; ``shown`` stands for the value in the help;
    ``low`` and ``high`` bound a number, and ``example`` is one that a message may propose; ``word`` may begin a text
    that is taken instead of a number.
    """

    name: str
    help: str
    kind: type = str
    shown: str | None = None
    low: int = 0
    high: int = 0
    example: int = 0
    positional: bool = False
    required: bool = False
    word: str = ""

    @property
    def flag(self) -> str:
        """The option as it is typed.

        >>> Option("group_column", "").flag
        '--group-column'
        """
        return "--" + self.name.replace("_", "-")

    def parameter(self) -> inspect.Parameter:
        """Return the parameter that typer reads the option from."""
        metavar = self.shown or (None if self.kind is bool else self.name.upper())
        declared: Any
        if self.positional:
            declared = typer.Argument(metavar=metavar, help=self.help, show_default=False)
        else:
            declared = typer.Option(self.flag, metavar=metavar, help=self.help, show_default=False)
        typed = bool if self.kind is bool else str
        kind = typed if self.required or typed is bool else typed | None
        default = inspect.Parameter.empty if self.required else (False if self.kind is bool else None)
        return inspect.Parameter(
            self.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, declared]
        )

    def read(self, typed: Any) -> Any:
        """Return the value of what was typed.

        >>> Option("folds", "", int, low=1, high=1000).read("5")
        5

        Raises
        ------
        InputError
            If a number was expected, and this is none or is out of range.
        """
        if self.kind is not int or typed is None or (self.word and typed.startswith(self.word)):
            return typed
        if not re.fullmatch(r"[0-9]{1,12}", typed) or not self.low <= int(typed) <= self.high:
            expected = f"expected a whole number from {self.low} to {self.high}" + (
                f", or {self.word}" * bool(self.word)
            )
            raise InputError(f"{self.flag} {typed!r} cannot be used; {expected}; type {self.flag} {self.example}")
        return int(typed)


def whole(name: str, help_: str, high: int, low: int = 1, example: int = 5) -> Option:
    """Return an option that is a whole number."""
    return Option(name, help_, int, "N", low, high, example)


def switch(name: str, help_: str) -> Option:
    """Return an option that is on or off."""
    return Option(name, help_, bool)


TABLE = Option(
    "table", "CSV, TSV, Parquet or ARFF, also gzipped; - is stdin.", shown="TABLE", positional=True, required=True
)
OUT = Option("run", "The folder that riata choose wrote.", shown="OUT", positional=True, required=True)
TARGET = Option("target", "The column to predict.", shown="COL", required=True)

SCALING = Option("scaling", "standard, or quantile for heavy tails [standard].", shown="standard|quantile")

WORKERS = Option(
    "workers",
    "Processes of one thread each; or a Ray cluster [number of cores].",
    int,
    "N|ray|ray://HOST:PORT",
    1,
    1024,
    2,
    word="ray",
)

READING = (
    Option("task", "auto, classification or regression [auto].", shown="auto|classification|regression"),
    Option("categorical", "Columns to read as categories.", shown="a,b"),
    Option("drop", "Columns to leave out.", shown="a,b"),
    Option("group_column", "Rows with the same value are one subject and stay in one fold.", shown="COL"),
    Option("groups", "Variables that live and die together: a table variable,group or a JSON mapping.", shown="FILE"),
    whole("seed", "Seed of every random draw [0].", 2**31 - 1, 0, 0),
)
LOOKING = (
    Option("goal", "prediction, or selection: fewer variables [prediction].", shown="prediction|selection"),
    Option("chart", "The flowchart to walk: default or classic [default].", shown="default|classic"),
    Option("picture", "Are the columns one picture: auto, no, or its size [auto].", shown="WxH|no|auto"),
    SCALING,
)
TRAINING = (
    Option("hidden", "Widths of the hidden layers; none is a linear model [64,64].", shown="64,64"),
    whole("folds", "Outer folds, at least 3 [5].", 1000, 3),
    whole("seeds", "Networks per fold and strength [3].", 1000, 1, 3),
    whole("path_length", "Strengths per penalty [20].", 1000, 2, 20),
    whole("patience", "Epochs without progress before a network stops [by the number of rows].", 10**9, 1, 15),
    whole("epochs", "Most epochs [by the number of rows].", 10**9, 1, 60),
    whole("batch_size", "Rows of a step [by the number of rows].", 10**9, 1, 64),
    Option("form", "First layer and skip: bounded or ridge [bounded].", shown="bounded|ridge"),
    WORKERS,
    Option("device", "auto, cpu, cuda or mps [auto].", shown="auto|cpu|cuda|mps"),
)
COMPARING = (
    switch("no_validation", "Decide by prior knowledge alone; only the answer is fitted."),
    Option("penalties", "Candidates: none,l2,l1,elastic_net,group_lasso,sparse_group_lasso [all].", shown="a,b"),
    Option("budget", "Time it may take, kept within 20% [4m].", shown="60s|10m|2h"),
    whole("repeats", "Repetitions of the folds [1].", 100, 1, 2),
    Option("dropout", "Rates judged beside every penalty [0,0.2].", shown="0,0.2"),
)
WRITING = (
    Option("out", "Folder to write to [riata-out/<table>].", shown="DIR"),
    switch("resume", "Go on with what the journal in the folder has."),
)
COHORT = (
    Option("genotypes", "Variants of the same people: study.bed, .parquet, .npy or .npz.", shown="FILE"),
    Option("id", "The clinical column that names the person [IID, id, or the one that matches].", shown="COL"),
    Option("unpenalised", "Clinical columns that no penalty may drop; needs --genotypes.", shown="a,b"),
)
STREAM = Option(
    "stream",
    "Decide on a sub-sample of a Parquet file and train on all its rows from disk, in N passes [auto: beyond memory].",
    shown="auto|yes|no|N",
)
JSON = switch("json", "Print JSON, nothing else.")
QUIET = switch("quiet", "Print the answer only.")
DEBUG = switch("debug", "Show the traceback of an error.")
SAYING = (JSON, QUIET, DEBUG)
CHOOSE = (*READING, *LOOKING, *COMPARING, *TRAINING, *WRITING, *SAYING)


def command(run: Callable[[Given], None], options: Sequence[Option], help_: str) -> Callable[..., None]:
    """Return a function that typer reads the options from and that hands what was typed to ``run``."""

    def call(**given: Any) -> None:
        try:
            run({option.name: option.read(given[option.name]) for option in options})
        except BrokenPipeError:
            raise ReaderGoneError from None
        except KeyboardInterrupt:
            raise Stopped from None

    call.__doc__ = help_
    vars(call)["__signature__"] = inspect.Signature([o.parameter() for o in options])
    return call
