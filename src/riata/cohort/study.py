"""Study: a clinical table and the genotypes of the same people, row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from riata.cohort.genotypes import Genotypes, Places, check_memory, open_genotypes
from riata.cohort.people import Pairs, pair, refuse_minus_nine, with_phenotype
from riata.data import Source, Table, make_table, read_source
from riata.data.frames import to_frame, to_series
from riata.data.say import near, quoted, refuse
from riata.data.table import content_hash
from riata.genome import Columns, monomorphic

__all__ = ["Places", "Study", "open_study"]

STAND_IN = "(no clinical column)"


@dataclass(frozen=True, eq=False)
class Study:
    """People with clinical columns, a target and genotypes; make one with :func:`open_study`.

    Parameters
    ----------
    table : Table
        Only people on both sides with a target; without a clinical column it has no columns.
    variants : Columns
        The same people's variants, in the same order.
    places : Places or None
        Chromosome, position and alleles of every variant; None where the genotypes came without.
    unpenalised : tuple of str
        Clinical columns that no penalty may drop.
    said : tuple of str
        What had to be assumed or left out, a sentence each.
    match, allele : str
        Who is used; what a genotype counts.
    id : str or None
        The column that names the person; None where rows were matched by position.
    """

    table: Table
    variants: Columns
    places: Places | None
    unpenalised: tuple[str, ...]
    said: tuple[str, ...]
    match: str
    allele: str
    id: str | None = None

    @property
    def facts(self) -> dict[str, Any]:
        """What a report says of the people and the variants, as JSON-able values."""
        return {
            "people": self.variants.n,
            "variants": self.variants.p,
            "monomorphic": len(monomorphic(self.variants)),
            "missing_calls": int(self.variants.missing.sum()),
            "allele": self.allele,
            "match": self.match,
            "unpenalised": list(self.unpenalised),
        }

    @property
    def sha256(self) -> str:
        """Hash of the table and of the variants: names, means, scales, missing calls, and 64 columns of them."""
        digest = hashlib.sha256(self.table.sha256.encode())
        digest.update("\n".join([*self.unpenalised, "", *self.variants.names]).encode())
        some = torch.linspace(0, self.variants.p - 1, min(64, self.variants.p)).long()
        for part in (self.variants.mean, self.variants.scale, self.variants.missing, self.variants.columns(some)):
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def alleles(self, ids: Sequence[int]) -> dict[str, list[str]]:
        """Return the counted and the other allele of some variants by name: what ``schema["variants"]`` must hold.

        Without alleles a name has an empty list; ``riata predict`` then looks at names alone.
        """
        at, names = self.places, self.variants.names
        return {names[i]: [] if at is None else [at.first[i], at.second[i]] for i in map(int, ids)}


def open_study(
    clinical: Any,
    target: Any,
    genotypes: Any,
    *,
    id: str | None = None,  # noqa: A002
    unpenalised: Sequence[str] = (),
    task: str = "auto",
    categorical: Sequence[str] = (),
    drop: Sequence[str] = (),
    group_column: str | None = None,
    name: str | None = None,
    threads: int | None = None,
) -> Study:
    """Read a clinical table with genotypes; keep the people who are on both sides and have a target.

    Parameters
    ----------
    clinical : path, Source, or pandas, polars or other frame
        May hold nothing but the ID and the target.
    target : str or array (n,)
        A column; ``PHENO`` or ``fam`` (where no column is called so) is the last column of the .fam.
    genotypes : path, matrix (n, p) or Columns
        A PLINK set (.bed, .bim, .fam), .parquet, .npy or .npz. Without IDs, rows are matched by position.
    id : str, optional
        The column that names the person. By default ``IID``, else ``id``, else the only one that matches.
    unpenalised : sequence of str
        Clinical columns that no penalty may drop.
    task, categorical, drop, group_column, name
        As in :func:`riata.data.make_table`.
    threads : int, optional
        Threads of the passes over a .bed or a matrix [1].

    Raises
    ------
    InputError
        If a file, an ID, the target or an option cannot be used.
    ResourceError
        If there is too little memory for that many variants.

    Examples
    --------
    >>> people = pl.DataFrame({"age": [50.0, 61.5, 43.2] * 5, "ill": [0, 1, 1] * 5})
    >>> calls = np.random.default_rng(0).integers(0, 3, (15, 4))
    >>> study = open_study(people, "ill", calls)
    >>> study.table.n, study.variants.n, study.variants.p, study.match
    (15, 15, 4, '15 people, matched by row')
    """
    source = _source(clinical, name)
    found = open_genotypes(genotypes, id, threads or 1)
    check_memory(found.columns.p, found.label)
    source, target = _with_target(source, target)
    pairs = pair(source, found.ids, found.columns.n, found.label, id, target)
    source, task, told = with_phenotype(pairs.source, target, found.samples, pairs.people, task)
    refuse_minus_nine(source, [c for c in source.frame.columns if c not in drop])
    wanted = [c for c in drop if c != pairs.id]
    table = _table(source, target, task=task, categorical=categorical, drop=wanted, group_column=group_column)
    return _study(table, source, found, pairs, _known(unpenalised, table, found), told)


def _source(clinical: Any, name: str | None) -> Source:
    """Return a clinical table as it was read."""
    if isinstance(clinical, str | Path):
        clinical = read_source(clinical)
    if isinstance(clinical, Source):
        return replace(clinical, name=name or clinical.name)
    frame, where, said = to_frame(clinical)
    return Source(name or "table", where.label, frame, where.lines, said)


def _with_target(source: Source, target: Any) -> tuple[Source, str]:
    """Return the source with targets that came as an array as one more column, and the column's name."""
    if isinstance(target, str):
        return source, target
    if target is None:
        raise refuse(f"no target is named; type --target COL; {near('', source.frame.columns)}")
    label = "y" if "y" not in source.frame.columns else "target"
    series = to_series(target, label)
    if label in source.frame.columns or len(series) != source.frame.height:
        raise refuse(f"{len(series)} targets for {source.frame.height} rows; expected as many: pass a column's name")
    return replace(source, frame=source.frame.with_columns(series)), label


def _table(
    source: Source, target: str, *, task: str, categorical: Sequence[str], drop: Sequence[str], group_column: str | None
) -> Table:
    """Return the clinical table; one that has nothing but a target gets no columns."""
    frame, label = source.frame, source.name
    if any(c not in (target, group_column, *drop) for c in frame.columns) or target not in frame.columns:
        return make_table(source, target, task=task, categorical=categorical, drop=drop, group_column=group_column,
                          name=label)  # fmt: skip
    # a table needs a column to be understood: this one repeats nothing, says nothing, and is taken out again
    stand_in = pl.Series(STAND_IN, np.sqrt(2.0) * np.arange(1.0, frame.height + 1) % 1)
    source = replace(source, frame=frame.with_columns(stand_in))
    table = make_table(source, target, task=task, categorical=categorical, drop=drop, group_column=group_column,
                       name=label)  # fmt: skip
    said = tuple(w for w in table.warnings if STAND_IN not in w)
    bare = replace(table, columns=(), values=table.values[:, :0], inputs=(), warnings=said)
    return replace(bare, sha256=content_hash(bare))


def _known(unpenalised: Sequence[str], table: Table, found: Genotypes) -> tuple[str, ...]:
    """Return the clinical columns that no penalty may drop; refuse a name that is none, or that is a variant too."""
    if isinstance(unpenalised, str):
        raise refuse(f"--unpenalised is the text {quoted(unpenalised)}; expected a list of column names")
    names = [c.name for c in table.columns]
    left_out = {c.name: c.reason for c in table.left_out}
    for name in unpenalised:
        if name in left_out:
            raise refuse(f"--unpenalised: column {quoted(name)} is left out ({left_out[name]}); take it off the list")
        if name not in names:
            raise refuse(f"--unpenalised: no clinical column {quoted(name)}; {near(name, names)}")
    both = sorted(set(names).intersection(found.columns.names))
    if both:
        raise refuse(f"{quoted(both[0])} is a clinical column and a variant; expected different names: rename one")
    return tuple(dict.fromkeys(unpenalised))


def _study(
    table: Table, source: Source, found: Genotypes, pairs: Pairs, unpenalised: tuple[str, ...], told: tuple[str, ...]
) -> Study:
    """Put both sides together on the rows that have a target."""
    kept = np.flatnonzero(np.isin(source.lines, table.row_numbers))
    rows: Tensor = pairs.people[torch.from_numpy(kept)]
    variants = found.columns
    if not torch.equal(rows, torch.arange(variants.n)):
        variants = variants.take(rows)
    if found.ids is not None:  # different people may well be equal in a few clinical columns
        table = replace(table, warnings=tuple(w for w in table.warnings if "rows repeat another row" not in w))
    single, gone = len(monomorphic(variants)), int(variants.missing.sum())
    if single == variants.p:
        raise refuse(f"{found.label}: every variant has one value in the {table.n} people; expected some that differ")
    said = [*pairs.said, *told]
    if single:
        said.append(f"{single} of {variants.p} variants have one value in these people and cannot be selected")
    if gone:
        share = gone / (variants.n * variants.p)
        said.append(f"{gone} calls ({share:.2%}) are missing; each counts as its variant's mean")
    said.extend([found.allele] if found.allele else [])
    return Study(table, variants, found.places, unpenalised, tuple(said), pairs.match, found.allele, pairs.id)
