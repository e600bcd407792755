"""From a user's module and tensors to what the comparison works on."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.machinery import PathFinder
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ..data import Column, Table
from ..data.table import content_hash
from ..engines import Loss
from ..errors import InputError, one_line
from ..penalties import GroupLasso
from ..population.body import Own
from ..torch.adopt import Row, adopt
from .options import Options

Factory = Callable[[], nn.Module]
NORMS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
CLOSE = 1e-4
MOST_COLUMNS = 100_000


def tensors(data: Any, name: str) -> tuple[Tensor, Tensor]:
    """Return (X, y) of a pair of tensors or arrays, a torch Dataset, or a DataLoader.

    Raises
    ------
    InputError
        If there is no pair of inputs and targets, or their numbers differ.
    """
    if isinstance(data, tuple | list) and len(data) == 2:
        x, y = (torch.as_tensor(np.asarray(part) if not isinstance(part, Tensor) else part) for part in data)
    elif isinstance(data, Iterable | Dataset):
        batches: Iterable[Any] = DataLoader(data, 256) if isinstance(data, Dataset) else data
        pairs = [batch for batch in batches if isinstance(batch, tuple | list) and len(batch) == 2]
        if not pairs:
            raise InputError(f"{name} yields no (inputs, targets) pairs; pass a DataLoader of pairs, or (X, y)")
        x, y = torch.cat([p[0] for p in pairs]), torch.cat([torch.as_tensor(p[1]) for p in pairs])
    else:
        raise InputError(f"{name} is {type(data).__name__}; expected (X, y), a Dataset or a DataLoader of pairs")
    y = y.squeeze(-1) if y.dim() == 2 and y.shape[1] == 1 else y
    if y.dim() != 1 or len(x) != len(y) or x.dim() < 2 or len(y) == 0:
        raise InputError(f"{name}: inputs {tuple(x.shape)}, targets {tuple(y.shape)}; expected (n, ...) and (n,)")
    return x.detach().cpu(), y.detach().cpu()


def own_table(x: Tensor, y: Tensor, name: str, classes: Sequence[str] | None = None) -> Table:
    """Return tensors as a table of numbers: one column for each entry of a row's input, none left out."""
    flat = x.reshape(len(x), -1).to(torch.float64).numpy()
    if flat.shape[1] > MOST_COLUMNS:
        raise InputError(f"{flat.shape[1]} numbers a row; expected at most {MOST_COLUMNS}; pass smaller inputs")
    if not np.isfinite(flat).all() or not bool(torch.isfinite(y.double()).all()):
        raise InputError(f"{name} holds numbers that are not finite; clean it, or mask them in the module")
    columns = tuple(Column(where, "numeric") for where in places(tuple(x.shape[1:])))
    regression = y.is_floating_point() and classes is None
    known = () if regression else tuple(classes or (str(int(v)) for v in torch.unique(y)))
    codes = y.double().numpy() if regression else np.array([known.index(str(int(v))) for v in y], dtype=np.int64)
    table = Table(
        name, "target", columns, (), flat, codes, "regression" if regression else "classification", known, None,
        np.arange(1, len(y) + 1), (), "", 0, tuple(c.name for c in columns),
    )  # fmt: skip
    return replace(table, sha256=content_hash(table))


def places(shape: tuple[int, ...]) -> list[str]:
    """Return a name for each entry of a row's input.

    >>> places((3,)), places((2, 2))
    (['x0', 'x1', 'x2'], ['x0,0', 'x0,1', 'x1,0', 'x1,1'])
    """
    return ["x" + ",".join(map(str, index)) for index in np.ndindex(*shape)]


def own_body(factory: Factory, x: Tensor, y: Tensor, table: Table, device: str, names: Sequence[str] | None) -> Own:
    """Return the module as the networks of a population: what is penalised there, and how it is run.

    Raises
    ------
    InputError
        If the factory makes no module, or one that does not fit the data.
    """
    with torch.random.fork_rng(devices=[]):
        module = factory()
    if not isinstance(module, nn.Module):
        raise InputError(f"the factory returned {type(module).__name__}; expected a torch module")
    adopted = adopt(module, GroupLasso(), 1.0)
    found = [row for row in adopted.rows if row.penalty is not None and row.groups is not None]
    if not found:
        raise InputError("nothing in the module can be penalised; see print(riata.torch.adopt(module))")
    first, whole = found[0], not x.is_floating_point()
    loss = loss_of(module, x[:2], table, whole)
    groups = named(first, names)
    above = {row.name: tuple(row.parameter.shape) for row in found[1:]}
    count = sum(p.numel() for p in module.parameters())
    own = Own(factory, loss, first.name, groups, above, count, tuple(x.shape[1:]), whole, device=device,
              warnings=adopted.warnings)  # fmt: skip
    reason = why_one_by_one(own, module, x[:8], y[:8])
    return replace(own, batched=not reason, reason=reason)


def named(row: Row, names: Sequence[str] | None) -> Any:
    """Return the groups of the penalised parameter, called by the user's names or by what they are."""
    groups = row.groups
    assert groups is not None
    kind = "input" if "input" in row.grouped else "unit" if row.role == "linear" else "filter"
    called = tuple(names) if names is not None else tuple(f"{kind} {i}" for i in range(len(groups)))
    if len(called) != len(groups):
        raise InputError(f"{len(called)} names for {len(groups)} groups of {row.name}; pass one a group")
    return replace(groups, names=called)


def loss_of(module: nn.Module, x: Tensor, table: Table, whole: bool) -> Loss:
    """Return the loss that the module's outputs are made for."""
    module.eval()
    with torch.no_grad():
        try:
            out = module(x.long() if whole else x.float())
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise InputError(one_line(f"the module does not take inputs {tuple(x.shape)}: {error}")) from None
    if not isinstance(out, Tensor):
        raise InputError(f"the module returns {type(out).__name__}; expected a tensor of outputs; wrap it")
    width, classes = out.reshape(len(x), -1).shape[1], len(table.classes)
    if table.task == "regression" and width == 1:
        return Loss("squared", 1)
    if classes == 2 and width == 1:
        return Loss("logistic", 1)
    if classes >= 2 and width == classes:
        return Loss("softmax", classes)
    wanted = "1 output" if table.task == "regression" else f"{classes} outputs (logits), one a class"
    raise InputError(f"the module has {width} outputs; expected {wanted}; change its last layer")


def why_one_by_one(own: Own, module: nn.Module, x: Tensor, y: Tensor) -> str:
    """Return why the members must be trained one after another; "" where vmap gives what the loop gives."""
    for name, part in module.named_modules():
        if isinstance(part, NORMS):
            return f"{name} keeps running means, which vmap cannot update"
        if isinstance(part, nn.RNNBase):
            return f"{name} is recurrent, which vmap runs no faster than a loop"
    rows, targets = x.reshape(len(x), -1).float(), y.float()
    params = own.start_of(2)
    fast, slow = (replace(own, batched=b).engine() for b in (True, False))
    try:
        a, b = fast.grads(params, rows, targets)[1], slow.grads(params, rows, targets)[1]
    except (RuntimeError, ValueError, NotImplementedError, TypeError) as error:
        return one_line(f"vmap cannot run it ({str(error).splitlines()[0]})", 160)
    far = max(float((a[k] - b[k]).abs().max()) for k in a)
    return "" if far <= CLOSE else f"vmap gives other gradients (by {far:.1e})"


def own_options(options: Options, shape: tuple[int, ...], own: Own) -> Options:
    """Return the options that hold for a module: its own dropout, its own layers, a picture where it takes one."""
    picture = options.picture
    if picture == "auto" and len(shape) >= 2 and shape[:-2] in ((), (1,)) and not own.whole:
        picture = f"{shape[-1]}x{shape[-2]}" if len(shape) == 3 else "auto"
    workers = options.workers if can_travel(own.factory) else 1
    return replace(options, dropout=(0.0,), picture=picture, workers=workers)


def can_travel(factory: Factory) -> bool:
    """Return whether worker processes can be sent a factory: it is of a module that they can import, no script."""
    inner = factory.func if isinstance(factory, functools.partial) else factory
    home = str(getattr(inner, "__module__", "__main__"))
    try:
        pickle.dumps(factory)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return home != "__main__" and PathFinder.find_spec(home.partition(".")[0]) is not None


def said_of_module(own: Own) -> list[str]:
    """Return what a reader of the decision should know of the module."""
    said = [
        f"penalised is {own.first}, in {len(own.groups)} groups; a ridge of {own.ridge:g} lies on the weights above"
    ]
    if own.reason:
        said.append(f"networks were trained one after another: {own.reason}")
    return said + list(own.warnings)
