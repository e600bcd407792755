"""Keras optimizers that take the prox of every penalised variable, in the metric of their own step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from riata.errors import InputError
from riata.keras.backend import keras
from riata.keras.regularizers import Proximal, register

__all__ = ["ProximalAdam", "ProximalSGD", "proximal"]


@register
class ProximalAdam(keras.optimizers.Adam):  # type: ignore[misc,unused-ignore]
    """Adam, and after each update the prox of every variable whose regularizer is one of :mod:`riata.keras`.

    ``w <- argmin_x 1/2 sum_i (x_i - u_i)^2 / step_i + lam R(x)`` with u the point Adam reaches and its true step,
    ``step_i = lr sqrt(c2) / (c1 (sqrt(v_i) + epsilon))``, c1 = 1 - beta_1^t, c2 = 1 - beta_2^t.

    Parameters
    ----------
    All those of ``keras.optimizers.Adam``
        Schedules, clipping, ``amsgrad`` and ``gradient_accumulation_steps`` included; ``weight_decay`` is decoupled, as
        in Keras, and moves the solution.

    Raises
    ------
    InputError
        With ``use_ema``, whose averages are never zero, or if a penalised variable has a constraint.

    References
    ----------
    Deleu & Bengio 2021, *Structured sparsity inducing adaptive optimizers*, section 3.2.

    Examples
    --------
    >>> from riata.keras import L1
    >>> w = keras.Variable([[3.0, 0.1]])
    >>> w.regularizer = L1(0.5)
    >>> optimizer = ProximalAdam(0.1)
    >>> optimizer.apply([torch.ones(1, 2)], [w])
    >>> [round(value, 4) for value in w.value.tolist()[0]]
    [2.4, 0.0]
    """

    def build(self, variables: Sequence[Any]) -> None:
        """Make the moments, and take over the penalties."""
        take(self, variables)
        super().build(variables)

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Any) -> None:
        """Take Adam's step, then the prox."""
        super().update_step(gradient, variable, learning_rate)
        if isinstance(variable.regularizer, Proximal):
            moments = self._velocity_hats if self.amsgrad else self._velocities
            v = moments[self._get_variable_index(variable)].value.detach()
            t = number(self.iterations) + 1
            scale = number(learning_rate) * (1 - self.beta_2**t) ** 0.5 / (1 - self.beta_1**t)
            shrink(variable, scale / (v.sqrt() + self.epsilon))


@register
class ProximalSGD(keras.optimizers.SGD):  # type: ignore[misc,unused-ignore]
    """SGD with a momentum of gradients, and the prox of every penalised variable: ``riata.updates.ProxSGD``.

    ``m <- b m + (1 - b) g; w <- prox_{lr R}(w - lr m / (1 - b^t))``. Keras' own momentum has the true step
    lr/(1 - b): its ``SGD(lr, momentum=b)`` corresponds to ``ProximalSGD(lr / (1 - b), momentum=b)``.

    Parameters
    ----------
    All those of ``keras.optimizers.SGD``
        Except ``nesterov``.

    Raises
    ------
    InputError
        With ``nesterov``, which steps further than lr, with ``use_ema``, or if a penalised variable has a constraint.

    References
    ----------
    Parikh & Boyd 2014, *Proximal Algorithms*, section 4.2, eq. (4.6).

    Examples
    --------
    >>> from riata.keras import GroupLasso
    >>> w = keras.Variable([[3.0, 4.0], [0.1, 0.2]])
    >>> w.regularizer = GroupLasso(2.5)
    >>> optimizer = ProximalSGD(1.0)
    >>> optimizer.apply([torch.zeros(2, 2)], [w])
    >>> w.value.tolist()
    [[1.5, 2.0], [0.0, 0.0]]
    """

    def build(self, variables: Sequence[Any]) -> None:
        """Make the momenta, and take over the penalties."""
        if self.nesterov:
            raise InputError("nesterov=True steps further than lr; expected nesterov=False; drop it")
        take(self, variables)
        super().build(variables)

    @torch.no_grad()
    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Any) -> None:
        """Take the step, then the prox."""
        w, b = variable.value.detach(), float(self.momentum)
        lr, move = number(learning_rate), gradient.to(w.dtype)
        if b:
            m = self.momentums[self._get_variable_index(variable)].value.detach()
            move = m.lerp_(move, 1 - b) / (1 - b ** (number(self.iterations) + 1))
        variable.assign(w - lr * move)
        if isinstance(variable.regularizer, Proximal):
            shrink(variable, w.new_full((1,), lr))


def proximal(optimizer: Any) -> Any:
    """Return the optimizer that takes the steps of a given one, and the prox.

    Parameters
    ----------
    optimizer : keras.optimizers.Adam, AdamW, or SGD without momentum
        Not yet used. AdamW becomes :class:`ProximalAdam` with its ``weight_decay``.

    Raises
    ------
    InputError
        For SGD with momentum, whose true step is lr/(1 - momentum), and for optimizers whose step is not known.

    Examples
    --------
    >>> type(proximal(keras.optimizers.SGD(0.1))).__name__
    'ProximalSGD'
    """
    name = type(optimizer).__name__
    config = optimizer.get_config() if isinstance(optimizer, keras.optimizers.Optimizer) else {}
    if type(optimizer) in (type(keras.optimizers.Adam()), type(keras.optimizers.AdamW())):
        return ProximalAdam.from_config(config)
    if type(optimizer) is not type(keras.optimizers.SGD()):
        raise InputError(
            f"{name}, whose true step per weight is not known: a prox would solve another problem; expected "
            "keras.optimizers.Adam, AdamW or SGD; use riata.keras.ProximalAdam"
        )
    if config["momentum"]:
        b = config["momentum"]
        raise InputError(
            f"SGD(momentum={b:g}) has the true step lr/(1 - momentum): a prox with lr solves another problem; "
            f"expected momentum=0; use riata.keras.ProximalSGD(lr / (1 - {b:g}), momentum={b:g})"
        )
    return ProximalSGD.from_config(config)


def number(x: Any) -> float:
    """Return a Keras variable or number as a float."""
    return float(keras.ops.convert_to_tensor(x))


def take(optimizer: Any, variables: Sequence[Any]) -> None:
    """Tell each penalty which optimizer takes its prox, and refuse what would undo zeros."""
    for variable in variables:
        if not isinstance(variable.regularizer, Proximal):
            continue
        if optimizer.use_ema:
            raise InputError("use_ema=True: averaged weights are not exactly zero; expected use_ema=False; drop it")
        if variable.constraint is not None:
            raise InputError(
                f"{variable.path} has a penalty and a constraint: one after the other solves neither; expected one of "
                "them; drop the constraint"
            )
        variable.regularizer.groups_of(variable.value)
        variable.regularizer.own(optimizer)


@torch.no_grad()
def shrink(variable: Any, step: Tensor) -> None:
    """Apply the prox of a variable's penalty; the true step is (1,) or of the variable's shape."""
    term: Proximal = variable.regularizer
    w = variable.value.detach()
    lengths = step if step.shape != w.shape else step[None]
    variable.assign(term.penalty.prox(w[None], lengths, term.strength(w), term.groups_of(w))[0])
