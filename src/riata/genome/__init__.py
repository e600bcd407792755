"""Very many variables: columns that are read in blocks, wherever they are stored."""

from __future__ import annotations

from riata.genome.bed import Bed, open_bed
from riata.genome.cohort import Match, join
from riata.genome.columns import Columns, monomorphic
from riata.genome.dense import Dense
from riata.genome.plink import Samples, Variants, read_bim, read_fam
from riata.genome.simulate import Cohort, Truth, simulate

__all__ = [
    "Bed",
    "Cohort",
    "Columns",
    "Dense",
    "Match",
    "Samples",
    "Truth",
    "Variants",
    "join",
    "monomorphic",
    "open_bed",
    "read_bim",
    "read_fam",
    "simulate",
]
