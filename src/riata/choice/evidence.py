"""How sure may we be that one candidate is better than another? Paired folds, corrected for their overlap.

The folds of a cross-validation share training rows, so their scores are correlated and the usual t-test is
too sure of itself. The corrected variance of Nadeau & Bengio and its Bayesian reading (Benavoli et al.) are
exact only for the correlation ``1 / folds`` that they assume: a good heuristic, calibrated by simulation in
the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from riata.errors import InputError
from riata.results import Interval

DECISIVE = 0.95
"""P(better) or P(worse) from which a comparison is called decisive."""
LEANING = 0.75
"""P(better) or P(worse) from which a comparison is called leaning."""
EQUIVALENT = 0.95
"""P(equivalent) from which two candidates are called equivalent."""
CONTENDER = 0.75
"""A candidate stays a contender while P(the best in CV beats it) is at most this."""
NOT_WORSE = 0.75
"""Removing regularization needs P(none is not worse than the best) of at least this."""
ROPE_SHARE = 0.01
"""Half-width of the equivalence region: of accuracy or AUROC, or as a share of the constant predictor's
loss."""
INTERVAL = 0.95
"""Coverage of the reported intervals."""

CANDIDATES = ("elastic_net", "l2", "l1", "group_lasso", "sparse_group_lasso", "none")
WALKING_ORDER: Mapping[str, tuple[str, ...]] = {
    "prediction": CANDIDATES,
    "selection": ("group_lasso", "sparse_group_lasso", "l1", "elastic_net", "l2", "none"),
}
"""The order in which contenders are tried, by goal; "none" comes last: removing regularization has to be
proved."""


@dataclass(frozen=True)
class Comparison:
    """Posterior of the mean difference (first minus second, higher is better) between two candidates.

    ``p_better + p_equivalent + p_worse == 1``; ``low`` and ``high`` bound the mean difference with 95%
    probability; ``word`` is decisive, leaning, equivalent or tied and says nothing about the direction (the
    sign of ``mean`` does).
    """

    p_better: float
    p_equivalent: float
    p_worse: float
    mean: float
    low: float
    high: float
    word: str

    @property
    def p_not_worse(self) -> float:
        """P(better) + P(equivalent), in [0, 1]."""
        return self.p_better + self.p_equivalent

    @property
    def word_for_first(self) -> str:
        """The word as a claim for the first candidate: evidence against it is "tied", never "leaning"."""
        return self.word if self.word == "equivalent" or self.p_better >= self.p_worse else "tied"

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and the word, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class LeafSet:
    """The contenders S: every candidate that the best in CV does not beat with enough probability.

    ``contenders`` is sorted by CV mean, best first; ``against_best[c]`` compares the best with ``c``;
    ``failed`` are candidates with a score that is not finite, which never contend.
    """

    best: str
    contenders: tuple[str, ...]
    means: Mapping[str, float]
    against_best: Mapping[str, Comparison]
    failed: tuple[str, ...]
    scores: Mapping[str, NDArray[np.float64]]
    folds: int
    repeats: int
    rope: float

    def versus(self, first: str, second: str) -> Comparison:
        """Compare two finished candidates on the folds they share."""
        return compare(self.scores[first] - self.scores[second], self.folds, self.repeats, self.rope)


@dataclass(frozen=True)
class Pick:
    """The leaf that the walk took, and what speaks for it.

    ``word`` is the evidence for the leaf over ``rival`` (the best other contender, or without one the best
    other candidate); ``versus_none`` compares the leaf with no regularization, None where that was not
    measured.
    """

    leaf: str
    word: str
    rival: str | None
    versus_rival: Comparison | None
    versus_none: Comparison | None


def _paired(values: ArrayLike, folds: int, repeats: int) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64).ravel()
    if folds < 2 or repeats < 1:
        raise InputError(f"got {folds} folds, {repeats} repeats; expected >= 2 and >= 1; type --folds 5")
    if array.size != folds * repeats:
        raise InputError(
            f"got {array.size} per-fold values; expected folds * repeats = {folds * repeats}; pass one a fold"
        )
    if not np.isfinite(array).all():
        raise InputError("got a per-fold value that is not finite; expected numbers; leave failed ones out")
    return array


def _posterior(array: NDArray[np.float64], folds: int) -> tuple[float, float]:
    """Return the location and scale of the corrected t; the scale is 0 where all values are equal."""
    mean = float(array.mean())
    spread = float(array.std(ddof=1))
    if spread <= 1e-12 * max(1.0, float(np.abs(array).max())):
        return mean, 0.0
    return mean, spread * float(np.sqrt(1.0 / array.size + 1.0 / (folds - 1)))


def _word(p_better: float, p_equivalent: float, p_worse: float) -> str:
    if max(p_better, p_worse) >= DECISIVE:
        return "decisive"
    if p_equivalent >= EQUIVALENT:
        return "equivalent"
    return "leaning" if max(p_better, p_worse) >= LEANING else "tied"


def compare(differences: ArrayLike, folds: int, repeats: int, rope: float) -> Comparison:
    """Compare two candidates by the correlated Bayesian t-test on paired per-fold differences.

    The posterior of the mean difference is a t with ``k r - 1`` degrees of freedom, location ``mean(d)``
    and squared scale ``s^2 (1 / (k r) + 1 / (k - 1))``. Differences without any spread give a point mass at
    their mean.

    Parameters
    ----------
    differences : array_like, shape (folds * repeats,)
        Score of the first minus that of the second on the same fold, higher is better, in the metric's units.
    folds, repeats : int
        ``k >= 2`` and ``r >= 1``.
    rope : float
        Half-width of the region of practical equivalence, >= 0, in the metric's units; edges included.

    Raises
    ------
    InputError
        If the number of differences is not ``folds * repeats``, one is not finite, or ``rope`` is negative.

    References
    ----------
    Nadeau & Bengio 2003, Machine Learning 52, section 3.1.2; Benavoli, Corani, Demsar & Zaffalon 2017, JMLR
    18(77), the correlated t-test, with the correlation rho = 1/k: 1/(k r) + rho/(1 - rho).

    Examples
    --------
    >>> compare([0.030, 0.034, 0.028, 0.031, 0.033], folds=5, repeats=1, rope=0.01).word
    'decisive'
    >>> compare([0.0] * 5, folds=5, repeats=1, rope=0.01).word
    'equivalent'
    """
    if not rope >= 0:
        raise InputError(f"got a region of equivalence of {rope}; expected >= 0; pass rope=0.01")
    array = _paired(differences, folds, repeats)
    mean, scale = _posterior(array, folds)
    df = array.size - 1
    if scale == 0.0:
        better, worse = float(mean > rope), float(mean < -rope)
    else:
        better = float(stats.t.sf((rope - mean) / scale, df))
        worse = float(stats.t.cdf((-rope - mean) / scale, df))
    equivalent = max(0.0, 1.0 - better - worse)
    half = float(stats.t.ppf(0.5 + INTERVAL / 2, df)) * scale
    word = _word(better, equivalent, worse)
    return Comparison(better, equivalent, worse, mean, mean - half, mean + half, word)


def interval(values: ArrayLike, folds: int, repeats: int) -> Interval:
    """Return the mean of per-fold scores and its 95% interval with the corrected variance.

    ``mean +- t_{.975, k r - 1} s sqrt(1 / (k r) + 1 / (k - 1))`` (Nadeau & Bengio 2003, section 3.1.2), in
    units of the metric. The correction was derived for differences; for a score it is a heuristic of the
    same form.

    Raises
    ------
    InputError
        As :func:`compare`.

    Examples
    --------
    >>> round(interval([0.7, 0.8, 0.75, 0.72, 0.78], 5, 1).high, 3)
    0.827
    """
    array = _paired(values, folds, repeats)
    mean, scale = _posterior(array, folds)
    half = float(stats.t.ppf(0.5 + INTERVAL / 2, array.size - 1)) * scale
    return Interval(mean, mean - half, mean + half)


def _rank(name: str) -> int:
    return CANDIDATES.index(name) if name in CANDIDATES else len(CANDIDATES)


def leaf_set(per_fold: Mapping[str, ArrayLike], folds: int, repeats: int, rope: float) -> LeafSet:
    """Return the contenders: candidates that the best in CV beats with probability at most .75.

    ``per_fold`` holds, for each candidate, the metric on the same folds, shape (folds * repeats,), higher is
    better; a candidate with a value that is not finite is set aside as failed. The rest as in ``compare``.

    Raises
    ------
    InputError
        If no candidate has finite scores, or as :func:`compare`.

    Examples
    --------
    >>> s = leaf_set({"l1": [.80, .82, .81, .79, .80], "none": [.60, .62, .61, .60, .59]}, 5, 1, rope=.01)
    >>> s.contenders
    ('l1',)
    """
    arrays = {name: np.asarray(values, dtype=np.float64).ravel() for name, values in per_fold.items()}
    failed = tuple(name for name, values in arrays.items() if not np.isfinite(values).all())
    arrays = {name: _paired(v, folds, repeats) for name, v in arrays.items() if name not in failed}
    if not arrays:
        raise InputError("no candidate finished with finite scores; expected at least one; check the table")
    means = {name: float(values.mean()) for name, values in arrays.items()}
    order = sorted(arrays, key=lambda name: (-means[name], _rank(name), name))
    best = order[0]
    against = {name: compare(arrays[best] - arrays[name], folds, repeats, rope) for name in order}
    contenders = tuple(name for name in order if name == best or against[name].p_better <= CONTENDER)
    means = {name: means[name] for name in order}
    return LeafSet(best, contenders, means, against, failed, arrays, folds, repeats, rope)


def _walk_order(contenders: LeafSet, goal: str) -> str:
    if goal not in WALKING_ORDER:
        raise InputError(f"got the goal {goal!r}; expected prediction or selection; type --goal prediction")
    for name in WALKING_ORDER[goal]:
        if name in contenders.contenders:
            proved = contenders.best == name or 1.0 - contenders.against_best[name].p_better >= NOT_WORSE
            if name != "none" or proved:
                return name
    return contenders.best


def pick_leaf(contenders: LeafSet, goal: str) -> Pick:
    """Walk the contenders in the order of the goal and say how sure the pick is.

    Prediction: elastic net > L2 > L1 > group lasso > sparse group lasso > none. Selection: group lasso >
    sparse group lasso > L1 > elastic net > L2 > none. "none" is taken only where P(not worse) >= .75.

    Raises
    ------
    InputError
        For a goal other than prediction and selection.

    Examples
    --------
    >>> scores = {"l1": [.80, .82, .81, .79, .80], "none": [.60, .62, .61, .60, .59]}
    >>> pick = pick_leaf(leaf_set(scores, folds=5, repeats=1, rope=.01), "prediction")
    >>> pick.leaf, pick.word, pick.rival
    ('l1', 'decisive', 'none')
    """
    leaf = _walk_order(contenders, goal)
    others = [name for name in contenders.contenders if name != leaf]
    others = others or [name for name in contenders.means if name != leaf]
    versus = contenders.versus(leaf, others[0]) if others else None
    versus_none = contenders.versus(leaf, "none") if "none" in contenders.means and leaf != "none" else None
    word = versus.word_for_first if versus is not None else "tied"
    return Pick(leaf, word, others[0] if others else None, versus, versus_none)
