"""One split of a cohort: clinical columns and variants side by side, standardised on its training rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..choice.prepare import encode
from ..data import Table
from ..engines import Loss, loss_for
from ..genome import Columns, Dense, Joined, takes
from ..genome.joined import Beside
from ..population.design import Split
from ..wide import Grouping, Problem, Weights, make_problem
from ..wide.network import forward
from .settings import Settings
from .trial import Judge

__all__ = ["Fold", "folds_of"]

VARIANTS_BESIDE = Beside(2)
"""Joins clinical columns and variants of every fold, so that folds share a pass over the variants."""


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows of a table by their use, and everything that was learned from the training rows.

    Attributes
    ----------
    split : Split
    table : Table
        The clinical table, all rows.
    x : Tensor (n, d)
        Encoded clinical columns of all rows.
    group : Tensor of int64 (d,)
        Variable of each of them.
    variants : Columns
        The variants, all rows.
    columns : Columns
        Clinical columns and variants, training rows.
    free : Tensor of int64
        Clinical columns that carry no penalty, independent of each other.
    loss : Loss
    y : Tensor (n,)
        Outcome of all rows; numbers in units of the training rows' standard deviation.
    y_centre, y_scale : float
    """

    split: Split
    table: Table
    x: Tensor
    group: Tensor
    variants: Columns
    columns: Columns
    free: Tensor
    loss: Loss
    y: Tensor
    y_centre: float
    y_scale: float

    @property
    def clinical(self) -> int:
        """Number of encoded clinical columns; the variants come after them."""
        return self.x.shape[1]

    @property
    def train(self) -> Tensor:
        """Training rows."""
        return torch.as_tensor(self.split.train)

    def judge(self) -> Judge:
        """Return what judges outputs on the rows of the split."""
        train, valid, test = (torch.as_tensor(r) for r in (self.split.train, self.split.valid, self.split.test))
        return Judge(self.loss, self.y, train, valid, test, self.y_centre, self.y_scale)

    def problem(self, view: str, settings: Settings) -> Problem:
        """Return the fit of a view; the genetic one starts at column :attr:`clinical` of the same columns."""
        columns, grouping = self.columns, Grouping(self.group, self.columns.p)
        if view == "clinical":
            columns, grouping = self.clinical_columns(), Grouping(self.group, self.clinical)
        free = None if view == "genetic" else self.x[self.train][:, self.free]
        return make_problem(
            columns, self.y[self.train], self.loss, free=free, grouping=grouping, hidden=settings.hidden,
            seed=settings.seed,
        )  # fmt: skip

    def clinical_columns(self) -> Columns:
        """Return the clinical columns alone, training rows."""
        assert isinstance(self.columns, Joined)
        return self.columns.pieces[0]

    def everybody(self, view: str) -> Columns:
        """Return all rows, standardised on the training rows."""
        if view == "clinical":
            return Dense.of(self.x.numpy()).like(self.clinical_columns())
        if not self.clinical:
            return self.variants.like(self.columns)
        assert isinstance(self.columns, Joined)
        clinical, part = self.columns.pieces
        own = Dense.of(self.x.numpy()).like(clinical), self.variants.like(part)
        return Joined(own, self.columns.names, VARIANTS_BESIDE)

    def outputs(self, problem: Problem, columns: Tensor, weights: Weights) -> Tensor:
        """Return the outputs (n, K) of all rows for a network on some columns."""
        return self.forward(problem, self.standard(problem.columns, columns), weights)

    def forward(self, problem: Problem, x: Tensor, weights: Weights) -> Tensor:
        """Return the outputs (n, K) of all rows from the inputs x (n, m) of ``weights.first``."""
        given = self.x[:, self.free] if problem.free.shape[1] > 1 else self.x[:, :0]
        return forward(x, problem.unpenalised(given), weights, problem.spec.activation)[0]

    def standard(self, columns: Columns, ids: Tensor) -> Tensor:
        """Return some columns of all rows, standardised on the training rows, (n, m)."""
        first, rest = ids < self.clinical, ids >= self.clinical
        raw = torch.empty(len(self.y), len(ids))
        raw[:, first] = self.x[:, ids[first]]
        if bool(rest.any()):
            raw[:, rest] = self.variants.raw(ids[rest] - self.clinical)
        mean, scale = columns.mean[ids].float(), columns.scale[ids].float()
        return ((raw - mean) / torch.where(scale > 0, scale, 1.0)).nan_to_num(nan=0.0) * (scale > 0)


def folds_of(
    table: Table, variants: Columns, splits: Sequence[Split], unpenalised: Sequence[str], scaling: str
) -> list[Fold]:
    """Return the folds of a table; the means and scales of the variants of all folds come from one pass."""
    parts = takes(variants, [torch.as_tensor(split.train) for split in splits])
    return [
        _fold(table, variants, split, part, unpenalised, scaling) for split, part in zip(splits, parts, strict=True)
    ]


def _fold(
    table: Table, variants: Columns, split: Split, part: Columns, unpenalised: Sequence[str], scaling: str
) -> Fold:
    loss = loss_for(table.task, len(table.classes))
    if not table.columns:
        y = table.y.astype(np.float64)
        centre, scale = (
            (float(y[split.train].mean()), float(y[split.train].std())) if loss.kind == "squared" else (0, 1)
        )
        nothing = torch.zeros(table.n, 0)
        own = torch.as_tensor((y - centre) / scale, dtype=torch.float32)
        empty = torch.zeros(0, dtype=torch.int64)
        return Fold(split, table, nothing, empty, variants, part, empty, loss, own, centre, scale)
    encoded = encode(table, split.train, scaling)
    plan = encoded.encoder.layout
    x = torch.as_tensor(encoded.x)
    clinical = Dense.of(encoded.x[split.train], [f"clinical {c}" for c in plan.columns])
    names = (*clinical.names, *part.names)
    wanted = [i for i, g in enumerate(plan.group) if plan.variables[g] in set(unpenalised)]
    free = _independent(x[torch.as_tensor(split.train)], wanted)
    return Fold(
        split, table, x, torch.as_tensor(plan.group), variants,
        Joined((clinical, part), names, VARIANTS_BESIDE), free, loss, torch.as_tensor(encoded.y),
        encoded.y_centre, encoded.y_scale,
    )  # fmt: skip


def _independent(x: Tensor, wanted: Sequence[int]) -> Tensor:
    """Return those of the wanted columns that are not constant or a combination of the ones before."""
    found: list[int] = []
    basis = torch.ones(len(x), 1, dtype=torch.float64) / len(x) ** 0.5
    for i in wanted:
        column = x[:, i].double()
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        if float(rest.norm()) > 1e-6 * max(float(column.norm()), 1e-12):
            basis = torch.cat([basis, (rest / rest.norm())[:, None]], 1)
            found.append(i)
    return torch.tensor(found, dtype=torch.int64)
