"""Build the gallery: real reports of four tables, their figures, and a page that shows them.

    python docs/gallery.py [--to docs/gallery] [--budget 60s] [--only digits,diabetes]

The breast-cancer, digits and diabetes tables come with scikit-learn; the heart table is simulated here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

import riata
from riata.files import write_text
from riata.plots.save import save_chart

FIGURES = {"breast_cancer": "heatmap", "heart": "flowchart", "digits": "picture", "diabetes": "path"}
"""The figure of each report that the page shows."""


def breast_cancer() -> pd.DataFrame:
    """Return 569 tumours with 30 measurements."""
    cells = load_breast_cancer()
    frame = pd.DataFrame(cells.data, columns=[str(n) for n in cells.feature_names])
    return frame.assign(target=[str(cells.target_names[c]) for c in cells.target])


def diabetes() -> pd.DataFrame:
    """Return 442 patients with 10 measurements and the progression of their disease."""
    patients = load_diabetes(as_frame=True)
    return patients.frame


def digits() -> pd.DataFrame:
    """Return 1,797 pictures of 8 x 8 pixels."""
    pictures = load_digits()
    names = [f"pixel {i // 8},{i % 8}" for i in range(64)]
    return pd.DataFrame(pictures.data, columns=names).assign(target=[f"digit {c}" for c in pictures.target])


def heart(rows: int = 3000, seed: int = 0) -> pd.DataFrame:
    """Return a simulated cohort: four causes of heart disease, companions that only follow them, and noise."""
    rng = np.random.default_rng(seed)
    age = rng.normal(50, 9, rows).round()
    man = rng.random(rows) < 0.45
    smokes = rng.random(rows) < 0.45
    cigarettes = np.where(smokes, rng.gamma(4, 5, rows), 0).round()
    systolic = (95 + 0.75 * age + rng.normal(0, 16, rows)).round()
    risk = -3.2 + 0.065 * (age - 50) + 0.55 * man + 0.02 * cigarettes + 0.017 * (systolic - 132)
    frame = pd.DataFrame(
        {
            "age": age,
            "sex": np.where(man, "man", "woman"),
            "cigarettes": cigarettes,
            "systolic": systolic,
            "diastolic": (30 + 0.4 * systolic + rng.normal(0, 7, rows)).round(),
            "pulse": rng.normal(75, 11, rows).round(),
            "glucose": rng.lognormal(4.35, 0.2, rows).round(),
            "education": rng.choice(["school", "college", "university"], rows, p=[0.6, 0.25, 0.15]),
            "region": rng.choice(["north", "east", "south", "west"], rows),
        }
    )
    frame.loc[rng.random(rows) < 0.09, "glucose"] = np.nan
    frame.loc[rng.random(rows) < 0.02, "education"] = None
    sick = rng.random(rows) < 1 / (1 + np.exp(-risk))
    return frame.assign(target=np.where(sick, "disease", "healthy"))


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "breast_cancer": breast_cancer, "heart": heart, "digits": digits, "diabetes": diabetes,
}  # fmt: skip


def build(name: str, folder: Path, budget: str) -> str:
    """Decide on a table, write its report and figures, and return its part of the page."""
    decision = riata.choose(TABLES[name](), "target", name=name, budget=budget)
    decision.save(folder / name)
    chart = getattr(decision.plot, FIGURES[name])()
    save_chart(chart, folder / f"{name}.png")
    said = escape(str(decision).split("\n", 1)[0])
    return (
        f'<section><h2><a href="{name}/report.html">{escape(name.replace("_", " "))}</a></h2><p>{said}</p>'
        f'<a href="{name}/report.html"><img src="{name}.png" alt="{FIGURES[name]} of {name}"></a></section>'
    )


def main() -> None:
    """Build all of it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--to", type=Path, default=Path(__file__).parent / "gallery")
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--only", default=",".join(TABLES))
    args = parser.parse_args()
    parts = [build(name, args.to, args.budget) for name in args.only.split(",")]
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}img{max-width:100%}"
    )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Riata: gallery</title><style>{style}</style><h1>Reports of real runs</h1>{''.join(parts)}</html>\n"
    )
    write_text(args.to / "index.html", page)
    print(f"gallery: {args.to / 'index.html'}")


if __name__ == "__main__":
    main()
