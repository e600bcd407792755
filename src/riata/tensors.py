"""The safetensors format, read strictly: what a header claims is checked before anything is allocated.

A file is 8 bytes (little-endian length of the header), the header (JSON: dtype, shape and place of every array, and
texts under ``__metadata__``), and the arrays' bytes without gaps. See
https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError
from .memory import require
from .strict import MOST_BYTES, open_regular, parse

__all__ = ["Claim", "TensorFile", "tensor_file"]

KINDS: Mapping[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
"""The number types that Riata writes."""
FOREIGN = ((b"PK\x03\x04", "a zip archive, as torch.save writes"), (b"\x80", "a pickle, as joblib and pickle write"))
_MOST_DIMENSIONS = 8
_MOST_ARRAYS = 1000


@dataclass(frozen=True)
class Claim:
    """What a header says of one array, checked against the file's size: its type, shape, and first byte."""

    kind: str
    shape: tuple[int, ...]
    begin: int


@dataclass(frozen=True, eq=False)
class TensorFile:
    """An open file: its texts, and the claims whose arrays can be read.

    Attributes
    ----------
    texts : mapping of str to str
    claims : mapping of str to Claim
    """

    file: FileIO
    texts: Mapping[str, str]
    claims: Mapping[str, Claim]
    start: int

    def read(self, name: str) -> np.ndarray:
        """Return one array, in memory of its own.

        Raises
        ------
        InputError
            If the file has become shorter.
        """
        claim = self.claims[name]
        array: np.ndarray = np.empty(claim.shape, KINDS[claim.kind])
        self.file.seek(self.start + claim.begin)
        left = memoryview(array.reshape(-1).view(np.uint8).data)
        while left:
            got = self.file.readinto(left)
            if not got:
                raise InputError("ends in the middle of an array")
            left = left[got:]
        return array


@contextmanager
def tensor_file(path: Path) -> Iterator[TensorFile]:
    """Open a safetensors file, its header checked.

    Raises
    ------
    FileNotFoundError
        If there is none.
    InputError
        If it is no regular file, the header is not strict JSON, or it claims anything but exactly the bytes that are
        there.
    ResourceError
        If its arrays need more than 70% of the memory that is available, or the rights do not allow to read it.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        head = _head(file, size)
        texts = head.pop("__metadata__", {})
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise InputError("__metadata__ holds other things than texts")
        if len(head) > _MOST_ARRAYS:
            raise InputError(f"{len(head)} arrays; expected at most {_MOST_ARRAYS}")
        start = file.tell()
        claims = {name: _claim(name, what) for name, what in head.items()}
        _refuse_gaps(claims, size - start)
        require(2 * (size - start), "reading the arrays", "use a machine with more memory")
        yield TensorFile(file, texts, claims, start)


def _head(file: FileIO, size: int) -> dict[str, Any]:
    first = file.read(8) or b""
    length = int.from_bytes(first, "little")
    if len(first) < 8 or not 2 <= length <= min(size - 8, MOST_BYTES):
        foreign = next((what for magic, what in FOREIGN if first.startswith(magic)), None)
        if foreign is not None:
            raise InputError(f"{foreign}; it is not opened, since it could run code")
        raise InputError(f"{size} bytes with a header of {length}; expected one within the file and {MOST_BYTES}")
    content = b""
    while len(content) < length:
        more = file.read(length - len(content))
        if not more:
            raise InputError("ends in the middle of its header")
        content = content + more if content else more
    head = parse(content)
    if not isinstance(head, dict):
        raise InputError("a header that is no object")
    return head


def _claim(name: str, what: Any) -> Claim:
    """Return one entry of the header, with its bytes checked against its type and shape."""
    said = f"array {name[:60]!r}"
    if not isinstance(what, dict) or set(what) != {"dtype", "shape", "data_offsets"}:
        raise InputError(f"{said} is not described by dtype, shape and data_offsets")
    kind, shape, place = what["dtype"], what["shape"], what["data_offsets"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(f"{said} of type {str(kind)[:20]!r}; expected {' or '.join(KINDS)}")
    if not (_counts(shape) and len(shape) <= _MOST_DIMENSIONS and _counts(place) and len(place) == 2):
        raise InputError(f"{said} has sizes or offsets that are no counts")
    if place[1] - place[0] != math.prod(shape) * KINDS[kind].itemsize:
        raise InputError(f"{said} of shape {tuple(shape)} claims {place[1] - place[0]} bytes")
    return Claim(kind, tuple(shape), place[0])


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**63 for v in values)


def _refuse_gaps(claims: Mapping[str, Claim], size: int) -> None:
    """Refuse arrays that overlap, leave bytes between them, or end elsewhere than the file does."""
    at = 0
    for name, claim in sorted(claims.items(), key=lambda item: (item[1].begin, math.prod(item[1].shape))):
        if claim.begin != at:
            raise InputError(f"array {name[:60]!r} begins at byte {claim.begin}; expected {at}")
        at += math.prod(claim.shape) * KINDS[claim.kind].itemsize
    if at != size:
        raise InputError(f"arrays of {at} bytes in a file with {size} for them")
