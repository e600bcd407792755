"""A user's module for M members at once: by vmap where the module allows it, one after another where not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from .losses import Loss
from .memory import Scratch
from .network import NetworkSpec, Params

BUFFER = "buffer:"
"""Prefix of a module's own state (running means) among a member's parameters: it is kept, and not trained."""
CHUNK = 16
PIECE = 1024
"""Rows of one pass where no gradient is taken, and of one piece of a full gradient."""


@dataclass(frozen=True)
class ModuleEngine:
    """Runs a module of any kind; parameters come in as a dict with the member axis first.

    Attributes
    ----------
    module : Module
        Its own weights are never used: each call is given a member's.
    loss : Loss
    names : mapping of parameter to the module's name for it
    shape : tuple of int
        Shape of one row's input; rows come in flat, (n, d).
    whole : bool
        Whether the module takes whole numbers (ids of an embedding).
    batched : bool
        Whether vmap may be used.
    alive : Tensor, optional
        0/1, broadcast over ``first``: weights that are held at 0.
    """

    module: nn.Module
    loss: Loss
    names: Mapping[str, str]
    shape: tuple[int, ...]
    whole: bool = False
    batched: bool = True
    alive: Tensor | None = None

    @property
    def spec(self) -> NetworkSpec:
        """The outer shape; a module has no hidden layers of ours, so no masks are drawn for it."""
        return NetworkSpec(max(1, torch.Size(self.shape).numel()), self.loss.outputs, ())

    def predict(self, params: Params, x: Tensor) -> Tensor:
        """Return the outputs (M, n, K), dropout off."""
        self.module.eval()
        with torch.no_grad():
            return torch.cat([self._outputs(params, part) for part in x.split(PIECE)], 1)

    def losses(
        self, params: Params, x: Tensor, y: Tensor, weight: Tensor | None = None, scratch: Scratch | None = None
    ) -> Tensor:
        """Return the mean loss of every member, (M,)."""
        return self.loss.value(self.predict(params, x), y, weight)

    def grads(
        self,
        params: Params,
        x: Tensor,
        y: Tensor,
        weight: Tensor | None = None,
        masks: list[Tensor] | None = None,
        scratch: Scratch | None = None,
    ) -> tuple[Tensor, Params]:
        """Return the outputs (M, b, K) and the gradient of the mean loss in every parameter.

        With ``masks``, which hold the key of this step's noise, the module trains: dropout is on, and the members share
        its draws. Without, it is as in prediction, and all rows are taken piece by piece.
        """
        if masks is not None:
            self.module.train()
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(masks[0]))
                return self._gradient(params, x, y, weight)
        self.module.eval()
        total: Params = {k: torch.zeros_like(w) for k, w in params.items()}
        outputs = []
        for start in range(0, len(x), PIECE):
            rows = slice(start, start + PIECE)
            share = len(x[rows]) / len(x) if weight is None else float(weight[rows].sum() / weight.sum())
            out, found = self._gradient(params, x[rows], y[rows], None if weight is None else weight[rows])
            outputs.append(out)
            for k, g in found.items():
                total[k].add_(g, alpha=share)
        return torch.cat(outputs, 1), total

    def _call(self, p: Params, x: Tensor) -> Tensor:
        """Return the outputs (n, K) of one member."""
        rows = x.reshape(len(x), *self.shape)
        if self.alive is not None:
            p = {**p, "first": p["first"] * self.alive}
        given = {self.names.get(k, k.removeprefix(BUFFER)): w for k, w in p.items()}
        out: Tensor = functional_call(self.module, given, (rows.round().long() if self.whole else rows,))
        return out.reshape(len(x), -1)

    def _outputs(self, params: Params, x: Tensor) -> Tensor:
        if self.batched:
            many: Tensor = vmap(lambda p: self._call(p, x), chunk_size=CHUNK, randomness="same")(params)
            return many
        count = len(next(iter(params.values())))
        return torch.stack([self._call({k: w[i] for k, w in params.items()}, x) for i in range(count)])

    def _gradient(self, params: Params, x: Tensor, y: Tensor, weight: Tensor | None) -> tuple[Tensor, Params]:
        if self.batched:
            call = vmap(
                grad(lambda q: self._value(q, x, y, weight), has_aux=True),
                chunk_size=CHUNK,
                randomness="same",
            )
            found, many = call(params)
            return many.detach(), found
        rows, outs = [], []
        state = torch.random.get_rng_state()
        for i in range(len(next(iter(params.values())))):
            torch.random.set_rng_state(state)
            mine, out = self._one({k: w[i] for k, w in params.items()}, x, y, weight)
            rows.append(mine)
            outs.append(out)
        return torch.stack(outs), {k: torch.stack([r[k] for r in rows]) for k in params}

    def _one(self, p: Params, x: Tensor, y: Tensor, weight: Tensor | None) -> tuple[Params, Tensor]:
        """Return one member's gradient and outputs; running means are updated in place, their gradient is 0."""
        free = {k: w.detach().clone().requires_grad_() for k, w in p.items() if not k.startswith(BUFFER)}
        state = {k: w for k, w in p.items() if k.startswith(BUFFER)}
        value, out = self._value({**free, **state}, x, y, weight)
        found = torch.autograd.grad(value, list(free.values()), allow_unused=True)
        mine = {k: torch.zeros_like(p[k]) if g is None else g for k, g in zip(free, found, strict=True)}
        return {**mine, **{k: torch.zeros_like(w) for k, w in state.items()}}, out.detach()

    def _value(self, p: Params, x: Tensor, y: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
        out = self._call(p, x)
        return self.loss.value(out.unsqueeze(0), y, weight)[0], out
