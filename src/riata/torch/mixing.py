"""Mixup: train between pairs of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from riata.errors import InputError

__all__ = ["Mixed", "mixup"]


@dataclass(frozen=True, eq=False)
class Mixed:
    """A batch of mixed rows with the targets of both rows of each pair.

    Attributes
    ----------
    inputs : Tensor, (n, ...)
        ``share x_i + (1 - share) x_j``.
    first, second : Tensor, (n, ...)
        Targets of row i and of its partner j, as they were given.
    share : float in [0, 1]
        Share of the first row, one for the batch.
    """

    inputs: Tensor
    first: Tensor
    second: Tensor
    share: float

    def loss(self, loss: Callable[[Tensor, Tensor], Tensor], outputs: Tensor) -> Tensor:
        """Mix the losses, ``share l(f, y_i) + (1 - share) l(f, y_j)``: for labels and any loss l.

        Cross entropy is linear in the target, so it equals the loss at mixed one-hot targets; for the squared error
        the two differ by a constant and have the same gradient.
        """
        return self.share * loss(outputs, self.first) + (1 - self.share) * loss(outputs, self.second)

    def targets(self, classes: int | None = None) -> Tensor:
        """Return ``share y_i + (1 - share) y_j``: (n, classes) shares for labels, else numbers like the targets.

        Raises
        ------
        InputError
            If targets are whole numbers and ``classes`` is not given, or a label does not fit it.
        """
        first, second = (_numbers(y, classes, self.inputs) for y in (self.first, self.second))
        return self.share * first + (1 - self.share) * second


def mixup(inputs: Tensor, targets: Tensor, alpha: float = 0.2, generator: torch.Generator | None = None) -> Mixed:
    """Mix every row of a batch with another one, by a share drawn from Beta(alpha, alpha).

    ``x = share x_i + (1 - share) x_j``, the targets alike (Zhang, Cisse, Dauphin & Lopez-Paz 2018, section 2, with one
    share a batch). A column of zeros stays a column of zeros, and an input that is dropped stays without influence. It
    changes the data that the loss sees, so lam_max and a KKT residual on the rows themselves are those of another loss.

    Parameters
    ----------
    inputs : Tensor of floats, (n, ...)
        The batch, rows first.
    targets : Tensor, (n, ...)
        Labels or numbers.
    alpha : float >= 0
        0 mixes nothing, 1 draws the share uniformly; 0.1 to 0.4 is usual.
    generator : torch.Generator, optional
        Where all draws come from; torch's own if None.

    Raises
    ------
    InputError
        If alpha is out of range, or inputs and targets do not fit.

    Examples
    --------
    >>> x, y = torch.tensor([[0.0], [10.0]]), torch.tensor([0, 1])
    >>> mixed = mixup(x, y, alpha=1.0, generator=torch.Generator().manual_seed(3))
    >>> mixed.targets(classes=2).sum(1)
    tensor([1., 1.])
    >>> outputs = torch.zeros(2, 2)
    >>> mixed.loss(torch.nn.functional.cross_entropy, outputs)
    tensor(0.6931)
    """
    if not 0 <= alpha < float("inf"):
        raise InputError(f"mixup alpha {alpha}; expected a finite number >= 0; try alpha=0.2")
    if not inputs.is_floating_point() or inputs.ndim < 1 or targets.ndim < 1 or len(inputs) != len(targets):
        raise InputError(
            f"inputs {tuple(inputs.shape)} {inputs.dtype} with targets {tuple(targets.shape)}; expected float inputs "
            "and one target a row; pass both rows first"
        )
    device = inputs.device if generator is None else generator.device
    order = torch.randperm(len(inputs), generator=generator, device=device).to(inputs.device)
    share = _share(alpha, generator)
    mixed = torch.lerp(inputs[order], inputs, share) if share < 1 else inputs.clone()
    return Mixed(mixed, targets, targets[order.to(targets.device)], share)


def _share(alpha: float, generator: torch.Generator | None) -> float:
    """Draw from Beta(alpha, alpha), by numpy because torch's takes no generator."""
    device = "cpu" if generator is None else generator.device
    key = int(torch.randint(2**62, (), generator=generator, device=device))
    return 1.0 if alpha == 0 else float(np.random.default_rng(key).beta(alpha, alpha))


def _numbers(targets: Tensor, classes: int | None, like: Tensor) -> Tensor:
    if targets.is_floating_point():
        return targets
    if classes is None:
        raise InputError("labels without a number of classes; expected classes=; pass e.g. targets(classes=10)")
    if bool((targets < 0).any()) or bool((targets >= classes).any()):
        raise InputError(
            f"label {int(targets.max())} with classes={classes}; expected 0..{classes - 1}; pass more classes"
        )
    return torch.nn.functional.one_hot(targets.long(), classes).to(like.dtype)
