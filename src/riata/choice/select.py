"""Select variables: a path run to its end, supports that most networks agree on, and relaxed fits to judge them.

A strength that selects well shrinks too much to predict well, and early stopping keeps weights that the penalty was
still removing. So the path of the chosen penalty is trained to the end of its schedule, which gives each strength its
support; networks restricted to that support, with little or no penalty, are judged on the validation rows; and the
sparsest support within one standard error of the best is taken.

References
----------
Meinshausen 2007, *Relaxed Lasso*, section 2; Hastie, Tibshirani & Friedman 2009, section 7.10 (one standard error);
Nogueira, Sechidis & Brown 2018, JMLR 18(174), eq. (4) (stability).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..population.design import Design, Member, Split, Training
from ..results import MemberResult, Population
from .prepare import Arena
from .search import Run
from .training import LEARNING_RATE

RELAXED = (0.0, 0.25)
"""Shares of the selecting strength that the relaxed fits keep."""
AGREE = 0.75
"""A variable is selected if at least this share of the (fold, seed) networks keep it."""
AGREE_IN_FOLD = 0.5
"""The same inside one fold, whose few seeds must agree by majority."""
GOOD, POOR = 0.75, 0.4
"""Stability from which a selection is good, and below which no list should be believed."""


@dataclass(frozen=True)
class Selection:
    """Which groups are selected, at which strength, and how far networks agree on it.

    Attributes
    ----------
    lam, relaxed : float
        The selecting strength, and the share of it that the refit keeps.
    groups : ndarray of bool (G,)
    shares : ndarray (G,)
        Share of the (fold, seed) networks that keep each group at ``lam``.
    stability : float
        Agreement of the networks' supports, 1 for identical ones and 0 for chance.
    best : tuple of MemberResult
        The relaxed networks of the choice; they say how long to train a refit.
    outputs : dict of fold to members
        The relaxed networks that each fold would have chosen by itself: the selection nested.
    fits : Population
    """

    lam: float
    relaxed: float
    groups: np.ndarray
    shares: np.ndarray
    stability: float
    best: tuple[MemberResult, ...]
    outputs: dict[int, list[MemberResult]]
    fits: Population


def stability(alive: np.ndarray) -> float:
    """Return how far supports agree, for ``alive`` (fits, G) of bool.

    1 - mean_g s_g^2 / (k/G (1 - k/G)) with s_g^2 = M/(M-1) p_g (1 - p_g) and k the mean number kept.

    References
    ----------
    Nogueira, Sechidis & Brown 2018, eq. (4).

    Examples
    --------
    >>> stability(np.array([[1, 0, 0], [1, 0, 0]], dtype=bool))
    1.0
    """
    fits = len(alive)
    p = alive.mean(0)
    share = float(p.mean())
    if fits < 2 or share in (0.0, 1.0):
        return 1.0 if share in (0.0, 1.0) and fits > 1 else float("nan")
    return float(1 - (fits / (fits - 1)) * np.mean(p * (1 - p)) / (share * (1 - share)))


def path_members(arena: Arena, penalty: str, strengths: np.ndarray) -> tuple[Member, ...]:
    """Return the members of the path: every strength on every split, without dropout."""
    return tuple(
        Member(penalty, float(lam), 0.0, i, seed, LEARNING_RATE)
        for i, (_, seed, _) in enumerate(arena.splits)
        for lam in strengths
    )


@dataclass(frozen=True)
class _Relaxed:
    """One relaxed fit to make: where, restricted to which groups, at which strength."""

    split: int
    lam: float
    share: float
    groups: tuple[bool, ...]


def select(arena: Arena, penalty: str, strengths: np.ndarray, training: Training, run: Run) -> Selection | None:
    """Select variables with ``penalty``; None where no strength keeps any.

    Inside an outer fold nothing but its own splits is looked at, so that the fold's choice can be scored on its rows.
    """
    splits = tuple(s for _, _, s in arena.splits)
    full = replace(training, early_stopping=False)
    path = run(Design(path_members(arena, penalty, strengths), splits, full))
    alive = {(m.split, m.lam): m.norms > 0 for m in path.members if m.usable}
    wanted = _relaxed_fits(arena, strengths, alive)
    if not wanted:
        return None
    fitted, losses = _fit_relaxed(arena, penalty, wanted, training, run)
    lam, share = _sparsest(losses, sorted({s.fold for s in splits}))
    at = np.stack([alive[i, lam] for i in range(len(splits)) if (i, lam) in alive])
    chosen = at.mean(0) >= AGREE
    if not chosen.any():
        chosen = at.mean(0) >= min(AGREE, float(at.mean(0).max()))
    best = tuple(m for w, m in fitted if (w.lam, w.share) == (lam, share))
    outputs = {fold: _own_choice(fitted, losses, fold, splits) for fold in sorted({s.fold for s in splits})}
    everything = Population(path.members + tuple(m for _, m in fitted), path.seconds)
    return Selection(lam, share, chosen, at.mean(0), stability(at), best, outputs, everything)


def _relaxed_fits(arena: Arena, strengths: np.ndarray, alive: dict[tuple[int, float], np.ndarray]) -> list[_Relaxed]:
    wanted = []
    folds = sorted({s.fold for _, _, s in arena.splits})
    for fold in folds:
        here = [i for i, (_, _, s) in enumerate(arena.splits) if s.fold == fold]
        for lam in map(float, strengths):
            kept = [alive[i, lam] for i in here if (i, lam) in alive]
            if not kept:
                continue
            groups = np.mean(kept, axis=0) > AGREE_IN_FOLD
            if groups.any():
                wanted += [_Relaxed(i, lam, share, tuple(groups.tolist())) for i in here for share in RELAXED]
    return wanted


def _fit_relaxed(
    arena: Arena, penalty: str, wanted: list[_Relaxed], training: Training, run: Run
) -> tuple[list[tuple[_Relaxed, MemberResult]], dict[tuple[int, float, float], float]]:
    """Train the relaxed fits; return them and the mean validation loss by (fold, lam, share)."""
    splits: list[Split] = []
    known: dict[tuple[int, tuple[bool, ...]], int] = {}
    members = []
    for w in wanted:
        key = (w.split, w.groups)
        if key not in known:
            known[key] = len(splits)
            columns = arena.blocks.columns_of(np.array(w.groups))
            splits.append(replace(arena.splits[w.split][2], columns=columns))
        seed = arena.splits[w.split][1]
        members.append(Member(penalty, w.lam * w.share, 0.0, known[key], seed, LEARNING_RATE))
    results = run(Design(tuple(members), tuple(splits), training)).members
    fitted = [(w, replace(m, split=w.split)) for w, m in zip(wanted, results, strict=True)]
    sums: dict[tuple[int, float, float], list[float]] = {}
    for w, m in fitted:
        sums.setdefault((m.fold, w.lam, w.share), []).append(m.valid_loss if m.usable else np.inf)
    return fitted, {k: float(np.mean(v)) for k, v in sums.items()}


def _sparsest(losses: dict[tuple[int, float, float], float], folds: Sequence[int]) -> tuple[float, float]:
    """Return the strongest (lam, share) whose mean loss over the folds is within one standard error of the best."""
    means: dict[tuple[float, float], np.ndarray] = {}
    for _, lam, share in losses:
        values = np.array([losses.get((fold, lam, share), np.inf) for fold in folds])
        if np.isfinite(values).all():
            means[lam, share] = values
    if not means:
        _, lam, share = min(losses, key=lambda k: losses[k])
        return lam, share
    best = min(means, key=lambda k: float(means[k].mean()))
    error = float(np.std(means[best], ddof=1) / np.sqrt(len(folds))) if len(folds) > 1 else 0.0
    bar = float(means[best].mean()) + error
    within = [k for k, v in means.items() if v.mean() <= bar]
    strongest = max(k[0] for k in within)
    return min((k for k in within if k[0] == strongest), key=lambda k: float(means[k].mean()))


def _own_choice(
    fitted: list[tuple[_Relaxed, MemberResult]],
    losses: dict[tuple[int, float, float], float],
    fold: int,
    splits: tuple[Split, ...],
) -> list[MemberResult]:
    """Return the relaxed networks that one fold's own validation rows choose."""
    mine = {k: v for k, v in losses.items() if k[0] == fold}
    if not mine:
        return []
    _, lam, share = min(mine, key=lambda k: mine[k])
    return [m for w, m in fitted if splits[w.split].fold == fold and (w.lam, w.share) == (lam, share)]
