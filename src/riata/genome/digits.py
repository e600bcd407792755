"""Exact products of whole numbers: right-hand sides in fixed point, split into int8 digits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["TOP", "Product", "combined", "exact_product", "float_product", "product_for", "split", "top", "wholes"]

TOP = 127 * 128 - 64
"""Largest whole number that two int8 digits hold as ``128 high + low`` with ``|low| <= 64``."""

Product = Callable[[Tensor, Tensor], Tensor]


def top(digits: int) -> int:
    """Return the largest whole number that so many int8 digits hold.

    >>> [top(digits) for digits in (1, 2, 3)]
    [127, 16192, 2072512]
    """
    return 127 if digits == 1 else 128 * top(digits - 1) - 64


def wholes(right: Tensor, digits: int = 2) -> tuple[Tensor, Tensor]:
    """Return q and s with ``right ~ q s``: (n, k) -> int64 (n, k), |q| <= 16192 for two digits, and float64 (k,).

    ``s_k = max_i |r_ik| / top``, so an entry is off by at most ``s_k / 2``.

    Examples
    --------
    >>> q, s = wholes(torch.tensor([[1.0], [-0.5]], dtype=torch.float64))
    >>> q.T
    tensor([[16192, -8096]])
    """
    limit = top(digits)
    step = right.abs().amax(0).clamp(min=1e-290) / limit
    return (right / step).round().clamp(-limit, limit).long(), step


def split(q: Tensor, digits: int = 2) -> Tensor:
    """Return whole numbers as int8 digits side by side, the highest first: (n, k) -> (n, digits k).

    >>> split(torch.tensor([[16192, -65]]))
    tensor([[127,  -1, -64,  63]], dtype=torch.int8)
    """
    parts: list[Tensor] = []
    for _ in range(digits - 1):
        high = (q + 64) >> 7
        parts.append(q - (high << 7))
        q = high
    return torch.cat([q, *reversed(parts)], 1).to(torch.int8)


def combined(sums: Tensor, k: int, digits: int = 2) -> Tensor:
    """Return the products of whole numbers from those of their digits: (m, >= digits k) -> (m, k) int64.

    >>> combined(torch.tensor([[127, -1, -64, 63]]), 2)
    tensor([[16192,   -65]])
    """
    out = sums[:, :k].long()
    for place in range(1, digits):
        out = (out << 7) + sums[:, place * k : (place + 1) * k]
    return out


def exact_product(left: Tensor, right: Tensor) -> Tensor:
    """Return ``left right`` of int8 matrices in int32: (m, n), (n, k) -> (m, k)."""
    product: Tensor = torch._int_mm(left, right)  # private; product_for tests it on every start
    return product


def float_product(left: Tensor, right: Tensor) -> Tensor:
    """Return the same product by way of floats, for n below 2^39.

    float32 holds a sum of 1,023 such products exactly; longer ones are added in float64.
    """
    dtype = torch.float32 if left.shape[1] * 128 * 128 < 2**24 else torch.float64
    step = 256
    parts = [left[a : a + step].to(dtype) @ right.to(dtype) for a in range(0, len(left), step)]
    return torch.cat(parts).long()


def product_for(length: int, largest: int, product: Product = exact_product) -> Product:
    """Return a product that is exact for sums of so many terms with a left side of at most ``largest``.

    ``torch._int_mm`` is tested against int64 on extremes and random digits, both ways round; float_product instead
    where it fails or int32 could overflow.
    """
    if length * largest * 128 >= 2**31:
        return float_product
    draw = torch.Generator().manual_seed(0)
    left = torch.randint(-128, 128, (33, 739), generator=draw).to(torch.int8)
    right = torch.randint(-128, 128, (739, 16), generator=draw).to(torch.int8)
    left[0], left[1], right[:, 0], right[:, 1] = 2, -128, 127, -128
    try:
        same = torch.equal(product(left, right).long(), left.long() @ right.long())
        turned = torch.equal(product(right.T.contiguous(), left.T).long(), right.T.long() @ left.T.long())
    except RuntimeError:
        return float_product
    return product if same and turned else float_product
