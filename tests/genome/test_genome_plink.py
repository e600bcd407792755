"""PLINK text files, the join with a clinical table, and real files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from riata.errors import InputError
from riata.genome import Dense, join, monomorphic, open_bed, read_bim, read_fam
from riata.genome.plink import unique

HOME = Path(os.environ.get("RIATA_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "plink"
FILES = {"mice_hs1814": (1814, 10346), "plinkhapmap": (60, 5000), "some_missing": (100, 100)}
CALLS = np.array([2, -1, 1, 0], np.int8)


def slow_counts(path: Path, n: int, p: int) -> np.ndarray:
    """Read a .bed bit by bit as the format's page says, without the package."""
    content = np.frombuffer(path.read_bytes(), np.uint8)[3:].reshape(p, -1)
    bits = np.unpackbits(content, axis=1, bitorder="little").reshape(p, -1, 2)[:, :n]
    return CALLS[bits[..., 0] + 2 * bits[..., 1]]


@pytest.mark.parametrize("name", FILES)
def test_real_files_equal_a_dense_matrix(name: str) -> None:
    if not (HOME / f"{name}.bed").exists():
        pytest.skip("no PLINK files: set RIATA_DATA to the data folder")
    n, p = FILES[name]
    bed = open_bed(HOME / f"{name}.bed")
    assert (bed.n, bed.p, len(set(bed.names))) == (n, p, p)
    counts = slow_counts(HOME / f"{name}.bed", n, p)
    truth = Dense.of(counts, variables_first=True, absent=-1)
    right = torch.randn(n, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for one, other in [(bed, truth), (bed.take(torch.arange(0, n, 2)), truth.take(torch.arange(0, n, 2)))]:
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(one.scale, other.scale, rtol=1e-12, atol=1e-12)
        assert torch.equal(one.missing, other.missing)
        assert torch.equal(monomorphic(one), monomorphic(other))
        side = right[: one.n]
        assert ((one.dot(side) - other.dot(side)).abs().amax(0) <= one.bound(side) + other.bound(side)).all()


def test_known_numbers_of_missing_calls() -> None:
    if not HOME.exists():
        pytest.skip("no PLINK files: set RIATA_DATA to the data folder")
    assert int(open_bed(HOME / "some_missing").missing.sum()) == 2182
    assert int(open_bed(HOME / "plinkhapmap").missing.sum()) == 1009


def test_a_bim_is_read_and_its_names_made_unique(tmp_path: Path) -> None:
    file = tmp_path / "a.bim"
    file.write_text("1\trs1\t0\t100\tA\tG\n1 . 0 200 C T\nX\trs1\t0.5\t300\tAT\tA\n\n")
    variants = read_bim(file)
    assert variants.names == ("rs1", "1:200:C:T", "rs1#2")
    assert variants.chromosome == ("1", "1", "X")
    assert variants.position.tolist() == [100, 200, 300]
    assert (variants.first[2], variants.second[2], len(variants)) == ("AT", "A", 3)
    with pytest.raises(InputError, match="rs1 occurs twice"):
        read_bim(file, duplicates="refuse")


def test_made_names_never_meet_a_given_one() -> None:
    names = unique(["a", "a#2", "a", "a", "a#2", "a#3"])
    assert len(set(names)) == 6
    assert [name.split("#")[0] for name in names] == ["a"] * 6
    assert names[:2] == ("a", "a#2")
    assert names[5] == "a#3"


@pytest.mark.parametrize("change", [lambda t: t.replace("\t", " "), lambda t: t.replace("\t", " \t"),
                                    lambda t: t.replace("\n", "\r\n"), lambda t: "\n" + t, lambda t: t.strip(),
                                    lambda t: t.replace("rs4", "r\u00e4")])  # fmt: skip
def test_tabs_alone_are_read_as_any_white_space(change, tmp_path: Path) -> None:
    """The fast way for single tabs and the general one give the same."""
    text = "".join(f'{1 + i % 3}\trs{i}\t0\t{10 * i}\t"A\t#G\n' for i in range(9)) + "X\t.\t0.5\t-7\tNA\tnull\n"
    (tmp_path / "a.bim").write_text(text)
    (tmp_path / "b.bim").write_bytes(change(text).encode())
    one, other = read_bim(tmp_path / "a.bim"), read_bim(tmp_path / "b.bim")
    assert [name.replace("rä", "rs4") for name in other.names] == list(one.names)
    assert one.names[-1] == "X:-7:NA:null"
    assert (one.first, one.second, one.chromosome) == (other.first, other.second, other.chromosome)
    assert one.position.tolist() == other.position.tolist() == [*range(0, 90, 10), -7]
    assert (one.first[0], one.second[0]) == ('"A', "#G")


@pytest.mark.parametrize(
    "line", ["1\trs1\t0\t1\tA\n", "1\trs1\t0\t1\tA\tG\tT\n", "1\trs1\t\t1\tA\tG\n", "\t\t\t\t\t\n"]
)
def test_another_number_of_fields_among_tabs_is_refused(line: str, tmp_path: Path) -> None:
    good = "1\trs0\t0\t1\tA\tG\n"
    (tmp_path / "a.bim").write_text(good * 3 + line + good)
    if line.strip():
        with pytest.raises(InputError, match=r"line 4 has [57] fields"):
            read_bim(tmp_path / "a.bim")
    else:
        assert len(read_bim(tmp_path / "a.bim")) == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [("1 rs1 0 100 A\n", "line 1 has 5 fields"), ("1 rs1 0 x A G\n", "whole number"), ("\n", "is empty")],
)
def test_a_damaged_bim_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.bim").write_text(text)
    with pytest.raises(InputError, match=words):
        read_bim(tmp_path / "a.bim")


def test_a_fam_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.fam").write_text("F1 P1 0 0 1 22.5\nF1\tP2\t0\t0\t2\t-9\n")
    samples = read_fam(tmp_path / "a.fam")
    assert (samples.family, samples.ids) == (("F1", "F1"), ("P1", "P2"))
    assert (samples.sex, samples.phenotype, len(samples)) == (("1", "2"), ("22.5", "-9"), 2)


def test_join_keeps_the_order_of_the_table_and_says_who_is_left_out() -> None:
    match = join([7.0, "P9", " P2 ", "P1"], ["P1", "P2", "P3", "7"])
    assert match.table.tolist() == [0, 2, 3]
    assert match.people.tolist() == [3, 1, 0]
    assert (match.only_table, match.only_people, len(match)) == (("P9",), ("P3",), 3)
    assert str(match) == (
        "3 people are in both; left out: 1 only in the clinical table (P9), 1 only in the genotypes (P3)"
    )
    assert str(join(["a"], ["a"])) == "1 person is in both"


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        (["a", "b"], ["c"], "no ID is in both: the clinical table has a, b, the .fam c"),
        (["a", "a"], ["a"], "a occurs twice in the clinical table"),
        (["a"], ["a", "a"], "a occurs twice in the .fam"),
        (["a", None], ["a"], "row 2 of the clinical table has no ID"),
        ([float("nan")], ["a"], "row 1 of the clinical table has no ID"),
    ],
)
def test_join_refuses(left: list[object], right: list[object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        join(left, right)
