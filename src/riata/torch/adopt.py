"""Adopt a torch module: which parameters a penalty acts on, in which groups, and what a reader should know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from math import inf
from typing import Any

import torch
from torch import Tensor, nn

from riata.errors import InputError
from riata.groups import Groups
from riata.penalties.base import Penalty
from riata.penalties.max_norm import MaxNorm
from riata.torch.groups import groups_of
from riata.torch.roles import Flow, Role, find_flow, find_roles
from riata.torch.terms import find_groups, slot_for

__all__ = ["Adopted", "Row", "adopt"]

Rule = tuple[Penalty, float] | tuple[str | Groups, Penalty, float] | None
WILD = "*?["
WORDS = {"input": "inputs", "output": "outputs", "head": "heads", "entry": "entries", "single": "entries"}


@dataclass(frozen=True, eq=False)
class Row:
    """One parameter: what it is, what a group is there, and its penalty or why it has none."""

    name: str
    parameter: Tensor
    role: str
    grouped: str
    penalty: Penalty | None
    lam: float
    groups: Groups | None
    why: str

    @property
    def held(self) -> bool:
        """Whether something keeps these weights from growing."""
        return self.penalty is not None and (self.lam > 0 or isinstance(self.penalty, MaxNorm))

    def cells(self) -> tuple[str, ...]:
        """Return the row of the table as text."""
        act = f"{self.penalty.name}, lam {self.lam:g}" if self.penalty is not None else "-"
        return self.name, "x".join(map(str, self.parameter.shape)), self.role, self.grouped or "-", act, self.why


@dataclass(frozen=True, eq=False)
class Adopted:
    """A module as Riata sees it; ``print`` shows the table and the warnings."""

    rows: tuple[Row, ...]
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """Return the table and the warnings."""
        lines = [("parameter", "shape", "role", "groups", "penalty", "why not"), *(row.cells() for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(6)]
        table = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines]
        return "\n".join([*table, *(f"warning: {text}" for text in self.warnings)])

    def param_groups(self) -> list[dict[str, Any]]:
        """Return what the optimizers take: a dict per penalty and strength, and one of free parameters.

        >>> from riata.penalties import GroupLasso
        >>> groups = adopt(nn.Sequential(nn.Linear(3, 2)), GroupLasso(), 0.1).param_groups()
        >>> [(len(g["params"]), g["penalty"], g["lam"]) for g in groups]
        [(1, GroupLasso(), 0.1), (1, None, 0.0)]
        """
        found: dict[tuple[Penalty | None, float], dict[str, Any]] = {}
        for row in self.rows:
            if not row.parameter.requires_grad:
                continue
            key = (row.penalty, row.lam)
            group = found.setdefault(key, {"params": [], "penalty": row.penalty, "lam": row.lam, "groups": {}})
            group["params"].append(row.parameter)
            if row.groups is not None:
                group["groups"][row.parameter] = row.groups
        return list(found.values())

    @torch.no_grad()
    def kkt(self) -> dict[str, float]:
        """Return the largest KKT residual of each penalised parameter, for the gradients it has now.

        The gradients must be those of the mean loss on all rows; 0 at a stationary point, in the units of lam.
        """
        found = {}
        for row in self.rows:
            if row.penalty is not None and row.parameter.grad is not None:
                options = {"penalty": row.penalty, "groups": row.groups}
                slot = slot_for(row.parameter, options, row.parameter.dtype)
                if slot is not None:
                    found[row.name] = float(slot.residual(row.parameter, row.parameter.grad, row.lam).max())
        return found

    def zeros(self) -> dict[str, tuple[int, int]]:
        """Return, for each penalised parameter, how many groups are exactly zero, and of how many.

        >>> adopt(nn.Linear(3, 2)).zeros()
        {}
        """
        found = {}
        for row in self.rows:
            if row.penalty is not None:
                w = row.parameter.detach()
                alive = (w != 0)[None] if row.groups is None else row.groups.to(w.device).sums((w != 0).float()[None])
                found[row.name] = (int((alive == 0).sum()), alive.numel())
        return found


def adopt(
    module: nn.Module,
    penalty: Penalty | None = None,
    lam: float = 0.0,
    rules: Mapping[str, Rule] | None = None,
) -> Adopted:
    """Inspect a module and say which parameters a penalty acts on.

    Weights of linear, convolution, recurrent and attention layers are penalised; biases, norm layers, embeddings,
    tied, frozen and parametrized weights are not, each with its reason. A group is an input column in a first or last
    linear layer and in recurrent layers, a head in attention, and a neuron or filter elsewhere.

    Parameters
    ----------
    module : Module
    penalty, lam : Penalty, float >= 0
        For every weight that no rule names; None penalises what the rules name alone.
    rules : dict, optional
        By name of the parameter or by pattern ("*", "?", "[...]"), the first that fits counts: ``(penalty, lam)``,
        ``(kind, penalty, lam)`` with kind "input", "output", "head", "entry" or Groups, or None for free. A full
        name also reaches biases, norms, embeddings and tied weights; a pattern does not.

    Raises
    ------
    InputError
        If a rule fits no parameter, has another form, or names a weight that cannot be penalised.

    Examples
    --------
    >>> from riata.penalties import L2, GroupLasso
    >>> net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> print(adopt(net, rules={"0.weight": ("input", GroupLasso(), 0.1), "*.weight": (L2(), 1e-3)}))
    parameter  shape  role    groups     penalty               why not
    0.weight   8x5    linear  5 inputs   group_lasso, lam 0.1
    0.bias     8      bias    -          -                     a bias is free
    2.weight   1x8    linear  8 entries  l2, lam 0.001
    2.bias     1      bias    -          -                     a bias is free
    """
    asked = dict(rules or {})
    roles = find_roles(module)
    _check_patterns(asked, [role.name for role in roles])
    flow = find_flow(module, roles)
    rows = tuple(_row(role, flow, asked, penalty, lam) for role in roles)
    return Adopted(rows, tuple(_warnings(rows, roles, flow)))


def _check_patterns(rules: Mapping[str, Rule], names: list[str]) -> None:
    for pattern, rule in rules.items():
        if not any(fnmatchcase(name, pattern) for name in names):
            close = get_close_matches(pattern, names, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names[:4])}, ..."
            raise InputError(f"rule {pattern!r} fits no parameter; expected a name or a pattern; {hint}")
        if rule is not None and (not isinstance(rule, tuple) or len(rule) not in (2, 3)):
            raise InputError(
                f"rule {pattern!r}: {rule!r}; expected (penalty, lam), (kind, penalty, lam) or None; "
                'write e.g. ("input", GroupLasso(), 0.01)'
            )


def _row(role: Role, flow: Flow, rules: Mapping[str, Rule], penalty: Penalty | None, lam: float) -> Row:
    pattern = next((p for p in rules if fnmatchcase(role.name, p)), None)
    named = pattern is not None and not any(c in pattern for c in WILD)
    rule: Rule = rules[pattern] if pattern is not None else (penalty, lam) if penalty is not None else None
    if named and rule is not None and role.barred:
        raise InputError(f"rule for {role.name}, which is not to be penalised; {role.why}; drop the rule")
    why = role.why if not named else ""
    if why or rule is None:
        why = why or ("free by rule" if pattern is not None else "no penalty was asked for")
        return Row(role.name, role.parameter, role.label, "", None, 0.0, None, why)
    shape, amount = rule[-2], float(rule[-1])
    if not isinstance(shape, Penalty):
        raise InputError(f"{shape!r} for {role.name}; expected a penalty; pass e.g. GroupLasso()")
    if not 0 <= amount < inf:
        raise InputError(f"lam {amount:g} for {role.name}; expected a finite number >= 0; pass e.g. 0.01")
    kind = rule[0] if len(rule) == 3 else None
    if kind is None:
        outer = role.label == "linear" and role.module in (*flow.first, *flow.last)
        kind = "single" if shape.entrywise else "input" if outer else role.kind or "entry"
    if isinstance(kind, Groups):
        find_groups(role.parameter, shape, kind)
        return Row(role.name, role.parameter, role.label, f"{len(kind)} given", shape, amount, kind, "")
    groups = None if kind == "single" else groups_of(role.layer, role.local, kind)
    count = role.parameter.numel() if groups is None else len(groups)
    return Row(role.name, role.parameter, role.label, f"{count} {WORDS[kind]}", shape, amount, groups, "")


def _warnings(rows: tuple[Row, ...], roles: list[Role], flow: Flow) -> list[str]:
    pairs = list(zip(rows, roles, strict=True))
    first = [(row, role) for row, role in pairs if row.penalty is not None and role.module in flow.first]
    found = []
    for row, role in first:
        by_input = row.grouped.endswith(("inputs", "given", "entries"))
        for layer, norm in flow.norms:
            if layer == role.module:
                found.append(
                    f"{norm} after {row.name} undoes its scale: a penalty shrinks it at no cost; move the norm"
                )
        for layer, path in flow.around:
            if layer == role.module and by_input:
                found.append(f"an input that {row.name} drops still reaches the output: {path}")
        if by_input and flow.problem:
            found.append(f"paths around {row.name} could not be checked, the module cannot be traced: {flow.problem}")
        above = [r.name for r, o in pairs if o.kind and not o.barred and o.module not in flow.first and not r.held]
        if row.held and above:
            told = ", ".join(above[:3]) + (", ..." if len(above) > 3 else "")
            found.append(
                f"nothing holds {told} above {row.name}: under ReLU the scale moves up and the penalty means nothing; "
                f'add a rule such as "{above[0]}": (L2(), 1e-3)'
            )
    for row, _ in pairs:
        if row.penalty is not None and row.name.endswith("_ih_l0_reverse"):
            found.append(f"both directions read the input: it is out only where {row.name} and its twin are zero")
    return found
