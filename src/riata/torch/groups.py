"""Groups over torch's own layouts: which axis is an input, a neuron, a filter, a head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from riata.errors import InputError
from riata.groups import Groups, from_index
from riata.groups import by_input as along

__all__ = ["by_head", "by_input", "by_output", "by_row", "groups_by_input", "groups_of", "hidden_columns"]

Columns = Sequence[int] | Sequence[str] | Mapping[str, int] | None
KINDS = ("input", "output", "head", "entry")


def groups_by_input(module: nn.Module | Tensor, sizes_or_names: Columns = None) -> Groups:
    """Return one group for each input variable: the columns of the first layer's weight.

    The columns of one variable (a one-hot category, a spline) stay together and the group's weight is the square
    root of their number (Yuan & Lin 2006, eq. 2.1).

    Parameters
    ----------
    module : Module or Parameter
        A layer, a network (its first weighted layer is taken) or the weight itself, inputs on axis 1.
    sizes_or_names : optional
        Numbers of columns, ``[1, 1, 3]``; a dict of name to number; or a name for each column, where columns
        of equal name belong together. By default every column is a variable.

    Raises
    ------
    InputError
        If the columns do not add up, or the module has no such layer.

    Examples
    --------
    >>> groups_by_input(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), {"age": 1, "city": 3}).weight
    tensor([1.0000, 1.7321], dtype=torch.float64)
    >>> groups_by_input(nn.Linear(3, 8), ["age", "city", "city"]).names
    ('age', 'city')
    """
    weight = module if isinstance(module, Tensor) else _first_weight(module)
    if weight.ndim < 2:
        raise InputError(f"a weight of shape {tuple(weight.shape)}; expected inputs on axis 1; pass a layer's weight")
    axis = 0 if isinstance(module, nn.modules.conv._ConvTransposeNd) else 1
    return _columns(weight, axis, sizes_or_names)


def by_input(layer: nn.Module, sizes_or_names: Columns = None) -> Groups:
    """Return the input columns of one layer, or a convolution's input channels; see :func:`groups_by_input`.

    >>> by_input(nn.Conv2d(3, 8, 5)).axis, len(by_input(nn.LSTM(6, 10)))
    (1, 6)
    """
    return groups_by_input(layer, sizes_or_names)


def by_output(layer: nn.Module) -> Groups:
    """Return one group a neuron or filter: axis 0 of the weight; a recurrent unit's rows over all gates together.

    >>> len(by_output(nn.Linear(3, 8))), len(by_output(nn.Conv1d(3, 5, 7))), len(by_output(nn.GRU(3, 4)))
    (8, 5, 4)
    """
    weight = _first_weight(layer)
    if isinstance(layer, nn.RNNBase):
        return _units(weight, layer.hidden_size)
    return along(weight.shape, 1 if isinstance(layer, nn.modules.conv._ConvTransposeNd) else 0)


def hidden_columns(layer: nn.RNNBase, level: int = 0) -> Groups:
    """Return one group for each hidden unit as it enters the next time step: columns of hidden-to-hidden.

    >>> hidden_columns(nn.LSTM(3, 5)).shape
    (20, 5)
    """
    return along(layer.get_parameter(f"weight_hh_l{level}").shape, 1)


def by_head(attention: nn.MultiheadAttention) -> dict[Tensor, Groups]:
    """Return one group a head in each weight: its rows in query, key and value, and its columns in the output.

    Returns
    -------
    dict of parameter to Groups
        As the optimizers take it.

    Examples
    --------
    >>> [(groups.axis, len(groups)) for groups in by_head(nn.MultiheadAttention(12, 3)).values()]
    [(0, 3), (1, 3)]
    """
    return {weight: groups_of(attention, name, "head") for name, weight in _attention_weights(attention)}


def by_row(embedding: nn.Embedding, sizes_or_names: Columns = None) -> Groups:
    """Return one group a row of an embedding, or the rows of one category together.

    >>> by_row(nn.Embedding(4, 2), ["cat", "dog", "dog", "dog"]).size
    tensor([1, 3])
    """
    return _columns(embedding.weight, 0, sizes_or_names)


def groups_of(layer: nn.Module, name: str, kind: str) -> Groups:
    """Return the groups of one parameter of a layer.

    Parameters
    ----------
    layer : Module
        Which owns the parameter itself.
    name : str
        Its name in the layer, as ``weight`` or ``weight_ih_l0``.
    kind : {"input", "output", "head", "entry"}
        Rows of an embedding are its outputs and its inputs alike: the input is a category.

    Raises
    ------
    InputError
        If the kind is unknown, or means nothing there.
    """
    weight = layer.get_parameter(name)
    if kind == "entry":
        return along((weight.numel(),)) if weight.ndim < 2 else _entries(weight)
    if kind == "head" and isinstance(layer, nn.MultiheadAttention):
        if name == "out_proj.weight":
            return _heads(weight, layer, axis=1)
        return _heads(weight, layer, axis=0)
    if kind not in ("input", "output") or weight.ndim < 2:
        raise InputError(
            f"groups by {kind!r} for {name} of shape {tuple(weight.shape)} in {type(layer).__name__}; expected one of "
            f"{', '.join(KINDS)} that has a meaning there; pass 'entry' or your own Groups"
        )
    if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        return along(weight.shape, 0)
    if isinstance(layer, nn.RNNBase) and kind == "output" and len(weight) % layer.hidden_size == 0:
        return _units(weight, layer.hidden_size)
    turned = isinstance(layer, nn.modules.conv._ConvTransposeNd)
    return along(weight.shape, int((kind == "input") != turned))


def _first_weight(module: nn.Module) -> Tensor:
    if isinstance(module, nn.RNNBase):
        return module.get_parameter("weight_ih_l0")
    for layer in module.modules():
        if isinstance(layer, nn.RNNBase):
            return layer.get_parameter("weight_ih_l0")
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
            return layer.get_parameter("weight")
    raise InputError(
        f"no linear, convolution or recurrent layer in {type(module).__name__}; expected one; pass the weight itself"
    )


def _columns(weight: Tensor, axis: int, columns: Columns) -> Groups:
    width = weight.shape[axis]
    if columns is None:
        return along(weight.shape, axis)
    if isinstance(columns, Mapping):
        names, sizes = tuple(columns), [int(size) for size in columns.values()]
    elif all(isinstance(value, str) for value in columns):
        labels = [str(value) for value in columns]
        names = tuple(dict.fromkeys(labels))
        _must_add_up(len(labels), width)
        return from_index(weight.shape, [names.index(label) for label in labels], axis=axis, names=names)
    else:
        sizes = [int(value) for value in columns]
        names = tuple(str(i) for i in range(len(sizes)))
    if any(size < 1 for size in sizes):
        raise InputError("a variable without columns; expected sizes >= 1; leave it out")
    _must_add_up(sum(sizes), width)
    index = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return from_index(weight.shape, index, axis=axis, names=names)


def _must_add_up(found: int, width: int) -> None:
    if found != width:
        raise InputError(f"{found} columns for a layer of {width} inputs; expected {width}; check sizes or names")


def _units(weight: Tensor, hidden: int) -> Groups:
    return from_index(weight.shape, torch.arange(len(weight)) % hidden, axis=0)


def _heads(weight: Tensor, layer: nn.MultiheadAttention, axis: int) -> Groups:
    inside = torch.arange(weight.shape[axis]) % layer.embed_dim
    return from_index(weight.shape, inside // layer.head_dim, axis=axis)


def _entries(weight: Tensor) -> Groups:
    return from_index(weight.shape, torch.arange(weight.numel()))


def _attention_weights(layer: nn.MultiheadAttention) -> list[tuple[str, Tensor]]:
    names = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight")
    found = dict(layer.named_parameters())
    return [(name, found[name]) for name in names if name in found]
