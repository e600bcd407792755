"""The description inside a model file: every value of the kind and size that it must have, before an array is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .engines import Loss, NetworkSpec, loss_for
from .errors import InputError
from .tensors import Claim

__all__ = ["FORMAT", "Described", "described"]

FORMAT = 1
_PARTS = {"format", "spec", "loss", "encoder", "schema", "groups", "facts", "y"}
_ENCODER = ("fill", "centre", "scale", "knots", "scores")
_MOST = 2**31
_MOST_LAYERS = 64
Kind = Callable[[Any], bool]


@dataclass(frozen=True)
class Described:
    """A description that fits its arrays; ``encoder`` is the state that :meth:`Encoder.from_state` takes."""

    spec: NetworkSpec
    loss: Loss
    encoder: dict[str, Any]
    schema: dict[str, Any]
    groups: tuple[int, ...]
    facts: dict[str, Any]
    y_centre: float
    y_scale: float


def described(facts: Any, claims: Mapping[str, Claim]) -> Described:
    """Return what a model file says of itself, checked against the arrays that its header claims.

    Parameters
    ----------
    facts : object
        The parsed JSON text.
    claims : mapping of str to Claim

    Raises
    ------
    InputError
        Saying what is wrong, without the file's name; a newer format asks for an update.
    """
    version = facts.get("format") if isinstance(facts, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise _damaged("format", version)
    if version > FORMAT:
        raise InputError(f"model format {version} is newer than this version reads ({FORMAT}); update riata")
    if set(facts) != _PARTS:
        raise _damaged("parts", sorted(_PARTS ^ set(facts)))
    spec, loss = _spec(facts["spec"]), _loss(facts["loss"])
    schema, state = facts["schema"], facts["encoder"]
    columns, variables = _layout(state)
    _check_schema(schema, variables, loss)
    groups, y = facts["groups"], facts["y"]
    _need(_list(_count)(groups) and len(groups) == len(variables), "groups", groups)
    _need(_list(_number)(y) and len(y) == 2 and y[1] > 0, "y", y)
    _check_facts(facts["facts"])
    _need(spec.outputs == loss.outputs and spec.inputs == len(columns), "spec", [spec.inputs, spec.outputs])
    _check_arrays(spec, len(variables), claims)
    return Described(spec, loss, state, schema, tuple(groups), facts["facts"], float(y[0]), float(y[1]))


def _damaged(where: str, value: Any) -> InputError:
    return InputError(f"damaged model description ({where}: {repr(value)[:80]}); run riata choose again")


def _need(holds: bool, where: str, value: Any) -> None:
    if not holds:
        raise _damaged(where, value)


def _whole(value: Any) -> bool:
    return type(value) is int


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _MOST


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _list(kind: Kind) -> Kind:
    return lambda value: isinstance(value, list) and all(map(kind, value))


def _or_none(kind: Kind) -> Kind:
    return lambda value: value is None or kind(value)


def _check(part: Any, kinds: Mapping[str, Kind], where: str) -> None:
    """Refuse anything but an object that has all these keys, of these kinds; other keys are left to the caller."""
    _need(isinstance(part, dict), where, part)
    for key, kind in kinds.items():
        _need(key in part and kind(part[key]), f"{where}.{key}", part.get(key))


_SPEC: Mapping[str, Kind] = {
    "inputs": _count, "outputs": _count, "hidden": _list(_count), "activation": _text, "form": _text,
    "skip": lambda v: isinstance(v, bool), "upper_ridge": lambda v: _number(v) and v >= 0,
}  # fmt: skip
_COLUMN: Mapping[str, Kind] = {
    "name": _text, "kind": lambda v: v in ("numeric", "categorical"), "levels": _list(_text), "missing": _count,
    "note": _text,
}  # fmt: skip
_SCHEMA: Mapping[str, Kind] = {
    "name": _text, "target": _text, "task": lambda v: v in ("classification", "regression"), "classes": _list(_text),
    "columns": _list(lambda v: isinstance(v, dict)), "left_out": _list(lambda v: isinstance(v, dict)),
    "sha256": _text, "warnings": _list(_text),
}  # fmt: skip
_FACTS: Mapping[str, Kind] = {
    "penalty": _text, "lam": _or_none(_number), "dropout": _number, "kkt": _list(_or_none(_number)),
    "status": _list(_text),
}  # fmt: skip


def _spec(part: Any) -> NetworkSpec:
    _check(part, _SPEC, "spec")
    _need(set(part) == set(_SPEC) and len(part["hidden"]) <= _MOST_LAYERS, "spec", sorted(part))
    return NetworkSpec(**{**part, "hidden": tuple(part["hidden"]), "upper_ridge": float(part["upper_ridge"])})


def _loss(part: Any) -> Loss:
    _check(part, {"kind": _text, "outputs": _count}, "loss")
    _need(len(part) == 2, "loss", sorted(part))
    return Loss(**part)


def _layout(state: Any) -> tuple[list[str], list[str]]:
    """Return the encoded columns and the variables."""
    _check(state, {"scaling": _text, "layout": lambda v: isinstance(v, dict)}, "encoder")
    part = state["layout"]
    kinds = {"columns": _list(_text), "variables": _list(_text), "group": _list(_count), "code": _list(_whole)}
    _check(part, kinds, "encoder.layout")
    _need(all(abs(code) < _MOST for code in part["code"]), "encoder.layout.code", part["code"])
    return part["columns"], part["variables"]


def _check_schema(schema: Any, variables: list[str], loss: Loss) -> None:
    """Refuse a schema by which new rows could not be read, or predictions not be named."""
    _check(schema, _SCHEMA, "schema")
    for column in schema["columns"]:
        _check(column, _COLUMN, "schema.columns")
    for column in schema["left_out"]:
        _check(column, {"name": _text, "reason": _text}, "schema.left_out")
    names, classes = [column["name"] for column in schema["columns"]], schema["classes"]
    _need(names == variables and len(set(names)) == len(names), "schema.columns", names[:3])
    _need(schema["task"] == "regression" or len(set(classes)) == len(classes) >= 2, "schema.classes", classes[:3])
    _need(loss_for(schema["task"], len(classes)) == loss, "schema.task", schema["task"])
    variants = schema.get("variants", {})
    pairs = isinstance(variants, dict) and all(_list(_text)(v) and len(v) in (0, 2) for v in variants.values())
    _need(pairs and _or_none(_text)(schema.get("id")), "schema.variants", variants)


def _check_facts(facts: Any) -> None:
    _need(isinstance(facts, dict), "facts", facts)
    for key, kind in _FACTS.items():
        _need(key not in facts or kind(facts[key]), f"facts.{key}", facts.get(key))


def _check_arrays(spec: NetworkSpec, variables: int, claims: Mapping[str, Claim]) -> None:
    """Refuse missing, further and misshapen arrays, by the header alone."""
    shapes = {f"net.{name}": shape for name, shape in spec.shapes().items()}
    wanted = {*shapes, *(f"encoder.{name}" for name in _ENCODER)}
    _need(set(claims) == wanted, "arrays", sorted(wanted ^ set(claims))[:3])
    networks = claims["net.first"].shape[:1]
    for name, shape in shapes.items():
        claim = claims[name]
        fits = claim.kind == "F32" and claim.shape == (*networks, *shape) and math.prod(networks) >= 1
        _need(fits, name, [claim.kind, *claim.shape])
    knots = claims["encoder.knots"].shape[1:]
    sizes: dict[str, tuple[int, ...]] = {"fill": (variables,), "centre": (spec.inputs,), "scale": (spec.inputs,)}
    sizes |= {"knots": (variables, *knots), "scores": (variables, *knots)}
    for name, size in sizes.items():
        claim = claims[f"encoder.{name}"]
        _need(claim.kind == "F64" and claim.shape == size, f"encoder.{name}", [claim.kind, *claim.shape])
