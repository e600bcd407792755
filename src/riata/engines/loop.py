"""The reference engine: one module at a time, gradients by autograd. Every other engine must equal it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from .losses import Loss
from .network import Params


def member(params: Params, i: int) -> Params:
    """Return the parameters of member i, without the member axis."""
    return {k: w[i] for k, w in params.items()}


def _loss_of(
    module: nn.Module, loss: Loss, y: Tensor, weight: Tensor | None
) -> Callable[[Params, Tensor, list[Tensor] | None], tuple[Tensor, Tensor]]:
    def value(p: Params, x: Tensor, masks: list[Tensor] | None) -> tuple[Tensor, Tensor]:
        out = functional_call(module, p, (x, masks) if masks is not None else (x,))
        return loss.value(out.unsqueeze(0), y, weight)[0], out

    return value


@dataclass(frozen=True)
class LoopEngine:
    """Runs any module for M members, one after another.

    ``module`` takes (x, masks) and holds no state of its own; parameters come in as a dict with the member axis first.
    """

    module: nn.Module
    loss: Loss

    def predict(self, params: Params, x: Tensor) -> Tensor:
        """Return the outputs (M, n, K)."""
        count = next(iter(params.values())).shape[0]
        with torch.no_grad():
            xs = [x if x.dim() == 2 else x[i] for i in range(count)]
            return torch.stack([functional_call(self.module, member(params, i), (xs[i],)) for i in range(count)])

    def losses(self, params: Params, x: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the mean loss of every member, (M,)."""
        return self.loss.value(self.predict(params, x), y, weight)

    def grads(
        self,
        params: Params,
        x: Tensor,
        y: Tensor,
        weight: Tensor | None = None,
        masks: list[Tensor] | None = None,
    ) -> tuple[Tensor, Params]:
        """Return the outputs (M, b, K) and the gradient of the mean loss in every parameter."""
        outs, rows = [], []
        for i in range(next(iter(params.values())).shape[0]):
            p = {k: w.detach().clone().requires_grad_() for k, w in member(params, i).items()}
            w_i = weight if weight is None or weight.dim() == 1 else weight[i]
            value, out = _loss_of(self.module, self.loss, y, w_i)(
                p, x if x.dim() == 2 else x[i], None if masks is None else [m[i] for m in masks]
            )
            rows.append(dict(zip(p, torch.autograd.grad(value, list(p.values())), strict=True)))
            outs.append(out.detach())
        return torch.stack(outs), {k: torch.stack([r[k] for r in rows]) for k in params}


@dataclass(frozen=True)
class VmapEngine:
    """Runs any stateless module for M members with ``torch.func.vmap``, ``chunk`` members at a time."""

    module: nn.Module
    loss: Loss
    chunk: int = 16

    def predict(self, params: Params, x: Tensor) -> Tensor:
        """Return the outputs (M, n, K)."""
        call = vmap(
            lambda p, a: functional_call(self.module, p, (a,)),
            in_dims=(0, None if x.dim() == 2 else 0),
            chunk_size=self.chunk,
        )
        with torch.no_grad():
            out: Tensor = call(params, x)
        return out

    def losses(self, params: Params, x: Tensor, y: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the mean loss of every member, (M,)."""
        return self.loss.value(self.predict(params, x), y, weight)

    def grads(
        self,
        params: Params,
        x: Tensor,
        y: Tensor,
        weight: Tensor | None = None,
        masks: list[Tensor] | None = None,
    ) -> tuple[Tensor, Params]:
        """Return the outputs (M, b, K) and the gradient of the mean loss in every parameter."""
        per_row = weight is not None and weight.dim() == 2

        def one(p: Params, a: Tensor, w: Tensor | None, m: list[Tensor] | None) -> tuple[Params, Tensor]:
            found: tuple[Params, Tensor] = grad(_loss_of(self.module, self.loss, y, w), has_aux=True)(p, a, m)
            return found

        call = vmap(
            one,
            in_dims=(0, None if x.dim() == 2 else 0, 0 if per_row else None, None if masks is None else 0),
            chunk_size=self.chunk,
        )
        grads, out = call(params, x, weight, masks)
        return out.detach(), grads
