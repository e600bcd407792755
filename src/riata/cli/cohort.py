"""``riata choose`` with ``--genotypes``: from what was typed to a study, and its decision in a folder."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from . import words
from .arguments import COHORT, Given
from .folders import out_folder, study_name

if TYPE_CHECKING:
    from ..choice.decision import Decision
    from ..choice.options import Options
    from ..cohort.study import Study


def choose_cohort(
    given: Given, options: Options, groups: dict[str, str] | None, command: str, named: Given | None = None
) -> None:
    """Decide on a clinical table with genotypes, write the folder, and say what came out.

    ``named`` are files and columns that the command itself names.
    """
    from ..cohort.checks import check_options
    from .choose import facts_of, run_and_write

    check_options(options, groups)
    out_folder(given["out"], "cohort")
    study = study_of({**given, **(named or {})}, options.processes)
    typed = {f.name: getattr(options, f.name) for f in fields(options)}
    facts = {**facts_of(study.table, typed, None), "--unpenalised": list(study.unpenalised), "genotypes": study.sha256}

    def decide(progress: Any, keep: Any) -> Decision:
        from ..cohort.decide import decide_study

        decision: Decision = decide_study(study, options, progress=progress, keep=keep)
        return decision

    run_and_write(given, study.table.name, facts, options, decide, command)


def study_of(given: Given, threads: int = 1) -> Study:
    """Return the study that was named.

    Raises
    ------
    InputError
        If a file, an ID, the target or an option cannot be used.
    ResourceError
        If there is too little memory.
    """
    from ..cohort.study import open_study
    from ..data import read_source

    source = read_source(given["table"])
    return open_study(
        source,
        given["target"],
        given["genotypes"],
        id=given.get("id"),
        unpenalised=words.names(given.get("unpenalised") or ""),
        task=given["task"] or "auto",
        categorical=words.names(given["categorical"] or ""),
        drop=words.names(given["drop"] or ""),
        group_column=given.get("group_column"),
        name=study_name(source.name),
        threads=threads,
    )


def refuse_without_genotypes(given: Given) -> None:
    """Refuse options that say nothing without ``--genotypes``.

    Raises
    ------
    InputError
        Names the option.
    """
    for option in COHORT[1:]:
        if given.get(option.name) is not None:
            raise InputError(f"{option.flag} needs --genotypes; type --genotypes study.bed, or leave {option.flag} out")
