"""Transformer encoder layers written out, so that a trace can look into them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

__all__ = ["EncoderLayer", "opened"]


class EncoderLayer(nn.Module):
    """The parts of a :class:`torch.nn.TransformerEncoderLayer` under the same names, without its fused path.

    Norm last: ``x = norm1(x + a(x)); norm2(x + f(x))``; norm first: ``x = x + a(norm1(x)); x + f(norm2(x))``.
    """

    def __init__(self, layer: nn.TransformerEncoderLayer):
        super().__init__()
        self.self_attn, self.dropout, self.dropout1 = layer.self_attn, layer.dropout, layer.dropout1
        self.linear1, self.linear2, self.dropout2 = layer.linear1, layer.linear2, layer.dropout2
        self.norm1, self.norm2, self.norm_first = layer.norm1, layer.norm2, layer.norm_first
        self.activation = layer.activation
        self.training = layer.training

    def forward(
        self, src: Tensor, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> Tensor:
        """Return the layer's outputs, of the shape of ``src``."""
        x = src
        if self.norm_first:
            x = x + self._attend(self.norm1(x), src_mask, src_key_padding_mask, is_causal)
            return x + self._feed(self.norm2(x))
        x = self.norm1(x + self._attend(x, src_mask, src_key_padding_mask, is_causal))
        out: Tensor = self.norm2(x + self._feed(x))
        return out

    def _attend(self, x: Tensor, mask: Any, padding: Any, is_causal: bool) -> Tensor:
        masks = {} if mask is None and padding is None else {"attn_mask": mask, "key_padding_mask": padding}
        causal = {"is_causal": True} if is_causal else {}
        out: Tensor = self.self_attn(x, x, x, need_weights=False, **masks, **causal)[0]
        return self.dropout1(out)  # type: ignore[no-any-return]

    def _feed(self, x: Tensor) -> Tensor:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))  # type: ignore[no-any-return]


class _Stack(nn.Module):
    """The layers of a :class:`torch.nn.TransformerEncoder`, one after the other."""

    def __init__(self, stack: nn.TransformerEncoder):
        super().__init__()
        self.layers, self.norm, self.training = stack.layers, stack.norm, stack.training

    def forward(
        self, src: Tensor, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None
    ) -> Tensor:
        """Return the outputs of the last layer, normed if the stack has a norm."""
        x = src
        for layer in self.layers:
            x = layer(x, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        out: Tensor = x if self.norm is None else self.norm(x)
        return out


def opened(module: nn.Module) -> nn.Module:
    """Return ``module`` with its encoder layers and stacks written out, in place; parameter names stay.

    One with hooks of its own, or of a class derived from torch's, is left as it is.
    """
    for name, child in list(module.named_children()):
        setattr(module, name, opened(child))
    hooked = module._forward_hooks or module._forward_pre_hooks
    if type(module) is nn.TransformerEncoderLayer and not hooked:
        return EncoderLayer(module)
    return _Stack(module) if type(module) is nn.TransformerEncoder and not hooked else module
