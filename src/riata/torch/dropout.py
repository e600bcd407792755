"""Dropout by rate: see every rate of a model, set it by name, and keep it off the inputs while they are selected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from riata.errors import InputError

__all__ = ["dropout_places", "dropout_rates", "input_dropout_off", "set_dropout"]

DROPS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
INSIDE = (nn.MultiheadAttention, nn.RNNBase)
"""Modules with a dropout of their own: on attention weights, and between stacked recurrent parts."""


def dropout_rates(model: nn.Module) -> dict[str, float]:
    """Return the rate of every module that drops, by name: dropout modules, attention and recurrent modules.

    ``torch.nn.functional.dropout`` called inside a ``forward`` is not a module and cannot be seen.

    Examples
    --------
    >>> dropout_rates(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.25), nn.Linear(4, 1)))
    {'2': 0.25}
    """
    return {name: _rate(module) for name, module in model.named_modules() if isinstance(module, DROPS + INSIDE)}


def set_dropout(model: nn.Module, rates: float | Mapping[str, float]) -> dict[str, float]:
    """Set rates by name or pattern, in place, and return those from before, which put everything back.

    Parameters
    ----------
    model : nn.Module
    rates : float in [0, 1), or a mapping of names or patterns to them
        A number is for all; of several patterns that fit, the last counts.

    Raises
    ------
    InputError
        If a pattern fits nothing or a rate is out of range; the model is then as it was.

    Examples
    --------
    >>> model = nn.Sequential(nn.Dropout(0.1), nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    >>> before = set_dropout(model, {"*": 0.3, "0": 0.0})
    >>> dropout_rates(model)
    {'0': 0.0, '2': 0.3}
    >>> _ = set_dropout(model, before)
    >>> dropout_rates(model)
    {'0': 0.1, '2': 0.5}
    """
    before = dropout_rates(model)
    wanted = {"*": rates} if isinstance(rates, int | float) else dict(rates)
    after: dict[str, float] = {}
    for pattern, rate in wanted.items():
        if not 0 <= rate < 1:
            raise InputError(f"dropout rate {rate} for {pattern!r}; expected 0 to below 1; try 0.5")
        hits = [name for name in before if name == pattern or fnmatchcase(name, pattern)]
        if not hits:
            known = ", ".join(before) or "none"
            raise InputError(
                f"dropout pattern {pattern!r} fits none of {known}; expected one of these; use '*' for all"
            )
        after.update(dict.fromkeys(hits, float(rate)))
    modules = dict(model.named_modules())
    for name, rate in after.items():
        _set_rate(modules[name], rate)
    return before


def dropout_places(model: nn.Module, *example: Any, **named: Any) -> dict[str, str]:
    """Return where each dropout acts, by name: ``input``, ``hidden``, ``output`` or ``unused``.

    One forward pass in evaluation mode on an example decides. ``input``: what it gets depends on no parameter, so it
    drops inputs. ``output``: it gets a function of parameters and no module with parameters of its own runs after it,
    so it drops predictions. ``hidden``: between them. ``unused``: the pass does not reach it. Dropout inside attention
    and recurrent modules acts between parameters and is ``hidden``. Keep it off the outputs always, and off the inputs
    while inputs are selected: a dropped input is then a draw, not a decision. If a module is called more than once,
    the first place in the order input, output, hidden counts.

    Parameters
    ----------
    model : nn.Module
        Left as it was, with its modes, flags and rates.
    example, named
        What the model is called with.

    Examples
    --------
    >>> model = nn.Sequential(nn.Dropout(0.1), nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.5), nn.Linear(4, 1))
    >>> dropout_places(model, torch.zeros(2, 3))
    {'0': 'input', '3': 'hidden'}
    """
    modules = {name: m for name, m in model.named_modules() if _drops(m) or _owns(m)}
    calls: list[tuple[str, bool]] = []
    with ExitStack() as stack:
        stack.enter_context(_probing(model))
        for name, module in modules.items():
            hook = module.register_forward_pre_hook(partial(_note, calls, name), with_kwargs=True)
            stack.callback(hook.remove)
        model(*(_apart(a) for a in example), **{key: _apart(a) for key, a in named.items()})
    owners = {name for name, module in modules.items() if _owns(module)}
    return {name: _place(name, name in owners, calls, owners) for name, module in modules.items() if _drops(module)}


@contextmanager
def input_dropout_off(model: nn.Module, *example: Any, **named: Any) -> Iterator[dict[str, str]]:
    """Set the dropout on inputs to 0 inside a ``with``, then back; give :func:`dropout_places`.

    Examples
    --------
    >>> model = nn.Sequential(nn.Dropout(0.1), nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    >>> with input_dropout_off(model, torch.zeros(2, 3)) as places:
    ...     dropout_rates(model)
    {'0': 0.0, '2': 0.5}
    >>> places, dropout_rates(model)
    ({'0': 'input', '2': 'hidden'}, {'0': 0.1, '2': 0.5})
    """
    places, before = dropout_places(model, *example, **named), dropout_rates(model)
    inputs = {name: before[name] for name, place in places.items() if place == "input"}
    modules = dict(model.named_modules())
    try:
        for name in inputs:
            _set_rate(modules[name], 0.0)
        yield places
    finally:
        for name, rate in inputs.items():
            _set_rate(modules[name], rate)


def _drops(module: nn.Module) -> bool:
    return isinstance(module, DROPS + INSIDE)


def _owns(module: nn.Module) -> bool:
    """Return whether a module has parameters of its own."""
    return any(True for _ in module.parameters(recurse=False))


def _apart(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value


@contextmanager
def _probing(model: nn.Module) -> Iterator[None]:
    """Evaluation mode with gradients for all parameters, so that what depends on one can be told; then as before."""
    modes = [(module, module.training) for module in model.modules()]
    flags = [(w, w.requires_grad) for w in model.parameters() if w.is_floating_point()]
    try:
        model.eval()
        for w, _ in flags:
            w.requires_grad_(True)
        with torch.enable_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
        for w, flag in flags:
            w.requires_grad_(flag)


def _rate(module: nn.Module) -> float:
    rate: float = module.dropout if isinstance(module, INSIDE) else module.p  # type: ignore[assignment]
    return float(rate)


def _set_rate(module: nn.Module, rate: float) -> None:
    setattr(module, "dropout" if isinstance(module, INSIDE) else "p", rate)


def _note(calls: list[tuple[str, bool]], name: str, _: nn.Module, args: Any, kwargs: Any) -> None:
    """Note a call and whether what it gets depends on a parameter."""
    tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]
    calls.append((name, any(a.requires_grad for a in tensors)))


def _place(name: str, owner: bool, calls: list[tuple[str, bool]], owners: set[str]) -> str:
    at = [i for i, (called, _) in enumerate(calls) if called == name]
    if not at:
        return "unused"
    if owner:
        return "hidden"
    if not all(calls[i][1] for i in at):
        return "input"
    return "hidden" if any(called in owners for called, _ in calls[at[-1] + 1 :]) else "output"
