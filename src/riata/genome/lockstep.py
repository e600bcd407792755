"""Lockstep: several row subsets of one matrix served by one pass over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from riata.errors import InputError
from riata.genome.columns import Columns, Store, checked_right

__all__ = ["dots", "grams", "takes"]

BLOCK = 1024
"""Columns in a block where a plain implementation is read on its own."""

Part = tuple[Columns, Tensor]


def takes(columns: Columns, rows: Sequence[Tensor]) -> list[Columns]:
    """Return ``[columns.take(r) for r in rows]``, with all means, scales and missing counts from one pass.

    Examples
    --------
    >>> import numpy as np
    >>> from riata.genome.dense import Dense
    >>> x = Dense.of(np.arange(6.0).reshape(3, 2))
    >>> [part.mean.tolist() for part in takes(x, [torch.tensor([0, 1]), torch.tensor([2])])]
    [[1.0, 2.0], [4.0, 5.0]]
    """
    if not rows:
        return []
    store = columns.store
    return [columns.take(each) for each in rows] if store is None else list(store.takes(columns, rows))


def dots(parts: Sequence[Part]) -> list[Tensor]:
    """Return ``columns.dot(right)`` of each part; those that are takes of one matrix share one pass over it.

    Examples
    --------
    >>> import numpy as np
    >>> from riata.genome.dense import Dense
    >>> x = Dense.of(np.array([[0, 5], [1, 5], [2, 5]], np.int8))
    >>> right = torch.tensor([[0.0], [0.0], [1.0]])
    >>> [out.tolist() for out in dots([(x, right), (x.take(torch.tensor([0, 2])), right[1:])])]
    [[[1.2247449159622192], [0.0]], [[1.0], [0.0]]]
    """
    return _by_store(parts, lambda store, same: store.dots(same), lambda columns, right: columns.dot(right))


def grams(parts: Sequence[Part], within: slice | None = None) -> list[Tensor]:
    """Return each part's ``sum_g x_g (x_g' right)``: (n, k) -> (n, k) float64; one pass for takes of one matrix.

    The relative error is about 1e-6 (fixed point of three digits, or float32 right-hand sides). A block of columns is
    unpacked once for both products of all parts.

    Parameters
    ----------
    parts : sequence of (Columns, Tensor (n, k))
        Each with as many rows as its columns have in use.
    within : slice, optional
        Only these columns, in steps of 1; by default all.

    Raises
    ------
    InputError
        If the slice has another step, or the parts have other numbers of columns.

    Examples
    --------
    >>> import numpy as np
    >>> from riata.genome.dense import Dense
    >>> x = Dense.of(np.array([[0, 5], [1, 5], [2, 5]], np.int8))
    >>> grams([(x, torch.tensor([[0.0], [0.0], [1.0]]))])[0].T.round(decimals=6)
    tensor([[-1.5000,  0.0000,  1.5000]], dtype=torch.float64)
    """
    if not parts:
        return []
    counts = sorted({columns.p for columns, _ in parts})
    if len(counts) > 1:
        raise InputError(f"grams of {counts} columns; expected one number: call grams once for each matrix")
    start, stop, step = (slice(None) if within is None else within).indices(counts[0])
    if step != 1:
        raise InputError(f"grams within steps of {step}; expected neighbouring columns: slice(start, stop)")
    part = slice(start, max(start, stop))
    return _by_store(
        parts, lambda store, same: store.grams(same, part), lambda columns, right: _gram(columns, right, part)
    )


def _by_store(
    parts: Sequence[Part],
    together: Callable[[Store, Sequence[Part]], list[Tensor]],
    alone: Callable[[Columns, Tensor], Tensor],
) -> list[Tensor]:
    """Return the results in the order of the parts, those of one store together."""
    outs: list[Tensor | None] = [None] * len(parts)
    groups = dict[int, tuple[Store, list[int]]]()
    for i, (columns, right) in enumerate(parts):
        if (store := columns.store) is None:
            outs[i] = alone(columns, right)
        else:
            groups.setdefault(id(store), (store, []))[1].append(i)
    for store, same in groups.values():
        for i, out in zip(same, together(store, [parts[i] for i in same]), strict=True):
            outs[i] = out
    return [out for out in outs if out is not None]


def _gram(columns: Columns, right: Tensor, within: slice) -> Tensor:
    """Return the gram of columns that are read on their own, block by block in float64."""
    right = checked_right(right, columns.n).double()
    out = torch.zeros_like(right)
    for a in range(within.start, within.stop, BLOCK):
        x = columns.columns(torch.arange(a, min(a + BLOCK, within.stop))).double()
        out += x @ (x.T @ right)
    return out
