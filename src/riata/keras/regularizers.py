"""Penalties as Keras regularizers: the loss shows their value, the optimizer's prox does the shrinking."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor

from riata import penalties
from riata.errors import InputError
from riata.groups import Groups, by_input, from_index
from riata.keras.backend import keras

__all__ = ["L1", "L2", "ElasticNet", "GroupLasso", "Proximal", "SparseGroupLasso"]

AXES: Final = {"input": -2, "output": -1}

register = keras.saving.register_keras_serializable(package="riata")


class Proximal(keras.Regularizer):  # type: ignore[misc,unused-ignore]
    """A penalty of :mod:`riata.penalties` on one Keras variable, ``lam R(w)``.

    The value is part of the loss that Keras shows, without a gradient: Keras would follow a subgradient, which never
    reaches zero. :class:`riata.keras.ProximalAdam` or :class:`riata.keras.ProximalSGD` takes the prox instead;
    under any other optimizer the first backward pass raises. The classes below can be saved with a model; a penalty
    given here by itself, as ``Proximal(MCP(), 0.1)``, cannot.

    Parameters
    ----------
    penalty : Penalty
    lam : float >= 0
        Multiplies the penalty beside the loss as Keras has it: its ``mse`` has no 1/2.
    groups : {"input", "output"} or int
        Axis that is grouped: -2 or -1 of a kernel, which is (in, out) in Dense and (height, width, in, out) in Conv2D.
        Transposed convolutions keep outputs on axis -2: give the axis as a number there.
    sizes : sequence of int, optional
        Numbers of neighbouring entries of the axis that belong together, [1, 1, 3]; the weight of a group is the
        square root of its number. By default every entry is a group of weight 1.

    Raises
    ------
    InputError
        If an option is out of range, or a variable has no such axis.
    """

    def __init__(
        self,
        penalty: penalties.Penalty,
        lam: float,
        groups: str | int = "input",
        sizes: Sequence[int] | None = None,
    ) -> None:
        if not 0 <= lam < math.inf:
            raise InputError(f"lam {lam}; expected a finite number >= 0; pass e.g. lam=0.01")
        if groups not in AXES and (isinstance(groups, bool) or not isinstance(groups, int)):
            raise InputError(f"groups {groups!r}; expected 'input', 'output' or an axis; pass groups='input'")
        self.penalty, self.lam, self.grouped = penalty, float(lam), groups
        self.sizes = None if sizes is None else [int(size) for size in sizes]
        self._made: dict[tuple[tuple[int, ...], torch.device], Groups] = {}
        self._owner: weakref.ref[Any] | None = None

    def __call__(self, x: Any) -> Tensor:
        """Return ``lam R(x)``, a number without a gradient."""
        w = keras.ops.convert_to_tensor(x)
        value: Tensor = _Shown.apply(w, self)
        return value

    def groups_of(self, w: Tensor) -> Groups:
        """Return the groups of one variable; single weights need none and get rows."""
        shape = tuple(w.shape)
        key = (shape, w.device)
        if key not in self._made:
            self._made[key] = self._groups(shape).to(w.device)
        return self._made[key]

    def _groups(self, shape: tuple[int, ...]) -> Groups:
        if self.penalty.entrywise:
            return by_input(shape)
        asked = AXES[self.grouped] if isinstance(self.grouped, str) else self.grouped
        axis = asked + len(shape) if asked < 0 else asked
        if not 0 <= axis < len(shape) or len(shape) < 2:
            raise InputError(
                f"groups={self.grouped!r} for a variable of shape {shape}; expected a kernel; use L1 or L2"
            )
        if self.sizes is None:
            return by_input(shape, axis)
        if min(self.sizes, default=0) < 1 or sum(self.sizes) != shape[axis]:
            raise InputError(
                f"sizes {self.sizes} for an axis of length {shape[axis]}; expected numbers >= 1 that add up to it"
            )
        index = torch.repeat_interleave(torch.arange(len(self.sizes)), torch.tensor(self.sizes))
        return from_index(shape, index, axis=axis)

    def strength(self, w: Tensor) -> Tensor:
        """Return lam as the penalties take it, (1,)."""
        return w.new_full((1,), self.lam)

    def own(self, optimizer: Any) -> None:
        """Remember which optimizer takes the prox."""
        self._owner = weakref.ref(optimizer)

    @property
    def owned(self) -> bool:
        """Whether an optimizer that is still in use takes the prox."""
        return self._owner is not None and self._owner() is not None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"lam": self.lam, "groups": self.grouped, "sizes": self.sizes}


class _Shown(torch.autograd.Function):
    """The value of a penalty; the way back carries nothing, and asks whether someone takes the prox."""

    @staticmethod
    def forward(ctx: Any, w: Tensor, regularizer: Proximal) -> Tensor:  # type: ignore[override,unused-ignore]
        ctx.regularizer = regularizer
        if w.is_meta:
            return w.new_zeros(())
        w = w.detach()
        return regularizer.penalty.value(w[None], regularizer.strength(w), regularizer.groups_of(w))[0]

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[None, None]:  # type: ignore[override,unused-ignore]
        if not ctx.regularizer.owned:
            raise InputError(
                f"{ctx.regularizer.penalty.name} under an optimizer that takes no prox: nothing would shrink; expected "
                "riata.keras.ProximalAdam or ProximalSGD; compile with proximal(optimizer), or build() it before a "
                "loop of your own"
            )
        return None, None


@register
class L1(Proximal):
    """L1 on single weights, ``lam sum_i |w_i|``; Keras' ``L1(lam)``, with exact zeros.

    >>> float(L1(0.5)(torch.tensor([[3.0, -1.0]])))
    2.0
    """

    def __init__(self, lam: float = 0.01) -> None:
        super().__init__(penalties.L1(), lam)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"lam": self.lam}


@register
class L2(Proximal):
    """Ridge, ``lam/2 sum_i w_i^2``: Keras' ``L2(l)`` is ``L2(lam=2 * l)`` here.

    >>> float(L2(0.5)(torch.tensor([[3.0, -1.0]])))
    2.5
    """

    def __init__(self, lam: float = 0.01) -> None:
        super().__init__(penalties.L2(), lam)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"lam": self.lam}


@register
class ElasticNet(Proximal):
    """Elastic net, ``lam ((1 - alpha) sum_i |w_i| + alpha sum_i w_i^2)`` (Zou & Hastie 2005, section 2.1).

    Keras' ``L1L2(l1, l2)`` is ``ElasticNet(lam=l1 + l2, alpha=l2 / (l1 + l2))``.

    >>> float(ElasticNet(1.0, alpha=0.5)(torch.tensor([[3.0, -1.0]])))
    7.0
    """

    def __init__(self, lam: float = 0.01, alpha: float = 0.5) -> None:
        self.alpha = float(alpha)
        super().__init__(penalties.ElasticNet(alpha=self.alpha), lam)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"lam": self.lam, "alpha": self.alpha}


@register
class GroupLasso(Proximal):
    """Group lasso, ``lam sum_g weight_g ||w_g||`` (Yuan & Lin 2006, eq. 2.1): whole inputs or outputs are zero.

    >>> float(GroupLasso(0.5, groups="input")(torch.tensor([[3.0, 4.0], [0.0, 2.0]])))
    3.5
    """

    def __init__(self, lam: float = 0.01, groups: str | int = "input", sizes: Sequence[int] | None = None) -> None:
        super().__init__(penalties.GroupLasso(), lam, groups, sizes)


@register
class SparseGroupLasso(Proximal):
    """Sparse group lasso, ``lam (mix ||w||_1 + (1 - mix) sum_g weight_g ||w_g||)`` (Simon et al. 2013, section 2).

    >>> float(SparseGroupLasso(1.0, mix=0.5)(torch.tensor([[3.0, 4.0]])))
    6.0
    """

    def __init__(
        self,
        lam: float = 0.01,
        mix: float = 0.5,
        groups: str | int = "input",
        sizes: Sequence[int] | None = None,
    ) -> None:
        self.mix = float(mix)
        super().__init__(penalties.SparseGroupLasso(self.mix), lam, groups, sizes)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "mix": self.mix}
