"""What the pictures mean, in sentences for a beginner; every number comes from the fits."""

from __future__ import annotations

from ..plots.names import NAMES
from .fits import FOLDS, HIGH, LOW, UNITS, Fit, Found
from .points import COUNT, NOISE

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def title(key: str) -> str:
    """Return the heading of a fit.

    >>> title("degree_3"), title("none")
    ('Polynomial of degree 3', 'Network, no penalty')
    """
    if key.startswith("degree_"):
        return f"Polynomial of degree {key.removeprefix('degree_')}"
    return f"Network, {NAMES[key]}"


def power_names(kept: tuple[int, ...]) -> str:
    """Write powers of x.

    >>> power_names((1, 3, 10)), power_names(())
    ('x, x³ and x¹⁰', 'none')
    """
    names = ["x" if k == 1 else f"x{str(k).translate(SUPERSCRIPTS)}" for k in kept]
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part) or "none"


def sentences(found: Found, key: str) -> list[str]:
    """Return three sentences about a fit."""
    tell = {
        f"degree_{LOW}": _low, f"degree_{HIGH}": _high, "none": _none, "l2": _l2, "l1": _l1,
        "elastic_net": _elastic_net, "group_lasso": _group_lasso,
    }  # fmt: skip
    return tell[key](found, found.fits[key])


def _low(found: Found, fit: Fit) -> list[str]:
    return [
        f"Three weights and an intercept let a curve turn twice, as often as the one that made the {COUNT} points.",
        f"It misses them by {fit.train:.2f} and fresh ones by {fit.fresh:.2f}, where {NOISE:g} is noise that "
        "nobody can foretell.",
        "It cannot follow every point, so it is left with what the points have in common.",
    ]


def _high(found: Found, fit: Fit) -> list[str]:
    low = found.fits[f"degree_{LOW}"]
    return [
        f"Ten weights and an intercept are almost one number a point, so the curve runs through nearly all {COUNT}.",
        f"It misses them by {fit.train:.2f} only, but fresh points by {fit.fresh:.2f}: it learned the noise by heart, "
        "and that is overfitting.",
        f"Its largest weight is {fit.largest:.0f}, where degree {LOW} has {low.largest:.2f}: a wild curve is made of "
        "large weights that almost cancel.",
    ]


def _none(found: Found, fit: Fit) -> list[str]:
    return [
        f"A network with {UNITS} hidden units reads the same ten powers of x through {fit.of} weights, and nothing "
        "holds them back.",
        f"It misses the {COUNT} points by {fit.train:.2f} and fresh ones by {fit.fresh:.2f}: it overfits too.",
        "Many curves run through these points, and the points alone do not say which of them to take.",
    ]


def _l2(found: Found, fit: Fit) -> list[str]:
    none = found.fits["none"]
    return [
        "L2 charges for the square of every weight, so large weights cost most.",
        f"The largest weight goes from {none.largest:.2f} to {fit.largest:.2f}, and the error on fresh points from "
        f"{none.fresh:.2f} to {fit.fresh:.2f}.",
        f"Weights become small but not zero: {fit.weights} of {fit.of} are left, and all powers stay in.",
    ]


def _l1(found: Found, fit: Fit) -> list[str]:
    return [
        "L1 charges for the size of every weight, and its pull does not fade as a weight gets small: it ends at "
        "exactly zero.",
        f"Of {fit.of} weights {_are(fit.weights)} left, and the error on fresh points is {fit.fresh:.2f}.",
        f"A power of x drops out only when each of its weights happens to; here {power_names(fit.kept)} "
        f"{'stays' if len(fit.kept) == 1 else 'stay'}.",
    ]


def _elastic_net(found: Found, fit: Fit) -> list[str]:
    count = len(found.fits["l1"].kept)
    versus = "as many as L1" if count == len(fit.kept) else f"where L1 keeps {count}"
    return [
        "The elastic net charges both: for the size, which makes zeros, and for the square, which spreads weight over "
        "inputs that are alike.",
        f"Powers of x are much alike: it keeps {len(fit.kept)} of them, {versus}.",
        f"Of {fit.of} weights {_are(fit.weights)} left, and the error on fresh points is {fit.fresh:.2f}.",
    ]


def _group_lasso(found: Found, fit: Fit) -> list[str]:
    return [
        "Group lasso charges once for all weights that leave one input, so a whole power of x stays or goes.",
        f"{power_names(fit.kept)} {'stays' if len(fit.kept) == 1 else 'stay'}, and of the others every weight is "
        "exactly zero.",
        f"Of {fit.of} weights {_are(fit.weights)} left, spread over few inputs; the error on fresh points is "
        f"{fit.fresh:.2f}.",
    ]


def _are(count: int) -> str:
    return f"{count} is" if count == 1 else f"{count} are"


def answer(found: Found) -> str:
    """Return the page in one sentence."""
    low, high, none, best = (found.fits[f"degree_{LOW}"], found.fits[f"degree_{HIGH}"], found.fits["none"], found.best)
    return (
        f"A polynomial of degree {HIGH} fits {COUNT} points better than one of degree {LOW} (it misses them by "
        f"{high.train:.2f} instead of {low.train:.2f}) and is worse on fresh points ({high.fresh:.2f} instead of "
        f"{low.fresh:.2f}). The network does the same, and {NAMES[best.key]} brings its error on fresh points from "
        f"{none.fresh:.2f} to {best.fresh:.2f}."
    )


def fairness() -> list[str]:
    """Return what a reader should know before believing the pictures."""
    return [
        f"Errors are root mean squares: about how far a curve is from the points. The noise alone is {NOISE:g}.",
        f"Each strength was chosen by holding out {COUNT // FOLDS} of the {COUNT} points at a time. The fresh points "
        "only judge; nothing was chosen by them.",
        "The inputs are x, x², … x¹⁰ in units of their standard deviation. They were taken rather than x with random "
        "columns because every curve can then be drawn over x, and dropping an input has a picture.",
        "Weights are those on the ten powers; the largest is meant without its sign. Intercepts and the upper layer "
        "are not counted.",
        "This dozen was chosen because it shows the effect well. With another the order of the penalties changes, and "
        "the gain over no penalty may be small or a loss; on your own table, measure.",
    ]


def overfit_text(found: Found) -> str:
    """Return the comparison for a terminal."""
    head = f"{'':<26}{'train error':>12}{'fresh error':>13}{'weights':>12}{'largest':>10}"
    rows = [
        f"{title(f.key):<26}{f.train:>12.2f}{f.fresh:>13.2f}{f'{f.weights} of {f.of}':>12}{f.largest:>10.2f}"
        for f in found.fits.values()
    ]
    return "\n".join([answer(found), "", head, *rows, "", *fairness()[:2]])
