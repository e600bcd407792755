"""The verdict in words: what to train, how sure that is, what would change it, and what to type next."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from ..plots.names import METRIC_NAMES, NAMES
from .text import given, held, number

Data = Mapping[str, Any]
MEANINGS = {
    "decisive": "{leaf} beats its nearest rival with a probability of at least 95%.",
    "leaning": "{leaf} beats its nearest rival with a probability of at least 75%, but less than 95%.",
    "equivalent": "{leaf} and its nearest rival are within 0.01 of {metric} of each other with a probability of at "
    "least 95%: either will do.",
    "tied": "these folds cannot tell {leaf} from its nearest rival. It was taken by the order of the goal, which is a "
    "convention.",
}
PUT_OFF = ("for the budget", "nothing was compared", "of the usual epochs", "instead of")
"""Words of a warning that says something was left out."""


def spoken(summary: Data) -> str:
    """Return the verdict as one sentence that can be read aloud.

    >>> v = {"penalty": "group_lasso", "lam": 0.0131, "dropout": 0.0, "early_stopping": True}
    >>> table = {"target": "chd", "variables": 3}
    >>> spoken({"verdict": v, "table": table, "kept": ["age"]})
    'To predict chd from these 3 variables, train the network with a group lasso penalty of strength 0.013 and early \
stopping; it keeps 1 of 3 variables.'
    """
    v, table = summary["verdict"], summary["table"]
    parts = [penalty_words(v)]
    parts += [f"dropout {v['dropout']:g}"] if v["dropout"] else []
    parts += ["early stopping"] if v["early_stopping"] else []
    how = " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]
    if v["penalty"] == "none" and len(parts) > 1:
        how = f"{parts[0]}, with {' and '.join(parts[1:])}"
    every = not summary.get("cohort") and len(summary["kept"]) == table["variables"]
    kept = f"all {table['variables']} variables" if every else held(summary)
    return f"To predict {table['target']} from these {given(summary)}, train the network {how}; it keeps {kept}."


def penalty_words(verdict: Data) -> str:
    """Return the penalty with its strength, as part of a sentence.

    >>> penalty_words({"penalty": "l2", "lam": 0.1})
    'with an L2 (ridge) penalty of strength 0.1'
    """
    if verdict["penalty"] == "none":
        return "without a penalty"
    name = NAMES[verdict["penalty"]]
    article = "an" if name[0] in "aeioL" else "a"
    return f"with {article} {name} penalty of strength {verdict['lam']:.2g}"


def compared(summary: Data) -> bool:
    """Return whether candidates were compared, and not only named by theory."""
    refused = any(a["key"] == "resources" and a["answer"] == "no" for a in summary["answers"])
    return not refused and sum(name != "constant" for name in summary["scores"]) > 1


def evidence_words(summary: Data) -> str:
    """Return what the evidence word means for this verdict."""
    leaf = NAMES[summary["verdict"]["penalty"]]
    if not compared(summary):
        return "candidates were not compared; the verdict follows from theory, or from the one candidate there was."
    meaning = MEANINGS.get(summary["evidence"], "")
    return meaning.format(leaf=leaf, metric=METRIC_NAMES.get(summary["metric"], summary["metric"]))


def rivals(summary: Data) -> list[str]:
    """Return the names of the other contenders."""
    return [NAMES.get(c, c) for c in summary["contenders"] if c != summary["verdict"]["penalty"]]


def score_words(score: Data | None) -> str:
    """Write a score with its interval for a sentence.

    >>> score_words({"mean": 0.71, "low": 0.69, "high": 0.73})
    '0.710 (95% interval 0.690 to 0.730)'
    """
    if not score or score.get("mean") is None:
        return "-"
    if score.get("low") is None or score.get("high") is None:
        return number(score["mean"])
    return f"{number(score['mean'])} (95% interval {number(score['low'])} to {number(score['high'])})"


def final_words(summary: Data) -> list[str]:
    """Return sentences that say how good the verdict is, and on which rows that was measured."""
    final, metric = summary["final"], summary["metric"]
    nested = final if final["method"] == "nested" else final.get("nested")
    name = METRIC_NAMES.get(metric, metric)
    said = []
    if final["method"] != "nested":
        said.append(f"On {final['rows']} rows that no choice has seen, its {name} is {score_words(final.get(metric))}.")
    if nested:
        said.append(
            f"In cross-validation that repeats the whole choice inside every fold ({nested['rows']} rows), "
            f"{name} is {score_words(nested.get(metric))}."
        )
    constant = summary["scores"].get("constant", {}).get(metric)
    if constant and constant.get("mean") is not None:
        said.append(f"The best constant predictor gets {number(constant['mean'])}.")
    return said


def otherwise(summary: Data) -> list[dict[str, Any]]:
    """Return what would change the answer: condition, the answer then, and whether it is the same."""
    return [
        {"if": case["if"], "then": NAMES.get(case["then"], case["then"]), "same": bool(case["same"])}
        for case in summary.get("otherwise") or ()
    ]


def theory_words(summary: Data) -> str:
    """Return what theory and the classic chart say."""
    classic = NAMES.get(summary["classic"]["penalty"])
    tail = f"the classic chart leads to {classic}" if classic else "the classic chart was not walked"
    return f"Without any training, theory says {NAMES[summary['theory']['penalty']]}; {tail}."


def left_out(summary: Data) -> bool:
    """Return whether a warning says that something was left out for the time budget."""
    return any(mark in warning for warning in summary["warnings"] for mark in PUT_OFF)


def following(summary: Data, figures: Data | None) -> list[dict[str, str]]:
    """Return what to do next: a reason and the exact command."""
    command = (figures or {}).get("command") or f"riata choose TABLE --target {shlex.quote(summary['table']['target'])}"
    folder = shlex.quote(folder_of(command, summary["table"]["name"]))
    genes = " --genotypes NEW.bed" if summary.get("cohort") else ""
    again = f"riata predict {folder} NEW.csv{genes} --to predictions.csv"
    steps = [("Predict new rows with the model of this run.", again)]
    options = summary.get("options") or {}
    if left_out(summary):
        seconds = max(240.0, 4 * float(options.get("budget") or 240))
        steps.append(("Give it more time: something was left out.", changed(command, "--budget", f"{seconds:.0f}s")))
    elif not genes and compared(summary) and summary["evidence"] in ("tied", "leaning"):
        more = max(5, 2 * int(options.get("repeats") or 1))
        steps.append(("Repeat the folds, to tell the contenders apart.", changed(command, "--repeats", str(more))))
    if options.get("goal") != "selection" and len(summary["kept"]) > 1:
        steps.append(("Look for fewer variables.", changed(command, "--goal", "selection")))
    if options.get("no_validation"):
        steps.append(("Compare the candidates on this table.", without(command, "--no-validation")))
    if genes:
        check = f"riata certify {folder} TABLE --genotypes FILE"
        steps.append(("Compute the certificate again, in float64 over all variants.", check))
    steps.append(("See what the model keeps, in the terminal.", f"riata inspect {folder}"))
    return [{"why": why, "command": typed} for why, typed in steps]


def words_of(command: str) -> list[str]:
    """Split a command as a shell would; an unusual one by spaces."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def without(command: str, flag: str) -> str:
    """Return the command without a switch.

    >>> without("riata choose t.csv --no-validation", "--no-validation")
    'riata choose t.csv'
    """
    return shlex.join(word for word in words_of(command) if word != flag)


def changed(command: str, flag: str, value: str) -> str:
    """Return the command with an option set, written to a folder of its own.

    >>> changed("riata choose 'a b.csv' --target y --budget 60s --out run", "--budget", "4m")
    "riata choose 'a b.csv' --target y --budget 4m --out run-budget"
    """
    words, kept, old = words_of(command), [], ""
    skip = False
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if skip:
            skip = False
        elif word == "--out" or word.startswith("--out="):
            old, skip = (after, True) if word == "--out" else (word.removeprefix("--out="), False)
        elif word == flag or word.startswith(f"{flag}="):
            skip = word == flag
        elif word != "--resume":
            kept.append(word)
    folder = [f"{old.rstrip('/')}-{flag.lstrip('-')}"] if old else []
    return shlex.join([*kept, flag, value, *(["--out", *folder] if folder else [])])


def folder_of(command: str, name: str) -> str:
    """Return the folder of a run, as its command says it.

    >>> folder_of("riata choose t.csv --target y --out here", "t"), folder_of("riata choose 'a b.csv'", "a b")
    ('here', 'riata-out/a_b')
    """
    words = words_of(command)
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == "--out" and after:
            return after
        if word.startswith("--out="):
            return word.removeprefix("--out=")
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("._-").rstrip("_")[:64]
    return f"riata-out/{plain or 'table'}"
