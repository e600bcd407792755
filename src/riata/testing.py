"""The contract of a penalty, as checks that anyone's penalty can be held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize  # type: ignore[import-untyped,unused-ignore]
from torch import Tensor

from riata.groups import Groups, by_input, by_neuron, by_variable, entries, from_index
from riata.penalties.base import Penalty, entry_step

__all__ = ["CHECKS", "GROUPINGS", "STEPS", "Case", "case", "check_penalty"]

GROUPINGS = ("inputs", "neurons", "variables", "weighted", "entries", "scattered")
"""Kinds of groups: rows, columns, shuffled ragged rows, with uneven weights, entries, any entries."""

STEPS = ("member", "group", "entry")
"""Forms of the step: (M,), (M, G) and (M, *shape)."""


@dataclass(frozen=True, eq=False)
class Case:
    """One problem for a penalty: M members of a parameter, with a step, strengths and a gradient."""

    w: Tensor
    step: Tensor
    lam: Tensor
    grad: Tensor
    groups: Groups

    @property
    def tolerance(self) -> float:
        """What rounding may cost, relative to numbers of order 1."""
        return 1e-11 if self.w.dtype == torch.float64 else 3e-5

    def prox(self, penalty: Penalty) -> Tensor:
        """Return the prox of this case."""
        return penalty.prox(self.w, self.step, self.lam, self.groups)


def case(
    grouping: str = "inputs",
    form: str = "member",
    dtype: torch.dtype = torch.float64,
    seed: int = 0,
    shape: tuple[int, int] = (6, 5),
    members: int = 4,
) -> Case:
    """Return a random case in which some groups die and others live, with lam from weak to strong.

    Examples
    --------
    >>> case("variables", "group").step.shape
    torch.Size([4, 3])
    """
    draw = torch.Generator().manual_seed(seed)
    groups = _groups(grouping, shape, draw)
    w = torch.randn(members, *shape, generator=draw, dtype=torch.float64)
    w = w * (torch.rand(members, shape[0], 1, generator=draw, dtype=torch.float64) > 0.2)
    sizes = {"member": (members,), "group": (members, len(groups)), "entry": w.shape}
    step = 0.2 + torch.rand(*sizes[form], generator=draw, dtype=torch.float64)
    lam = torch.logspace(-1.5, 0.7, members, dtype=torch.float64)
    grad = torch.randn(w.shape, generator=draw, dtype=torch.float64)
    return Case(w.to(dtype), step.to(dtype), lam.to(dtype), grad.to(dtype), groups.to(dtype=dtype))


def check_penalty(penalty: Penalty, dtype: torch.dtype = torch.float64, seed: int = 0) -> None:
    """Hold a penalty to every check in :data:`CHECKS`, for every grouping and step it declares exact.

    Raises
    ------
    AssertionError
        Naming the check, the grouping and the step form that failed.

    Examples
    --------
    >>> from riata.penalties import L1
    >>> check_penalty(L1())
    """
    forms = STEPS[:2] if penalty.needs_constant_step else STEPS
    for grouping in GROUPINGS:
        for form in forms:
            for check in CHECKS:
                try:
                    check(penalty, case(grouping, form, dtype, seed))
                except AssertionError as error:
                    raise AssertionError(
                        f"{penalty}: {check.__name__}, {grouping}, step per {form}: {error}"
                    ) from error


def check_beats_perturbations(penalty: Penalty, problem: Case) -> None:
    """No one of 1,000 random perturbations has a lower prox objective."""
    exact = _double(problem)
    x = problem.prox(penalty).double()
    best = _objective(penalty, exact, x)
    draw = torch.Generator().manual_seed(1)
    size = 10.0 ** -(torch.arange(1000, dtype=torch.float64) % 4)[:, None, None, None]
    noise = size * torch.randn(1000, *x.shape, generator=draw, dtype=torch.float64)
    noise[::3] *= x  # keeps the support
    noise[1::3, :, torch.rand(x.shape[1], generator=draw) < 0.7] = 0  # moves a few rows
    many = _member(exact, torch.arange(len(x)).repeat(1000))
    gain = best - _objective(penalty, many, (x + noise).flatten(0, 1)).reshape(1000, -1)
    worst = float((gain / (1 + best)).max())
    assert worst <= problem.tolerance, f"a neighbour is better by {worst:.1e}"


def check_numeric_argmin(penalty: Penalty, problem: Case) -> None:
    """A float64 simplex search over the first group of one member finds nothing lower."""
    exact, x = _double(problem), problem.prox(penalty).double()
    small = _member(exact, torch.tensor([1]))
    free = (problem.groups.spread(torch.arange(len(problem.groups))[None]) == 0).expand_as(small.w)

    def cost(values: np.ndarray) -> float:
        y = x[1:2].clone()
        y[free] = torch.from_numpy(values)
        return float(_objective(penalty, small, y))

    best = cost(x[1:2][free].numpy())
    options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 300, "adaptive": True}
    found = float(minimize(cost, small.w[free].numpy(), method="Nelder-Mead", options=options).fun)
    assert best <= found + problem.tolerance * (1 + best), f"{found:.12g} is below {best:.12g}"


def check_fixed_point(penalty: Penalty, problem: Case) -> None:
    """``x = prox(x - step grad)`` exactly where the residual is 0, and only there."""
    step, tolerance = entry_step(problem.step, problem.w, problem.groups), problem.tolerance
    x = problem.prox(penalty)
    settled = penalty.residual(x, (x - problem.w) / step, problem.lam, problem.groups)
    assert bool((settled <= 10 * tolerance).all()), f"residual {float(settled.max()):.2e} at a fixed point"
    again = replace(problem, w=x - step * problem.grad).prox(penalty)
    moved = problem.groups.norms(again - x) > tolerance
    residual = penalty.residual(x, problem.grad, problem.lam, problem.groups)
    assert torch.equal(moved, residual > tolerance), "residual and movement disagree"


def check_residual(penalty: Penalty, problem: Case) -> None:
    """The residual is the length of a vanishing prox step, per unit of step (in float64)."""
    exact, step = _double(problem), torch.full((len(problem.w),), 1e-9, dtype=torch.float64)
    x = exact.prox(penalty)
    moved = x - penalty.prox(x - 1e-9 * exact.grad, step, exact.lam, exact.groups)
    residual = penalty.residual(x, exact.grad, exact.lam, exact.groups)
    gap = float((exact.groups.norms(moved / 1e-9) - residual).abs().max())
    assert gap <= 1e-4, f"residual is off by {gap:.1e}"


def check_zero_in(penalty: Penalty, problem: Case) -> None:
    """Zero stays exactly zero and costs nothing."""
    zero = torch.zeros_like(problem.w)
    assert not bool(replace(problem, w=zero).prox(penalty).any()), "prox(0) is not 0"
    assert not bool(penalty.value(zero, problem.lam, problem.groups).any()), "value(0) is not 0"


def check_threshold(penalty: Penalty, problem: Case) -> None:
    """``lam_max`` is where the last weight dies: dead just above, alive just below, residual 0 at it."""
    if not penalty.sparse:
        return
    zero, grad, groups = torch.zeros_like(problem.w), problem.grad, problem.groups
    top, step = penalty.lam_max(grad, groups), entry_step(problem.step, problem.w, groups)
    shift = 100 * problem.tolerance
    above, below = (penalty.prox(-step * grad, problem.step, top * (1 + s), groups).flatten(1) for s in (shift, -shift))
    at = penalty.prox(-step * grad, problem.step, top, groups)
    assert not bool(above.any()), "alive above lam_max"
    assert bool(below.any(1).all()), "dead below lam_max"
    assert bool((at.abs() <= shift).all()), "large at lam_max"
    assert bool((penalty.residual(zero, grad, top, groups) <= shift).all()), "residual at lam_max"


def check_lam_zero(penalty: Penalty, problem: Case) -> None:
    """With lam = 0 the prox is the identity, for members whose cost is then 0."""
    none = torch.zeros_like(problem.lam)
    free = penalty.value(problem.w, none, problem.groups) == 0
    x = replace(problem, lam=none).prox(penalty)
    assert torch.equal(x[free], problem.w[free]), "lam 0 changes the weights"


def check_lam_huge(penalty: Penalty, problem: Case) -> None:
    """With a huge lam a sparse penalty leaves exact zeros, without a NaN."""
    x = replace(problem, lam=torch.full_like(problem.lam, 1e12)).prox(penalty)
    assert bool(torch.isfinite(x).all()), "not finite"
    assert not penalty.sparse or not bool(x.any()), "something survived"


def check_batch_is_loop(penalty: Penalty, problem: Case) -> None:
    """A member alone gives the same bits as in the population; so does any order of members."""
    order = torch.arange(len(problem.w)).flip(0)
    for what in (lambda p: p.prox(penalty), lambda p: _certificate(penalty, p)):
        whole = what(problem)
        alone = torch.cat([what(_member(problem, i[None])) for i in order.flip(0)])
        assert torch.equal(whole, alone), "a member alone differs"
        assert torch.equal(whole[order], what(_member(problem, order))), "the order of members matters"


def check_input_kept(penalty: Penalty, problem: Case) -> None:
    """No argument is written to, and the result is a new tensor."""
    tensors = (problem.w, problem.step, problem.lam, problem.grad)
    before = [t.clone() for t in tensors]
    x = problem.prox(penalty)
    _certificate(penalty, problem)
    penalty.lam_max(problem.grad, problem.groups)
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True)), "an argument was modified"
    assert all(x.data_ptr() != t.data_ptr() for t in tensors), "the result shares memory with an argument"
    assert x.dtype == problem.w.dtype and x.shape == problem.w.shape, "dtype or shape changed"


def check_step_forms(penalty: Penalty, problem: Case) -> None:
    """A constant step written per entry gives what the closed form gives."""
    if penalty.needs_constant_step:
        return
    x = problem.prox(penalty)
    step = entry_step(problem.step, problem.w, problem.groups).expand_as(problem.w).contiguous()
    full = replace(problem, step=step).prox(penalty)
    assert bool(((x - full).abs() <= problem.tolerance).all()), "step forms differ"
    assert torch.equal(x == 0, full == 0), "step forms keep different weights"


def check_nan_kept(penalty: Penalty, problem: Case) -> None:
    """A NaN stays visible in its member and reaches no other."""
    w = problem.w.clone()
    w[0, 0, 0] = torch.nan
    x, clean = replace(problem, w=w).prox(penalty), problem.prox(penalty)
    assert bool(x[0, 0, 0].isnan()), "a NaN was hidden"
    assert torch.equal(x[1:], clean[1:]), "a NaN reached another member"


CHECKS: tuple[Callable[[Penalty, Case], None], ...] = (
    check_beats_perturbations,
    check_numeric_argmin,
    check_fixed_point,
    check_residual,
    check_zero_in,
    check_threshold,
    check_lam_zero,
    check_lam_huge,
    check_batch_is_loop,
    check_input_kept,
    check_step_forms,
    check_nan_kept,
)
"""Every check, each ``check(penalty, case) -> None`` or AssertionError."""


def _groups(grouping: str, shape: tuple[int, int], draw: torch.Generator) -> Groups:
    rows, size = shape[0], shape[0] * shape[1]
    index = torch.tensor([1, 0, 1, 2, 2, 1])[torch.arange(rows) % 6]
    makers: dict[str, Callable[[], Groups]] = {
        "inputs": lambda: by_input(shape),
        "neurons": lambda: by_neuron(shape),
        "variables": lambda: by_variable(shape, index, ["a", "b", "c"]),
        "weighted": lambda: from_index(shape, index, axis=0, weight=[0.3, 1.0, 2.5]),
        "entries": lambda: entries(shape),
        "scattered": lambda: from_index(shape, torch.randperm(size, generator=draw) % 7),
    }
    return makers[grouping]()


def _objective(penalty: Penalty, problem: Case, x: Tensor) -> Tensor:
    step = entry_step(problem.step, problem.w, problem.groups)
    distance = ((x - problem.w).square() / step).flatten(1).sum(1) / 2
    return distance + penalty.value(x, problem.lam, problem.groups)


def _certificate(penalty: Penalty, problem: Case) -> Tensor:
    return penalty.residual(problem.w, problem.grad, problem.lam, problem.groups)


def _member(problem: Case, rows: Tensor) -> Case:
    return Case(problem.w[rows], problem.step[rows], problem.lam[rows], problem.grad[rows], problem.groups)


def _double(problem: Case) -> Case:
    groups = problem.groups.to(dtype=torch.float64)
    w, step, lam, grad = (t.double() for t in (problem.w, problem.step, problem.lam, problem.grad))
    return Case(w, step, lam, grad, groups)
