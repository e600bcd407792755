"""The hand-batched engine: the built-in network for M members at once, forward and backward written out.

Every operation is either elementwise or a batched matrix product over the member axis, so a member's numbers do not
depend on the other members.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .losses import Loss
from .network import NetworkSpec, Params, activate


def backward(name: str, grad: Tensor, z: Tensor, a: Tensor) -> Tensor:
    """Return grad * act'(z), given the (possibly dropped out) activation ``a``; for relu only ``a`` is read."""
    if name == "relu":
        return torch.ops.aten.threshold_backward(grad, a, 0)
    if name == "silu":
        return torch.ops.aten.silu_backward(grad, z)
    return torch.ops.aten.tanh_backward(grad, torch.tanh(z)) if name == "tanh" else grad


@dataclass(frozen=True)
class BatchedEngine:
    """Runs the built-in network for M members; equals :class:`LoopEngine` to rounding.

    Inputs x are (b, d), shared by the members, or (M, b, d). ``masks`` has one tensor (M, b, h) a hidden layer, 0 or
    1/(1 - p), or is None.
    """

    spec: NetworkSpec
    loss: Loss

    def _members(self, params: Params, x: Tensor) -> Tensor:
        m = params["first"].shape[0]
        return x.expand(m, *x.shape) if x.dim() == 2 else x

    def _forward(
        self, params: Params, x: Tensor, masks: list[Tensor] | None
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        spec = self.spec
        z = torch.bmm(x, params["first"])
        if not spec.hidden:
            return z + params["b_out"].unsqueeze(1), [], []
        h = spec.hidden[0]
        pre = z[..., :h] + params["b1"].unsqueeze(1)
        pres, acts = [], []
        for i in range(2, len(spec.hidden) + 2):
            act = torch.relu_(pre) if spec.activation == "relu" else activate(spec.activation, pre)
            if masks is not None:
                act = act * masks[i - 2]
            pres.append(pre)
            acts.append(act)
            if i <= len(spec.hidden):
                pre = torch.baddbmm(params[f"b{i}"].unsqueeze(1), act, params[f"w{i}"])
        out = torch.baddbmm(params["b_out"].unsqueeze(1), acts[-1], params["out"])
        if spec.skip:
            out = out + z[..., h:]
        return out, pres, acts

    def predict(self, params: Params, x: Tensor) -> Tensor:
        """Return the outputs (M, n, K) without dropout."""
        return self._forward(params, self._members(params, x), None)[0]

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
        spec = self.spec
        xm = self._members(params, x)
        out, pres, acts = self._forward(params, xm, masks)
        d_out = self.loss.gradient(out, y, weight)
        grads: Params = {"b_out": d_out.sum(1)}
        if not spec.hidden:
            grads["first"] = torch.bmm(xm.transpose(1, 2), d_out)
            return out, grads
        h = spec.hidden[0]
        grads["out"] = torch.bmm(acts[-1].transpose(1, 2), d_out)
        back = torch.bmm(d_out, params["out"].transpose(1, 2))
        for i in range(len(spec.hidden), 0, -1):
            if masks is not None:
                back.mul_(masks[i - 1])
            delta = backward(spec.activation, back, pres[i - 1], acts[i - 1])
            grads[f"b{i}"] = delta.sum(1)
            if i > 1:
                grads[f"w{i}"] = torch.bmm(acts[i - 2].transpose(1, 2), delta)
                back = torch.bmm(delta, params[f"w{i}"].transpose(1, 2))
        both = torch.cat([delta, d_out], dim=-1) if spec.skip else delta
        grads["first"] = torch.bmm(xm.transpose(1, 2), both)
        assert both.shape[-1] == spec.first_width and h > 0
        return out, grads
