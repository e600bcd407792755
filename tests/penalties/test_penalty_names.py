"""The registry, the options and what refusals say."""

from __future__ import annotations

import pytest
import torch

from riata.errors import InputError
from riata.groups import by_input
from riata.penalties import NAMES, ElasticNet, GroupLasso, Penalty, SparseGroupLasso, by_name


def test_names_in_order():
    assert NAMES == ("none", "l2", "l1", "elastic_net", "group_lasso", "sparse_group_lasso")
    for name in NAMES:
        penalty = by_name(name)
        assert isinstance(penalty, Penalty)
        assert penalty.name == name
    assert [n for n in NAMES if by_name(n).sparse] == list(NAMES[2:])
    assert [n for n in NAMES if by_name(n).entrywise] == list(NAMES[:4])


def test_options_reach_the_penalty():
    assert by_name("elastic_net", lam2=0.1) == ElasticNet(lam2=0.1)
    assert by_name("sparse_group_lasso", mix=0.2) == SparseGroupLasso(mix=0.2)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: by_name("grouplasso"), "did you mean group_lasso"),
        (lambda: by_name("Elastic-Net"), "did you mean elastic_net"),
        (lambda: by_name("zzz"), "none, l2, l1, elastic_net, group_lasso, sparse_group_lasso"),
        (lambda: by_name("l1", alpha=0.5), "option 'alpha' for penalty l1; expected options: none"),
        (lambda: by_name("elastic_net", l1_ratio=0.5), "expected options: alpha, lam2"),
        (lambda: ElasticNet(alpha=0.5, lam2=0.1), "both alpha and lam2"),
        (lambda: ElasticNet(alpha=1.5), "alpha 1.5"),
        (lambda: ElasticNet(alpha=float("nan")), "alpha nan"),
        (lambda: ElasticNet(lam2=-1), "lam2 -1"),
        (lambda: SparseGroupLasso(mix=-0.1), "mix -0.1"),
    ],
)
def test_refusals(make, says):
    with pytest.raises(InputError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_step_of_the_wrong_shape_is_refused():
    w, lam = torch.ones(2, 3, 4), torch.ones(2)
    with pytest.raises(InputError, match=r"expected \(2,\), \(2, 3\) or \(2, 3, 4\)"):
        GroupLasso().prox(w, torch.ones(3), lam, by_input((3, 4)))


def test_groups_in_another_dtype_do_not_change_the_result_dtype():
    w, one = torch.ones(2, 3, 4), torch.ones(2, dtype=torch.float64)
    groups = by_input((3, 4))
    assert groups.weight.dtype == torch.float64
    for name in NAMES:
        penalty = by_name(name)
        assert penalty.prox(w, one, one, groups).dtype == torch.float32
        assert penalty.value(w, one, groups).dtype == torch.float32
        assert penalty.residual(w, w, one, groups).dtype == torch.float32
        assert penalty.lam_max(w, groups).dtype == torch.float32
