"""Kept: the variants of the network that is shown, and which of them are in linkage; worked out once for all."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..wide.clusters import Cluster, clusters
from .refit import Fitted
from .study import Study

__all__ = ["Kept", "kept_variants"]


@dataclass(frozen=True, eq=False)
class Kept:
    """Variants with a weight that is not 0.0, strongest first.

    Attributes
    ----------
    ids : Tensor, (m,)
    norms : Tensor, (m,)
        Euclidean norms of their first-layer rows.
    clusters : tuple of Cluster
        The same variants by linkage, each in one of them.
    """

    ids: torch.Tensor
    norms: torch.Tensor
    clusters: tuple[Cluster, ...]

    def __len__(self) -> int:
        return len(self.ids)


def kept_variants(shown: Fitted, clinical: int, study: Study) -> Kept:
    """Return the variants of a fit; its first ``clinical`` columns are no variants."""
    final = shown.final
    own = final.columns >= clinical
    norms = torch.linalg.vector_norm(final.weights.first[own], dim=1)
    alive = norms > 0
    order = torch.argsort(norms[alive], descending=True, stable=True)
    ids, norms = (final.columns[own][alive] - clinical)[order], norms[alive][order]
    return Kept(ids, norms, tuple(clusters(study.variants, ids, norms, study.places)))
