"""What Python users call: thin doors to the layers below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from .choice.chart import Context
from .choice.decide import Progress, decide, pick_device, quiet
from .choice.decision import Decision
from .choice.look import look
from .choice.options import Options, check_choice
from .choice.options import seconds as parse_seconds
from .choice.profile import Profile, profile_context
from .choice.stream import open_large, passes_of, streams
from .choice.stream_decide import decide_large
from .data import Table, make_table, read_source
from .engines.threads import one_thread
from .errors import InputError
from .population.run import Keep


def load_table(
    table: Any,
    target: Any = None,
    *,
    y: Any = None,
    task: str = "auto",
    categorical: Sequence[str] = (),
    drop: Sequence[str] = (),
    group_column: str | None = None,
    name: str | None = None,
) -> Table:
    """Return a table from a file, a pandas or polars frame, or arrays.

    Parameters
    ----------
    table : path, frame or array (n, p)
        A string or path names a CSV, TSV, Parquet or ARFF file, also gzipped.
    target : str or array (n,)
        The target column, or the targets themselves.
    """
    if isinstance(table, Table):
        return table
    source = table
    if isinstance(table, str | Path):
        source = read_source(table)
        name = name or source.name
    return make_table(
        source, target, y=y, task=task, categorical=tuple(categorical), drop=tuple(drop), group_column=group_column,
        name=name or "table",
    )  # fmt: skip


@one_thread()
def choose(
    table: Any,
    target: Any = None,
    valid: Any = None,
    *,
    y: Any = None,
    categorical: Sequence[str] = (),
    drop: Sequence[str] = (),
    group_column: str | None = None,
    groups: Mapping[str, str] | None = None,
    names: Sequence[str] | None = None,
    name: str | None = None,
    genotypes: Any = None,
    id: str | None = None,  # noqa: A002
    unpenalised: Sequence[str] = (),
    budget: float | str | None = None,
    stream: bool | int | str | None = None,
    progress: Progress = quiet,
    keep: Keep | None = None,
    **options: Any,
) -> Decision:
    """Decide which regularizer a neural network needs on a table, how strong, and what it then keeps.

    Parameters
    ----------
    table : path, pandas or polars frame, or array (n, p); or a function that makes a torch module
        With a function, ``choose(module_factory, train, valid)``: a module of your own is regularized, on tensors.
    target : str or array (n,); or with a module the training data
        Name of the target column, or the targets. Training data are (X, y), a Dataset or a DataLoader.
    valid : (X, y), Dataset or DataLoader, optional
        With a module only: rows that give the final score once, and that no choice has seen.
    names : sequence of str, optional
        With a module only: names of the groups of its penalised parameter.
    categorical, drop : sequence of str
        Columns to read as categories, and to leave out.
    group_column : str, optional
        Rows with the same value are one subject and stay in one fold.
    groups : mapping of variable to group name, optional
        Variables of one group live and die together.
    genotypes : path, matrix (n, p) or columns, optional
        Variants of the same people, read in blocks: a PLINK set (.bed), .parquet, .npy, .npz, or an array whose rows
        are those of the table. ``target`` may then be ``"PHENO"``, the last column of the .fam.
    id : str, optional
        With genotypes: the column that names the person; by default ``IID``, ``id``, or the one that matches.
    unpenalised : sequence of str
        With genotypes: clinical columns that no penalty may drop.
    budget : float or str, optional
        Seconds, or ``"60s"``, ``"10m"``, ``"2h"``.
    stream : bool or int, optional
        Decide on a sub-sample of a Parquet file and train on all its rows from disk, in so many passes; by default
        where the table would not fit into the memory that is free.
    progress : callable (stage, done, total, best)
        Told how far the run is; ``best`` is the best candidate so far in words, "" where that is not known yet.
    keep : Keep, optional
        See :class:`riata.population.journal.Journal`.
    **options
        Fields of :class:`riata.choice.options.Options`: ``task``, ``goal``, ``chart``, ``penalties``, ``folds``,
        ``seeds``, ``hidden``, ``dropout`` and so on.

    Returns
    -------
    Decision

    Raises
    ------
    InputError
        If the table or an option cannot be used; the message says what to do.
    """
    parsed = parse_seconds(budget) if isinstance(budget, str) else budget
    asked = make_options(budget=parsed, **options)
    if passes_of(stream)[0] and (genotypes is not None or callable(table)):
        raise InputError("--stream reads one Parquet file; expected neither genotypes nor a module; leave --stream out")
    if callable(table) and not hasattr(table, "columns"):
        return choose_module(table, target, valid, asked, names=names, name=name, progress=progress)
    if valid is not None or names is not None:
        raise InputError("valid and names belong to a module; expected choose(module_factory, train, valid)")
    if genotypes is not None:
        return choose_cohort(
            table, y if target is None else target, genotypes, asked, groups=groups, progress=progress, keep=keep,
            id=id, unpenalised=unpenalised, categorical=categorical, drop=drop, group_column=group_column, name=name,
        )  # fmt: skip
    if id is not None or unpenalised:
        raise InputError("id and unpenalised belong to genotypes; expected choose(table, target, genotypes=...)")
    if streams(table, stream):
        large = open_large(
            table, target, asked, categorical=categorical, drop=drop, group_column=group_column, name=name
        )  # fmt: skip
        return decide_large(large, asked, groups=groups, progress=progress, keep=keep, passes=passes_of(stream)[1])
    loaded = load_table(
        table, target, y=y, task=asked.task, categorical=categorical, drop=drop, group_column=group_column, name=name
    )
    return decide(loaded, asked, groups=groups, progress=progress, keep=keep)


def choose_cohort(
    clinical: Any,
    target: Any,
    genotypes: Any,
    options: Options,
    *,
    groups: Mapping[str, str] | None = None,
    progress: Progress = quiet,
    keep: Keep | None = None,
    **reading: Any,
) -> Decision:
    """Decide for a clinical table with genotypes; see :func:`choose` and :func:`riata.cohort.study.open_study`."""
    from .cohort.checks import check_options
    from .cohort.decide import decide_study
    from .cohort.study import open_study

    check_options(options, groups)
    study = open_study(clinical, target, genotypes, task=options.task, threads=options.processes, **reading)
    decision: Decision = decide_study(study, options, progress=progress, keep=keep)
    return decision


def choose_module(
    factory: Any,
    train: Any,
    valid: Any,
    options: Options,
    *,
    names: Sequence[str] | None = None,
    name: str | None = None,
    progress: Progress = quiet,
) -> Decision:
    """Decide for a torch module; see :func:`choose`."""
    from .choice.own_data import own_body, own_options, own_table, said_of_module, tensors

    x, targets = tensors(train, "train")
    table = own_table(x, targets, name or "module")
    own = own_body(factory, x, targets, table, pick_device(options.device), names)
    table = replace(table, warnings=(*table.warnings, *said_of_module(own)))
    sealed = own_table(*tensors(valid, "valid"), "valid", table.classes or None) if valid is not None else None
    return decide(table, own_options(options, own.shape, own), progress=progress, own=own, sealed=sealed)


def make_options(**options: Any) -> Options:
    """Return options from keyword arguments; lists become tuples.

    Raises
    ------
    InputError
        If an option is unknown or has a value that cannot be used.
    """
    known = tuple(f.name for f in fields(Options))
    for key in options:
        if key not in known:
            check_choice(key, key, known)
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    return Options(**values)


def profile(
    table: Any,
    target: Any = None,
    *,
    y: Any = None,
    categorical: Sequence[str] = (),
    drop: Sequence[str] = (),
    group_column: str | None = None,
    groups: Mapping[str, str] | None = None,
    name: str | None = None,
    **options: Any,
) -> Profile:
    """Answer without any training, in seconds; parameters as in :func:`choose`.

    Returns
    -------
    Profile
        ``answer`` is a penalty's name, ``why`` a sentence, ``answers`` everything that was asked.
    """
    asked = make_options(no_validation=True, **options)
    loaded = load_table(
        table, target, y=y, task=asked.task, categorical=categorical, drop=drop, group_column=group_column, name=name
    )
    context: Context = look(loaded, asked, groups).context
    return profile_context(context)
