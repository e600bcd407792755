"""Losses of the output layer, with their exact gradients, for many members at once.

The loss is always a mean per row, so that ``lam`` has one meaning at every n:
half the squared error for regression, the cross entropy for classes (one logit for two classes).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax


@dataclass(frozen=True)
class Loss:
    """A mean loss per row on the outputs z of shape (M, b, K).

    Parameters
    ----------
    kind : {"squared", "logistic", "softmax"}
        ``squared``: 1/2 (z - y)^2. ``logistic``: log(1 + exp(z)) - y z with one logit.
        ``softmax``: logsumexp(z) - z_y with one output a class.
    outputs : int
        Number of outputs K.

    Examples
    --------
    >>> import torch
    >>> loss = Loss("squared", 1)
    >>> z, y = torch.zeros(1, 2, 1), torch.tensor([1.0, 3.0])
    >>> loss.value(z, y)
    tensor([2.5000])
    >>> loss.gradient(z, y).flatten()
    tensor([-0.5000, -1.5000])
    """

    kind: str
    outputs: int

    def rows(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the loss of every row, (M, b)."""
        if self.kind == "squared":
            return 0.5 * (z[..., 0] - y).square()
        if self.kind == "logistic":
            return binary_cross_entropy_with_logits(z[..., 0], y.expand(z.shape[:-1]), reduction="none")
        target = y.long().expand(z.shape[:-1]).unsqueeze(-1)
        return -log_softmax(z, dim=-1).gather(-1, target).squeeze(-1)

    def value(self, z: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the weighted mean over the rows, (M,); ``weight`` is (b,) or (M, b)."""
        rows = self.rows(z, y)
        if weight is None:
            return rows.mean(-1)
        return (rows * weight).sum(-1) / weight.sum(-1)

    def gradient(self, z: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return d value / d z, (M, b, K)."""
        if self.kind == "squared":
            g = z - y.unsqueeze(-1)
        elif self.kind == "logistic":
            g = torch.sigmoid(z).sub_(y.unsqueeze(-1))
        else:
            g = torch.softmax(z, dim=-1)
            target = y.long().expand(z.shape[:-1]).unsqueeze(-1)
            g.scatter_add_(-1, target, torch.full_like(g[..., :1], -1.0))
        if weight is None:
            return g.div_(z.shape[-2])
        return g.mul_((weight / weight.sum(-1, keepdim=True)).unsqueeze(-1))

    def null(self, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the outputs (K,) of the best constant predictor on the weighted rows."""
        w = torch.ones_like(y) if weight is None else weight.to(y.dtype)
        if self.kind == "squared":
            return ((w * y).sum() / w.sum()).reshape(1)
        if self.kind == "logistic":
            p = ((w * y).sum() / w.sum()).clamp(1e-6, 1 - 1e-6)
            return torch.logit(p).reshape(1)
        counts = torch.zeros(self.outputs, dtype=y.dtype, device=y.device)
        counts.index_add_(0, y.long(), w)
        log_p = (counts / counts.sum()).clamp_min(1e-6).log()
        return log_p - log_p.mean()

    def predict(self, z: Tensor) -> Tensor:
        """Return what a user reads: values (..., 1) for regression, probabilities (..., classes) otherwise."""
        if self.kind == "squared":
            return z
        if self.kind == "logistic":
            p = torch.sigmoid(z)
            return torch.cat([1 - p, p], dim=-1)
        return torch.softmax(z, dim=-1)


def loss_for(task: str, classes: int) -> Loss:
    """Return the loss for a task: ``regression``, or ``classification`` with a number of classes.

    >>> loss_for("classification", 2)
    Loss(kind='logistic', outputs=1)
    """
    if task == "regression":
        return Loss("squared", 1)
    return Loss("logistic", 1) if classes == 2 else Loss("softmax", classes)
