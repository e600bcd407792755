"""Train the pieces of a design as tasks on Ray; whoever calls writes down what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..results import MemberResult
from .cluster import Cluster
from .design import Design, Member, Split, Training
from .ray_staff import RayStaff
from .run import Blocks, fit_chunk


def train_piece(blocks: Blocks, split: Split, members: tuple[Member, ...], training: Training) -> list[MemberResult]:
    """Train the members of one piece."""
    return fit_chunk(blocks, Design(members, (split,), training), list(range(len(members))))[1]


class RayCrew:
    """Workers of a Ray cluster that train on the same data; they may come and go.

    The data are put into Ray's object store once. A piece whose worker or node is lost is trained again elsewhere, and
    gives the same bits.

    Used as a context: leaving it takes back what waits and closes a connection that was opened for it.
    """

    def __init__(self, blocks: Blocks, cluster: Cluster):
        self.blocks, self.staff = blocks, RayStaff(cluster, blocks.device)
        self._blocks: Any = None

    def __enter__(self) -> RayCrew:
        return self

    def __exit__(self, *given: object) -> None:
        self._blocks = None
        self.staff.__exit__(*given)

    def train(self, design: Design, chunks: list[list[int]]) -> Iterator[tuple[list[int], list[MemberResult]]]:
        """Yield every chunk's members and results as they are finished.

        Raises
        ------
        ResourceError
            Ray lost a piece too often, cannot be reached any more, or has no node left that could take one.
        """
        for ids, results in self.staff.each(train_piece, self._jobs(design, chunks)):
            split = design.members[ids[0]].split
            yield ids, [replace(r, split=split) for r in results]

    def _jobs(self, design: Design, chunks: list[list[int]]) -> Iterator[tuple[list[int], tuple[Any, ...]]]:
        """Yield what :func:`train_piece` is given for every chunk; the rows of a split are put into the store once."""
        if self._blocks is None:
            self._blocks = self.staff.share(self.blocks)
        splits: dict[int, Any] = {}
        for ids in chunks:
            piece, split = design.piece(ids), design.members[ids[0]].split
            if split not in splits:
                splits[split] = self.staff.share(piece.splits[0])
            yield ids, (self._blocks, splits[split], piece.members, design.training)
