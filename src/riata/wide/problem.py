"""Problem: one fit of a wide table, its columns, unpenalised columns, outcome and network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from riata.engines import Loss, NetworkSpec
from riata.errors import InputError
from riata.genome import Columns
from riata.wide.grouping import Grouping
from riata.wide.network import Gradient, Weights, gradient, null_weights

__all__ = ["Problem", "make_problem", "whitening", "with_constant"]


@dataclass(frozen=True, eq=False)
class Problem:
    """Minimise ``mean loss(c' free + x' S + act(x' W + b1)' out) + lam penalty([W | S])`` over n rows.

    Attributes
    ----------
    columns : Columns
        The penalised columns, standardised on these rows.
    free : Tensor (n, q + 1)
        Unpenalised columns with the constant, whitened: ``free' free = n``.
    y : Tensor (n,)
    loss : Loss
    spec : NetworkSpec
        Width and activation; at most one hidden layer.
    grouping : Grouping
    start : Weights
        The tail, and free at 0.
    """

    columns: Columns
    free: Tensor
    y: Tensor
    loss: Loss
    spec: NetworkSpec
    grouping: Grouping
    start: Weights
    whiten: Tensor

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    def unpenalised(self, given: Tensor) -> Tensor:
        """Return unpenalised columns of any rows (m, q) as the network reads them, (m, q + 1)."""
        return (with_constant(given) @ self.whiten).to(self.free.dtype)

    def gradient(self, x: Tensor, w: Weights) -> Gradient:
        """Return the gradient at w with the working set x (n, m)."""
        return gradient(x, self.free, self.y, w, self.loss, self.spec.activation)


def with_constant(free: Tensor) -> Tensor:
    """Return [1, free] in float64, (n, q + 1)."""
    return torch.cat([torch.ones(len(free), 1, dtype=torch.float64), free.double()], 1)


def whitening(free: Tensor) -> Tensor:
    """Return V (q + 1, q + 1) so that ``[1, free] V`` has unit mean square and no correlation, the constant first.

    Raises
    ------
    InputError
        If an unpenalised column is constant or a combination of the others.
    """
    whole = with_constant(free)
    r = torch.linalg.qr(whole).R
    size = r.diagonal().abs() / torch.linalg.vector_norm(whole, dim=0)
    if bool((size < 1e-8).any()):
        raise InputError("an unpenalised column is constant or a combination of others; expected none: name fewer")
    one = torch.eye(len(r), dtype=torch.float64) * len(free) ** 0.5
    inverse: Tensor = torch.linalg.solve_triangular(r, one, upper=True)
    return inverse


def make_problem(
    columns: Columns,
    y: Tensor,
    loss: Loss,
    *,
    free: Tensor | None = None,
    grouping: Grouping | None = None,
    hidden: int = 20,
    activation: str = "tanh",
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Problem:
    """Return the problem of some columns and an outcome.

    Parameters
    ----------
    columns : Columns
        n rows, p columns.
    y : Tensor (n,)
        Numbers, 0/1, or class codes.
    loss : Loss
    free : Tensor (n, q), optional
        Unpenalised columns; the constant is added.
    grouping : Grouping, optional
        Each column its own variable if left out.
    hidden : int
        Units beside the skip, >= 0.
    activation : {"tanh", "silu", "relu", "identity"}
    seed : int
        Of the random tail.
    dtype : torch dtype
        What is trained in; float32 or float64.

    Raises
    ------
    InputError
        If the rows do not fit together.
    """
    if len(y) != columns.n or (free is not None and len(free) != columns.n):
        raise InputError(f"{len(y)} outcomes for {columns.n} rows; expected one a row")
    given = torch.zeros(columns.n, 0) if free is None else free
    whiten = whitening(given)
    whole = with_constant(given) @ whiten
    spec = NetworkSpec(columns.p, loss.outputs, (hidden,) if hidden else (), activation)
    return Problem(
        columns,
        whole.to(dtype),
        y.to(dtype),
        loss,
        spec,
        grouping or Grouping(torch.zeros(0, dtype=torch.int64), columns.p),
        null_weights(spec, seed, whole.shape[1], dtype),
        whiten,
    )
