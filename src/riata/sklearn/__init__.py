"""scikit-learn estimators: regularized networks and a selector of variables."""

from __future__ import annotations

from .classifier import RegularizedMLPClassifier
from .regressor import RegularizedMLPRegressor
from .selector import RiataSelector

__all__ = ["RegularizedMLPClassifier", "RegularizedMLPRegressor", "RiataSelector"]
