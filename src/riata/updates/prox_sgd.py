"""Proximal stochastic gradient with momentum, done right."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .base import Params, State, Terms, per_member


@dataclass(frozen=True)
class ProxSGD:
    """Proximal SGD: m <- b m + (1 - b) g, w <- prox_{lr R}(w - lr m).

    The dampening equals the momentum, so that the true step is lr and the prox uses the same lr. A plain
    ``torch.optim.SGD(momentum=0.9)`` has the step lr/(1 - 0.9), and a prox with lr after it solves the problem
    of lam/10.

    Parameters
    ----------
    momentum : float in [0, 1)

    References
    ----------
    Parikh & Boyd 2014, *Proximal Algorithms*, section 4.2, eq. (4.6).
    """

    momentum: float = 0.9
    name: str = "prox_sgd"

    def init(self, params: Params, terms: Terms) -> State:
        """Return zero momenta."""
        return {"t": 0, "m": {k: w.new_zeros(w.shape) for k, w in params.items()}}

    def step(self, params: Params, grads: Params, state: State, lr: Tensor, terms: Terms) -> None:
        """Take one step in place."""
        state["t"] += 1
        correction = 1 - self.momentum ** state["t"]
        for name, w in params.items():
            m = state["m"][name].lerp_(grads[name], 1 - self.momentum)
            w.addcmul_(m, per_member(lr, w), value=-1.0 / correction)
            if name in terms:
                term = terms[name]
                w.copy_(term.penalty.prox(w, lr, term.lam, term.groups))
