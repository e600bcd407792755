"""What a population is made of: how its networks start, run and are penalised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..engines import BatchedEngine, Loss, NetworkSpec, Params
from ..engines.keys import generator
from ..engines.memory import Scratch
from ..engines.module import BUFFER, ModuleEngine
from ..groups import Groups, by_input, by_variable
from ..penalties import L2, Penalty
from ..updates import Term
from .train import Arms, Engine, Rows, noise, start, terms_for


class Body(Protocol):
    """The networks of a design: the built-in one, or a user's module. The penalised parameter is ``first``."""

    @property
    def weights(self) -> int:
        """Number of weights of one network."""
        ...

    @property
    def axis(self) -> int:
        """Axis of ``first`` (without the member axis) along which its groups lie."""
        ...

    def engine(self, columns: np.ndarray | None = None) -> Engine:
        """Return what runs the networks; ``columns`` as in :class:`~riata.population.design.Split`."""
        ...

    def restrict(self, params: Params, columns: np.ndarray) -> None:
        """Set the weights of everything that ``columns`` leaves out to 0, in place."""
        ...

    def start(self, rows: Rows, seed: int, count: int, *, dense: bool = True) -> Params:
        """Return the initial parameters of ``count`` members of one seed; not ``dense``: with ``first`` at 0."""
        ...

    def terms(self, penalty: Penalty, lam: Tensor) -> dict[str, Term]:
        """Return the penalty of every parameter that has one."""
        ...

    def masks(self, arms: Arms, seed: int, step: int, rows: int, scratch: Scratch) -> list[Tensor] | None:
        """Return the noise of one step, as the engine takes it."""
        ...


@dataclass(frozen=True)
class BuiltIn:
    """The built-in network on a table's columns; a group is a variable."""

    spec: NetworkSpec
    loss: Loss
    group: np.ndarray
    variables: tuple[str, ...]
    device: str

    @property
    def weights(self) -> int:
        """Number of weights of one network."""
        return self.spec.count()

    @property
    def axis(self) -> int:
        """Inputs are rows of ``first``."""
        return 0

    def groups(self) -> Groups:
        """Return the variables as groups of rows of the first layer."""
        shape = (self.spec.inputs, self.spec.first_width)
        return by_variable(shape, torch.as_tensor(self.group), self.variables).to(self.device, torch.float32)

    def engine(self, columns: np.ndarray | None = None) -> BatchedEngine:
        """Return the hand-batched engine; columns that are left out are read as 0, so nothing is to be held there."""
        return BatchedEngine(self.spec, self.loss)

    def restrict(self, params: Params, columns: np.ndarray) -> None:
        """Set the rows of left-out columns to 0."""
        params["first"].mul_(torch.as_tensor(columns).to(params["first"]).unsqueeze(-1))

    def start(self, rows: Rows, seed: int, count: int, *, dense: bool = True) -> Params:
        """Return the initial parameters; see :func:`riata.population.train.start`."""
        return start(self.spec, self.loss, rows, seed, count, dense=dense)

    def terms(self, penalty: Penalty, lam: Tensor) -> dict[str, Term]:
        """Return the penalty of every parameter; see :func:`riata.population.train.terms_for`."""
        return terms_for(self.spec, penalty, lam, self.groups())

    def masks(self, arms: Arms, seed: int, step: int, rows: int, scratch: Scratch) -> list[Tensor] | None:
        """Return the dropout masks of one step."""
        return noise(self.spec, arms, seed, step, rows, scratch)


@dataclass(frozen=True)
class Own:
    """A user's module: one parameter is penalised by groups, and the other weights lie under a ridge.

    Attributes
    ----------
    factory : callable () -> Module
        Makes a fresh module; its own initialization is used, from the member's seed.
    first : str
        The module's name of the penalised parameter.
    groups : Groups
        Of that parameter, in its own shape.
    under_ridge : mapping of str to shape
        Weights above it, which lie under a ridge so that lam means something.
    weights : int
        Number of weights of one network.
    shape, whole, batched
        See :class:`riata.engines.module.ModuleEngine`.
    reason : str
        Why vmap is not used, or "".
    warnings : tuple of str
        What a reader should know of the module.
    """

    factory: Callable[[], nn.Module]
    loss: Loss
    first: str
    groups: Groups
    under_ridge: Mapping[str, tuple[int, ...]]
    weights: int
    shape: tuple[int, ...]
    whole: bool = False
    batched: bool = True
    ridge: float = 1e-3
    device: str = "cpu"
    reason: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def axis(self) -> int:
        """The axis along which the groups lie; 0 where they are single entries."""
        return self.groups.axis or 0

    def engine(self, columns: np.ndarray | None = None) -> ModuleEngine:
        """Return an engine around a fresh module, whose mode no other thread changes; left-out groups stay 0."""
        module = self.fresh().to(self.device)
        names = {self.key(name): name for name, _ in module.named_parameters()}
        alive = None if columns is None else self.spread(columns)[0]
        return ModuleEngine(module, self.loss, names, self.shape, self.whole, self.batched, alive)

    def spread(self, kept: np.ndarray) -> Tensor:
        """Return 0/1 for every group as it broadcasts to (1, *first)."""
        groups = self.groups.to(self.device, torch.float32)
        return groups.spread(torch.as_tensor(kept).to(groups.weight).unsqueeze(0))

    def restrict(self, params: Params, columns: np.ndarray) -> None:
        """Set the groups that are left out to 0."""
        params["first"].mul_(self.spread(columns))

    def fresh(self, seed: int = 0) -> nn.Module:
        """Return a new module, initialized from a seed; the generator that others use is left alone."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator(seed, "init").initial_seed() % 2**63)
            return self.factory()

    def key(self, name: str) -> str:
        """Return the key of a module's parameter."""
        return "first" if name == self.first else name

    def start(self, rows: Rows, seed: int, count: int, *, dense: bool = True) -> Params:
        """Return the parameters and running state of ``count`` members as the module initializes them by a seed."""
        params = self.start_of(count, seed)
        if not dense:
            params["first"].zero_()
        return params

    def start_of(self, count: int, seed: int = 0) -> Params:
        """Return what the module begins with; it needs no data."""
        module = self.fresh(seed)
        one = {self.key(k): p.detach() for k, p in module.named_parameters()}
        one |= {BUFFER + k: b for k, b in module.named_buffers() if b.is_floating_point()}
        return {k: w.to(self.device).expand(count, *w.shape).clone() for k, w in one.items()}

    def terms(self, penalty: Penalty, lam: Tensor) -> dict[str, Term]:
        """Return ``penalty`` on the first parameter and a ridge on the weights above; biases are free."""
        terms = {"first": Term(penalty, lam, self.groups.to(lam.device, lam.dtype))}
        for name, shape in self.under_ridge.items():
            units = by_input(shape).to(lam.device, lam.dtype)
            terms[name] = Term(L2(), torch.full_like(lam, self.ridge), units)
        return terms

    def masks(self, arms: Arms, seed: int, step: int, rows: int, scratch: Scratch) -> list[Tensor] | None:
        """Return the key of one step's noise: the module draws its own, the same for all members of a seed."""
        return [torch.tensor(generator(seed, "noise", step).initial_seed() % 2**63)]
