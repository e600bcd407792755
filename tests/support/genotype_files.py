"""PLINK sets on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from riata.genome.plink import write_bed, write_bim


def write_set(path: Path, counts: np.ndarray) -> Path:
    """Write copies of allele 1 (variants, people), -1 where missing, as a .bed in two blocks, a .bim and a .fam."""
    p, n = counts.shape
    write_bed(path.with_suffix(".bed"), [counts[: p // 2], counts[p // 2 :]])
    write_bim(path.with_suffix(".bim"), ((str(1 + i % 3), f"rs{i}", i, "A", "C") for i in range(p)))
    path.with_suffix(".fam").write_text("".join(f"F P{i} 0 0 0 -9\n" for i in range(n)))
    return path
