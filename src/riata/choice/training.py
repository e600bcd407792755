"""How long and in what pieces to train, from the number of rows: measured defaults, see docs/decisions/0004."""

from __future__ import annotations

from ..population.design import Training
from .options import Options

STEPS = 4000
"""Steps that a network may take; most stop earlier."""
EPOCHS = (20, 150)
PATIENCE = 0.2
"""Share of the epochs without progress after which a member stops."""
LEARNING_RATE = 0.01
LINEAR_ITERATIONS = 5000
"""Most full-batch iterations of a linear model."""


def batch_size(rows: int) -> int:
    """Return the default batch size for a number of training rows.

    >>> [batch_size(n) for n in (100, 2000, 5000, 50000)]
    [32, 64, 128, 256]
    """
    for limit, size in ((1000, 32), (4000, 64), (16000, 128)):
        if rows < limit:
            return size
    return 256


def training_for(options: Options, rows: int, effort: float = 1.0) -> Training:
    """Return the training that all candidates share on ``rows`` training rows.

    A network without hidden layers is solved with all rows at once, to a KKT residual instead of by early stopping.
    ``effort`` in (0, 1] is the share of the usual epochs that the budget allows; epochs that were asked for stay.
    """
    if not options.hidden:
        return Training(update="apg", epochs=options.epochs or LINEAR_ITERATIONS, early_stopping=False, hidden=())
    size = min(options.batch_size or batch_size(rows), rows)
    usual = min(EPOCHS[1], max(EPOCHS[0], round(STEPS * size / rows)))
    epochs = options.epochs or max(5, round(effort * usual))
    return Training(
        epochs=epochs,
        batch_size=size,
        patience=options.patience or max(5, round(PATIENCE * epochs)),
        hidden=options.hidden,
        form=options.form,
    )
