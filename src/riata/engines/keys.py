"""Random draws addressed by their key: the same key gives the same numbers, whoever asks and when.

A member's result must not depend on who else is trained with it, so no generator is ever shared or advanced:
each draw (initial weights, the order of the rows of an epoch, the dropout noise of a step and layer) makes its own.
"""

from __future__ import annotations

import hashlib

import torch


def generator(seed: int, purpose: str, *where: int) -> torch.Generator:
    """Return a CPU generator for one draw, a pure function of its arguments.

    >>> import torch
    >>> a = torch.rand(2, generator=generator(0, "dropout", 3, 1))
    >>> b = torch.rand(2, generator=generator(0, "dropout", 3, 1))
    >>> bool((a == b).all())
    True
    """
    key = ":".join([str(int(seed)), purpose, *[str(int(i)) for i in where]])
    number = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "little")
    return torch.Generator().manual_seed(number & (2**63 - 1))
