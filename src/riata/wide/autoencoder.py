"""Autoencoder: a few dimensions that a network learns from principal scores, without an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from riata.engines.threads import one_thread
from riata.errors import InputError

__all__ = ["Autoencoder", "Encoder", "learn_encoder"]

Weights = list[Tensor]
"""Matrix and vector of the four layers, in order."""


@dataclass(frozen=True)
class Autoencoder:
    """What to learn and for how long.

    Parameters
    ----------
    dimensions, hidden : int
        Width of the code and of the layer on either side of it, >= 1.
    epochs, patience, batch_size : int
        At most so many passes over the rows; stop after so many without a better one; rows in a step; >= 1.
    rate : float
        Of Adam, > 0.
    stopping : float
        Part of the training rows that does not train and says when to stop, 0 to 1 (exclusive).
    """

    dimensions: int = 20
    hidden: int = 64
    epochs: int = 200
    patience: int = 15
    batch_size: int = 128
    rate: float = 0.005
    stopping: float = 0.15

    def __post_init__(self) -> None:
        sizes = (self.dimensions, self.hidden, self.epochs, self.patience, self.batch_size)
        if min(sizes) < 1 or not self.rate > 0 or not 0 < self.stopping < 1:
            raise InputError(f"autoencoder of {sizes}, {self.rate}, {self.stopping}; expected >= 1, > 0 and 0 to 1")


@dataclass(frozen=True, eq=False)
class Encoder:
    """The learned half: principal scores in, standardised dimensions out.

    ``scale`` divides all scores alike, so that the leading ones stay the larger ones; ``loss`` is the mean squared
    error of the rows that stopped the training, relative to that of their mean (1 is nothing learned).
    """

    weights: tuple[Tensor, ...]
    scale: float
    mean: Tensor
    spread: Tensor
    loss: float
    epochs: int

    def encode(self, scores: Tensor) -> Tensor:
        """Return the dimensions of some rows: (m, k) -> (m, dimensions) float64.

        Over the training rows each has mean 0 and standard deviation 1, or is 0 where it is constant.
        """
        if scores.ndim != 2 or scores.shape[1] != len(self.weights[0]):
            raise InputError(f"scores of shape {tuple(scores.shape)}; expected (m, {len(self.weights[0])})")
        code = _code(list(self.weights), scores.float() / self.scale).double()
        return torch.where(self.spread > 0, (code - self.mean) / torch.where(self.spread > 0, self.spread, 1.0), 0.0)


@one_thread()
def learn_encoder(scores: Tensor, seed: int, plan: Autoencoder | None = None) -> Encoder:
    """Learn ``plan.dimensions`` dimensions from the principal scores of the training rows: (n, k) -> Encoder.

    ``k -> hidden -> dimensions -> hidden -> k`` with tanh between, least squares on the scores divided by the standard
    deviation of the widest, Adam, and the weights of the epoch that served the stopping rows best.

    It sees the leading principal scores and not single variants: what none of them carries, such as one rare variant
    in equilibrium with all others, cannot be in the dimensions. It sees no outcome either, so the dimensions
    need not predict anything.

    Raises
    ------
    InputError
        If there are fewer than 8 rows or the scores are not finite.

    Examples
    --------
    >>> scores = torch.randn(60, 6, generator=torch.Generator().manual_seed(0))
    >>> learn_encoder(scores, 0, Autoencoder(dimensions=2, epochs=3)).encode(scores).shape
    torch.Size([60, 2])
    """
    plan = plan or Autoencoder()
    if scores.ndim != 2 or len(scores) < 8 or not bool(scores.isfinite().all()):
        raise InputError(f"scores of shape {tuple(scores.shape)}; expected at least 8 rows of finite numbers")
    draw = torch.Generator().manual_seed(seed)
    widest = float(scores.double().std(0, correction=0).max()) or 1.0
    x = scores.float() / widest
    order = torch.randperm(len(x), generator=draw)
    held = max(1, round(plan.stopping * len(x)))
    weights, loss, epoch = _trained(x[order[held:]], x[order[:held]], plan, draw)
    code = _code(weights, x).double()
    spread = code.std(0, correction=0)
    return Encoder(tuple(weights[:4]), widest, code.mean(0), torch.where(spread > 1e-9, spread, 0.0), loss, epoch)


def _trained(train: Tensor, stop: Tensor, plan: Autoencoder, draw: torch.Generator) -> tuple[Weights, float, int]:
    """Return the weights of the best epoch, their relative loss on the stopping rows, and the epoch, from 1."""
    weights = _start((train.shape[1], plan.hidden, plan.dimensions), draw)
    adam = torch.optim.Adam(weights, lr=plan.rate)
    nothing = float((stop - train.mean(0)).square().mean()) or 1.0
    best, loss, at = [w.detach().clone() for w in weights], float("inf"), 0
    for epoch in range(1, plan.epochs + 1):
        for rows in torch.randperm(len(train), generator=draw).split(plan.batch_size):
            adam.zero_grad()
            (_decoded(weights, train[rows]) - train[rows]).square().mean().backward()
            adam.step()
        with torch.no_grad():
            now = float((_decoded(weights, stop) - stop).square().mean()) / nothing
        if now < loss:
            best, loss, at = [w.detach().clone() for w in weights], now, epoch
        if epoch - at >= plan.patience:
            break
    return best, loss, at


def _start(widths: tuple[int, int, int], draw: torch.Generator) -> Weights:
    """Return random weights of variance 1 / inputs and zero offsets, encoder before decoder."""
    path = (*widths, *widths[-2::-1])
    weights = []
    for a, b in pairwise(path):
        weights += [torch.randn(a, b, generator=draw) / a**0.5, torch.zeros(b)]
    return [w.requires_grad_() for w in weights]


def _code(weights: Weights, x: Tensor) -> Tensor:
    return torch.tanh(torch.tanh(x @ weights[0] + weights[1]) @ weights[2] + weights[3])


def _decoded(weights: Weights, x: Tensor) -> Tensor:
    return torch.tanh(_code(weights, x) @ weights[4] + weights[5]) @ weights[6] + weights[7]
