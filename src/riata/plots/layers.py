"""Layered drawings of acyclic graphs: boxes in ranks, arrows that run around them (Sugiyama et al. 1981)."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from itertools import pairwise

import numpy as np

Point = tuple[float, float]
Arrow = tuple[str, str, float]
"""From, to, and the width of the label, 0.0 for none."""
Chain = tuple[int, ...]
"""The cells that an arrow passes, from its first box to its last, one in each rank."""

GAP, STEP, HEAD, LABEL, ROOM = 16.0, 9.0, 9.0, 15.0, 6.0
"""Between neighbours, between parallel lines, for an arrow's head, a label's height, between lines of one height."""
SAME, PART = 0.5, 0.8
"""Lines nearer than this are one; the part of a box's width where arrows leave and enter."""
WIDE = 880.0
"""Drawings are wider only where their boxes do not fit."""
TRIES, SWEEPS, TIMES = 6, 8, 3


@dataclass(frozen=True)
class Cell:
    """What takes room in a rank: a box, or the place where an arrow passes; ``right`` holds the arrow's label."""

    rank: int
    left: float
    right: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Where everything is; y grows downwards.

    Attributes
    ----------
    boxes : dict of name to (left, top, right, bottom)
    routes : list of list of points
        One polyline of horizontal and vertical pieces for each arrow.
    labels : list of points
        Left middle of each arrow's label.
    width, height : float
    """

    boxes: dict[str, tuple[float, float, float, float]]
    routes: list[list[Point]]
    labels: list[Point]
    width: float
    height: float


def ranks(names: Collection[str], arrows: Sequence[Arrow], bottom: Collection[str] = ()) -> dict[str, int]:
    """Return each box's rank: the length of the longest way to it; those of ``bottom`` share the last one.

    >>> ranks("abcd", [("a", "b", 0.0), ("b", "c", 0.0), ("a", "c", 0.0), ("a", "d", 0.0)], bottom="cd")
    {'a': 0, 'b': 1, 'c': 2, 'd': 2}
    """
    above: dict[str, list[str]] = {name: [] for name in names}
    for a, b, _ in arrows:
        above[b].append(a)
    rank: dict[str, int] = {}
    for name in TopologicalSorter(above).static_order():
        rank[name] = 1 + max((rank[a] for a in above[name]), default=-1)
    last = max((r + (name not in bottom) for name, r in rank.items()), default=0)
    return {name: last if name in bottom else rank[name] for name in names}


def _cells(
    sizes: Mapping[str, Point], arrows: Sequence[Arrow], bottom: Collection[str]
) -> tuple[list[Cell], list[Chain], dict[str, int]]:
    """Return cells, each arrow's chain of cells, and each box's cell; labels have ranks of their own."""
    rank = ranks(sizes, arrows, bottom)
    cells = [Cell(2 * rank[name], w / 2, w / 2, h) for name, (w, h) in sizes.items()]
    at = {name: i for i, name in enumerate(sizes)}
    chains = []
    for a, b, label in arrows:
        chain = [at[a]]
        for r in range(2 * rank[a] + 1, 2 * rank[b]):
            first = len(chain) == 1
            chain.append(len(cells))
            cells.append(Cell(r, 3.0, 3.0 + (label if first else 0.0), LABEL if first and label else 0.0))
        chains.append((*chain, at[b]))
    return cells, chains, at


def _links(chains: Sequence[Chain]) -> list[tuple[int, int]]:
    return [link for chain in chains for link in pairwise(chain)]


def _crossings(links: Sequence[tuple[int, int]], cells: Sequence[Cell], place: Mapping[int, int]) -> int:
    """Return how many pairs of links between neighbouring ranks cross."""
    by_rank = defaultdict(list)
    for a, b in links:
        by_rank[cells[a].rank].append((place[a], place[b]))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0 for found in by_rank.values() for i, a in enumerate(found) for b in found[:i]
    )


def _order(cells: Sequence[Cell], chains: Sequence[Chain]) -> list[list[int]]:
    """Return each rank's cells from left to right: barycentre sweeps from several starts, the fewest crossings."""
    links = _links(chains)
    near: dict[tuple[int, int], list[int]] = defaultdict(list)
    for a, b in links:
        near[b, -1].append(a)
        near[a, 1].append(b)
    best: tuple[int, list[list[int]]] | None = None
    draw = random.Random(0)
    for attempt in range(TRIES):
        order: list[list[int]] = [[] for _ in range(1 + max((c.rank for c in cells), default=0))]
        for i in sorted(range(len(cells)), key=lambda _: draw.random()) if attempt else range(len(cells)):
            order[cells[i].rank].append(i)
        for sweep in range(SWEEPS):
            side = -1 if sweep % 2 == 0 else 1
            place = {i: p for row in order for p, i in enumerate(row)}
            for row in order if side == -1 else reversed(order):
                _sort(row, side, near, place)
            found = _crossings(links, cells, place)
            if best is None or found < best[0]:
                best = found, [list(row) for row in order]
    return best[1] if best else []


def _sort(row: list[int], side: int, near: Mapping[tuple[int, int], list[int]], place: dict[int, int]) -> None:
    """Order one rank by the mean place of each cell's neighbours on one side."""
    row.sort(key=lambda i: float(np.mean([place[j] for j in near.get((i, side), [i])])))
    place.update({i: p for p, i in enumerate(row)})


@dataclass
class _Line:
    """Numbers on a line, some at least so far apart, some tied to each other."""

    count: int
    apart: list[tuple[int, int, float]] = field(default_factory=list)
    ties: list[tuple[int, int, float, float]] = field(default_factory=list)

    def solve(self) -> list[float]:
        """Minimize the sum of weight * abs(x[a] + shift - x[b]) where x[b] - x[a] >= distance: a linear program.

        As in the adaptive lasso, ties that are short at first weigh more at the next time, so that most arrows become
        straight and none has a tiny step.
        """
        from scipy.optimize import linprog

        n, m, k = self.count, len(self.ties), len(self.apart)
        rows, limits = np.zeros((k + 2 * m, n + m)), np.zeros(k + 2 * m)
        for r, (a, b, distance) in enumerate(self.apart):
            rows[r, a], rows[r, b], limits[r] = 1.0, -1.0, -distance
        for r, (a, b, _, shift) in enumerate(self.ties):
            for row, sign in ((k + 2 * r, 1.0), (k + 2 * r + 1, -1.0)):
                rows[row, a], rows[row, b], rows[row, n + r], limits[row] = sign, -sign, -1.0, -sign * shift
        weights = np.array([weight for *_, weight, _ in self.ties])
        x, adapted = np.zeros(n + m), weights
        for _ in range(TIMES):
            x = linprog(np.r_[np.zeros(n), adapted], A_ub=rows, b_ub=limits, bounds=(0.0, None), method="highs-ds").x
            adapted = np.where(weights >= 1.0, weights * 30.0 / (6.0 + x[n:]), weights)
        return [float(round(v, 2)) for v in x[:n]]


def _positions(
    cells: Sequence[Cell], order: Sequence[Sequence[int]], chains: Sequence[Chain]
) -> tuple[list[float], list[Point]]:
    """Return each cell's x, and the x at which each arrow leaves and enters its boxes: the shortest sideways way."""
    n = len(cells)
    walls = n + 2 * len(chains)
    line = _Line(walls + 3, ties=[(walls, walls + 1, 0.5, 0.0), (walls, walls + 2, 100.0, WIDE)])
    line.apart += [(walls, walls + 2, WIDE), (walls + 1, walls + 2, 0.0)]
    for row in order:
        line.apart += [(a, b, cells[a].right + cells[b].left + GAP) for a, b in pairwise(row)]
        line.apart += [(walls, row[0], cells[row[0]].left), (row[-1], walls + 1, cells[row[-1]].right)]
    place = {i: p for row in order for p, i in enumerate(row)}
    for number, chain in enumerate(chains):
        ends = (n + 2 * number, *chain[1:-1], n + 2 * number + 1)
        weights = [2.0, *[8.0] * (len(ends) - 3), 2.0] if len(ends) > 2 else [1.0]
        line.ties += [(a, b, weight, 0.0) for (a, b), weight in zip(pairwise(ends), weights, strict=True)]
    for side, (end, beside, most) in enumerate(((0, 1, 24.0), (-1, -2, 20.0))):
        at: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, chain in enumerate(chains):
            at[chain[end]].append((place[chain[beside]], n + 2 * number + side))
        for cell, found in at.items():
            room = PART * cells[cell].left
            ports = [port for _, port in sorted(found)]
            step = min(most, 2 * room / max(len(ports) - 1, 1))
            line.apart += [(a, b, step) for a, b in pairwise(ports)]
            line.apart += [(cell, ports[0], -room), (ports[-1], cell, -room)]
            middle = (len(ports) - 1) / 2
            line.ties += [(cell, port, 0.1, step * (p - middle)) for p, port in enumerate(ports)]
    x = line.solve()
    return x[:n], [(x[n + 2 * i], x[n + 2 * i + 1]) for i in range(len(chains))]


def bends(ends: Sequence[Point]) -> tuple[list[int | None], int]:
    """Return heights for the sideways pieces between two ranks so that none lies on another, and how many there are.

    Parameters
    ----------
    ends : sequence of (x above, x below)
        A piece that runs straight down gets None.

    Examples
    --------
    >>> bends([(0.0, 50.0), (20.0, 80.0), (90.0, 90.0)])
    ([1, 0, None], 2)
    """
    bent = [i for i, (a, b) in enumerate(ends) if abs(a - b) >= SAME]
    better = True
    while better:
        better = False
        for p in range(len(bent) - 1):
            a, b = ends[bent[p]], ends[bent[p + 1]]
            if _wrong(b, a) < _wrong(a, b):
                bent[p : p + 2] = bent[p + 1], bent[p]
                better = True
    track: dict[int, int] = {}
    for i in bent:
        low, high = min(ends[i]) - ROOM, max(ends[i]) + ROOM
        met = [track[j] for j in track if low < max(ends[j]) and min(ends[j]) < high]
        track[i] = 1 + max(met, default=-1)
    return [track.get(i) for i in range(len(ends))], 1 + max(track.values(), default=-1)


def _wrong(above: Point, below: Point) -> int:
    """Return what is wrong where one piece lies above another: crossings, and 100 for lines on one another."""
    (a0, a1), (b0, b1) = above, below
    crossed = (min(a0, a1) < b0 < max(a0, a1)) + (min(b0, b1) < a1 < max(b0, b1))
    return crossed + 100 * (abs(a1 - b0) < ROOM)


def layout(sizes: Mapping[str, Point], arrows: Sequence[Arrow], bottom: Collection[str] = ()) -> Layout:
    """Lay out boxes of the given (width, height) and the arrows between them.

    Raises
    ------
    graphlib.CycleError
        If the arrows run in a circle.
    """
    cells, chains, at = _cells(sizes, arrows, bottom)
    order = _order(cells, chains)
    x, ports = _positions(cells, order, chains)
    middle, routes, labels, height = _routes(cells, order, chains, ports, x)
    boxes = {}
    for name, i in at.items():
        half = cells[i].height / 2
        boxes[name] = x[i] - cells[i].left, middle[i] - half, x[i] + cells[i].right, middle[i] + half
    return Layout(boxes, routes, labels, max((x[i] + c.right for i, c in enumerate(cells)), default=0.0), height)


def _routes(
    cells: Sequence[Cell],
    order: Sequence[Sequence[int]],
    chains: Sequence[Chain],
    ports: Sequence[Point],
    x: list[float],
) -> tuple[dict[int, float], list[list[Point]], list[Point], float]:
    """Return each cell's middle height, each arrow's polyline and place of its label, and the whole height."""
    routes: list[list[Point]] = [[] for _ in chains]
    labels: list[Point] = [(0.0, 0.0)] * len(chains)
    middle: dict[int, float] = {}
    y = 0.0
    for rank, row in enumerate(order):
        band = max((cells[i].height for i in row), default=0.0)
        middle.update(dict.fromkeys(row, y + band / 2))
        here = [n for n, chain in enumerate(chains) if cells[chain[0]].rank <= rank < cells[chain[-1]].rank]
        ends = [_piece(chains[n], ports[n], x, rank - cells[chains[n][0]].rank) for n in here]
        tracks, count = bends(ends)
        for n, (start, end), track in zip(here, ends, tracks, strict=True):
            chain = chains[n]
            if rank == cells[chain[0]].rank:
                routes[n].append((start, middle[chain[0]] + cells[chain[0]].height / 2))
            elif rank == cells[chain[0]].rank + 1:
                labels[n] = (start + 5.0, middle[chain[1]])
            if track is not None:
                line = y + band + STEP * (1 + track)
                routes[n] += [(start, line), (end, line)]
        y += band + STEP * (count + 1) + (HEAD if rank % 2 else 0.0)
    for chain, port, route in zip(chains, ports, routes, strict=True):
        route.append((port[1], middle[chain[-1]] - cells[chain[-1]].height / 2))
    return middle, routes, labels, y - STEP


def _piece(chain: Chain, port: Point, x: Sequence[float], k: int) -> Point:
    """Return where an arrow's piece below its ``k``-th cell starts and ends sideways."""
    return port[0] if k == 0 else x[chain[k]], port[1] if k == len(chain) - 2 else x[chain[k + 1]]
