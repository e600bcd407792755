"""Who trains a population: this process, its worker processes, or Ray. The answer does not depend on it."""

from __future__ import annotations

from .cluster import Cluster
from .ray_crew import RayCrew
from .run import Blocks, Crew


def hands(blocks: Blocks, workers: int, cluster: Cluster | None = None) -> Crew | RayCrew | None:
    """Return the crew for some data, to be entered as a context; None where this process trains alone.

    Parameters
    ----------
    blocks : Blocks
    workers : int
        Processes where there is no cluster.
    cluster : Cluster, optional
        From :func:`riata.population.cluster.reach`; the crew closes it if it was opened there.

    Examples
    --------
    >>> import numpy as np
    >>> from riata.engines import Loss
    >>> data = Blocks(np.zeros((1, 4, 2), np.float32), np.zeros((1, 4)), np.arange(2), ("a", "b"), Loss("squared", 1))
    >>> hands(data, 1) is None, type(hands(data, 2)).__name__
    (True, 'Crew')
    """
    if cluster is not None:
        return RayCrew(blocks, cluster)
    return Crew(blocks, workers) if workers > 1 and blocks.device == "cpu" else None
