"""Two-bit genotypes: the same numbers as float64 brute force, and damaged files refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from genotype_files import write_set

from riata.errors import InputError
from riata.genome import Bed, monomorphic, open_bed
from riata.genome import bed as module
from riata.genome.digits import TOP, exact_product, float_product, product_for, wholes
from riata.genome.plink import pack


def random_counts(p: int, n: int, seed: int = 0, gone: float = 0.05) -> np.ndarray:
    draw = np.random.default_rng(seed)
    counts = draw.binomial(2, draw.uniform(0.05, 0.95, (p, 1)), (p, n)).astype(np.int8)
    counts[draw.random((p, n)) < gone] = -1
    counts[::2][counts[::2] < 0] = 0  # half of the variants have no missing call
    counts[1], counts[2] = -1, 2  # all missing; a single value
    counts[3] = np.where(draw.random(n) < 0.5, -1, 1)  # a single value and missing calls
    return counts


def brute(counts: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Return the standardised columns (n, p) in float64, by numpy alone."""
    raw = counts.astype(np.float64) if rows is None else counts[:, rows].astype(np.float64)
    raw[raw < 0] = np.nan
    out = np.zeros_like(raw)
    for row, values in zip(out, raw, strict=True):
        seen = values[~np.isnan(values)]
        if len(seen) and seen.min() < seen.max():
            filled = np.where(np.isnan(values), seen.mean(), values)
            row[:] = (filled - filled.mean()) / filled.std()
    return out.T


def right_of(n: int, k: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    draw = torch.Generator().manual_seed(7)
    return torch.randn(n, k, generator=draw, dtype=dtype) * torch.logspace(-6, 3, k, dtype=dtype)


@pytest.mark.parametrize("n", [5, 64, 97, 98, 99, 131])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dot_is_brute_force_to_the_bound(tmp_path: Path, n: int, dtype: torch.dtype) -> None:
    counts = random_counts(40, n)
    bed = open_bed(write_set(tmp_path / "set", counts))
    right = right_of(n, 11, dtype)
    error = torch.from_numpy(brute(counts).T @ right.double().numpy()) - bed.dot(right).double()
    assert bed.dot(right).dtype == dtype
    assert (error.abs().amax(0) <= bed.bound(right)).all()
    # The bound itself is tight enough to be of use: a thousandth of what the product could be.
    assert (bed.bound(right) <= 1e-3 * n**0.5 * right.double().norm(dim=0)).all()


def test_whole_numbers_leave_no_error_but_float64_rounding(tmp_path: Path) -> None:
    counts = random_counts(40, 50)
    bed = open_bed(write_set(tmp_path / "set", counts))
    right = torch.arange(50.0, dtype=torch.float64)[:, None] * 4 - 0.0
    right[0] = TOP
    torch.testing.assert_close(bed.dot(right).numpy(), brute(counts).T @ right.numpy(), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("rows", [range(0, 97, 2), [5, 3, 96, 3, 3, 0, 11, 12]])
def test_rows_are_a_matrix_of_their_own(tmp_path: Path, rows: object) -> None:
    counts = random_counts(30, 97)
    index = np.array(list(rows))
    bed = open_bed(write_set(tmp_path / "set", counts)).take(torch.from_numpy(index))
    truth = brute(counts, index)
    right = right_of(len(index), 3)
    error = torch.from_numpy(truth.T @ right.numpy()) - bed.dot(right)
    assert (error.abs().amax(0) <= bed.bound(right)).all()
    np.testing.assert_allclose(bed.columns(torch.arange(30)), truth, atol=2e-6)
    assert bed.missing.tolist() == (counts[:, index] < 0).sum(1).tolist()
    assert bed.n == len(index)


def test_taking_twice_is_taking_the_composition(tmp_path: Path) -> None:
    whole = open_bed(write_set(tmp_path / "set", random_counts(30, 97)))
    first, second = torch.arange(96, 0, -3), torch.tensor([4, 0, 9, 9])
    twice, once = whole.take(first).take(second), whole.take(first[second])
    assert torch.equal(twice.mean, once.mean)
    assert torch.equal(twice.scale, once.scale)
    assert twice.store is whole.store


def test_a_fold_is_the_same_as_right_hand_sides_of_zero(tmp_path: Path) -> None:
    bed = open_bed(write_set(tmp_path / "set", random_counts(30, 97)))
    rows = torch.arange(0, 97, 3)
    fold = bed.take(rows)
    same = replace(bed, mean=fold.mean, scale=fold.scale)
    right = right_of(len(rows), 2)
    full = torch.zeros(97, 2, dtype=torch.float64).index_copy(0, rows, right)
    assert torch.equal(fold.dot(right), same.dot(full))


def test_standardised_columns_and_monomorphic_ones(tmp_path: Path) -> None:
    counts = random_counts(40, 97)
    bed = open_bed(write_set(tmp_path / "set", counts))
    x = bed.columns(torch.arange(40))
    np.testing.assert_allclose(x, brute(counts), atol=2e-6)
    assert monomorphic(bed).tolist() == [1, 2, 3]
    assert (x[:, [1, 2, 3]] == 0.0).all()
    assert (bed.dot(right_of(97, 4))[[1, 2, 3]] == 0.0).all()
    assert (x.T[torch.from_numpy(counts < 0)] == 0.0).all()
    assert bed.missing.tolist() == (counts < 0).sum(1).tolist()
    live = bed.scale > 0
    np.testing.assert_allclose(x.double().norm(dim=0)[live], 97**0.5, rtol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_a_single_variant_few_people_and_nothing_asked(tmp_path: Path, n: int) -> None:
    counts = np.array([[-1, 1, 2, 0, 1][:n]], np.int8)
    bed = open_bed(write_set(tmp_path / "set", counts))
    right = torch.arange(1.0, n + 1, dtype=torch.float64)[:, None]
    np.testing.assert_allclose(bed.dot(right), brute(counts).T @ right.numpy(), atol=float(bed.bound(right)))
    assert bed.dot(right[:, :0]).shape == (1, 0)
    assert bed.columns(torch.tensor([], dtype=torch.int64)).shape == (n, 0)


def test_both_products_give_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIATA_KERNEL", "off")
    bed = open_bed(write_set(tmp_path / "set", random_counts(40, 97)))
    right = right_of(97, 5)
    exact, floats = (replace(bed, store=replace(bed.store, product=f)) for f in (exact_product, float_product))
    assert torch.equal(exact.dot(right), floats.dot(right))


def test_blocks_do_not_change_a_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_set(tmp_path / "set", random_counts(40, 97))
    whole = open_bed(path)
    right = right_of(97, 5)
    expected = whole.dot(right)
    monkeypatch.setattr(module, "BLOCK", 1)
    small = open_bed(path)
    assert torch.equal(small.dot(right), expected)
    assert torch.equal(small.scale, whole.scale)


def test_a_product_that_saturates_is_found() -> None:
    def saturating(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        pairs = left.view(len(left), -1, 2).float().unsqueeze(-1) * right.view(-1, 2, right.shape[1]).float()
        return pairs.sum(2).clamp(-500, 500).sum(1)

    def refuses(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("no such kernel")

    assert product_for(100, 2) is exact_product
    assert product_for(100, 2, saturating) is float_product
    assert product_for(100, 2, refuses) is float_product
    assert product_for(10_000_000, 2) is float_product  # int32 could overflow


def test_fixed_point_is_within_half_a_step() -> None:
    right = right_of(200, 9)
    q, step = wholes(right)
    assert int(q.abs().max()) == TOP
    assert ((q * step - right).abs() <= step / 2 * (1 + 1e-9)).all()
    zero, _ = wholes(torch.zeros(4, 2, dtype=torch.float64))
    assert not zero.any()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set", random_counts(10, 9))


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b[:20], lambda b: b""])
def test_another_size_is_refused(files: Path, change: object) -> None:
    file = files.with_suffix(".bed")
    file.write_bytes(change(file.read_bytes()))
    with pytest.raises(InputError, match=r"bytes|starts with"):
        open_bed(files)


@pytest.mark.parametrize(("start", "words"), [(b"\x6c\x1b\x00", "sample-major"), (b"PK\x03", "starts with 50 4b 03")])
def test_another_start_is_refused(files: Path, start: bytes, words: str) -> None:
    file = files.with_suffix(".bed")
    file.write_bytes(start + file.read_bytes()[3:])
    with pytest.raises(InputError, match=words):
        open_bed(files)


@pytest.mark.parametrize("suffix", [".bed", ".bim", ".fam"])
def test_a_file_that_is_not_there_is_named(files: Path, suffix: str) -> None:
    files.with_suffix(suffix).unlink()
    with pytest.raises(InputError, match=rf"set\{suffix} cannot be read"):
        open_bed(files)


def test_wrong_arguments_are_refused(files: Path) -> None:
    bed = open_bed(files)
    for right, words in [(torch.ones(8, 1), "expected .9, k."), (torch.full((9, 1), torch.nan), "NaN"),
                         (torch.ones(9, 1, dtype=torch.int64), "int64")]:  # fmt: skip
        with pytest.raises(InputError, match=words):
            bed.dot(right)
    for rows, words in [
        (torch.tensor([9]), "0 to 8"),
        (torch.ones(9) > 0, "mask.nonzero"),
        (torch.tensor([]), "no rows"),
    ]:
        with pytest.raises(InputError, match=words):
            bed.take(rows)
    with pytest.raises(InputError, match="0 to 9"):
        bed.columns(torch.tensor([-1]))
    with pytest.raises(InputError, match="16193 times"):
        bed.take(torch.zeros(TOP + 1, dtype=torch.int64))


def test_the_first_allele_is_counted(tmp_path: Path) -> None:
    """The example of the format's specification: three variants of six people (PLINK 1.9 documentation, .bed)."""
    content = bytes([0x6C, 0x1B, 0x01, 0xDC, 0x0F, 0xE7, 0x0F, 0x6B, 0x01])
    path = tmp_path / "set"
    path.with_suffix(".bed").write_bytes(content)
    path.with_suffix(".bim").write_text("1 snp1 0 1 G A\n1 snp2 0 2 1 2\n1 snp3 0 3 A C\n")
    path.with_suffix(".fam").write_text("".join(f"{i} 1 0 0 1 0\n" for i in range(6)))
    truth = np.array([[2, 0, -1, 0, 0, 0], [0, -1, 1, 0, 0, 0], [0, 1, 1, -1, -1, 2]], np.int8)
    bed: Bed = open_bed(path)
    np.testing.assert_allclose(bed.columns(torch.arange(3)), brute(truth), atol=1e-6)
    np.testing.assert_allclose(bed.mean, [0.4, 0.2, 1.0])
    assert pack(truth).tobytes() == content[3:]
