"""``riata report OUT`` and ``riata inspect OUT``: what a run's folder holds."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, RiataError, one_line
from .arguments import Given
from .say import note, say, say_json

if TYPE_CHECKING:
    from ..model import Model

SHOWN = 40


def report(given: Given) -> None:
    """Run ``riata report OUT``: draw report.html again, from decision.json, figures.json and timings.json."""
    from ..choice.decision import read_decision

    folder = Path(given["run"])
    with readable(folder):
        path = read_decision(folder).report(folder / "report.html")
    if not given["quiet"]:
        say(f"report: {path}")
    if given["open"] and not webbrowser.open(path.absolute().as_uri()):
        note(f"no browser could be started; open {path}")


def export(given: Given) -> None:
    """Run ``riata export OUT model.onnx``: the model without what it dropped, checked by running it."""
    from ..export import export_model
    from .folders import file_to_write
    from .predict import model_of

    target = file_to_write(given["to"])
    export_model(model_of(given["run"]), target)
    if not given["quiet"]:
        say(f"model: {target}")


def inspect(given: Given) -> None:
    """Run ``riata inspect OUT``: what the model keeps, its size, its certificate."""
    from ..choice.decision import read_decision
    from ..model import Model

    folder = Path(given["run"])
    with readable(folder):
        decision = read_decision(folder)
        if not isinstance(decision.model, Model):
            raise InputError(f"{folder}: no model.safetensors here; run riata choose again")
        facts = facts_of(decision.model, dict(decision.summary))
    if given["json"]:
        say_json(facts)
    else:
        say("\n".join(lines_of(facts, given["quiet"])))


@contextmanager
def readable(folder: Path, file: str = "decision.json") -> Iterator[None]:
    """Turn what a damaged file of a run does to its readers into one sentence."""
    from jinja2 import TemplateError

    damage = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, TemplateError)
    try:
        yield
    except RiataError:
        raise
    except damage as error:
        why = f"{folder}/{file}: damaged ({type(error).__name__}: {error}); run riata choose again"
        raise InputError(one_line(why)) from None


def facts_of(model: Model, summary: dict[str, Any]) -> dict[str, Any]:
    """Return what ``inspect --json`` prints; numbers of the networks are counted in the model file itself."""
    norms = dict(zip(model.variables, model.norms.tolist(), strict=True))
    weights = {name: int(w.numel()) for name, w in model.params.items()}
    alive = {name: int((w != 0).sum()) for name, w in model.params.items()}
    first = model.params["first"]
    return {
        "table": model.schema["name"],
        "target": model.schema["target"],
        "task": model.schema["task"],
        "penalty": model.facts["penalty"],
        "lam": model.facts["lam"],
        "dropout": model.facts["dropout"],
        "evidence": summary["evidence"],
        "networks": int(first.shape[0]),
        "hidden": list(model.spec.hidden),
        "weights": {"total": sum(weights.values()), "nonzero": sum(alive.values())},
        "first_layer": {"total": weights["first"], "nonzero": alive["first"]},
        "kept": {name: norms[name] for name in model.kept},
        "dropped": list(model.dropped),
        "kkt_max": max(model.facts["kkt"]),
        "status": list(model.facts["status"]),
        "riata": summary["riata"],
        "versions": dict(summary["versions"]),
    }


def lines_of(facts: dict[str, Any], quiet: bool) -> list[str]:
    """Return what ``inspect`` prints: a table of the variables that the model keeps, and its size."""
    kept, size, first = facts["kept"], facts["weights"], facts["first_layer"]
    versions = ", ".join(f"{k} {v}" for k, v in {"riata": facts["riata"], **facts["versions"]}.items())
    lam = "-" if facts["lam"] is None else f"{facts['lam']:.4g}"
    lines = [
        f"Model         {facts['target']} of {facts['table']}, {facts['task']}",
        f"Penalty       {facts['penalty']}, lam {lam}, dropout {facts['dropout']:g}; evidence {facts['evidence']}",
        f"Networks      {facts['networks']}, hidden layers {','.join(map(str, facts['hidden'])) or 'none'}",
        f"Weights       {size['nonzero']} of {size['total']} are not 0.0; first layer {first['nonzero']} of "
        f"{first['total']}",
        f"Certificate   KKT residual at most {facts['kkt_max']:.1e}; {', '.join(sorted(set(facts['status'])))}",
        f"Keeps         {len(kept)} of {len(kept) + len(facts['dropped'])} variables (norm of the first layer)",
    ]
    if quiet:
        return [*lines, *[f"  {name}" for name in kept]]
    lines += [f"  {norm:<12.6g}{name}" for name, norm in list(kept.items())[:SHOWN]]
    if len(kept) > SHOWN:
        lines.append(f"  and {len(kept) - SHOWN} more; --json has all")
    dropped = facts["dropped"]
    more = f", and {len(dropped) - SHOWN} more" if len(dropped) > SHOWN else ""
    return [*lines, f"Drops         {', '.join(dropped[:SHOWN]) or 'none'}{more}", f"Versions      {versions}"]
