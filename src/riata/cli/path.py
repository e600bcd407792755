"""``riata path``: one penalty's whole path of strengths."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import Given
from .folders import out_folder
from .say import say, say_json
from .signals import shield_workers
from .tables import groups_of, options_of, table_of
from .words import strengths

if TYPE_CHECKING:
    from ..choice.options import Options
    from ..data import Table
    from ..path.result import PathResult

JSON_FILE, TABLE_FILE = "path.json", "path.parquet"


def path(given: Given) -> None:
    """Run ``riata path TABLE --target COL --penalty P``."""
    from ..choice.options import check_choice
    from ..files import write_bytes, write_text
    from ..penalties import NAMES

    check_choice("penalty", given["penalty"], NAMES)
    options, groups = options_of(given), groups_of(given)
    lams = strengths(given["lams"]) if given["lams"] is not None else None
    table = table_of(given)
    folder = out_folder(given["out"], table.name)
    if options.processes > 1:
        shield_workers()
    found = fit(table, given["penalty"], options, groups, lams)
    facts = facts_of(found, table)
    write_bytes(folder / TABLE_FILE, parquet(facts["rows"]))
    write_text(folder / JSON_FILE, text_of(facts))
    tell(given, facts, folder)


def fit(
    table: Table, penalty: str, options: Options, groups: dict[str, str] | None, lams: tuple[float, ...] | None
) -> PathResult:
    """Encode the table by all its rows and fit the path; the variables of one group live and die together."""
    import numpy as np

    from ..choice.prepare import grouping
    from ..data import fit_encoder
    from ..path.fit import fit_path
    from ..penalties import by_name

    encoder = fit_encoder(table, np.arange(table.n), "quantile" if options.scaling == "quantile" else "standard")
    index, names, _ = grouping(encoder.layout, groups)
    return fit_path(
        encoder.transform(table.values).astype(np.float64),
        table.y,
        by_name(penalty),
        hidden=options.hidden,
        lams=lams,
        folds=options.folds,
        seeds=options.seeds,
        task=table.task,
        groups=[names[i] for i in index],
        standardize=True,
        path_length=options.path_length,
        epochs=options.epochs,
        batch_size=options.batch_size,
        patience=options.patience,
        form=options.form,
        seed=options.seed,
        workers=options.ray or options.processes,
        device=options.device,
    )


def facts_of(found: PathResult, table: Table) -> dict[str, Any]:
    """Return a path as plain values: a row per strength, and the two strengths that are usually taken."""
    from ..version import __version__

    scores = found.scores
    assert scores is not None
    rows = [
        {
            "lam": float(lam),
            "valid_loss": float(scores.valid_loss[i]),
            "valid_loss_se": float(scores.valid_loss_se[i]),
            scores.metric: float(scores.score[i]),
            f"{scores.metric}_se": float(scores.score_se[i]),
            "kept": len(found.kept_groups(lam)),
            "kkt": found.kkt(lam),
            "status": found.status(lam),
        }
        for i, lam in enumerate(found.lams)
    ]
    return {
        "riata": __version__,
        "table": {**table.schema(), "rows": table.n, "variables": len(table.columns)},
        "task": found.task,
        "penalty": found.penalty.name,
        "metric": scores.metric,
        "hidden": list(found.spec.hidden),
        "lam_min": found.lam_min,
        "lam_1se": found.lam_1se,
        "groups": list(found.groups),
        "rows": rows,
        "kept": [found.kept_groups(lam) for lam in found.lams],
        "warnings": list(table.warnings),
    }


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as a Parquet file."""
    import polars as pl

    buffer = io.BytesIO()
    pl.DataFrame(rows).write_parquet(buffer)
    return buffer.getvalue()


def text_of(facts: dict[str, Any]) -> str:
    """Return strict JSON, numbers that are not finite as null."""
    from ..choice.chart import plain

    return json.dumps(plain(facts), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def tell(given: Given, facts: dict[str, Any], folder: Path) -> None:
    """Print the path as a table, strongest first."""
    if given["json"]:
        say_json(facts)
        return
    metric, total = facts["metric"], len(facts["groups"])
    lines = [f"{'lam':>11}  {'valid loss':>10}  {metric:>7}  {'kept':>9}  {'KKT':>8}"]
    for row in facts["rows"]:
        mark = " <- lam_min" if row["lam"] == facts["lam_min"] else ""
        mark += " <- lam_1se" if row["lam"] == facts["lam_1se"] else ""
        mark = (f" {row['status']}" if row["status"] != "ok" else "") + mark
        lines.append(
            f"{row['lam']:11.4g}  {row['valid_loss']:10.4f}  {row[metric]:7.3f}  {row['kept']:>3} of {total:<3}  "
            f"{row['kkt']:8.1e}{mark}"
        )
    if not given["quiet"]:
        lines += [f"Note          {warning}" for warning in facts["warnings"]]
        lines.append(f"path: {folder / JSON_FILE}")
    say("\n".join(lines))
