"""The hand-batched engine: the built-in network for M members at once, forward and backward written out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .losses import Loss
from .memory import Scratch, aligned
from .network import NetworkSpec, Params

Masks = list[Tensor]


FEW = 4
"""Outputs up to which sums of products are faster than a matrix product."""


def _turn(a: Tensor) -> Tensor:
    return a.transpose(1, 2)


@dataclass(frozen=True)
class _Products:
    """Products over the member axis, in kept memory."""

    scratch: Scratch

    def full(self, name: str, a: Tensor, b: Tensor) -> Tensor:
        """Return a b: (M, r, s), (M, s, c) -> (M, r, c)."""
        return torch.bmm(a, b, out=self.scratch.take(name, (a.shape[0], a.shape[1], b.shape[2]), a))

    def to_outputs(self, name: str, a: Tensor, w: Tensor) -> Tensor:
        """Return a w for the few columns of w: (M, b, h), (M, h, K) -> (M, b, K)."""
        if w.shape[2] > FEW:
            return self.full(name, a, w)
        out = self.scratch.take(name, (a.shape[0], a.shape[1], w.shape[2]), a)
        each = self.scratch.take(f"each {a.shape[2]}", a.shape, a)
        for k in range(w.shape[2]):
            torch.sum(torch.mul(a, _turn(w[..., k : k + 1]), out=each), 2, out=out[..., k])
        return out

    def from_outputs(self, name: str, a: Tensor, d: Tensor) -> Tensor:
        """Return a' d for the few columns of d: (M, b, h), (M, b, K) -> (M, h, K)."""
        if d.shape[2] > FEW:
            return self.full(name, _turn(a), d)
        out = self.scratch.take(name, (a.shape[0], a.shape[2], d.shape[2]), a)
        each = self.scratch.take(f"each {a.shape[2]}", a.shape, a)
        for k in range(d.shape[2]):
            torch.sum(torch.mul(a, d[..., k : k + 1], out=each), 1, out=out[..., k])
        return out


@dataclass
class _Pass:
    """What the forward pass leaves for the backward pass: a tensor per hidden layer in each list."""

    out: Tensor
    acts: list[Tensor]
    """Activations, dropped out."""
    marks: list[Tensor]
    """What act' is computed from: the input of silu, the output of relu and tanh."""


@dataclass(frozen=True)
class BatchedEngine:
    """Runs the built-in network for M members; equals :class:`LoopEngine` to rounding.

    Inputs x are (b, d), shared by the members, or (M, b, d). ``masks`` has one tensor (M, b, h) a hidden layer, 0 or
    1/(1 - p), or is None.

    Notes
    -----
    Every operation is elementwise, a reduction inside a member, or a batched matrix product over the member axis, on
    memory in which all members lie alike (:mod:`riata.engines.memory`): on the CPU a member has the same bits
    whoever else is in the batch. Widths that are multiples of 32 are fastest: with others torch multiplies member by
    member. With a :class:`Scratch` the results lie in its buffers and the next call overwrites them.
    """

    spec: NetworkSpec
    loss: Loss

    def _inputs(self, params: Params, x: Tensor) -> tuple[Params, Tensor]:
        x = aligned(x) if x.dim() == 3 else aligned(x.unsqueeze(0)).expand(params["first"].shape[0], *x.shape)
        return {k: aligned(w) for k, w in params.items()}, x

    def _activate(self, i: int, pre: Tensor, masks: Masks | None, scratch: Scratch) -> tuple[Tensor, Tensor]:
        """Return the activation of layer i and its mark; overwrites ``pre`` where it can."""
        name = self.spec.activation
        mark = act = pre
        if name == "relu":
            pre.clamp_min_(0)
        elif name == "tanh":
            pre.tanh_()
        elif name == "silu":
            act = scratch.take(f"silu{i}", pre.shape, pre)
            torch.ops.aten.silu.out(pre, out=act)
        if masks is not None:
            out = act if name == "relu" else scratch.take(f"act{i}", pre.shape, pre)
            act = torch.mul(act, masks[i], out=out)
        return act, act if name == "relu" else mark

    def _forward(self, params: Params, x: Tensor, masks: Masks | None, scratch: Scratch) -> _Pass:
        spec, products = self.spec, _Products(scratch)
        b_out = params["b_out"].unsqueeze(1)
        if not spec.hidden:
            return _Pass(products.to_outputs("out", x, params["first"]).add_(b_out), [], [])
        h = spec.hidden[0]
        acts: list[Tensor] = []
        marks: list[Tensor] = []
        pre = products.full("pre0", x, params["first"][..., :h]).add_(params["b1"].unsqueeze(1))
        for i in range(len(spec.hidden)):
            if i:
                pre = products.full(f"pre{i}", acts[-1], params[f"w{i + 1}"])
                pre.add_(params[f"b{i + 1}"].unsqueeze(1))
            act, mark = self._activate(i, pre, masks, scratch)
            acts.append(act)
            marks.append(mark)
        out = products.to_outputs("out", acts[-1], params["out"]).add_(b_out)
        if spec.skip:
            out.add_(products.to_outputs("skip", x, params["first"][..., h:]))
        return _Pass(out, acts, marks)

    def predict(self, params: Params, x: Tensor, scratch: Scratch | None = None) -> Tensor:
        """Return the outputs (M, n, K) without dropout."""
        params, x = self._inputs(params, x)
        return self._forward(params, x, None, scratch or Scratch()).out

    def losses(
        self, params: Params, x: Tensor, y: Tensor, weight: Tensor | None = None, scratch: Scratch | None = None
    ) -> Tensor:
        """Return the mean loss of every member, (M,)."""
        return self.loss.value(self.predict(params, x, scratch), y, weight)

    def grads(
        self,
        params: Params,
        x: Tensor,
        y: Tensor,
        weight: Tensor | None = None,
        masks: Masks | None = None,
        scratch: Scratch | None = None,
    ) -> tuple[Tensor, Params]:
        """Return the outputs (M, b, K) and the gradient of the mean loss in every parameter."""
        params, x = self._inputs(params, x)
        scratch = scratch or Scratch()
        done = self._forward(params, x, masks, scratch)
        return done.out, self._backward(params, x, done, self.loss.gradient(done.out, y, weight), masks, scratch)

    def _backward(
        self, params: Params, x: Tensor, done: _Pass, d_out: Tensor, masks: Masks | None, scratch: Scratch
    ) -> Params:
        spec, products = self.spec, _Products(scratch)
        d_out = scratch.take("d_out", d_out.shape, x).copy_(d_out)
        grads = {"b_out": self._bias("b_out", d_out, scratch)}
        if not spec.hidden:
            return {"first": products.from_outputs("grad first", x, d_out), **grads}
        grads["out"] = products.from_outputs("grad out", done.acts[-1], d_out)
        delta = scratch.take(f"delta{len(spec.hidden)}", done.acts[-1].shape, x)
        if spec.outputs == 1:
            torch.mul(d_out, _turn(params["out"]), out=delta)
        else:
            torch.bmm(d_out, _turn(params["out"]), out=delta)
        for i in range(len(spec.hidden), 0, -1):
            if masks is not None:
                delta.mul_(masks[i - 1])
            self._slope(delta, done.marks[i - 1])
            grads[f"b{i}"] = self._bias(f"b{i}", delta, scratch)
            if i > 1:
                grads[f"w{i}"] = products.full(f"grad w{i}", _turn(done.acts[i - 2]), delta)
                delta = products.full(f"delta{i - 1}", delta, _turn(params[f"w{i}"]))
        grads["first"] = products.full("grad hidden", _turn(x), delta)
        if spec.skip:
            skip = products.from_outputs("grad skip", x, d_out)
            both = scratch.take("grad first", params["first"].shape, x)
            grads["first"] = torch.cat([grads["first"], skip], 2, out=both)
        return {name: grads[name] for name in params}

    def _bias(self, name: str, delta: Tensor, scratch: Scratch) -> Tensor:
        return torch.sum(delta, 1, out=scratch.take(f"grad {name}", (delta.shape[0], delta.shape[2]), delta))

    def _slope(self, delta: Tensor, mark: Tensor) -> None:
        """Multiply ``delta`` by act' in place."""
        ops, name = torch.ops.aten, self.spec.activation
        if name == "relu":
            ops.threshold_backward.grad_input(delta, mark, 0, grad_input=delta)
        elif name == "silu":
            ops.silu_backward.grad_input(delta, mark, grad_input=delta)
        elif name == "tanh":
            ops.tanh_backward.grad_input(delta, mark, grad_input=delta)
