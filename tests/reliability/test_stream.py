"""A file beyond memory is decided from a sub-sample and trained on from disk: which rows are used, and for what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score
from torch import Tensor

from riata.api import make_options
from riata.choice import stream as route
from riata.choice.decide import Progress, quiet
from riata.choice.decision import Decision, read_decision
from riata.choice.score import score
from riata.choice.stream import open_large, streams
from riata.choice.stream_decide import decide_large
from riata.choice.stream_fit import count, joined, start_run, train
from riata.choice.stream_scores import Binned, Summed
from riata.cli import main
from riata.cli.status import status_of
from riata.data import values_from_frame
from riata.data.drawn import draw
from riata.data.roles import SEALED, TRAIN, VALID, Roles, is_sealed, may_be_drawn
from riata.data.stream import open_stream
from riata.engines import BatchedEngine, Loss, NetworkSpec, initial
from riata.errors import InputError, ResourceError
from riata.groups import by_variable
from riata.model import Model
from riata.penalties import by_name
from riata.population import train as minibatch
from riata.population.design import Training
from riata.population.journal import Journal
from riata.population.run import Keep
from riata.population.solve import certificate
from riata.population.stream import Certifier, Feed, Streamed, fit_stream
from riata.population.train import Arms, Rows, Task, fit_minibatch, terms_for
from riata.updates import Term

ROWS, BLOCK = 20_000, 3000
QUICK = {"hidden": (8,), "folds": 3, "seeds": 1, "epochs": 6, "path_length": 4, "workers": 1, "no_validation": True}
"""With a budget of hours no plan depends on the clock."""


def frame(rows: int, seed: int = 0) -> pl.DataFrame:
    """A table whose head is not like its tail: a column drifts, and the classes come in runs."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, 6))
    x[:, 5] += np.linspace(-2, 2, rows)
    ill = x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(0, 0.7, rows) > 0.4
    table = pl.DataFrame({f"x{j}": x[:, j] for j in range(6)} | {"kind": rng.choice(["a", "b", "c"], rows)})
    table = table.with_columns(ill=pl.Series(np.where(ill, "yes", "no")))
    table = table.with_columns(pl.when(pl.int_range(rows) % 17 == 3).then(None).otherwise(pl.col("x3")).alias("x3"))
    return pl.concat([table[: rows // 2].sort("ill"), table[rows // 2 :]])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stream") / "big.parquet"
    frame(ROWS).write_parquet(path, row_group_size=4500)
    return path


def decided(path: Path, progress: Progress = quiet, keep: Keep | None = None, **more: object) -> Decision:
    options = make_options(**{**QUICK, "budget": 7200.0, **more})
    large = open_large(path, "ill", options, size=2500, block=BLOCK)
    return decide_large(large, options, progress=progress, keep=keep, passes=2)


class Stopped(Exception):
    """The run was ended from outside."""


def kept(file: Path, folder: Path, stop: float = 2.0, resume: bool = False) -> tuple[list[int], Decision | None]:
    """Decide with a journal and save, or be stopped at a share of the training steps; return the steps made too."""
    steps, found = list[int](), None

    def told(what: str, done: int, total: int, *_: object) -> None:
        if what == "training on all rows":
            steps.append(done)
            if done >= stop * total:
                raise Stopped

    with Journal.open(folder / "journal.sqlite", {}, resume=resume) as journal, suppress(Stopped):
        found = decided(file, progress=told, keep=journal)
        found.save(folder)
    return steps, found


@pytest.fixture(scope="module")
def whole(file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int], Decision]:
    """A run that nobody disturbed: its folder, its steps and its decision."""
    folder = tmp_path_factory.mktemp("whole")
    steps, found = kept(file, folder)
    assert found is not None
    return folder, steps, found


@pytest.fixture(scope="module")
def decision(whole: tuple[Path, list[int], Decision]) -> Decision:
    return whole[2]


def test_a_row_is_sealed_by_its_number_and_the_seed_alone() -> None:
    rows = np.arange(200_000)
    role = Roles(3, 0.1).of(rows)
    assert abs((role == SEALED).mean() - 0.2) < 0.005 and abs((role == VALID).mean() - 0.08) < 0.005
    assert np.array_equal(Roles(3, 0.1).of(rows[777:5000:3]), role[777:5000:3])
    assert np.array_equal(role == SEALED, is_sealed(rows, 3)) and np.array_equal(Roles(3, 0.5).of(rows) == 0, role == 0)
    other = is_sealed(rows, 4)
    assert abs((other & (role == SEALED)).mean() - 0.04) < 0.005


def test_the_draw_is_the_same_however_the_file_is_read_and_over_all_of_it(file: Path) -> None:
    drawn = [draw(open_stream(file, block), "ill", 2000, seed=1) for block in (700, 4500, 100_000)]
    for other in drawn[1:]:
        assert np.array_equal(other.rows, drawn[0].rows) and np.array_equal(other.second, drawn[0].second)
    rows, second = drawn[0].rows, drawn[0].second
    assert len(rows) == len(np.unique(rows)) == 2000 and not np.intersect1d(rows, second).size
    both = np.concatenate([rows, second])
    assert may_be_drawn(both, 1).all() and (Roles(1, 0.1).of(both) == TRAIN).all()
    quarters = np.histogram(rows, 4, (0, ROWS))[0] / 2000
    assert np.abs(quarters - 0.25).max() < 0.04
    y = pl.read_parquet(file)["ill"].to_numpy() == "yes"
    assert abs(y[rows].mean() - y[~is_sealed(np.arange(ROWS), 1)].mean()) < 1e-3
    assert not np.array_equal(draw(open_stream(file), "ill", 2000, seed=2).rows, rows)


def test_a_rare_class_gives_its_rows_and_a_sealed_one_is_named(tmp_path: Path) -> None:
    y = np.array(["a", "b"] * 3000, dtype="<U16")
    rows = np.arange(6000)
    y[rows[may_be_drawn(rows, 0)][:30]] = "rare"
    pl.DataFrame({"x": np.random.default_rng(0).standard_normal(6000), "y": y}).write_parquet(tmp_path / "t.parquet")
    drawn = draw(open_stream(tmp_path / "t.parquet", 500), "y", 600, seed=0)
    assert (y[drawn.rows] == "rare").sum() == 20 and len(drawn.rows) == 600
    y[y == "rare"] = "a"
    y[rows[is_sealed(rows, 0)][:5]] = "never drawn"
    pl.DataFrame({"x": np.random.default_rng(0).standard_normal(6000), "ill": y}).write_parquet(tmp_path / "s.parquet")
    with pytest.raises(InputError, match="class 'never drawn' of 'ill' is too rare"):
        decided(tmp_path / "s.parquet")


def test_a_numeric_target_is_drawn_by_decile(tmp_path: Path) -> None:
    y = np.random.default_rng(0).standard_t(2, 20_000)
    y[::10] = np.nan
    pl.DataFrame({"y": np.sort(y)}).write_parquet(tmp_path / "t.parquet")
    drawn = draw(open_stream(tmp_path / "t.parquet", 900), "y", 1000, seed=0)
    edges = np.nanquantile(y, np.linspace(0, 1, 11))
    assert (drawn.known, drawn.missing, drawn.strata) == (18_000, 2000, 10)
    assert np.abs(np.histogram(np.sort(y)[drawn.rows], edges)[0] - 100).max() < 35
    assert len(drawn.rows) == 1000


def test_a_file_is_streamed_where_memory_does_not_hold_it(file: Path, tmp_path: Path) -> None:
    need = ROWS * 8 * 8 * 5
    assert streams(file, None, free=need) and not streams(file, None, free=2 * need)
    assert not streams(file, "no", free=1000) and streams(str(file), True, free=2 * need)
    assert not streams(pl.DataFrame({"a": [1]}), None, free=1) and not streams(tmp_path / "none.parquet", None, free=1)
    (tmp_path / "torn.parquet").write_bytes(file.read_bytes()[:5000])
    assert not streams(tmp_path / "torn.parquet", None, free=1)
    text = tmp_path / "t.csv"
    frame(500).write_csv(text)
    assert not streams(text, None, free=10**9)
    with pytest.raises(ResourceError, match="sink_parquet"):
        streams(text, None, free=1000)
    with pytest.raises(InputError, match=r"Parquet only.*sink_parquet"):
        streams(text, "yes")
    with pytest.raises(InputError, match="expected its path"):
        streams("-", "yes")
    with pytest.raises(InputError, match="type --stream yes"):
        streams(file, "often")
    with pytest.raises(InputError, match="leave --stream out"):
        frame(500).write_parquet(tmp_path / "s.parquet")
        open_large(tmp_path / "s.parquet", "ill", make_options())


def blocks_of(count: int, size: int) -> tuple[Callable[[int], Rows], int, int]:
    rng = np.random.default_rng(1)
    lengths = rng.integers(0, size, count)
    ends = np.cumsum(lengths)
    number = torch.arange(int(ends[-1]))

    def read(i: int) -> Rows:
        part = number[ends[i] - lengths[i] : ends[i]]
        return Rows(part[:, None].float(), part.float())

    return read, count, int(ends[-1])


@pytest.mark.parametrize(("blocks", "size"), [(1, 64), (4, 64), (11, 64), (11, 5000)])
def test_a_pass_has_every_row_once_in_the_same_order_for_the_same_seed(blocks: int, size: int) -> None:
    read, count, rows = blocks_of(blocks, 300)
    feed = Feed(read, count, rows, min(size, rows), 5)
    first = [batch.y.tolist() for batch in feed.epoch(1)]
    assert sorted(row for batch in first for row in batch) == list(range(rows))
    assert len(first) == feed.steps and max(map(len, first)) - min(map(len, first)) <= 1
    assert first == [batch.y.tolist() for batch in feed.epoch(1)] != [batch.y.tolist() for batch in feed.epoch(2)]


def problem(dropout: float = 0.2) -> tuple[BatchedEngine, dict[str, Tensor], dict[str, Term], Arms, Tensor, Tensor]:
    spec, loss = NetworkSpec(6, hidden=(8, 8)), Loss("logistic", 1)
    one = initial(spec, 0)
    params = {k: w.expand(3, *w.shape).clone() for k, w in one.items()}
    groups = by_variable((6, spec.first_width), torch.arange(6), tuple("abcdef"))
    lam = torch.tensor([0.1, 0.003, 0.0])
    arms = Arms(lam, torch.full((3,), dropout), torch.full((3,), 0.01))
    x = torch.randn(900, 6, generator=torch.Generator().manual_seed(0))
    y = ((x[:, 0] + x[:, 1] * x[:, 2]) > 0).float()
    return BatchedEngine(spec, loss), params, terms_for(spec, by_name("group_lasso"), lam, groups), arms, x, y


def test_streaming_has_the_bits_of_training_in_memory_on_the_same_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, params, terms, arms, x, y = problem()
    starts = range(0, 800, 130)

    def feed(read: Callable[[int], Rows]) -> Feed:
        return Feed(read, len(starts), 800, 64, 9)

    number = torch.arange(800)
    order = feed(lambda i: Rows(x[:800][starts[i] : starts[i] + 130], number[starts[i] : starts[i] + 130]))

    def batches(_: int, epoch: int, rows: int, size: int) -> Iterator[Tensor]:
        yield from (batch.y for batch in order.epoch(epoch))

    monkeypatch.setattr(minibatch, "batches", batches)
    training = Training(epochs=5, batch_size=64, patience=99, hidden=(8, 8))
    valid = Rows(x[800:], y[800:])
    memory = fit_minibatch(Task(engine, Rows(x[:800], y[:800]), valid, terms, arms, training, 9), params)
    stop = 800
    disk = feed(lambda i: Rows(x[starts[i] : min(stop, starts[i] + 130)], y[starts[i] : min(stop, starts[i] + 130)]))
    streamed, losses = fit_stream(Streamed(engine, disk, valid, terms, arms, training, 9), params)
    assert memory.best_epoch.min() > 0 and len(losses) == 6
    for name, weight in memory.params.items():
        assert torch.equal(weight, streamed.params[name]), name
    assert torch.equal(memory.valid_loss, streamed.valid_loss)
    assert bool((streamed.params["first"][0] == 0.0).all(1).any()), "a strong group lasso leaves exact zeros"


def test_passes_that_are_kept_are_not_made_again_and_the_bits_are_those_of_one_go() -> None:
    engine, params, terms, arms, x, y = problem()
    read: list[int] = []

    def rows(i: int) -> Rows:
        read.append(i)
        return Rows(x[100 * i : 100 * i + 100], y[100 * i : 100 * i + 100])

    kept: list[bytes] = []
    training = Training(epochs=4, batch_size=64, hidden=(8, 8))
    task = Streamed(
        engine, Feed(rows, 8, 800, 64, 9), Rows(x[800:], y[800:]), terms, arms, training, 9, keep=kept.append
    )
    whole, losses = fit_stream(task, params)
    assert len(kept) == 4 and len(read) == 32
    for made in range(4):
        read.clear()
        again, same = fit_stream(replace(task, known=kept[made], keep=None), params)
        assert len(read) == 8 * (3 - made) and same == losses
        for name, weight in whole.params.items():
            assert torch.equal(weight, again.params[name]), name
        assert torch.equal(whole.valid_loss, again.valid_loss) and torch.equal(whole.best_epoch, again.best_epoch)
        assert whole.status == again.status
    fewer = {name: weight[:1] for name, weight in params.items()}
    one = {name: replace(term, lam=term.lam[:1]) for name, term in terms.items()}
    alone = replace(task, arms=arms.take(torch.tensor([0])), terms=one, keep=None)
    for foreign in (b"", b"no tensors", kept[1][:-9], kept[1]):  # the last is of three networks
        read.clear()
        fit_stream(replace(alone, known=foreign), fewer)
        assert len(read) == 32, "what is not of this training is not gone on from"


@pytest.mark.parametrize("stop", [0.1, 0.6, 0.9])
def test_a_run_that_was_stopped_in_a_pass_goes_on_and_ends_with_the_same_bytes(
    file: Path, whole: tuple[Path, list[int], Decision], tmp_path: Path, stop: float
) -> None:
    undisturbed, steps, _ = whole
    kept(file, tmp_path, stop)
    assert not (tmp_path / "decision.json").exists()
    finished = {"passes over the file": int(2 * stop)} if stop > 0.5 else {}
    now = status_of(tmp_path)
    assert (now["state"], now["decided"], now["parts"]) == ("stopped", False, finished)
    again, _ = kept(file, tmp_path, resume=True)
    assert again == steps[int(2 * stop) * len(steps) // 2 :], "finished passes are not made again"
    assert kept(file, tmp_path, resume=True)[0] == [], "a finished run is not trained again"
    now = status_of(tmp_path)
    assert (now["state"], now["decided"], now["parts"]) == ("finished", True, {"passes over the file": 2})
    for name in ("model.safetensors", "figures.json", "results.parquet", "decision.json"):
        one, other = ((folder / name).read_bytes() for folder in (undisturbed, tmp_path))
        if name == "decision.json":
            one, other = (re.sub(rb'"seconds": *[0-9.]+', b"", content) for content in (one, other))
        assert one == other, name


def test_the_certificate_of_a_stream_is_that_of_all_rows() -> None:
    engine, params, terms, _, x, y = problem()
    sums = Certifier(engine, params)
    for at in torch.arange(900).split(97):
        sums.add(Rows(x[at], y[at]))
    double = {k: w.double() for k, w in params.items()}
    exact = certificate(
        engine, double, Rows(x.double(), y.double()), {k: t.take(torch.arange(3)) for k, t in terms.items()}
    )
    assert sums.rows == 900
    assert torch.allclose(sums.kkt(terms), exact, rtol=1e-5, atol=1e-7)
    assert torch.allclose(sums.loss(), engine.losses(double, x.double(), y.double()), rtol=1e-6)


def test_scores_from_counts_are_those_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 5000)
    z = rng.normal(0, 2, (5000, 3)) + 2 * np.eye(3)[y]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    for said, truth in ((p, y), (p[:, :2] / p[:, :2].sum(1, keepdims=True), np.minimum(y, 1))):
        scores = Binned(said.shape[1])
        for at in np.array_split(np.arange(5000), 7):
            scores.add(truth[at].astype(float), said[at], at)
        found, exact = scores.intervals(0), score("classification", truth, said)
        assert scores.error < 1e-4
        for name, value in exact.items():
            assert abs(found[name].mean - value) < (1e-4 if name in ("auroc", "average_precision") else 1e-12), name
            assert found[name].low < value < found[name].high and found[name].high - found[name].low < 0.1


def test_sums_of_a_regression_are_those_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    y = 1e6 + rng.standard_normal(3000)
    said = (y + rng.normal(0, 0.5, 3000))[:, None]
    scores = Summed()
    for at in np.array_split(np.arange(3000), 5):
        scores.add(y[at], said[at], at)
    found, exact = scores.intervals(0), score("regression", y, said)
    for name, value in exact.items():
        assert found[name].mean == pytest.approx(value, rel=1e-6) and found[name].low < value < found[name].high


def rows_of(file: Path, decision: Decision, role: int) -> tuple[np.ndarray, np.ndarray]:
    """Encoded rows and class codes of one role, all of them in memory."""
    facts, table = decision.summary["stream"], pl.read_parquet(file)
    share = min(0.1, 100_000 / (ROWS * 0.8))
    at = np.flatnonzero(Roles(0, share).of(np.arange(ROWS)) == role)
    name = {SEALED: "sealed", VALID: "valid", TRAIN: "train"}[role]
    assert len(at) == facts[name]
    assert decision.model is not None
    values, _ = values_from_frame(dict(decision.model.schema), table[at])
    return decision.model.encoder.transform(values), (table["ill"][at].to_numpy() == "yes").astype(int)


def test_the_decision_says_on_which_rows_each_number_rests(file: Path, decision: Decision) -> None:
    facts = decision.summary["stream"]
    assert facts["train"] + facts["valid"] + facts["sealed"] == ROWS == decision.summary["table"]["rows"]
    assert facts["sample"] == 2500 == decision.summary["plan"]["sample"]
    assert facts["representative"]["ok"] and facts["moments"]["smd"] < 0.1
    assert facts["passes"] == 2 and len(facts["valid_loss"]) == 3
    assert decision.summary["final"]["rows"] == facts["sealed"]
    assert (
        "streamed" in decision.summary["warnings"][0] and f"{facts['train']:,} rows" in decision.summary["warnings"][0]
    )
    for i, last in enumerate(np.min(facts["valid_loss"], axis=0)):
        assert last <= facts["valid_loss"][0][i]


def test_the_sealed_scores_and_the_certificate_are_those_of_the_rows_in_memory(file: Path, decision: Decision) -> None:
    model, summary = decision.model, decision.summary
    assert isinstance(model, Model)
    x, y = rows_of(file, decision, SEALED)
    said = model.outputs(x)
    final, slack = summary["final"], summary["stream"]["binning_error"] + 1e-6
    assert abs(final["auroc"]["mean"] - roc_auc_score(y, said[:, 1])) < slack < 1e-3
    assert abs(final["average_precision"]["mean"] - average_precision_score(y, said[:, 1])) < 1e-3
    assert final["accuracy"]["mean"] == pytest.approx((said.argmax(1) == y).mean(), abs=1e-12)
    assert final["log_loss"]["mean"] == pytest.approx(log_loss(y, said[:, 1]), rel=1e-6)
    assert final["auroc"]["low"] < final["auroc"]["mean"] < final["auroc"]["high"]
    x, y = rows_of(file, decision, TRAIN)
    lam = torch.full((3,), decision.verdict["lam"], dtype=torch.float64)
    groups = by_variable(
        (x.shape[1], model.spec.first_width), torch.as_tensor(model.encoder.layout.group), model.variables
    )
    terms = terms_for(model.spec, by_name(decision.verdict["penalty"]), lam, groups)
    params = {k: w.double() for k, w in model.params.items()}
    rows = Rows(torch.as_tensor(x).double(), torch.as_tensor(y).double())
    exact = certificate(BatchedEngine(model.spec, model.loss), params, rows, terms)
    assert summary["stream"]["kkt"] == pytest.approx(exact.tolist(), rel=1e-3, abs=1e-6)


def test_sealed_rows_move_nothing_and_others_do(file: Path, decision: Decision, tmp_path: Path) -> None:
    table = pl.read_parquet(file)
    sealed = pl.Series(is_sealed(np.arange(ROWS), 0))
    flipped = pl.when(pl.col("ill") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
    changed = table.with_columns(
        x0=pl.when(sealed).then(pl.col("x0") * 9).otherwise(pl.col("x0")),
        ill=pl.when(sealed).then(flipped).otherwise(pl.col("ill")),
    )
    changed.write_parquet(tmp_path / "big.parquet", row_group_size=1000)
    again = decided(tmp_path / "big.parquet")
    assert again.model is not None and decision.model is not None
    assert again.verdict == decision.verdict and again.summary["table"]["sha256"] == decision.summary["table"]["sha256"]
    for name, weight in decision.model.params.items():
        assert torch.equal(weight, again.model.params[name]), name
    assert again.summary["stream"]["kkt"] == decision.summary["stream"]["kkt"]
    assert again.summary["final"]["auroc"]["mean"] < 0.5 < decision.summary["final"]["auroc"]["mean"]


@pytest.mark.parametrize("selected", [True, False])
def test_variables_that_a_selection_left_out_stay_exactly_zero(file: Path, decision: Decision, selected: bool) -> None:
    model = decision.model
    assert isinstance(model, Model)
    out = np.isin(np.array(model.variables)[model.encoder.layout.group], ["x0", "kind"])
    first = model.params["first"].clone()
    first[:, torch.as_tensor(out)] = 0.0
    facts = {**model.facts, "penalty": "l1", "lam": 1e-6}
    params = {**model.params, "first": first, "b_out": model.params["b_out"] + 2}
    model = replace(model, params=params, facts=facts)
    large = open_large(file, "ill", make_options(), size=2500, block=BLOCK)
    run = start_run(large, model, selected, None, 0, "cpu")
    counted = count(run, lambda done, total: None)
    fitted, _ = train(run, counted, run.rows(joined(counted.valid)), 1, 256, 0, lambda done, total: None)
    after = fitted.params["first"][:, torch.as_tensor(out)]
    assert not torch.equal(fitted.params["first"], first)
    assert bool((after == 0.0).all()) is selected


def test_the_command_line_streams_by_itself_and_its_folder_is_a_usual_one(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(route, "available", lambda: 5_000_000)
    out = tmp_path / "out"
    words = ["choose", str(file), "--target", "ill", "--out", str(out), "--hidden", "8", "--folds", "3", "--seeds", "1",
             "--epochs", "4", "--workers", "1", "--no-validation", "--budget", "10s", "--quiet"]  # fmt: skip
    assert main(words) == 0
    assert "sealed rows" in capsys.readouterr().out
    again = read_decision(out)
    assert json.loads((out / "decision.json").read_text())["stream"]["file_rows"] == ROWS
    assert isinstance(again.model, Model) and len(again.model.predict(pl.read_parquet(file).head(50))) == 50
    frame(40, seed=3).write_csv(tmp_path / "new.csv")
    assert main(["predict", str(out), str(tmp_path / "new.csv"), "--quiet"]) == 0
    assert main(["inspect", str(out), "--quiet"]) == 0
    assert main(["report", str(out), "--quiet"]) == 0
    assert "streamed" in (out / "report.html").read_text()


def test_a_bad_cell_far_down_is_named_by_its_row(tmp_path: Path) -> None:
    table = frame(6000)
    at = int(np.flatnonzero(~is_sealed(np.arange(6000), 0))[-1])
    bad = table.with_columns(x0=pl.when(pl.int_range(6000) == at).then(float("inf")).otherwise(pl.col("x0")))
    bad.write_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=rf"row {at + 1}, column x0"):
        decided(tmp_path / "t.parquet")
