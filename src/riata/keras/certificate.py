"""What a Keras model has: exact zeros, and how far its penalised weights are from stationary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from riata.errors import InputError
from riata.keras.backend import keras
from riata.keras.regularizers import Proximal

__all__ = ["kkt", "zeros"]


def zeros(model: Any) -> dict[str, tuple[int, int]]:
    """Return, for each penalised variable, how many groups are exactly zero, and of how many.

    For L1, L2 and the elastic net a group is a single weight.

    Examples
    --------
    >>> from riata.keras import L1
    >>> layer = keras.layers.Dense(2, kernel_initializer="zeros", kernel_regularizer=L1(0.1), name="first")
    >>> layer.build((None, 3))
    >>> zeros(layer)
    {'kernel': (6, 6)}
    """
    found = {}
    for name, variable in _penalised(model):
        term, w = variable.regularizer, variable.value.detach()
        alive = (w != 0).float()[None]
        live = alive if term.penalty.entrywise else term.groups_of(w).sums(alive)
        found[name] = (int((live == 0).sum()), live.numel())
    return found


def kkt(model: Any, x: Any, y: Any, sample_weight: Any = None) -> dict[str, float]:
    """Return the largest KKT residual of each penalised variable, in the units of lam; 0 at a stationary point.

    The distance of minus the gradient of the loss to the subdifferential of the penalty, over all rows given,
    with the layers as in inference. A clipped gradient (``clipnorm``) moves the point where training ends; the
    residual sees it.

    Parameters
    ----------
    model : keras.Model
        Compiled with a loss and an optimizer of :mod:`riata.keras`, and built.
    x, y, sample_weight
        All rows, as for ``model.evaluate``.

    Raises
    ------
    InputError
        If the model is not compiled.
    """
    if not model.compiled:
        raise InputError("a model without a loss; expected a compiled one; call model.compile(optimizer, loss) first")
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    x, y = (keras.tree.map_structure(keras.ops.convert_to_tensor, part) for part in (x, y))
    weight = None if sample_weight is None else keras.ops.convert_to_tensor(sample_weight)
    model.zero_grad()
    with torch.enable_grad():
        loss = model.compute_loss(x=x, y=y, y_pred=model(x, training=False), sample_weight=weight)
        loss.backward()
    found = {}
    for name, variable in _penalised(model):
        term, w, grad = variable.regularizer, variable.value.detach(), variable.value.grad
        grad = torch.zeros_like(w) if grad is None else grad
        residual = term.penalty.residual(w[None], grad[None], term.strength(w), term.groups_of(w))
        found[name] = float(residual.max())
    model.zero_grad()
    return found


def _penalised(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield the penalised variables, each by its path below the model."""
    for variable in model.trainable_variables:
        if isinstance(variable.regularizer, Proximal):
            yield variable.path.removeprefix(f"{model.name}/"), variable
