"""``riata predict OUT TABLE``: score new rows with the model that choose wrote."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .arguments import Given
from .folders import file_to_write
from .say import note, raw, say

if TYPE_CHECKING:
    import polars as pl

    from ..data import Source
    from ..model import Model

MODEL = "model.safetensors"


def predict(given: Given) -> None:
    """Run ``riata predict OUT TABLE [--genotypes FILE] [--to FILE]``."""
    from ..data import read_source, values_from_frame

    target = file_to_write(given["to"]) if given["to"] is not None else None
    model = model_of(given["run"])
    source, rows, said = joined(model, read_source(given["table"]), given)
    values, warnings = values_from_frame(model.schema, source)
    if not given["quiet"]:
        for warning in (*said, *warnings):
            note(warning)
    frame = predictions(model, values, rows)
    if target is None:
        raw(frame.write_csv())
        return
    from ..files import write_bytes

    write_bytes(target, encoded(frame, target))
    if not given["quiet"]:
        say(f"{frame.height} rows: {target}")


def model_of(run: str) -> Model:
    """Return the model of a run's folder, or of a model file.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    import torch

    from ..model import load_model

    torch.set_num_threads(1)
    path = Path(run)
    if not run.strip() or not path.exists():
        raise InputError(f"{run or 'OUT'}: no such folder; expected the one that riata choose wrote")
    return load_model(path / MODEL if path.is_dir() else path)


def joined(model: Model, source: Source, given: Given) -> tuple[Source, Sequence[int] | None, tuple[str, ...]]:
    """Return the table with the variants that the model keeps, which of its rows these are, and what to say.

    Raises
    ------
    InputError
        If the model needs genotypes that were not named, or was trained without any.
    """
    variants, genotypes = model.schema.get("variants"), given["genotypes"]
    if genotypes is None and given["id"] is not None:
        raise InputError("--id needs --genotypes; type --genotypes new.bed, or leave --id out")
    if variants is None and genotypes is not None:
        raise InputError(f"{given['run']}: this model was trained without genotypes; leave --genotypes out")
    if not variants:
        said = ("the model keeps no variant: the genotypes were not read",) if genotypes is not None else ()
        return source, None, said
    if genotypes is None:
        raise InputError(f"{given['run']}: this model reads {len(variants)} variants; type --genotypes new.bed")
    from .new_people import newcomers

    found = newcomers(model.schema, source, genotypes, given["id"])
    return found.source, found.rows.tolist(), found.said


def predictions(model: Model, values: Any, rows: Sequence[int] | None = None) -> pl.DataFrame:
    """Return a row per row of the table: its number from 1, the prediction, and the probability of every class.

    ``rows`` are the rows of the table, from 0, that the values belong to; by default all.
    """
    import polars as pl

    out = model.outputs(model.encoder.transform(values))
    columns: dict[str, Any] = {"row": [i + 1 for i in (range(len(out)) if rows is None else rows)]}
    if model.schema["task"] != "classification":
        return pl.DataFrame({**columns, "prediction": out[:, 0]})
    classes = [str(c) for c in model.schema["classes"]]
    columns["prediction"] = [classes[code] for code in out.argmax(1)]
    return pl.DataFrame({**columns, **{f"probability_{c}": out[:, i] for i, c in enumerate(classes)}})


def encoded(frame: pl.DataFrame, target: Path) -> bytes:
    """Return a frame as the bytes of the format that the file's ending names; CSV where it names none."""
    ending = target.suffix.lower()
    buffer = io.BytesIO()
    if ending in (".parquet", ".pq"):
        frame.write_parquet(buffer)
    else:
        frame.write_csv(buffer, separator="\t" if ending in (".tsv", ".tab") else ",")
    return buffer.getvalue()
