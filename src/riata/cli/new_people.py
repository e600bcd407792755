"""New people's genotypes for a model: the variants it keeps, by name, with the alleles it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.say import listed, quoted, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..data import Source

Alleles = Mapping[str, Sequence[str]]


@dataclass(frozen=True, eq=False)
class Newcomers:
    """New people that can be scored: their table with the kept variants as columns, their rows, and what to say."""

    source: Source
    rows: NDArray[np.int64]
    said: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Calls:
    """Copies of the counted allele, (people, kept), NaN where a call is missing; the people's IDs, if there are any."""

    counts: NDArray[np.float64]
    ids: tuple[str, ...] | None
    said: tuple[str, ...] = ()


def newcomers(schema: Mapping[str, Any], source: Source, genotypes: str, id: str | None) -> Newcomers:  # noqa: A002
    """Return new rows with the variants that a model keeps; only these are read.

    Raises
    ------
    InputError
        If a variant is not there, its alleles are others, or people and rows do not fit together.
    """
    import polars as pl

    from ..cohort.people import minus_nines, pair

    listed_alleles = schema["variants"]
    if not isinstance(listed_alleles, Mapping) or any(len(pair) not in (0, 2) for pair in listed_alleles.values()):
        raise refuse("the model's list of variants is damaged; expected two alleles each; run riata choose again")
    names = [c["name"] for c in schema["columns"]]
    alleles: Alleles = {name: listed_alleles[name] for name in names if name in listed_alleles}
    calls = read_calls(Path(genotypes), alleles, id)
    known = schema.get("id")
    column = id if id is not None or known not in source.frame.columns else known
    pairs = pair(source, calls.ids, len(calls.counts), genotypes, column, schema["target"])
    some = calls.counts[pairs.people.numpy()]
    columns = [pl.Series(name, some[:, j]) for j, name in enumerate(alleles)]
    gone = int(np.isnan(some).sum())
    said = [*pairs.said, *calls.said]
    said += [f"{gone} calls are missing; each counts as its variant's mean"] if gone else []
    for name in (n for n in names if n not in alleles and n in source.frame.columns):
        nines = minus_nines(source.frame[name])
        said += [f"column {name}: {nines} cells are -9 and read as that number; blank them if missing"] if nines else []
    rows = np.flatnonzero(np.isin(source.lines, pairs.source.lines)).astype(np.int64)
    frame = pairs.source.frame.drop(list(alleles), strict=False).with_columns(columns)
    return Newcomers(replace(pairs.source, frame=frame), rows, tuple(said))


def read_calls(path: Path, alleles: Alleles, id: str | None) -> Calls:  # noqa: A002
    """Return the calls of some variants from a PLINK set, .parquet, .npy or .npz.

    Raises
    ------
    InputError
        If a variant is not there, or its alleles are others.
    """
    from ..cohort.genotypes import WIDE

    if path.suffix.lower() in WIDE:
        return _from_wide(path, alleles, id)
    return _from_bed(path, alleles)


def _from_bed(path: Path, alleles: Alleles) -> Calls:
    from ..genome import read_bim, read_fam
    from ..genome.plink import beside, map_bed

    variants, samples = read_bim(beside(path, ".bim")), read_fam(beside(path, ".fam"))
    store = map_bed(beside(path, ".bed"), len(variants), -(-len(samples) // 4))
    at = _places(alleles, variants.names, path)
    packed = np.asarray(store[at])
    codes = np.stack([(packed >> shift) & 3 for shift in (0, 2, 4, 6)], axis=2).reshape(len(at), 4 * packed.shape[1])
    counts = np.array([2.0, np.nan, 1.0, 0.0])[codes[:, : len(samples)]].T
    swapped = [
        _swapped(name, wanted, (variants.first[i], variants.second[i]), path)
        for i, (name, wanted) in zip(at, alleles.items(), strict=True)
    ]
    counts[:, swapped] = 2 - counts[:, swapped]
    count = sum(swapped)
    said = (f"{count} of {len(at)} variants count the other allele in {path}: 2 - count is taken",) if count else ()
    return Calls(counts, samples.ids, said)


def _swapped(name: str, wanted: Sequence[str], there: tuple[str, str], path: Path) -> bool:
    """Whether a variant's alleles have changed places; an allele 0 (PLINK: nobody has it) fits any."""
    if not wanted:
        return False

    def fits(pair: tuple[str, str]) -> bool:
        return all(new == "0" or new.upper() == old.upper() for new, old in zip(pair, wanted, strict=True))

    if fits(there):
        return False
    if fits((there[1], there[0])):
        return True
    raise refuse(f"{path}: variant {quoted(name)} has the alleles {there[0]} and {there[1]}, the model "
                 f"{wanted[0]} and {wanted[1]}; expected the same; check strand and build")  # fmt: skip


def _from_wide(path: Path, alleles: Alleles, id: str | None) -> Calls:  # noqa: A002
    """Return calls from a matrix or a Parquet; of a Parquet only the columns that are needed are read."""
    import polars as pl
    import torch

    from ..cohort.genotypes import id_asked
    from ..genome import open_wide

    asked, drop = id_asked(path, id), list[str]()
    if path.suffix.lower() in (".parquet", ".pq") and path.exists():
        try:
            schema = pl.read_parquet_schema(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise refuse(f"{path}: cannot be read ({error}); expected a Parquet file") from None
        _places(alleles, list(schema), path)
        keep = {*alleles, asked, *(c for c in schema if c.lower() in ("iid", "id") or schema[c] == pl.String)}
        drop = [c for c in schema if c not in keep]
    columns, ids = open_wide(path, id=asked, drop=drop)
    at = _places(alleles, columns.names, path)
    return Calls(columns.raw(torch.tensor(at)).double().numpy(), ids)


def _places(alleles: Alleles, names: Sequence[str], path: Path) -> list[int]:
    """Return where the wanted variants are."""
    at = {name: i for i, name in enumerate(names)}
    lost = [name for name in alleles if name not in at]
    if lost:
        then = "genotype or impute the same variants"
        raise refuse(f"{path}: no variant {listed(lost, 2)}, which the model needs ({len(alleles)} in all); {then}")
    return [at[name] for name in alleles]
