"""Clusters against their definition by brute force, on Bed and Dense, and which columns are read for them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from riata.errors import InputError
from riata.genome import Dense, Variants
from riata.wide.clusters import clusters, companions


@dataclass
class Watched:
    """Columns that remember which were read."""

    inner: Dense
    seen: set[int] = field(default_factory=set)

    @property
    def p(self) -> int:
        return self.inner.p

    def columns(self, ids: torch.Tensor) -> torch.Tensor:
        self.seen |= set(ids.tolist())
        return self.inner.columns(ids)


def linked(p: int = 60, people: int = 400, seed: int = 0) -> np.ndarray:
    """Genotypes in which every sixth variant begins a block of near copies."""
    rng = np.random.default_rng(seed)
    base = rng.binomial(2, 0.35, (people, p // 6)).repeat(6, axis=1)
    noise = rng.binomial(2, 0.35, (people, p))
    kept = rng.random((people, p)) < np.tile([1.0, 0.95, 0.85, 0.7, 0.5, 0.2], p // 6)
    return np.where(kept, base, noise).astype(np.int8)


def places(p: int, per: int = 20, step: int = 200_000) -> Variants:
    names = tuple(f"rs{i}" for i in range(p))
    at = np.arange(p) % per * step
    return Variants(names, tuple(str(1 + i // per) for i in range(p)), at, ("A",) * p, ("G",) * p)


def by_hand(x, kept, norms, at, r2, window):
    r = np.corrcoef(x[:, kept].T) ** 2
    left, found = sorted(range(len(kept)), key=lambda i: -norms[i]), []
    while left:
        lead, rest = left[0], left[1:]
        took = []
        for i in rest:
            a, b = kept[lead], kept[i]
            near = at is None or (
                at.chromosome[a] == at.chromosome[b] and abs(int(at.position[a]) - int(at.position[b])) <= window
            )
            if near and r[lead, i] >= r2:
                took.append(i)
        found.append((kept[lead], [kept[i] for i in took], [r[lead, i] for i in took]))
        left = [i for i in rest if i not in took]
    return found


@pytest.mark.parametrize("placed", [True, False])
@pytest.mark.parametrize("r2", [0.1, 0.2, 0.5, 0.9])
def test_clusters_are_those_of_the_definition(placed, r2):
    x, at = linked(), places(60) if placed else None
    rng = np.random.default_rng(1)
    kept, norms = rng.permutation(60)[:35].tolist(), rng.random(35)
    found = clusters(Dense.of(x), torch.tensor(kept), torch.tensor(norms), at, r2=r2, window=500_000)
    expected = by_hand(x, kept, norms, at, r2, 500_000)
    assert [(c.lead, list(c.members)) for c in found] == [(lead, members) for lead, members, _ in expected]
    for cluster, (_, _, strengths) in zip(found, expected, strict=True):
        np.testing.assert_allclose(cluster.r2, strengths, atol=1e-5)
    assert 1 < len(found) <= 35 and (r2 == 0.9 or any(c.members for c in found))
    assert sorted(i for c in found for i in (c.lead, *c.members)) == sorted(kept)
    assert [c.norm for c in found] == sorted((c.norm for c in found), reverse=True)


def test_the_same_variant_on_another_chromosome_or_far_away_is_a_cluster_of_its_own():
    x = np.repeat(linked(6)[:, :1], 3, axis=1)
    at = Variants(("a", "b", "c"), ("1", "2", "1"), np.array([5, 5, 2_000_000]), ("A",) * 3, ("G",) * 3)
    ids, norms = torch.arange(3), torch.tensor([1.0, 1.0, 1.0])
    assert [c.lead for c in clusters(Dense.of(x), ids, norms, at)] == [0, 1, 2]
    assert [c.members for c in clusters(Dense.of(x), ids, norms, None)] == [(1, 2)]
    assert [c.members for c in clusters(Dense.of(x), ids, norms, at, window=2_000_000)] == [(2,), ()]


def test_a_monomorphic_variant_is_linked_with_nothing_and_nothing_kept_is_no_cluster():
    x = Dense.of(np.array([[1, 0], [1, 1], [1, 2]], np.int8))
    assert [c.members for c in clusters(x, torch.tensor([0, 1]), torch.tensor([2.0, 1.0]), None)] == [(), ()]
    assert clusters(x, torch.tensor([], dtype=torch.int64), torch.tensor([]), places(2)) == []


def test_only_kept_and_near_columns_are_read():
    seen = Watched(Dense.of(linked(120)))
    kept = torch.tensor([3, 50, 7])
    clusters(seen, kept, torch.tensor([1.0, 2.0, 3.0]), places(120))
    assert seen.seen == {3, 7, 50}
    seen.seen.clear()
    companions(seen, kept, [50], places(120), window=1_000_000)
    assert seen.seen == set(range(45, 56))  # chromosome 3 is 40 to 59, five steps to each side


@pytest.mark.parametrize("r2", [0.3, 0.5, 0.8])
def test_companions_are_the_linked_variants_that_were_not_kept(r2):
    x, at = linked(), places(60)
    kept, leads = [0, 2, 20, 31], [0, 20]
    found = companions(Dense.of(x), torch.tensor(kept), leads, at, r2=r2, window=1_000_000)
    r = np.corrcoef(x.T) ** 2
    for lead, got in zip(leads, found, strict=True):
        near = [
            i for i in range(60) if i not in kept and i // 20 == lead // 20 and abs(i - lead) <= 5 and r[lead, i] >= r2
        ]
        assert got.lead == lead and list(got.ids) == sorted(near, key=lambda i: -r[lead, i])
        np.testing.assert_allclose(got.r2, r[lead, list(got.ids)], atol=1e-5)
    assert sum(len(c.ids) for c in found) > 0


def test_companions_are_cut_at_the_closest():
    x, at = Dense.of(linked()), places(60)
    every = companions(x, torch.tensor([0]), [0], at, r2=0.05)[0]
    assert len(every.ids) >= 3
    assert companions(x, torch.tensor([0]), [0], at, r2=0.05, most=2)[0].ids == every.ids[:2]


@pytest.mark.parametrize(
    ("kept", "norms", "how"),
    [
        ([0, 0], [1.0, 2.0], {}),
        ([0, 1], [1.0], {}),
        ([0, 9], [1.0, 2.0], {}),
        ([0], [1.0], {"r2": 0.0}),
        ([0], [1.0], {"r2": 1.5}),
        ([0], [1.0], {"window": -1}),
    ],
)
def test_what_does_not_fit_is_refused(kept, norms, how):
    with pytest.raises(InputError, match="expected"):
        clusters(Dense.of(linked(6)), torch.tensor(kept), torch.tensor(norms), None, **how)
