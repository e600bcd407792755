"""What a terminal shows while and after a run, and that nothing of it reaches a pipe."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from riata.choice.standings import Standings
from riata.cli import main
from riata.cli.progress import bar, shown
from riata.plots.names import NAMES
from riata.report.terminal import print_table
from riata.results import MemberResult

pty = pytest.importorskip("pty", reason="needs a terminal to pretend")
Run = Callable[..., tuple[int, str, str]]
CONTROL = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
COLOURED = re.compile(r"\x1b\[[\d;]*3\d")


def member(penalty: str, lam: float, split: int, loss: float, **facts: Any) -> MemberResult:
    nothing = np.zeros(0)
    known = MemberResult(penalty, lam, 0.0, split, 0, 0, loss, loss, nothing, nothing, 0, 1, 1, 0.0, "ok")
    return replace(known, **facts)


def summary(**changed: Any) -> dict[str, Any]:
    scores = {
        name: {m: {"mean": 0.7, "low": 0.68, "high": 0.72} for m in ("auroc", "accuracy", "r2", "rmse")}
        | ({} if name == "constant" else {"kept": 4.25})
        for name in NAMES
    }
    facts = {
        "table": {"name": "made", "target": "y"}, "task": "classification", "verdict": {"penalty": "l1"},
        "scores": scores, "selection": {"shares": dict.fromkeys("abcdefghijkl", 1.0)}, "options": {},
    }  # fmt: skip
    return {**facts, **changed}


def printed(facts: dict[str, Any], width: int = 80, terminal: bool = True) -> str:
    out = io.StringIO()
    print_table(facts, Console(file=out, force_terminal=terminal, width=width))
    return out.getvalue()


@contextmanager
def terminal() -> Iterator[SimpleNamespace]:
    """Give a pretended terminal: ``end`` is a file that is one, ``said`` what was written to it, once it is left."""
    ours, theirs = pty.openpty()
    seen: list[bytes] = []

    def read() -> None:
        try:
            while piece := os.read(ours, 65536):
                seen.append(piece)
        except OSError:
            return

    reader = Thread(target=read)
    reader.start()
    made = SimpleNamespace(end=os.fdopen(theirs, "w", encoding="utf-8"), said="")
    try:
        yield made
    finally:
        made.end.close()
        reader.join(timeout=10)
        os.close(ours)
        made.said = b"".join(seen).decode()


def test_no_leader_before_half_of_the_splits() -> None:
    standings = Standings(4)
    assert standings.best() == ""
    standings.add([member("none", 0.0, 0, 0.5)])
    assert standings.best() == "", "one split of four says little"
    standings.add([member("none", 0.0, 1, 0.4)])
    assert standings.best() == "no penalty, loss 0.45"


def test_the_leader_has_the_least_mean_loss_over_the_same_number_of_splits() -> None:
    standings = Standings(4)
    losses = (0.1, 0.2, 0.5, 0.6)
    standings.add([member("none", 0.0, s, loss, dropout=0.2) for s, loss in enumerate(losses)])
    standings.add([member("l1", 0.0123456, s, losses[s]) for s in range(3)])
    assert standings.best() == "no penalty, dropout 0.2, loss 0.35", "three easy folds are no lead"
    standings.add([member("l1", 0.0123456, 3, 0.5)])
    assert standings.best() == "L1 (lasso) 0.0123, loss 0.325"
    standings.add([member("l2", 1e-5, s, 0.1, status="diverged" if s == 3 else "ok") for s in range(4)])
    assert standings.best() == "L1 (lasso) 0.0123, loss 0.325", "one diverged network disqualifies"


def test_only_diverged_networks_have_no_leader() -> None:
    standings = Standings(1)
    standings.add([member("l1", 0.1, 0, float("nan"), status="diverged")])
    assert standings.best() == ""


def test_the_bar_shows_stage_count_times_and_the_best_within_80_columns() -> None:
    out = io.StringIO()
    with bar(Console(file=out, force_terminal=True, width=80)) as tell:
        tell("looking at the table", 0, 1)
        tell("training networks", 0, 12000)
        for done in (3000, 6000, 12000):
            tell("training networks", done, 12000, "sparse group lasso 0.00123, dropout 0.2, loss 0.412")
    lines = re.split(r"[\r\n]+", CONTROL.sub("", out.getvalue()))
    assert max(map(cell_len, lines)) <= 80
    assert "best so far: sparse group lasso 0.00123, dropout 0.2, loss 0.412" in lines
    whole = [line for line in lines if "12000/12000" in line]
    assert whole and re.search(r"training networks .*\d:\d\d:\d\d \d:\d\d:\d\d left", whole[-1])
    assert out.getvalue().endswith("\x1b[2K"), "the last thing is that all of it is cleared"


def test_the_bar_tells_a_narrow_terminal_what_fits() -> None:
    out = io.StringIO()
    with bar(Console(file=out, force_terminal=True, width=30)) as tell:
        tell("training networks", 1, 2, "sparse group lasso 0.00123, dropout 0.2, loss 0.412")
    assert max(cell_len(line) for line in re.split(r"[\r\n]+", CONTROL.sub("", out.getvalue()))) <= 30


@pytest.mark.parametrize("width", [80, 60, 40])
def test_the_table_has_a_row_for_every_candidate_and_marks_the_verdict(width: int) -> None:
    shown = CONTROL.sub("", printed(summary(), width))
    lines = shown.splitlines()
    assert max(map(cell_len, lines)) <= width
    assert [line for line in lines if "> L1 (lasso)" in line] and shown.count("> ") == 2
    if width < 60:
        return
    assert all(name in shown for name in NAMES.values())
    assert shown.count("4.2 of 12") == len(NAMES) - 1 and ("0.700 (0.680 to 0.720)" in shown) == (width == 80)


def test_numbers_that_are_not_there_are_dashes() -> None:
    facts = summary(task="regression", options={"groups": {"a": "one"}})
    facts["scores"]["l2"] |= {"r2": {"mean": None, "low": None, "high": None}, "rmse": None, "kept": None}
    lines = printed(facts, terminal=False).splitlines()
    head = next(line for line in lines if "candidate" in line)
    assert "R²" in head and "RMSE" in head and "groups kept" in head
    assert next(line for line in lines if "L2" in line).split() == ["L2", "(ridge)", "-", "-", "-"]


def test_hostile_names_move_no_cursor_and_set_no_colours() -> None:
    name = "\x1b[2J\x9b31m\r\n\x07[bold red]x[/] :smile: " + "long " * 40
    shown = printed(summary(table={"name": name, "target": "\x1b]0;title\x07"}))
    assert not re.search(r"[\r\x07\x9b]", shown) and "\x1b" not in CONTROL.sub("", shown) and "\x1b[2J" not in shown
    first = CONTROL.sub("", shown).splitlines()[0]
    assert "[bold red]x[/] :smile:" in first and cell_len(first) <= 80 and first.rstrip().endswith("…")


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    for colours in (True, False):
        if not colours:
            monkeypatch.setenv("NO_COLOR", "1")
        out = io.StringIO()
        with bar(Console(file=out, force_terminal=True, color_system="standard", width=80)) as tell:
            tell("training networks", 1, 2)
        assert bool(COLOURED.search(out.getvalue())) == colours


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with terminal() as faked:
        monkeypatch.setattr(sys, "stderr", faked.end)
        with shown(quiet=False) as tell:
            tell("training networks", 1, 2, "L1 (lasso) 0.1, loss 0.4")
        monkeypatch.undo()
    assert faked.said == "training networks: 1 of 2; best so far: L1 (lasso) 0.1, loss 0.4\r\n"


def test_a_run_on_a_terminal_ends_with_the_table(ill: Path, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    words = [str(w) for w in ("choose", ill, "--target", "ill", *made.small, "--penalties", "l2")]
    with terminal() as faked:
        monkeypatch.setattr(sys, "stderr", faked.end)
        monkeypatch.setattr(sys, "stdout", faked.end)
        code = main(words)
        monkeypatch.undo()
    assert code == 0 and "\x1b[2K" in faked.said
    lines = CONTROL.sub("", faked.said).replace("\r", "\n").split("\n")
    assert any(line.startswith("best so far: ") and ", loss 0." in line for line in lines)
    after = "\n".join(lines[next(i for i, line in enumerate(lines) if line.startswith("Use ")) :])
    rows = re.findall(r"^([> ]) (constant predictor|no penalty|L2 \(ridge\)) ", after, re.MULTILINE)
    assert [name for _, name in rows] == ["constant predictor", "no penalty", "L2 (ridge)"]
    assert [mark for mark, _ in rows].count(">") == 1


def test_a_pipe_gets_plain_text_also_beside_a_terminal(ill: Path, made: Any) -> None:
    words = ["choose", ill, "--target", "ill", *made.small, "--penalties", "l2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TERM": "xterm", "FORCE_COLOR": "1", "COLUMNS": "80"}
    with terminal() as faked:
        done = subprocess.run(
            [sys.executable, "-m", "riata", *map(str, words)], env=environment, stdin=faked.end, stderr=faked.end,
            stdout=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert done.returncode == 0 and b"\x1b" not in done.stdout and b"\r" not in done.stdout
    assert done.stdout.startswith(b"Use ") and b"variables kept" not in done.stdout
    assert "\x1b[2K" in faked.said and "best so far: " in faked.said


def test_two_pipes_get_plain_lines(riata: Run, ill: Path, made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    code, out, err = riata("choose", ill, "--target", "ill", *made.small, "--penalties", "l2")
    assert code == 0, err
    assert not re.search(r"[\x1b\r]", out + err)
    assert re.search(r"^training networks: \d+ of \d+; best so far: .+, loss [\d.]+$", err, re.MULTILINE)
