"""The compiled kernel: the bits of plain torch; and plain torch where anything about it is not as it should be."""

from __future__ import annotations

import ctypes
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from genotype_files import write_set

from riata.errors import InputError
from riata.genome import Bed, dots, grams, kernel, library, open_bed, takes
from riata.genome.digits import exact_product, float_product
from riata.genome.kernel import CELLS, HOLES, SQUARES, Kernel, right_sums, versions

pytestmark = pytest.mark.usefixtures("own_cache")
ABLE = versions() if library.compiler() else []
needs_compiler = pytest.mark.skipif(not ABLE, reason="no compiler: pip install riata[kernel]")
each_version = pytest.mark.parametrize("version", ABLE or [pytest.param("none", marks=needs_compiler)])


def made_set(path: Path, p: int, n: int, gone: float = 0.05) -> Path:
    draw = np.random.default_rng(n)
    counts = draw.binomial(2, draw.uniform(0.05, 0.95, (p, 1)), (p, n)).astype(np.int8)
    counts[draw.random((p, n)) < gone] = -1
    counts[::2][counts[::2] < 0] = 0  # half of the variants have no missing call
    if gone and p > 2:
        counts[1], counts[2] = -1, 2  # all missing; a single value
    return write_set(path, counts)


def opened(path: Path, said: str, monkeypatch: pytest.MonkeyPatch, threads: int = 1) -> Bed:
    monkeypatch.setenv("RIATA_KERNEL", said)
    return open_bed(path, threads=threads)


@each_version
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 16, 19])
@pytest.mark.parametrize("n", [1, 4, 129, 255, 256, 257, 1030])
def test_sums_are_those_of_python(version: str, n: int, k: int) -> None:
    found = kernel.found(version)
    assert found is not None
    draw = np.random.default_rng([n, k])
    packed = draw.integers(0, 256, (7, -(-n // 4)), np.uint8)  # the bits behind the last person are noise
    packed[0], packed[1] = 0xFF, 0x55
    digits = draw.choice(np.array([-128, -1, 0, 1, 127], np.int8), (n, k))
    codes = [[packed[v, i // 4] >> 2 * (i % 4) & 3 for i in range(n)] for v in range(7)]
    tables = (CELLS, SQUARES, HOLES, (0, 4, 4, 4))
    truth = [[np.array([table[c] for c in row]) @ digits.astype(np.int64) for row in codes] for table in tables]
    out = found.sums(packed, Kernel.arranged(torch.from_numpy(digits)), tables)
    np.testing.assert_array_equal(out.numpy(), np.array(truth))


@each_version
@pytest.mark.parametrize(("n", "gone"), [(1, 0.0), (5, 0.3), (97, 0.05), (256, 0.05), (259, 0.0), (519, 0.01)])
def test_everything_has_the_bits_of_torch(
    version: str, n: int, gone: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made_set(tmp_path / "set", 301, n, gone)  # three parts of blocks
    plain, swift = opened(path, "off", monkeypatch), opened(path, version, monkeypatch, threads=3)
    assert (plain.store.route, swift.store.route) == ("torch", f"kernel {version}")
    monkeypatch.setattr("riata.genome.bed.BLOCK", 1)  # 16 variants a block
    draw = torch.Generator().manual_seed(0)
    rows = [torch.randint(0, n, (m,), generator=draw) for m in (1, n, 3 * n)] + [torch.zeros(300, dtype=torch.int64)]
    parts = [[bed, *takes(bed, rows), bed.take(rows[1]).take(torch.arange(n - 1, -1, -1))] for bed in (plain, swift)]
    for ours, theirs in zip(*parts, strict=True):
        for what in ("mean", "scale", "missing"):
            assert torch.equal(getattr(ours, what), getattr(theirs, what))
        for dtype in (torch.float32, torch.float64):
            right = torch.randn(ours.n, 3, generator=draw, dtype=dtype)
            assert torch.equal(ours.dot(right), theirs.dot(right))
    rights = [torch.randn(part.n, 1 + i, generator=draw, dtype=torch.float64) for i, part in enumerate(parts[0])]
    pairs = [list(zip(each, rights, strict=True)) for each in parts]
    for together in (dots, grams):
        assert all(torch.equal(a, b) for a, b in zip(*map(together, pairs), strict=True))
    assert torch.equal(swift.dot(torch.ones(n, 0)), plain.dot(torch.ones(n, 0)))


def test_without_the_kernel_both_products_of_torch_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = opened(made_set(tmp_path / "set", 40, 97), "off", monkeypatch)
    right = torch.randn(97, 5, generator=torch.Generator().manual_seed(0))
    a, b = (replace(bed, store=replace(bed.store, product=f)) for f in (exact_product, float_product))
    assert torch.equal(a.dot(right), b.dot(right))
    assert all(torch.equal(x, y) for x, y in zip(*(each.measured([None])[0].scale for each in (a, b)), strict=True))


GUARDED = """
import ctypes, mmap, sys
import numpy as np, torch
from riata.genome.kernel import CELLS, Kernel, found
libc = ctypes.CDLL(None, use_errno=True)
area = mmap.mmap(-1, 3 * mmap.PAGESIZE)
start = ctypes.addressof(ctypes.c_char.from_buffer(area))
assert libc.mprotect(ctypes.c_void_p(start + 2 * mmap.PAGESIZE), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
for version in sys.argv[1:]:
    for m, width in ((1, 1), (1, 3), (5, 31), (1, 32), (3, 33), (4, 63), (4, 64), (7, 65), (2, 750)):
        end = np.frombuffer(area, np.uint8, m * width, 2 * mmap.PAGESIZE - m * width).reshape(m, width)
        out = found(version).sums(end, Kernel.arranged(torch.ones(4 * width, 2, dtype=torch.int8)), (CELLS,))
        assert not out.any()
print("read no further")
"""


@needs_compiler
def test_nothing_behind_the_last_byte_is_read() -> None:
    """The byte after it is forbidden memory; and RIATA_KERNEL is not looked at before a file is opened."""
    done = subprocess.run([sys.executable, "-c", GUARDED, *ABLE], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "RIATA_KERNEL": "nonsense"})  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "read no further\n"), done.stderr


@needs_compiler
def test_wrong_sums_are_found_and_torch_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made_set(tmp_path / "set", 30, 97)
    right = torch.randn(97, 2, generator=torch.Generator().manual_seed(0))
    expected, true_sums = opened(path, "off", monkeypatch).dot(right), Kernel.sums
    assert right_sums(kernel.found("auto").sums)
    narrow = torch.iinfo(torch.int16)
    wrong: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda out: out + (out == out.max()),
        lambda out: out.clamp(narrow.min, narrow.max),
        lambda out: torch.zeros_like(out),
        lambda out: out.flip(0),
    ]
    for spoil in wrong:
        monkeypatch.setattr(Kernel, "sums", lambda *given, spoil=spoil: spoil(true_sums(*given)))
        kernel.found.cache_clear()
        bed = opened(path, "auto", monkeypatch)
        assert bed.store.route == "torch"
        assert torch.equal(bed.dot(right), expected)


@needs_compiler
def test_another_library_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "opened", lambda source, build: ctypes.CDLL(None))  # has no such function
    assert kernel.found("auto") is None
    monkeypatch.setitem(kernel.NUMBERS, ABLE[0], 9)  # a version that the file does not have
    monkeypatch.setattr(kernel, "opened", library.opened)
    kernel.found.cache_clear()
    assert kernel.found("auto") is None


@pytest.mark.parametrize("said", ["on", "AVX2", "avx512 ", "neon\nsecond line", "x" * 500])
def test_an_unknown_version_is_refused_in_one_line(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="expected auto, off, plain, avx2 or avx512: unset RIATA_KERNEL") as caught:
        opened(made_set(tmp_path / "set", 5, 9), said, monkeypatch)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@needs_compiler
def test_what_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def route(said: str, able: list[str], people: int = 100) -> str | None:
        monkeypatch.setenv("RIATA_KERNEL", said)
        monkeypatch.setattr(kernel, "versions", lambda: [name for name in able if name in ABLE])
        kernel.found.cache_clear()
        found = kernel.chosen(people)
        return found and found.version

    assert route("auto", ABLE) == route("", ABLE) == ABLE[0]
    assert route("off", ABLE) is None
    assert route("auto", ["plain"]) is None  # slower than torch
    assert route("plain", ["plain"]) == "plain"
    assert route("avx512", ["avx2", "plain"]) is None  # asked for, but not what this processor has
    assert route("auto", ABLE, 2**22) is None  # int32 could overflow
    assert route("auto", ABLE, 2**22 - 1) == ABLE[0]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu avx2 avx512f avx512bw avx512_vnni", ["avx512", "avx2", "plain"]),
        ("fpu avx2 avx512f avx512bw", ["avx2", "plain"]),
        ("fpu sse2 avx", ["plain"]),
    ],
)
def test_what_a_processor_can(flags: str, expected: list[str], tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nmodel name\t: with avx512_vnni\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
    assert versions(file) == expected
    assert versions(tmp_path / "none") == ["plain"]


@needs_compiler
def test_each_process_chooses_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = opened(made_set(tmp_path / "set", 30, 97), "auto", monkeypatch)
    content, right = pickle.dumps(bed), torch.ones(97, 1) / 3
    assert len(content) < 10_000
    again = pickle.loads(content)
    assert again.store.route == bed.store.route
    monkeypatch.setenv("RIATA_KERNEL", "off")
    plain = pickle.loads(content)
    assert plain.store.route == "torch"
    assert torch.equal(plain.dot(right), bed.dot(right))


@needs_compiler
def test_what_does_not_fit_is_refused() -> None:
    found = kernel.found("auto")
    packed, right = np.zeros((2, 65), np.uint8), torch.zeros(1, 4, 128, dtype=torch.int8)
    assert found.sums(packed, right, (CELLS,)).shape == (1, 2, 1)
    for bytes_, digits in [(packed.view(np.int8), right), (packed, right[:, :, :64]), (packed, right[:, :3]),
                           (packed, right.int()), (packed, right[:, :, :100])]:  # fmt: skip
        with pytest.raises(ValueError, match="and digits"):
            found.sums(bytes_, digits, (CELLS,))
