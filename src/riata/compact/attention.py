"""Multi-head attention: whole heads that write nothing, or a constant, go; so do features on either side."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Node
from torch.nn.functional import scaled_dot_product_attention

from riata.compact.axes import Axis, Use
from riata.compact.layers import blank, mixed, narrowed
from riata.compact.walk import Build, Keep, State, Walk, shape
from riata.errors import InputError

__all__ = ["Attention", "attention"]


class Attention(nn.Module):
    """Self- or cross-attention with any number of heads of any size: ``concat_h softmax(q_h k_h'/sqrt(d)) v_h W'``.

    :class:`torch.nn.MultiheadAttention` ties the number of heads times their size to the width of its input, so that
    it cannot lose a head. This one is called in the same way, without masks, and returns no attention weights.

    Parameters
    ----------
    parts : tuple of Linear
        Query, key, value and output maps.
    heads : int
    batch_first : bool
    dropout : float
        On the attention weights, in training.
    """

    def __init__(self, parts: tuple[nn.Module, ...], heads: int, batch_first: bool, dropout: float):
        super().__init__()
        self.query, self.key, self.value, self.out_proj = parts
        self.heads, self.batch_first, self.dropout = heads, batch_first, dropout

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, need_weights: bool = False, **masks: Any
    ) -> tuple[Tensor, None]:
        """Return the outputs (N, T, E), or (T, N, E), and None in place of the attention weights.

        Raises
        ------
        InputError
            If a mask is passed: the network was made smaller for calls without one.
        """
        given = [name for name, mask in masks.items() if name.endswith("mask") and mask is not None]
        if given or masks.get("is_causal"):
            raise InputError(f"{given or 'is_causal'} for attention that was compacted without; compact with the mask")
        parts = (self.query(query), self.key(key), self.value(value))
        q, k, v = (self._split(part) for part in parts)
        mixed_values = scaled_dot_product_attention(q, k, v, dropout_p=self.dropout if self.training else 0.0)
        joined = mixed_values.transpose(1, 2).flatten(2)
        out: Tensor = self.out_proj(joined if self.batch_first else joined.transpose(0, 1))
        return out, None

    def _split(self, part: Tensor) -> Tensor:
        rows = part if self.batch_first else part.transpose(0, 1)
        split: Tensor = rows.unflatten(2, [self.heads, -1]).transpose(1, 2)
        return split


def attention(walk: Walk, node: Node, layer: Any) -> State:
    """Return the features that attention writes; a head is one slot between its inputs and its outputs."""
    why = _obstacle(node, layer)
    if why:
        return walk.barrier(node, why)
    names = ("query", "key", "value")
    sources = [walk.axis(arg, -1) for arg in (*node.args, *(node.kwargs[n] for n in names if n in node.kwargs))[:3]]
    size, heads, width = layer.head_dim, layer.num_heads, layer.embed_dim
    weights = layer.in_proj_weight.detach().double().cpu().view(3, width, width)
    zeros = torch.zeros(3, width, dtype=torch.float64)
    biases = zeros if layer.in_proj_bias is None else layer.in_proj_bias.detach().double().cpu().view(3, width)
    known = [torch.full((width,), torch.nan).double() if s is None else s.value for s in sources]
    usable = [k if layer.in_proj_bias is not None else torch.where(k == 0, k, torch.nan) for k in known]
    varies = [(w != 0) & k.isnan() for w, k in zip(weights, usable, strict=True)]
    shifts = [b + w @ k.nan_to_num() for w, b, k in zip(weights, biases, usable, strict=True)]
    steady = torch.where(varies[2].any(1).view(heads, size).any(1).repeat_interleave(size), torch.nan, shifts[2])
    inner = walk.fresh(-1, steady.view(heads, size).sum(1))
    for source, part in zip(sources, varies, strict=True):
        if source is not None:
            walk.uses.append(Use(source.slots, inner.slots, part.view(heads, size, width).any(1)))
    wide = Axis(-1, inner.slots.repeat_interleave(size), steady)
    weight = layer.out_proj.weight.detach().double().cpu()
    bias = torch.zeros(width).double() if layer.out_proj.bias is None else layer.out_proj.bias.detach().double().cpu()
    out = mixed(walk, wide, weight != 0, weight, bias, steady, len(shape(node.all_input_nodes[0])) - 1)

    def make(keep: Keep) -> nn.Module | None:
        inside, rows = keep(wide), keep(out)
        columns = [torch.ones(width, dtype=torch.bool) if s is None else keep(s) for s in sources]
        if all(bool(part.all()) for part in (inside, rows, *columns)):
            return None
        parts = []
        for i, kept in enumerate(columns):
            moved = biases[i] + weights[i][:, ~kept] @ usable[i].nan_to_num()[~kept]
            part = nn.Parameter(layer.in_proj_weight.detach()[i * width : (i + 1) * width],
                                requires_grad=layer.in_proj_weight.requires_grad)  # fmt: skip
            parts.append(_linear(part, inside, kept, None if layer.in_proj_bias is None else moved))
        folded = bias + weight[:, ~inside] @ steady.nan_to_num()[~inside]
        has_bias = layer.out_proj.bias is not None or bool((folded[rows] != 0).any())
        parts.append(_linear(layer.out_proj.weight, rows, inside, folded if has_bias else None))
        new = Attention(tuple(parts), int(keep(inner).sum()), layer.batch_first, layer.dropout)
        return new.train(layer.training)

    walk.builds.append(Build(str(node.target), "heads", inner, make))
    return (out, None)


def _obstacle(node: Node, layer: Any) -> str:
    """Return why the heads of this call must stay, or nothing."""
    masks = [node.kwargs.get(name) for name in ("attn_mask", "key_padding_mask")] + list(node.args[3:])
    weights = [user for user in node.users if len(user.args) > 1 and user.args[1] == 1 and user.users]
    inputs = len(node.args[:3]) + sum(name in node.kwargs for name in ("query", "key", "value"))
    if any(isinstance(m, Node) for m in masks) or node.kwargs.get("is_causal") or len(node.args) > 3:
        return "it is called with a mask"
    if weights or inputs != 3:
        return "its attention weights are used"
    if not layer._qkv_same_embed_dim or layer.bias_k is not None or layer.add_zero_attn:
        return "keys or values of another width, or added ones"
    return "" if len(shape(node.all_input_nodes[0])) == 3 else "rows without a batch axis"


def _linear(weight: nn.Parameter, rows: Tensor, columns: Tensor, bias: Tensor | None) -> nn.Module:
    """Return a linear map of the kept rows and columns; ``bias`` has an entry for every old row."""
    new: Any = blank(nn.Linear, weight, int(columns.sum()), int(rows.sum()), bias=bias is not None)
    new.weight = narrowed(narrowed(weight, 0, rows), 1, columns)
    if bias is not None:
        new.bias = nn.Parameter(bias[rows].to(weight.detach()), requires_grad=weight.requires_grad)
    return new  # type: ignore[no-any-return]
