"""Remove what is zero from a network: inputs, neurons, channels, heads, hidden units."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, GraphModule

from riata.compact.encoder import opened
from riata.compact.layers import narrowed
from riata.compact.live import analyse, kept_by
from riata.compact.result import Compacted, Report
from riata.compact.sizes import count_parameters, multiply_adds
from riata.compact.trace import example_inputs, start, trace
from riata.compact.untraced import first_inputs
from riata.compact.walk import Keep, Walk, shape
from riata.errors import InputError

__all__ = ["compact"]

ALLOWED = {torch.float64: 1e-9, torch.float32: 1e-4}
"""Differences of the outputs that refuse a result; half precisions get 5e-2."""


@torch.random.fork_rng(devices=[])
def compact(module: nn.Module, example: Any = None, names: Sequence[str] | None = None) -> Compacted:
    """Return a smaller module with the same outputs, without what is exactly zero or constant.

    An index of a layer goes if nothing with a weight other than 0.0 reads it, or if it holds a constant, which then
    moves into the bias of the layer that reads it. In evaluation mode the outputs are equal up to rounding; this is
    checked on the example, and on random rows of its shape, before anything is returned.

    Parameters
    ----------
    module : Module
        Is not changed. Parameters keep dtype, device and ``requires_grad``, layers their mode.
    example : Tensor or tuple of Tensors
        A batch of inputs; two or more rows. May be left out for a network that starts with a Linear.
    names : sequence of str, optional
        Names of the features of the first input.

    Returns
    -------
    Compacted

    Raises
    ------
    InputError
        If an example is missing, the names do not fit, or the outputs would differ.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    >>> with torch.no_grad():
    ...     _ = net[0].weight[:, 1].zero_(), net[2].weight[:, :2].zero_()
    >>> small = compact(net)
    >>> small.kept_inputs, small.removed["0"], small.module[0]
    ((0, 2), (0, 1), Linear(in_features=2, out_features=2, bias=True))
    """
    inputs = example_inputs(module, example)
    if not list(module.children()):
        done = compact(nn.Sequential(module), inputs, names)
        return replace(done, module=done.module[0]) if isinstance(done.module, nn.Sequential) else done
    reference, small = _copies(module)
    probes = [(inputs, _outputs(reference, inputs)), *_probes(reference, inputs)]
    work = opened(copy.deepcopy(reference))
    try:
        graph = trace(work, inputs)
    except Exception as error:
        small, kept, axes, removed, sizes, whole = _untraced(reference, small, inputs, error)
    else:
        walk = start(work, graph)
        analyse(walk, graph)
        small, kept, axes, removed, sizes = _reduced(walk, graph, small)
        whole = tuple(walk.notes)
    labels = tuple(names or ())
    if labels and len(labels) != inputs[0].shape[axes[0]]:
        raise InputError(f"{len(labels)} names for {inputs[0].shape[axes[0]]} inputs; pass one for each")
    report = Report(
        (count_parameters(module), count_parameters(small)),
        (multiply_adds(reference, inputs), 0),
        0.0, sizes, whole,
    )  # fmt: skip
    done = Compacted(small, kept, axes, removed, report, labels)
    return _checked(done, probes)


def _reduced(
    walk: Walk, graph: Graph, small: nn.Module
) -> tuple[nn.Module, Any, Any, dict[str, tuple[int, ...]], dict[str, tuple[str, int, int]]]:
    """Return the copy with its layers exchanged for smaller ones, and what was kept and removed."""
    keep = kept_by(walk)
    made = [(build, new) for build in walk.builds if (new := build.make(keep)) is not None]
    small = opened(small) if made else small
    aliases = list(small.named_modules(remove_duplicate=False))
    removed: dict[str, tuple[int, ...]] = {}
    sizes: dict[str, tuple[str, int, int]] = {}
    for build, new in made:
        old = small.get_submodule(build.target)
        new.train(old.training)
        for name, part in aliases:
            if part is old:
                small.set_submodule(name, new)
        mask = torch.ones(0, dtype=torch.bool) if build.axis is None else keep(build.axis)
        if not bool(mask.all()):
            removed[build.target] = tuple((~mask).nonzero().flatten().tolist())
            sizes[build.target] = (build.what, len(mask), int(mask.sum()))
    kept, axes = [], []
    for node in graph.nodes:
        if node.op == "placeholder" and shape(node):
            axis = walk.inputs.get(node)
            mask = torch.ones(shape(node)[-1], dtype=torch.bool) if axis is None else keep(axis)
            kept.append(tuple(mask.nonzero().flatten().tolist()))
            axes.append(len(shape(node)) - 1 if axis is None else axis.dim)
    return _viewed(walk, graph, keep, small), tuple(kept), tuple(axes), removed, sizes


def _viewed(walk: Walk, graph: Graph, keep: Keep, small: nn.Module) -> nn.Module:
    """Return a module of the graph where a reshape names a size that has changed; else ``small`` itself."""
    changed = [node for node, axis in walk.views.items() if not bool(keep(axis).all())]
    if not changed:
        return small
    for node in changed:
        node.target, node.args, node.kwargs = "flatten", (node.args[0], 1), {}
    walk.notes["a reshape names its size as a number: the result is a torch.fx.GraphModule"] = None
    new = GraphModule(small, graph)
    new.training = small.training
    return new


def _untraced(
    reference: nn.Module, small: nn.Module, inputs: tuple[Tensor, ...], error: Exception
) -> tuple[nn.Module, Any, Any, dict[str, tuple[int, ...]], dict[str, tuple[str, int, int]], tuple[str, ...]]:
    """Return the copy with the inputs gone that only first layers read."""
    found = first_inputs(reference, inputs)
    kept = [tuple(range(x.shape[-1])) if x.ndim else () for x in inputs]
    for name, mask in found.items():
        layer: Any = small.get_submodule(name)
        layer.weight = narrowed(layer.weight, 1, mask)
        layer.in_features = int(mask.sum())
        kept[0] = tuple(mask.nonzero().flatten().tolist())
    what = f"only inputs of {', '.join(found)} were looked at" if found else "nothing was removed"
    why = " ".join(str(error).split())[:120]
    said = (f"the module cannot be traced ({why}); {what}, as the run on the example uses them",)
    return small, tuple(kept), tuple(x.ndim - 1 for x in inputs), {}, {}, said


def _checked(done: Compacted, probes: list[tuple[tuple[Tensor, ...], list[Tensor]]]) -> Compacted:
    """Return the result with the difference of its outputs; refuse one that is not the same function."""
    worst = 0.0
    for probe, outputs in probes:
        got = _outputs(done.module, done.select(*probe))
        for a, b in zip(got, outputs, strict=True):
            finite = b.isfinite()
            size = float(b[finite].abs().max()) if bool(finite.any()) else 0.0
            gap = float((a - b)[finite].abs().max()) / max(size, 1e-30) if bool(finite.any()) else 0.0
            allowed = ALLOWED.get(b.dtype, 5e-2)
            if not gap <= allowed:
                raise InputError(
                    f"the compacted outputs differ by {gap:.1e}, more than {allowed}; its forward does something that "
                    "a trace cannot see; compact its parts one by one"
                )
            worst = max(worst, gap)
    cost = multiply_adds(_evaluated(done.module), done.select(*probes[0][0]))
    r = done.report
    return replace(done, report=replace(r, multiply_adds=(r.multiply_adds[0], cost), difference=worst))


def _copies(module: nn.Module) -> tuple[nn.Module, nn.Module]:
    try:
        return copy.deepcopy(module).eval(), copy.deepcopy(module)
    except RuntimeError as error:
        raise InputError(f"the module cannot be copied ({error}); detach the tensors it holds") from None


def _evaluated(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).eval()


def _outputs(module: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """Return all output tensors in evaluation mode, in order; the module itself is left alone."""
    with torch.no_grad():
        return _flat(_evaluated(module)(*inputs))


def _flat(out: Any) -> list[Tensor]:
    if isinstance(out, Tensor):
        return [out]
    parts = out.values() if isinstance(out, dict) else out if isinstance(out, (tuple, list)) else ()
    return [tensor for part in parts for tensor in _flat(part)]


def _probes(reference: nn.Module, inputs: tuple[Tensor, ...]) -> list[tuple[tuple[Tensor, ...], list[Tensor]]]:
    """Return two batches of random rows with their outputs; none that the module itself refuses."""
    found = []
    for seed in range(2):
        rows = _random_like(inputs, seed)
        with contextlib.suppress(Exception):
            found.append((rows, _outputs(reference, rows)))
    return found


def _random_like(inputs: tuple[Tensor, ...], seed: int) -> tuple[Tensor, ...]:
    """Return random rows of the example's shapes; whole numbers stay as they are."""
    draw = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(x.shape, generator=draw).to(x) if x.is_floating_point() else x for x in inputs)
