"""Body mass index of 1,814 outbred mice from 10,346 variants: r2 by penalty, and what relatives do to it.

    python benchmarks/mice.py DATA/plink                    all three kinds of folds
    python benchmarks/mice.py DATA/plink --folds-by cage --penalties group_lasso

DATA/plink holds mice_hs1814.bed, .bim, .fam and mice_pheno.csv.gz. The .fam has no families (each mouse is its own).
Folds keep nothing together, or cages (from the table), or families, made from the genotypes: average linkage of the
kinship ``x_i'x_j / p``, cut at .25 (full sibs have about .5). Random folds have sibs on both sides; what they score
above the others is kinship or a shared cage, not a variant's effect.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from scipy.cluster.hierarchy import fcluster, linkage

from riata.choice.decision import Decision
from riata.choice.options import Options
from riata.cohort.decide import decide_study
from riata.cohort.study import open_study
from riata.genome import Columns, open_bed, read_fam

KINSHIP = 0.25
"""Average kinship above which two groups of mice are one family."""
FOLDS_BY = ("nothing", "cage", "family")
NAME = "mice_hs1814"


def kinship(columns: Columns) -> np.ndarray:
    """Return ``x x' / p`` of the standardised columns, (n, n)."""
    x = columns.columns(torch.arange(columns.p))
    found: np.ndarray = (x @ x.T / columns.p).double().numpy()
    return found


def families(kin: np.ndarray) -> np.ndarray:
    """Return a family for every row of a kinship (n, n): average linkage of ``1 - kin``, cut at :data:`KINSHIP`."""
    apart = (1 - kin)[np.triu_indices(len(kin), 1)].clip(min=0)
    found: np.ndarray = fcluster(linkage(apart, "average"), 1 - KINSHIP, "distance")
    return found


def frame_of(data: Path, kin: np.ndarray) -> pl.DataFrame:
    """Return mouse, body mass index, cage and family, in the order of the .fam."""
    said = pl.read_csv(data / "mice_pheno.csv.gz", null_values=["NA", ""], infer_schema_length=None)
    rows = pl.DataFrame({"SUBJECT.NAME": read_fam(data / f"{NAME}.fam").ids}).join(
        said, on="SUBJECT.NAME", how="left", maintain_order="left"
    )
    return rows.select(mouse="SUBJECT.NAME", bmi="Obesity.BMI", cage="cage", family=families(kin).astype(str))


def describe(frame: pl.DataFrame, kin: np.ndarray) -> str:
    """Return how many cages and families there are, how many cages lie in one family, and the kinship in a cage."""
    cage = frame["cage"].to_numpy()
    mates = np.triu(np.equal.outer(cage, cage), 1)
    found = frame.group_by("cage").agg(pl.len(), of=pl.col("family").n_unique()).filter(pl.col("len") > 1)
    one = float(np.mean(np.array(found["of"].to_list()) == 1))
    sizes = sorted(frame.group_by("family").len()["len"].to_list())
    return (
        f"{frame.height} mice in {frame['cage'].n_unique()} cages and {len(sizes)} families of {sizes[0]} to"
        f" {sizes[-1]}; {100 * one:.0f}% of the cages with several mice are one family's;"
        f" median kinship of two mice of a cage {np.median(kin[mates]):.2f}"
    )


def decide(data: Path, frame: pl.DataFrame, by: str, options: Options) -> Decision:
    """Decide with folds that keep ``by`` together."""
    group = None if by == "nothing" else by
    wanted = frame.select("mouse", "bmi", *([group] if group else []))
    study = open_study(wanted, "bmi", data / f"{NAME}.bed", id="mouse", task="regression", group_column=group)
    return decide_study(study, options)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table."""
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads), flush=True)
    for cells in rows:
        print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
    print(flush=True)


def rows_of(by: str, decision: Decision, seconds: float) -> tuple[list[list[str]], list[str]]:
    """Return a row a penalty, and the row of the decision."""
    found = decision.summary
    scores = [
        [
            by,
            penalty,
            f"{s['r2']['mean']:.3f} ({s['r2']['low']:.3f}-{s['r2']['high']:.3f})",
            f"{s['kept_variants']:.0f}",
        ]
        for penalty, s in found["cohort"]["views"]["genetic"].items()
        if "why_not" not in s
    ]
    stable, final = found["cohort"]["stability"], found["final"]["r2"]
    nested = found["final"].get("nested", found["final"])["r2"]
    agreement = "-" if stable["agreement"] is None else f"{stable['agreement']:.2f}"
    said = [by, found["verdict"]["penalty"], f"{nested['mean']:.3f}", f"{final['mean']:.3f}", str(len(found["kept"])),
            f"{len(stable['selected'])} of {stable['most']}", str(stable["halves"]), agreement, f"{seconds:.0f}",
            f"{os.getloadavg()[0]:.1f}"]  # fmt: skip
    return scores, said


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folds-by", default=",".join(FOLDS_BY))
    parser.add_argument("--penalties", default="l2,l1,elastic_net,group_lasso")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    options = Options(penalties=tuple(given.penalties.split(",")), workers=given.workers, seed=given.seed)
    kin = kinship(open_bed(given.data / NAME))
    frame = frame_of(given.data, kin)
    print(describe(frame, kin) + "\n")
    scores, decisions = list[list[str]](), list[list[str]]()
    for by in given.folds_by.split(","):
        began = time.perf_counter()
        more, said = rows_of(by, decide(given.data, frame, by, options), time.perf_counter() - began)
        scores += more
        decisions.append(said)
        print(f"folds by {by}: {said[-2]} s", flush=True)
    table(("folds keep together", "penalty", "r2", "variants kept"), scores)
    table(("folds keep together", "verdict", "nested r2", "sealed r2", "kept", "stable of most", "halves", "agreement",
           "seconds", "load"), decisions)  # fmt: skip


if __name__ == "__main__":
    main()
