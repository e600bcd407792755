"""How things are called in front of people."""

from __future__ import annotations

NAMES = {
    "none": "no penalty",
    "l2": "L2 (ridge)",
    "l1": "L1 (lasso)",
    "elastic_net": "elastic net",
    "group_lasso": "group lasso",
    "sparse_group_lasso": "sparse group lasso",
    "constant": "constant predictor",
}
METRIC_NAMES = {
    "auroc": "AUROC",
    "accuracy": "accuracy",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "r2": "R²",
    "rmse": "RMSE",
    "mae": "MAE",
}
METRICS = {
    "classification": ("auroc", "accuracy", "average_precision", "log_loss"),
    "regression": ("r2", "rmse", "mae"),
}
"""In the order in which they are shown; the first of a task decides."""
