"""Full-batch accelerated proximal gradient with restart, for tables that fit in memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .base import Params, State, Terms, per_member


def _total(parts: list[Tensor]) -> Tensor:
    return torch.stack(parts).sum(0)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).flatten(1).sum(1)


@dataclass(frozen=True)
class APG:
    """Accelerated proximal gradient in a block metric, with a step taken from the curvature of the gradient.

    y is the extrapolated point; x+ = prox_{R / (L s_b)}(y - g(y) / (L s_b)) for every block b (a parameter), then
    y = x+ + beta (x+ - x), beta = (t - 1) / t+, and t restarts at 1 when <y - x+, x+ - x> > 0.
    s_b >= 0 is the block's share of the curvature, L the member's own factor, raised at once to
    |dg|_{1/s} / |dy|_s between successive points and let down slowly. Gradients, not function values, are compared:
    near the solution a difference of function values is rounding noise.

    ``lr`` multiplies 1/L; 1 is the step itself. Solves convex terms to rounding; on a network it finds a
    stationary point.

    References
    ----------
    Beck & Teboulle 2009, *FISTA*, eqs. (4.1)-(4.3); O'Donoghue & Candes 2015, section 3.2 (gradient restart).
    """

    shrink: float = 0.995
    margin: float = 1.01
    name: str = "apg"

    def init(self, params: Params, terms: Terms) -> State:
        """Return the state at ``params``; the first curvature is learned from the first two gradients."""
        some = next(iter(params.values()))
        count = some.shape[0]
        return {
            "t": 0,
            "theta": some.new_ones(count),
            "L": some.new_zeros(count),
            "y": {k: w.clone() for k, w in params.items()},
            "y_last": {k: w.clone() for k, w in params.items()},
            "g_last": {k: w.new_zeros(w.shape) for k, w in params.items()},
            "s": {k: some.new_ones(count) for k in params},
        }

    def point(self, params: Params, state: State) -> Params:
        """Return where the next gradient is wanted: the extrapolated point."""
        point: Params = state["y"]
        return point

    def _curvature(self, grads: Params, state: State) -> Tensor:
        s = state["s"]
        dg, dy = [], []
        for k, g in grads.items():
            delta = g - state["g_last"][k]
            dg.append(_dot(delta, delta) / s[k])
            move = state["y"][k] - state["y_last"][k]
            dy.append(_dot(move, move) * s[k])
        total = _total(dy)
        ratio = (_total(dg) / total.clamp_min(1e-300 if total.dtype == torch.float64 else 1e-30)).sqrt()
        return torch.where(total > 0, ratio, torch.zeros_like(ratio))

    def step(self, params: Params, grads: Params, state: State, lr: Tensor, terms: Terms) -> None:
        """Take one step in place; ``grads`` are those at :meth:`point`."""
        if state["t"] == 0:
            size = _total([_dot(g, g) for g in grads.values()]).sqrt()
            state["L"] = torch.where(size > 0, size.clamp_min(1e-3), torch.ones_like(size))
        else:
            seen = self._curvature(grads, state) * self.margin
            state["L"] = torch.maximum(state["L"] * self.shrink, seen)
        state["t"] += 1
        theta = state["theta"]
        larger = 0.5 * (1 + torch.sqrt(1 + 4 * theta * theta))
        fresh, push = {}, []
        for k, y in state["y"].items():
            step = lr / (state["L"] * state["s"][k])
            x = y - per_member(step, y) * grads[k]
            if k in terms:
                x = terms[k].penalty.prox(x, step, terms[k].lam, terms[k].groups)
            fresh[k] = x
            push.append(_dot(y - x, x - params[k]) * state["s"][k])
        restart = _total(push) > 0
        beta = torch.where(restart, torch.zeros_like(theta), (theta - 1) / larger)
        state["theta"] = torch.where(restart, torch.ones_like(theta), larger)
        for k, x in fresh.items():
            state["g_last"][k] = grads[k]
            state["y_last"][k] = state["y"][k]
            state["y"][k] = x + per_member(beta, x) * (x - params[k])
            params[k].copy_(x)
