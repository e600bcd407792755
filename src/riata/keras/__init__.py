"""The Keras front: penalties as kernel regularizers, and optimizers whose zeros are exact (torch backend)."""

from __future__ import annotations

from riata.keras.certificate import kkt, zeros
from riata.keras.optimizers import ProximalAdam, ProximalSGD, proximal
from riata.keras.regularizers import L1, L2, ElasticNet, GroupLasso, Proximal, SparseGroupLasso

__all__ = [
    "L1",
    "L2",
    "ElasticNet",
    "GroupLasso",
    "Proximal",
    "ProximalAdam",
    "ProximalSGD",
    "SparseGroupLasso",
    "kkt",
    "proximal",
    "zeros",
]
