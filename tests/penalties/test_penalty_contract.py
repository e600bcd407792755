"""Every penalty passes every check; penalties that are wrong in a classic way fail one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from riata.groups import Groups
from riata.penalties import L1, L2, ElasticNet, GroupLasso, NoPenalty, Penalty, SparseGroupLasso
from riata.penalties.base import entry_step, per_member
from riata.penalties.l1 import soft
from riata.testing import CHECKS, GROUPINGS, STEPS, case, check_penalty

PENALTIES: list[Penalty] = [
    NoPenalty(),
    L2(),
    L1(),
    ElasticNet(alpha=0.3),
    ElasticNet(lam2=0.4),
    GroupLasso(),
    SparseGroupLasso(mix=0.4),
    SparseGroupLasso(mix=0.0),
    SparseGroupLasso(mix=1.0),
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("form", STEPS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_contract(penalty, dtype, form, check):
    for grouping in GROUPINGS:
        check(penalty, case(grouping, form, dtype))


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_declares(penalty):
    assert isinstance(penalty, Penalty)
    assert not penalty.needs_constant_step
    alive = case("inputs").prox(penalty) != 0
    assert penalty.sparse == bool((~alive & (case("inputs").w != 0)).any())


def test_case_has_dead_and_live_groups():
    for grouping in GROUPINGS:
        problem = case(grouping, seed=0)
        alive = problem.groups.norms(problem.prox(GroupLasso())) > 0
        assert 0 < int(alive.sum()) < alive.numel(), grouping


class WrongOrder(SparseGroupLasso):
    """Group prox first, soft threshold second."""

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        x = GroupLasso().prox(w, step, (1 - self.mix) * lam, groups)
        return soft(x, entry_step(step, w, groups) * per_member(self.mix * lam, w))


class MeanStep(GroupLasso):
    """One averaged step for the group, where the metric is diagonal."""

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        return super().prox(w, step.reshape(len(step), -1).mean(1), lam, groups)


class NoWeights(GroupLasso):
    """Forgets the weights in the prox."""

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        equal = Groups(groups.shape, groups.axis, groups.index, torch.ones_like(groups.weight), groups.names)
        return super().prox(w, step, lam, equal)


class NeighbourLeaks(L1):
    """Uses the strongest lam of the population for everyone."""

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        return super().prox(w, step, lam.max().expand_as(lam), groups)


class HalfResidual(L1):
    """A certificate with the wrong threshold."""

    def residual(self, w: Tensor, grad: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        return super().residual(w, grad, lam / 2, groups)


class InPlace(L2):
    """Overwrites its argument."""

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        return w.copy_(super().prox(w, step, lam, groups))


class HidesNaN(L1):
    """Turns a diverged weight into a zero."""

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        return super().prox(w, step, lam, groups).nan_to_num()


class AlmostZero(L1):
    """Small weights instead of exact zeros."""

    def prox(self, w: Tensor, step: Tensor, lam: Tensor, groups: Groups) -> Tensor:
        return super().prox(w, step, lam, groups) + 1e-14


@dataclass(frozen=True)
class LowLamMax(GroupLasso):
    """Forgets the weights in lam_max."""

    def lam_max(self, grad: Tensor, groups: Groups) -> Tensor:
        return groups.norms(grad).amax(1)


@pytest.mark.parametrize(
    "wrong",
    [
        WrongOrder(),
        MeanStep(),
        NoWeights(),
        NeighbourLeaks(),
        HalfResidual(),
        InPlace(),
        HidesNaN(),
        AlmostZero(),
        LowLamMax(),
    ],
    ids=lambda p: type(p).__name__,
)
def test_wrong_penalties_are_caught(wrong):
    with pytest.raises(AssertionError, match="check_"):
        check_penalty(wrong)


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("grouping", ["inputs", "variables"])
def test_alone_equals_population_at_full_size(penalty, grouping):
    """The root stops group by group, so the bits of a member do not depend on the others."""
    problem = case(grouping, "entry", torch.float32, shape=(60, 65), members=16)
    whole = problem.prox(penalty)
    for i in (0, 7, 15):
        rows = slice(i, i + 1)
        alone = penalty.prox(problem.w[rows], problem.step[rows], problem.lam[rows], problem.groups)
        assert torch.equal(whole[rows], alone)
