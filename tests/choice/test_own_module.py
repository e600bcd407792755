"""choose on a user's own module: the same questions, exact zeros, and the module handed back."""

from __future__ import annotations

import functools
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import riata
from riata.choice.decision import Decision
from riata.choice.own_data import can_travel, own_body, own_table, tensors
from riata.engines.loop import LoopEngine
from riata.errors import InputError
from riata.population.design import Design, Member, Split, Training
from riata.population.run import Blocks, train_population

SMALL: dict[str, Any] = {
    "epochs": 15, "folds": 3, "seeds": 1, "path_length": 5, "workers": 1, "device": "cpu", "batch_size": 32,
    "penalties": ["none", "l2", "group_lasso"],
}  # fmt: skip


def mlp(inputs: int = 6, outputs: int = 1) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 8), nn.ReLU(), nn.Linear(8, outputs))


def noisy() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))


class Recurrent(nn.Module):
    """An LSTM over 5 steps of 3 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 6, batch_first=True)
        self.out = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return one number from the last step."""
        last: Tensor = self.out(self.lstm(x)[0][:, -1])
        return last


class Words(nn.Module):
    """An embedding and a small MLP on 4 ids."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 3)
        self.hidden, self.out = nn.Linear(12, 8), nn.Linear(8, 2)

    def forward(self, ids: Tensor) -> Tensor:
        """Return two logits."""
        logits: Tensor = self.out(torch.relu(self.hidden(self.table(ids).flatten(1))))
        return logits


class Pictures(nn.Module):
    """Two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.out = nn.Conv2d(1, 6, 3), nn.Linear(6 * 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return three logits."""
        logits: Tensor = self.out(torch.max_pool2d(torch.relu(self.first(x)), 2).flatten(1))
        return logits


def rows(n: int = 150, seed: int = 0) -> tuple[Tensor, Tensor]:
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))
    return x, 3 + 2 * x[:, 0] - x[:, 1] + 0.3 * torch.randn(n, generator=torch.Generator().manual_seed(seed + 1))


@pytest.fixture(scope="module")
def found() -> Decision:
    names = ["a", "b", "c", "d", "e", "f"]
    return riata.choose(mlp, rows(), rows(60, 5), names=names, **{**SMALL, "epochs": 40, "goal": "selection"})


def test_the_whole_way_with_a_module(found: Decision, tmp_path: Path) -> None:
    assert found.summary["final"]["method"] == "sealed rows" and found.summary["final"]["rows"] == 60
    assert set(found.scores) == {"constant", *SMALL["penalties"]}
    assert found.verdict["penalty"] == "group_lasso" and {"a", "b"} <= set(found.kept)
    assert found.summary["final"]["r2"]["mean"] > 0.7
    assert any("penalised is 0.weight, in 6 groups" in w for w in found.summary["warnings"])
    found.save(tmp_path / "out")
    assert (tmp_path / "out" / "weights.safetensors").exists()
    again = riata.read_decision(tmp_path / "out")
    assert again.model is None and again.verdict == found.verdict
    assert 'id="q-' in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_the_modules_handed_back_have_the_zeros_and_the_outputs(found: Decision) -> None:
    model: Any = found.model
    x, y = rows(40, 9)
    modules = model.modules()
    assert len(modules) == SMALL["folds"]
    for name in found.dropped:
        at = model.variables.index(name)
        assert all(bool((m[0].weight[:, at] == 0.0).all()) for m in modules)
    with torch.no_grad():
        mean = torch.stack([m(x) for m in modules]).mean(0)[:, 0] * model.y_scale + model.y_centre
        assert torch.allclose(mean, model.module()(x)[:, 0], atol=1e-5)
    assert np.allclose(model.predict(x), mean.numpy(), atol=1e-4)
    assert np.corrcoef(model.predict(x), y)[0, 1] > 0.8
    with pytest.raises(InputError, match="expected"):
        model.predict(x[:, :5])


@pytest.mark.parametrize("form", ["pair", "arrays", "dataset", "loader"])
def test_data_come_in_any_usual_form(form: str) -> None:
    x, y = rows(30)
    given: Any = {
        "pair": (x, y), "arrays": (x.numpy(), y.numpy()), "dataset": TensorDataset(x, y),
        "loader": DataLoader(TensorDataset(x, y), 7),
    }[form]  # fmt: skip
    got = tensors(given, "train")
    assert torch.equal(got[0], x) and torch.equal(got[1], y)


@pytest.mark.parametrize(
    ("make", "data", "said"),
    [
        (mlp, rows(60)[0], "pairs"),
        (lambda: 3, rows(60), "expected a torch module"),
        (functools.partial(mlp, 5), rows(60), "does not take inputs"),
        (functools.partial(mlp, 6, 2), rows(60), "expected 1 output"),
        (functools.partial(mlp, 6, 3), (rows(60)[0], torch.arange(60) % 2), "expected 2 outputs"),
        (mlp, (torch.full((60, 6), float("nan")), rows(60)[1]), "not finite"),
        (lambda: nn.BatchNorm1d(6), rows(60), "nothing in the module can be penalised"),
    ],
)
def test_what_does_not_fit_is_said(make: Any, data: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        riata.choose(make, data, **SMALL)


def test_a_table_takes_no_module_arguments() -> None:
    with pytest.raises(InputError, match="belong to a module"):
        riata.choose(np.zeros((9, 2)), np.arange(9.0), valid=rows())


def body(make: Any, x: Tensor, y: Tensor) -> Any:
    return own_body(make, x, y, own_table(x, y, "t"), "cpu", None)


def test_vmap_is_used_where_it_gives_what_the_loop_gives() -> None:
    x, y = rows(40)
    own = body(mlp, x, y)
    assert own.batched and own.reason == ""
    params, engine = own.start_of(3), own.engine()
    params["first"].mul_(torch.tensor([1.0, 0.5, 2.0]).reshape(3, 1, 1))
    reference = LoopEngine(own.factory(), own.loss)
    renamed = {engine.names[k]: w for k, w in params.items()}
    for a, b in zip(engine.grads(params, x, y), reference.grads(renamed, x, y), strict=True):
        if isinstance(a, dict):
            assert all(torch.allclose(g, b[engine.names[k]], atol=1e-5) for k, g in a.items())
        else:
            assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(("make", "why"), [(normed, "running means"), (Recurrent, "recurrent")])
def test_where_vmap_cannot_be_used_the_reason_is_said(make: Any, why: str) -> None:
    x, y = rows(40)
    own = body(make, x if make is normed else torch.randn(40, 5, 3), y)
    assert not own.batched and why in own.reason


@pytest.mark.parametrize("make", [mlp, noisy, normed])
def test_a_members_result_does_not_depend_on_the_others(make: Any) -> None:
    x, y = rows(90)
    own = body(make, x, y)
    blocks = Blocks(x[None].numpy(), y[None].numpy(), np.arange(6), own.groups.names, own.loss, "cpu", own)
    split = Split(0, np.arange(50), np.arange(50, 70), np.arange(70, 90))
    members = tuple(Member("group_lasso", lam, 0.0, 0, s) for s in (0, 1) for lam in (0.5, 0.1, 0.01))
    training = Training(epochs=6, batch_size=16, patience=6)
    design = Design(members, (split,), training)
    together = train_population(blocks, design).members
    for i, member in enumerate(together):
        alone = train_population(blocks, Design((members[i],), (split,), training)).members[0]
        assert alone.valid_loss == pytest.approx(member.valid_loss, rel=2e-4)
        assert np.array_equal(alone.norms > 0, member.norms > 0)


def test_dropout_is_shared_by_the_members_of_a_seed_and_off_in_evaluation() -> None:
    x, y = rows(30)
    own = body(noisy, x, y)
    params, engine = own.start_of(2), own.engine()
    once, again = (engine.grads(params, x, y, masks=[torch.tensor(7)])[1]["first"] for _ in range(2))
    other = engine.grads(params, x, y, masks=[torch.tensor(8)])[1]["first"]
    assert torch.equal(once, again) and torch.equal(once[0], once[1]) and not torch.equal(once, other)
    assert torch.equal(engine.predict(params, x), engine.predict(params, x))


def test_training_leaves_the_global_generator_alone() -> None:
    x, y = rows(30)
    own = body(noisy, x, y)
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    body(noisy, x, y)
    own.engine().grads(own.start_of(2), x, y, masks=[torch.tensor(7)])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_running_means_are_kept_for_each_member() -> None:
    x, y = rows(60)
    own = body(normed, x, y)
    params = own.start_of(2)
    engine = own.engine()
    engine.grads(params, x + torch.tensor([5.0]), y, masks=[torch.tensor(0)])
    assert float(params["buffer:1.running_mean"].abs().sum()) > 0
    assert all(float(engine.grads(params, x, y)[1][k].abs().sum()) == 0 for k in params if k.startswith("buffer:"))


@pytest.mark.parametrize(
    ("make", "shape", "classes", "groups"),
    [(Pictures, (1, 6, 6), 3, 6), (Recurrent, (5, 3), 0, 3), (Words, (4,), 2, 8)],
)
def test_convolution_recurrence_and_embedding_are_decided(
    make: Any, shape: tuple[int, ...], classes: int, groups: int
) -> None:
    draw = torch.Generator().manual_seed(0)
    if make is Words:
        x = torch.randint(0, 7, (120, *shape), generator=draw)
        y = (x[:, 0] > 3).long()
    else:
        x = torch.randn(120, *shape, generator=draw)
        flat = x.reshape(120, -1)
        y = (flat[:, 0] > 0).long() + (flat[:, 1] > 0).long() if classes else flat[:, -1] + 0.1 * flat[:, -2]
    quick = {**SMALL, "epochs": 4, "path_length": 3, "penalties": ["group_lasso"]}
    decision = riata.choose(make, (x, y), **quick)
    assert len(decision.kept) + len(decision.dropped) == groups == decision.summary["table"]["variables"]
    assert decision.html().startswith("<!doctype html>")
    assert decision.model is not None and len(decision.model.predict(x[:4])) == 4


def test_only_what_a_worker_can_import_travels() -> None:
    assert can_travel(nn.Identity) and can_travel(functools.partial(nn.Linear, 6, 1))
    assert not can_travel(lambda: mlp())
    stranger = types.FunctionType(mlp.__code__, {}, "mlp")
    stranger.__module__ = "no_such_module_anywhere"
    assert not can_travel(stranger)


def test_workers_change_nothing() -> None:
    quick = {**SMALL, "epochs": 5, "path_length": 3, "penalties": ["group_lasso"]}
    make = functools.partial(nn.Linear, 6, 1)
    one, two = (riata.choose(make, rows(), **{**quick, "workers": w}) for w in (1, 2))
    for key in ("verdict", "scores", "kept", "norms", "final", "path"):
        assert one.summary[key] == two.summary[key]


class Attending(nn.Module):
    """A small transformer encoder over 4 steps of 6 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(6, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.out = nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return one number from the mean over the steps."""
        said: Tensor = self.out(self.encoder(self.read(x)).mean(1))
        return said


@pytest.mark.parametrize(
    ("make", "shape", "inputs_drop"),
    [
        (mlp, (6,), True), (Pictures, (1, 6, 6), False), (Recurrent, (5, 3), True), (Attending, (4, 6), True),
        (Words, (4,), False),
    ],
)  # fmt: skip
def test_what_a_module_dropped_is_taken_out_of_it(make: Any, shape: tuple[int, ...], inputs_drop: bool) -> None:
    from riata.compact import compact

    x = torch.randn(120, *shape, generator=torch.Generator().manual_seed(0))
    y = x.reshape(120, -1)[:, 0] * 2
    if make is Words:
        x = torch.randint(0, 7, (120, 4), generator=torch.Generator().manual_seed(0))
        y = (x[:, 0] > 3).long()
    elif make is Pictures:
        y = (y > 0).long() + (x.reshape(120, -1)[:, 1] > 0).long()
    quick = {**SMALL, "epochs": 12, "path_length": 6, "penalties": ["group_lasso"], "goal": "selection"}
    model: Any = riata.choose(make, (x, y), **quick).model
    module = model.modules()[0]
    with torch.no_grad():  # whatever the run kept, some groups are out
        first = dict(module.named_parameters())[model.own.first]
        kept = torch.ones(len(model.own.groups))
        kept[1:] = 0
        first.mul_(model.own.groups.to("cpu", torch.float32).spread(kept.unsqueeze(0))[0])
        small = compact(module, x[:3])
        assert torch.allclose(small.module(*small.select(x)), module(x), atol=1e-5)
    assert sum(p.numel() for p in small.module.parameters()) < sum(p.numel() for p in module.parameters())
    assert not inputs_drop or small.select(x)[0].shape[-1] == 1


def test_the_report_says_how_large_the_model_is(found: Decision) -> None:
    size: Any = (found.figures or {})["size"]
    assert size["after"]["parameters"] < size["before"]["parameters"] == 6 * 8 + 8 + 8 + 1
    assert "when compacted" in found.html()
