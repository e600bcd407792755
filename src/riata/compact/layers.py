"""Linear, convolution, batch norm and embedding: which outputs are constant, who reads whom, and the smaller layer."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.fx import Node

from riata.compact.axes import Axis, Use
from riata.compact.walk import Build, Keep, State, Walk, positions, shape

__all__ = ["batch_norm", "blank", "convolution", "depthwise", "embedding", "linear", "mixed", "narrowed"]


class _Weighted(Protocol):
    weight: nn.Parameter
    bias: nn.Parameter | None


def linear(walk: Walk, node: Node, layer: Any) -> State:
    """Return the outputs of ``y = W x + b``: y_j is constant if every x_i it reads is."""
    source = walk.axis(node.args[0], -1)
    weight = _cpu(layer.weight)
    fixed = _fixed(source, weight.shape[1])
    out = mixed(walk, source, weight != 0, weight, _bias(layer), fixed, len(shape(node)) - 1)

    def make(keep: Keep) -> nn.Module | None:
        rows, columns = keep(out), _columns(source, keep, weight.shape[1])
        if bool(rows.all()) and bool(columns.all()):
            return None
        sizes = (int(columns.sum()), int(rows.sum()))
        return _thin(layer, nn.Linear, sizes, {}, rows, columns, _fold(weight, fixed, columns))

    walk.builds.append(Build(str(node.target), "neurons", out, make))
    return out


def convolution(walk: Walk, node: Node, layer: Any) -> State:
    """Return the channels of a convolution; a constant input is folded unless zeros are padded beside it."""
    spatial = layer.weight.ndim - 2
    if layer.groups != 1 and layer.groups == layer.in_channels == layer.out_channels:
        return depthwise(walk, node, layer)
    if layer.groups != 1 or len(shape(node)) != spatial + 2:
        return walk.barrier(node, f"{layer.groups} groups" if layer.groups != 1 else "rows without a batch axis")
    source = walk.axis(node.args[0], 1)
    kernels = _cpu(layer.weight).flatten(2)
    total, reads = kernels.sum(2), (kernels != 0).any(2)
    fixed = _fixed(source, total.shape[1])
    if _pads_zeros(layer):
        fixed = torch.where(fixed == 0, fixed, torch.nan)
    out = mixed(walk, source, reads, total, _bias(layer), fixed, 1)

    def make(keep: Keep) -> nn.Module | None:
        rows, columns = keep(out), _columns(source, keep, total.shape[1])
        if bool(rows.all()) and bool(columns.all()):
            return None
        names = ("kernel_size", "stride", "padding", "dilation", "padding_mode")
        options = {name: getattr(layer, name) for name in names}
        sizes = (int(columns.sum()), int(rows.sum()))
        return _thin(layer, type(layer), sizes, options, rows, columns, _fold(total, fixed, columns))

    walk.builds.append(Build(str(node.target), "channels", out, make))
    return out


def depthwise(walk: Walk, node: Node, layer: Any) -> State:
    """Return the channels of a depthwise convolution: channel i in, channel i out."""
    source = walk.axis(node.args[0], 1)
    if source is None:
        return None
    kernels = _cpu(layer.weight).flatten(1)
    fixed = torch.where((source.value == 0) | (not _pads_zeros(layer)), source.value, torch.nan)
    value = torch.where((kernels == 0).all(1), 0.0, fixed * kernels.sum(1)) + _bias(layer)
    out = Axis(1, source.slots, value)

    def make(keep: Keep) -> nn.Module | None:
        rows = keep(out)
        if bool(rows.all()):
            return None
        names = ("kernel_size", "stride", "padding", "dilation", "padding_mode")
        count = int(rows.sum())
        options = {name: getattr(layer, name) for name in names} | {"groups": count}
        return _thin(layer, type(layer), (count, count), options, rows, torch.ones(1, dtype=torch.bool), None)

    walk.builds.append(Build(str(node.target), "channels", out, make))
    return out


def batch_norm(walk: Walk, node: Node, layer: Any) -> State:
    """Return the channels of a batch norm in evaluation; one with weight 0 is constant, its bias."""
    source = walk.axis(node.args[0], 1)
    if source is None or len(shape(node)) < 2:
        return None
    scale = _cpu(layer.weight) if layer.affine else torch.ones(layer.num_features, dtype=torch.float64)
    shift = _cpu(layer.bias) if layer.affine else torch.zeros_like(scale)
    value = torch.full_like(scale, torch.nan)
    if layer.track_running_stats:
        centred = (source.value - _cpu(layer.running_mean)) / (_cpu(layer.running_var) + layer.eps).sqrt()
        value = centred * scale + shift
    out = Axis(1, source.slots, torch.where(scale == 0, shift, value))

    def make(keep: Keep) -> nn.Module | None:
        rows = keep(out)
        return None if bool(rows.all()) else _thin_norm(layer, rows)

    walk.builds.append(Build(str(node.target), "channels", out, make))
    # A channel whose weight is 0 reads nothing, but its index is the same one: it stays tied.
    return out


def embedding(walk: Walk, node: Node, layer: Any) -> State:
    """Return the columns of an embedding; its rows (the vocabulary) are never removed."""
    if layer.max_norm is not None:
        return walk.barrier(node, "max_norm rescales whole rows")
    weight = _cpu(layer.weight)
    same = (weight == weight[:1]).all(0)
    out = walk.fresh(len(shape(node)) - 1, torch.where(same, weight[0], torch.nan))

    def make(keep: Keep) -> nn.Module | None:
        columns = keep(out)
        if bool(columns.all()):
            return None
        new: nn.Embedding = blank(nn.Embedding, layer.weight, layer.num_embeddings, int(columns.sum()))
        new.padding_idx = layer.padding_idx
        new.weight = narrowed(layer.weight, 1, columns)
        new.train(layer.training)
        return new

    walk.builds.append(Build(str(node.target), "columns", out, make))
    return out


def mixed(walk: Walk, source: Axis | None, reads: Tensor, total: Tensor, bias: Tensor, fixed: Tensor, dim: int) -> Axis:
    """Return the outputs of ``sum_i total_ji x_i + bias_j``, and record which x_i each of them needs.

    ``reads`` (O, I) says where a weight is not 0, ``fixed`` (I,) holds the constants that can be folded into the bias.
    """
    varies = reads & fixed.isnan()
    value = bias + torch.where(reads, total * fixed.nan_to_num(), 0.0).sum(1)
    out = walk.fresh(dim, torch.where(varies.any(1), torch.nan, value))
    if source is not None:
        walk.uses.append(Use(source.slots, out.slots, varies))
    return out


def narrowed(weight: nn.Parameter, dim: int, keep: Tensor) -> nn.Parameter:
    """Return a parameter with the kept indices of one axis."""
    part = weight.detach().index_select(dim, positions(keep, weight.device)).clone()
    return nn.Parameter(part, requires_grad=weight.requires_grad)


def blank(kind: Any, like: Tensor, *sizes: int, **options: Any) -> Any:
    """Return a layer with the device and dtype of ``like`` and nothing in its parameters; draws no random numbers."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        return kind(*sizes, **options, device="meta", dtype=like.dtype).to_empty(device=like.device)


def _thin(
    layer: _Weighted,
    kind: Any,
    sizes: tuple[int, int],
    options: dict[str, Any],
    rows: Tensor,
    columns: Tensor,
    shift: Tensor | None,
) -> nn.Module:
    """Return the layer with some outputs (``rows``) and inputs (``columns``), and ``shift`` (O,) added to its bias."""
    moved = shift is not None and bool((shift[rows] != 0).any())
    new: Any = blank(kind, layer.weight, *sizes, **options, bias=layer.bias is not None or moved)
    new.weight = narrowed(narrowed(layer.weight, 0, rows), 1, columns)
    if new.bias is not None:
        bias = _bias(layer) + (shift if moved and shift is not None else 0.0)
        learns = layer.weight.requires_grad if layer.bias is None else layer.bias.requires_grad
        new.bias = nn.Parameter(bias[rows].to(layer.weight), requires_grad=learns)
    return new.train(layer.training)  # type: ignore[no-any-return, attr-defined]


def _thin_norm(layer: Any, rows: Tensor) -> nn.Module:
    """Return a batch norm of the kept channels, its running statistics included."""
    like = next(iter((*layer.parameters(), *layer.buffers())), torch.zeros(()))
    place = {"device": like.device, "dtype": like.dtype}
    new = type(layer)(int(rows.sum()), layer.eps, layer.momentum, layer.affine, layer.track_running_stats, **place)
    if layer.affine:
        new.weight, new.bias = narrowed(layer.weight, 0, rows), narrowed(layer.bias, 0, rows)
    if layer.track_running_stats:
        at = positions(rows, layer.running_mean.device)
        new.running_mean, new.running_var = layer.running_mean[at].clone(), layer.running_var[at].clone()
        new.num_batches_tracked = layer.num_batches_tracked.clone()
    return new.train(layer.training)  # type: ignore[no-any-return]


def _fold(total: Tensor, fixed: Tensor, columns: Tensor) -> Tensor:
    """Return what the removed inputs add to each output, (O,); those that vary have weight 0."""
    return total[:, ~columns] @ fixed.nan_to_num()[~columns]


def _columns(source: Axis | None, keep: Keep, count: int) -> Tensor:
    return torch.ones(count, dtype=torch.bool) if source is None else keep(source)


def _fixed(source: Axis | None, count: int) -> Tensor:
    return torch.full((count,), torch.nan, dtype=torch.float64) if source is None else source.value


def _pads_zeros(layer: Any) -> bool:
    padding = layer.padding if isinstance(layer.padding, tuple) else (layer.padding,)
    return layer.padding_mode == "zeros" and any(p not in (0, "valid") for p in padding)


def _bias(layer: _Weighted) -> Tensor:
    return torch.zeros(len(layer.weight), dtype=torch.float64) if layer.bias is None else _cpu(layer.bias)


def _cpu(weight: Tensor) -> Tensor:
    return weight.detach().double().cpu()
