"""Make the golden files of this version: small runs on simulated data, with predictions for rows they never saw.

    python tests/golden/make.py [--to tests/golden]

They are made once for a format and then kept: what a later version must still read. An existing folder is not touched.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import riata
from riata.choice.decision import Decision
from riata.model import Model
from riata.version import __version__

SMALL: dict[str, Any] = {
    "hidden": (4,), "epochs": 15, "folds": 3, "seeds": 1, "path_length": 3, "workers": 1, "dropout": (0.0,),
    "device": "cpu", "penalties": ["l2", "group_lasso"],
}  # fmt: skip
FILES = ("decision.json", "figures.json", "timings.json", "model.safetensors")
"""What is kept of a run, where it is there."""


def mixed(n: int, seed: int) -> pl.DataFrame:
    """Return numbers with blanks, a category with blanks, one of two levels, noise, and three targets."""
    rng = np.random.default_rng(seed)
    age, dose, colour = rng.normal(50, 10, n), rng.normal(size=n), rng.choice(["red", "green", "blue"], n)
    score = (age - 50) / 5 + 2 * (colour == "red") + dose
    return pl.DataFrame(
        {
            "age": [None if i % 11 == 3 else a for i, a in enumerate(age.round(3).tolist())],
            "dose": dose.round(4),
            "colour": [None if i % 13 == 5 else c for i, c in enumerate(colour.tolist())],
            "sex": rng.choice(["f", "m"], n),
            "noise": rng.normal(size=n).round(4),
            "binary": np.where(score > 0.6, "ill", "well"),
            "several": np.array(["low", "mid, or so", "high"])[np.digitize(score, [-0.8, 1.5])],
            "number": (1000 + 50 * score).round(3),
        }
    )


def people(n: int, seed: int) -> tuple[pl.DataFrame, np.ndarray, list[str]]:
    """Return a clinical table, copies of 30 variants (n, 30) of which one counts, and the variants' names."""
    rng = np.random.default_rng(seed)
    calls = rng.integers(0, 3, (n, 30)).astype(np.int8)
    age = rng.normal(60, 8, n).round(2)
    ill = (age - 60) / 8 + 2.0 * (calls[:, 7] - 1) + rng.normal(0, 0.5, n) > 0
    return pl.DataFrame({"age": age, "ill": ill.astype(int)}), calls, [f"rs{100 + j}" for j in range(30)]


def keep(folder: Path, found: Decision, rows: pl.DataFrame, inputs: pl.DataFrame | None = None) -> None:
    """Write what is kept of a run: its files, new rows, and what it predicts for them."""
    model = found.model
    assert isinstance(model, Model)
    found.save(folder)
    for path in folder.iterdir():
        if path.name not in FILES:
            path.unlink()
    rows.write_csv(folder / "rows.csv")
    outputs = model.outputs(model.encode(rows if inputs is None else inputs))
    said = {"outputs": outputs.tolist(), "kept": list(model.kept), "dropped": list(model.dropped)}
    (folder / "expected.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


def make(folder: Path) -> None:
    """Write every golden run of this version."""
    targets = ("binary", "several", "number")
    for target in targets:
        frame = mixed(120, 0)
        found = riata.choose(frame.drop([t for t in targets if t != target]), target, name=target, **SMALL)
        keep(folder / target, found, mixed(12, 7).drop(targets))
    groups = {"age": "body", "dose": "body", "sex": "body", "colour": "look", "noise": "look"}
    frame = mixed(120, 1).drop("several", "number")
    keep(folder / "groups", riata.choose(frame, "binary", groups=groups, name="groups", **SMALL),
         mixed(12, 8).drop(targets))  # fmt: skip
    genotypes(folder / "genotypes")


def genotypes(folder: Path) -> None:
    """Write the run with genotypes; new people's calls are in ``calls.parquet``."""
    folder.mkdir(parents=True)
    frame, calls, names = people(90, 2)
    wide = {name: calls[:, j] for j, name in enumerate(names)}
    pl.DataFrame(wide).write_parquet(folder / "calls.parquet")
    options = {k: v for k, v in SMALL.items() if k in ("hidden", "folds", "workers", "device", "penalties")}
    found = riata.choose(frame, "ill", genotypes=str(folder / "calls.parquet"), name="genotypes", **options)
    new, calls, names = people(12, 9)
    fresh = pl.DataFrame({name: calls[:, j] for j, name in enumerate(names)})
    keep(folder, found, new.drop("ill"), pl.concat([new.drop("ill"), fresh], how="horizontal"))
    fresh.write_parquet(folder / "calls.parquet")


def main() -> None:
    """Make the files of this version."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--to", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().to / __version__
    if folder.exists():
        raise SystemExit(f"{folder} is there; golden files are kept as they are")
    make(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{size / 1000:.0f} kB in {folder}")  # noqa: T201


if __name__ == "__main__":
    main()
