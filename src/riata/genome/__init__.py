"""Very many variables: columns that are read in blocks, wherever they are stored."""

from __future__ import annotations

from riata.genome.bed import Bed, open_bed
from riata.genome.cohort import Match, join
from riata.genome.columns import Columns, Store, monomorphic
from riata.genome.dense import Dense
from riata.genome.joined import Joined
from riata.genome.lockstep import dots, grams, takes
from riata.genome.parquet import open_wide
from riata.genome.plink import Samples, Variants, read_bim, read_fam
from riata.genome.scenario import Cohort
from riata.genome.simulate import Truth, simulate
from riata.genome.whole import Whole

__all__ = [
    "Bed",
    "Cohort",
    "Columns",
    "Dense",
    "Joined",
    "Match",
    "Samples",
    "Store",
    "Truth",
    "Variants",
    "Whole",
    "dots",
    "grams",
    "join",
    "monomorphic",
    "open_bed",
    "open_wide",
    "read_bim",
    "read_fam",
    "simulate",
    "takes",
]
