"""Adam with the prox taken in Adam's own metric."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .base import Params, State, Term, Terms, per_member


def share(w: Tensor, term: Term) -> Tensor:
    """Return one over the number of weights in each group, (M, G)."""
    inside = term.groups.size * (w[0].numel() // term.groups.index.numel())
    return inside.to(w.dtype).reciprocal().repeat(w.shape[0], 1)


@dataclass(frozen=True)
class ProxAdam:
    """Proximal Adam: a step in the metric h = (sqrt(v/c2) + eps) / (lr/c1), and the prox in the same metric.

    m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  u = w - m/h;
    w <- argmin_x 1/2 sum h (x - u)^2 + lam R(x), with c1 = 1 - b1^t and c2 = 1 - b2^t.

    Parameters
    ----------
    beta1, beta2 : float in [0, 1)
    eps : float
    metric : {"group", "entry"}
        ``entry``: a second moment per weight, as Adam has it; group penalties then need a root per group and step.
        ``group``: one second moment a group of the term (the mean of g^2 over it): the step is constant on the
        group, its prox is the closed form, and the projection of a bounded unit is exact.
        Parameters without a term always have a second moment per weight.

    References
    ----------
    Yun, Lozano & Yang 2021, *Adaptive proximal gradient methods for structured neural networks*, eq. (3);
    Deleu & Bengio 2021, *Structured sparsity inducing adaptive optimizers*, section 3.2.
    """

    beta1: float = 0.9
    beta2: float = 0.99
    eps: float = 1e-8
    metric: str = "group"
    name: str = "prox_adam"

    def init(self, params: Params, terms: Terms) -> State:
        """Return zero moments."""
        m, v, shares = {}, {}, {}
        for name, w in params.items():
            m[name] = w.new_zeros(w.shape)
            term = self._shared(terms.get(name))
            if term is None:
                v[name] = w.new_zeros(w.shape)
            else:
                v[name] = w.new_zeros(w.shape[0], len(term.groups))
                shares[name] = share(w, term)
        return {"t": 0, "m": m, "v": v, "share": shares}

    def _shared(self, term: Term | None) -> Term | None:
        """Return the term if its groups share one second moment."""
        return term if term is not None and (self.metric == "group" or term.penalty.needs_constant_step) else None

    def step(self, params: Params, grads: Params, state: State, lr: Tensor, terms: Terms) -> None:
        """Take one step in place."""
        state["t"] += 1
        c1, c2 = 1 - self.beta1 ** state["t"], 1 - self.beta2 ** state["t"]
        for name, w in params.items():
            g, m, v, term = grads[name], state["m"][name], state["v"][name], terms.get(name)
            m.lerp_(g, 1 - self.beta1)
            shared = self._shared(term)
            if shared is None:
                v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
                step = self._length(v, c1, c2, per_member(lr, w))
                w.addcmul_(m, step, value=-1.0)
            else:
                v.mul_(self.beta2).addcmul_(shared.groups.sums(g * g), state["share"][name], value=1 - self.beta2)
                step = self._length(v, c1, c2, lr.unsqueeze(1))
                w.addcmul_(m, shared.groups.spread(step), value=-1.0)
            if term is not None:
                w.copy_(term.penalty.prox(w, step, term.lam, term.groups))

    def _length(self, v: Tensor, c1: float, c2: float, lr: Tensor) -> Tensor:
        """Return the true step, lr / (c1 (sqrt(v / c2) + eps)): the prox takes the same."""
        return torch.div(lr, torch.sqrt(v).mul_(c1 * c2**-0.5).add_(c1 * self.eps))
