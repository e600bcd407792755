"""Roles: what each parameter of a module is, and where its layer sits between input and output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from riata.errors import InputError, one_line

__all__ = ["Flow", "Role", "find_flow", "find_roles"]

_CONVOLUTION = nn.modules.conv._ConvNd
_NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.LocalResponseNorm,
    nn.CrossMapLRN2d,
)
_SIZES = ("size", "dim", "numel", "shape", "dtype", "device")


@dataclass(frozen=True, eq=False)
class Role:
    """One parameter: its name, its layer, what it is, and why it is not penalised ("" if it may be)."""

    name: str
    parameter: Tensor
    layer: nn.Module
    local: str
    """Its name in the layer."""
    label: str
    kind: str
    """The kind of groups that is usual there."""
    why: str = ""
    barred: bool = False
    """Whether no rule can penalise it, because zeros in it would mean nothing."""

    @property
    def module(self) -> str:
        """Return the name of the layer; of what is parametrized, the layer that it belongs to."""
        return self.name[: len(self.name) - len(self.local)].rstrip(".").partition("parametrizations.")[0].rstrip(".")


@dataclass(frozen=True)
class Flow:
    """Where the data go: first and last layers, norm layers right after the first, and paths around them."""

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    """Layers whose outputs reach the module's output through no other layer."""
    norms: tuple[tuple[str, str], ...] = ()
    """Pairs of a first layer and the norm layer that follows it."""
    around: tuple[tuple[str, str], ...] = ()
    """Pairs of a first layer and a path on which its input reaches the output without it."""
    problem: str = ""
    """Why the paths could not be followed, if so."""


def find_roles(module: nn.Module) -> list[Role]:
    """Return the role of every parameter, in the module's order; a tied one once.

    Raises
    ------
    InputError
        If a lazy layer has no shapes yet.

    Examples
    --------
    >>> [(r.name, r.label, r.kind) for r in find_roles(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)))]
    [('0.weight', 'linear', 'output'), ('0.bias', 'bias', ''), ('1.weight', 'norm', ''), ('1.bias', 'bias', '')]
    """
    names: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    found = []
    for name, parameter in module.named_parameters():
        if nn.parameter.is_lazy(parameter):
            raise InputError(f"{name} has no shape yet; expected known shapes; run one batch through the module first")
        layer, local = _owner(module, name)
        label, kind, why, barred = _describe(layer, local, parameter)
        others = [other for other in names[id(parameter)] if other != name]
        if others and not barred:
            label, why = f"{label}, tied", f"tied with {others[0]}: zeros would act in both places"
        if not parameter.requires_grad:
            why, barred = "frozen: it does not train", True
        found.append(Role(name, parameter, layer, local, label, kind, why, barred))
    return found


def find_flow(module: nn.Module, roles: Iterable[Role]) -> Flow:
    """Follow the data with torch.fx, where the module can be traced.

    Without a trace the order of the layers is taken for the order of the data, and no path around is known.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4), nn.Linear(4, 1))
    >>> flow = find_flow(net, find_roles(net))
    >>> flow.first, flow.norms, flow.around
    (('0',), (('0', '2'),), ())
    """
    weighted = {role.module: role.layer for role in roles if role.kind or role.label in ("embedding", "parametrized")}
    if "" in weighted:
        return Flow(("",), ("",))
    try:
        graph = fx.Tracer().trace(module)
    except Exception as error:  # tracing runs the user's forward, which may raise anything
        return _by_order(module, weighted, one_line(error, 90))
    nodes = {name: [n for n in graph.nodes if n.op == "call_module" and _layer_name(n) == name] for name in weighted}
    calls = {node: name for name, some in nodes.items() for node in some}
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    reached = _reach(inputs, stop=lambda node: node in calls)
    first = tuple(dict.fromkeys(calls[node] for node in reached if node in calls))
    behind = {
        name: _reach([user for node in some for user in node.users], stop=lambda n: n in calls)
        for name, some in nodes.items()
    }
    last = tuple(name for name, after in behind.items() if any(node.op == "output" for node in after))
    norms, around = [], []
    for name in first:
        after = behind[name]
        norms += [(name, str(node.target)) for node in after if _is_norm(module, node)][:1]
        mine = set(nodes[name])
        sources = [node for node in inputs if mine & set(_reach([node], stop=lambda n: False))]
        path = _path_to_output(sources, mine)
        around += [(name, " -> ".join(path))] if path else []
    return Flow(first, last, tuple(norms), tuple(around))


def _owner(module: nn.Module, name: str) -> tuple[nn.Module, str]:
    """Return the layer of a parameter and its name there; the output weight of attention belongs to the attention."""
    head, _, local = name.rpartition(".")
    above, _, last = head.rpartition(".")
    if last == "out_proj" and isinstance(module.get_submodule(above), nn.MultiheadAttention):
        return module.get_submodule(above), f"{last}.{local}"
    return module.get_submodule(head), local


def _describe(layer: nn.Module, local: str, parameter: Tensor) -> tuple[str, str, str, bool]:
    """Return label, usual kind of groups, why it is free, and whether it must be."""
    rebuilt = isinstance(layer, parametrize.ParametrizationList)
    if rebuilt or (local.endswith(("_g", "_v")) and f"{local[:-2]}_g" in layer._parameters):
        return "parametrized", "", "a parametrization such as weight norm: zeros here are no zeros of the weight", True
    if "bias" in local:
        return "bias", "", "a bias is free", False
    if isinstance(layer, _NORMS) or type(layer).__name__.endswith("Norm"):
        return "norm", "", "a norm layer's scale is free", False
    if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        return "embedding", "", "an embedding is free unless a rule names it in full", False
    if parameter.ndim < 2:
        return "scale", "", "no matrix", False
    if isinstance(layer, nn.Linear):
        return "linear", "output", "", False
    if isinstance(layer, _CONVOLUTION):
        return "convolution", "output", "", False
    if isinstance(layer, nn.RNNBase):
        return ("input-to-hidden" if "_ih" in local else "hidden-to-hidden"), "input", "", False
    if isinstance(layer, nn.MultiheadAttention):
        return "attention", "head", "", False
    return "other", "", f"{type(layer).__name__} is no layer that is known; a rule can name it in full", False


def _layer_name(node: fx.Node) -> str:
    return str(node.target)


def _is_norm(module: nn.Module, node: fx.Node) -> bool:
    if node.op == "call_module":
        layer = module.get_submodule(str(node.target))
        return isinstance(layer, _NORMS) or type(layer).__name__.endswith("Norm")
    return node.op == "call_function" and str(getattr(node.target, "__name__", "")).endswith("_norm")


def _carries(node: fx.Node) -> bool:
    """Whether a node hands on data, and not a size of it."""
    asked = node.args[1] if node.target is getattr and len(node.args) > 1 else node.target
    return asked not in _SIZES


def _reach(start: Iterable[fx.Node], stop: Callable[[fx.Node], bool]) -> list[fx.Node]:
    """Return the nodes that data reach, in order of distance; what stops them is the last."""
    return [node for node, _ in _walk(start, stop)]


def _walk(
    start: Iterable[fx.Node], stop: Callable[[fx.Node], bool]
) -> Iterator[tuple[fx.Node, dict[fx.Node, fx.Node | None]]]:
    came: dict[fx.Node, fx.Node | None] = dict.fromkeys(start)
    waiting = deque(came)
    while waiting:
        node = waiting.popleft()
        if not _carries(node):
            continue
        yield node, came
        if not stop(node):
            fresh = [user for user in node.users if user not in came]
            came.update(dict.fromkeys(fresh, node))
            waiting.extend(fresh)


def _path_to_output(sources: list[fx.Node], without: set[fx.Node]) -> list[str]:
    """Return the names along a path from an input to the output that avoids some nodes, or nothing."""
    for node, came in _walk(sources, stop=lambda n: n in without):
        if node.op == "output":
            path: list[str] = []
            at: fx.Node | None = node
            while at is not None:
                path.append(str(at.target) if at.op == "call_module" else at.name)
                at = came[at]
            return path[::-1]
    return []


def _by_order(module: nn.Module, weighted: dict[str, nn.Module], problem: str) -> Flow:
    """Guess the first layer, the norm layer after it and the last from the order of the layers."""
    if not weighted:
        return Flow(problem=problem)
    first, last = next(iter(weighted)), next(reversed(weighted))
    leaves = [(n, m) for n, m in module.named_modules() if any(True for _ in m.parameters(recurse=False))]
    after = [pair for pair in leaves if pair[0] not in ("", first) and not pair[0].startswith(f"{first}.")]
    at = next((i for i, pair in enumerate(leaves) if pair[0] == first), 0)
    following = [pair for pair in leaves[at + 1 :] if pair in after][:1]
    norms = [(first, name) for name, layer in following if isinstance(layer, _NORMS)]
    return Flow((first,), (last,), tuple(norms), (), problem)
