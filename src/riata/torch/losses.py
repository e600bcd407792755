"""Label smoothing where torch has none: two classes with one logit."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from riata.errors import InputError

__all__ = ["SmoothBCEWithLogitsLoss", "smooth_bce_with_logits", "smooth_targets"]

REDUCTIONS = ("mean", "sum", "none")


class SmoothBCEWithLogitsLoss(nn.Module):
    """:func:`smooth_bce_with_logits` as a module.

    For more than two classes use ``torch.nn.CrossEntropyLoss(label_smoothing=...)``: for two logits (0, z) it is the
    same number as this is for z.

    Parameters
    ----------
    smoothing : float in [0, 1)
        Share of the label that is spread over both classes.
    pos_weight : Tensor, optional
        Weight of the positive class, as in ``torch.nn.BCEWithLogitsLoss``.
    reduction : {"mean", "sum", "none"}
        Keep ``"mean"``: lam is defined beside the mean loss per row.

    Raises
    ------
    InputError
        If an option is out of range.

    Examples
    --------
    >>> import torch
    >>> loss = SmoothBCEWithLogitsLoss(smoothing=0.1)
    >>> loss(torch.tensor([2.0, -1.0]), torch.tensor([1.0, 0.0]))
    tensor(0.2951)
    """

    pos_weight: Tensor | None

    def __init__(self, smoothing: float = 0.1, pos_weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__()
        _check(smoothing)
        if reduction not in REDUCTIONS:
            raise InputError(f"reduction {reduction!r}; expected {', '.join(REDUCTIONS)}; pass reduction='mean'")
        self.smoothing, self.reduction = smoothing, reduction
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits and targets of one shape."""
        return smooth_bce_with_logits(logits, targets, self.smoothing, self.pos_weight, self.reduction)


def smooth_targets(targets: Tensor, smoothing: float) -> Tensor:
    """Return ``(1 - smoothing) y + smoothing/2``: the label mixed with the uniform distribution over two classes.

    Szegedy et al. 2016, section 7, with K = 2. The targets may be shares in [0, 1], as mixup makes them.

    Examples
    --------
    >>> import torch
    >>> smooth_targets(torch.tensor([0.0, 1.0]), 0.1)
    tensor([0.0500, 0.9500])
    """
    _check(smoothing)
    return targets * (1 - smoothing) + smoothing / 2


def smooth_bce_with_logits(
    logits: Tensor,
    targets: Tensor,
    smoothing: float = 0.1,
    pos_weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Return binary cross entropy at smoothed labels, ``-y' log s(z) - (1 - y') log(1 - s(z))``.

    With ``y' = (1 - smoothing) y + smoothing/2``. Smoothing changes the loss, so lam_max and the KKT residual are those
    of the smoothed loss; it gives no zeros. Take it out (smoothing=0) to score: a smoothed loss is no log loss.

    Parameters
    ----------
    logits : Tensor of floats
    targets : Tensor, the shape of the logits
        0 or 1, or shares between.
    smoothing : float in [0, 1)
    pos_weight : Tensor, optional
    reduction : {"mean", "sum", "none"}

    Raises
    ------
    InputError
        If smoothing is out of range or the shapes differ.

    Examples
    --------
    >>> import torch
    >>> z, y = torch.tensor([0.5]), torch.tensor([1])
    >>> two = torch.stack([torch.zeros(1), z], 1)
    >>> torch.allclose(smooth_bce_with_logits(z, y, 0.2), F.cross_entropy(two, y, label_smoothing=0.2))
    True
    """
    if logits.shape != targets.shape:
        raise InputError(
            f"targets of shape {tuple(targets.shape)} for logits of shape {tuple(logits.shape)}; expected the same; "
            "pass e.g. logits.squeeze(1)"
        )
    soft = smooth_targets(targets.to(logits.dtype), smoothing)
    return F.binary_cross_entropy_with_logits(logits, soft, pos_weight=pos_weight, reduction=reduction)


def _check(smoothing: float) -> None:
    if not 0 <= smoothing < 1:
        raise InputError(f"smoothing {smoothing}; expected 0 (the labels) to below 1; try smoothing=0.1")
