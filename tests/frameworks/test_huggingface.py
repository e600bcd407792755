"""The Hugging Face callback: the Trainer's own AdamW with a prox, exact zeros, and refusals in words."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

import riata.huggingface  # noqa: E402
from riata.errors import InputError  # noqa: E402
from riata.huggingface import RiataProx  # noqa: E402
from riata.penalties import L1, L2, GroupLasso  # noqa: E402
from riata.torch import adopt, attach_prox  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

N, D = 32, 6
RULES = {"first.weight": ("input", GroupLasso(), 0.05), "*": (L2(), 1e-3)}


class Config(transformers.PretrainedConfig):
    model_type = "small"


class Small(transformers.PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.first, self.last = nn.Linear(D, 8), nn.Linear(8, 1)
        self.post_init()

    def forward(self, x=None, labels=None):
        out = self.last(torch.relu(self.first(x)))[:, 0]
        return {"loss": 0.5 * (out - labels).square().mean(), "logits": out}


class Rows(Dataset):
    def __init__(self):
        draw = torch.Generator().manual_seed(0)
        self.x = torch.randn(N, D, generator=draw)
        self.y = self.x[:, 0] - 0.8 * self.x[:, 1]

    def __len__(self):
        return N

    def __getitem__(self, i):
        return {"x": self.x[i], "labels": self.y[i]}


def small():
    torch.manual_seed(0)
    return Small(Config())


def train(model, callback, path, data=None, optimizer=None, **options):
    told = {"max_steps": 60, "learning_rate": 0.02, "max_grad_norm": 0.0, "optim": "adamw_torch"}
    args = transformers.TrainingArguments(
        output_dir=str(path),
        per_device_train_batch_size=N,
        lr_scheduler_type="constant",
        logging_steps=10,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
        **{**told, **options},
    )
    trainer = transformers.Trainer(
        model, args, train_dataset=data or Rows(), callbacks=[callback], optimizers=(optimizer, None)
    )
    trainer.train()
    return trainer


def test_equals_a_loop_of_ones_own(tmp_path):
    model, callback = small(), RiataProx(rules=RULES)
    train(model, callback, tmp_path, train_sampling_strategy="sequential")
    wanted, data = small(), Rows()
    optimizer = torch.optim.AdamW(wanted.parameters(), lr=0.02, weight_decay=0.0)
    attach_prox(optimizer, adopt(wanted, rules=RULES))
    for _ in range(60):
        optimizer.zero_grad()
        wanted(data.x, data.y)["loss"].backward()
        optimizer.step()
    for p, q in zip(model.parameters(), wanted.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-6)
        assert torch.equal(p == 0, q == 0)
    dead, count = callback.adopted.zeros()["first.weight"]
    assert count == D and 0 < dead < D


def test_logs_zeros_and_the_residual_of_an_unclipped_gradient(tmp_path):
    model, callback = small(), RiataProx(rules=RULES)
    trainer = train(model, callback, tmp_path)
    logs = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert len(logs) == 6 and all("riata_kkt_step" in entry for entry in logs)
    assert logs[-1]["riata_zero_groups"] == sum(dead for dead, _ in callback.adopted.zeros().values()) > 0
    assert logs[-1]["riata_kkt_step"] < logs[0]["riata_kkt_step"]
    clipped = train(small(), RiataProx(rules=RULES), tmp_path, max_grad_norm=1.0)
    assert not any("riata_kkt_step" in entry for entry in clipped.state.log_history)


@pytest.mark.parametrize(
    "options",
    [{"gradient_accumulation_steps": 2}, {"bf16": True}, {"optim": "adamw_torch_fused"}, {"optim": "sgd"}],
    ids=str,
)
def test_exact_zeros(options, tmp_path):
    model, callback = small(), RiataProx(rules=RULES)
    train(model, callback, tmp_path, **{"max_steps": 120, **options})
    assert model.first.weight.dtype == torch.float32
    assert 0 < callback.adopted.zeros()["first.weight"][0] < D


def test_a_small_bert_loses_feed_forward_units(tmp_path):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=12,
        max_position_embeddings=8,
    )
    model = transformers.BertForSequenceClassification(config)
    callback = RiataProx(rules={"*.intermediate.dense.weight": ("output", GroupLasso(), 2e-4)})
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(1, 30, (N, 8), generator=draw)
    data = [{"input_ids": row, "labels": int(row[0] > 15)} for row in ids]
    train(model, callback, tmp_path, data=data, max_steps=30, learning_rate=1e-2)
    ((name, (dead, count)),) = callback.adopted.zeros().items()
    assert name.endswith("layer.0.intermediate.dense.weight") and 0 < dead < count == 12
    weight = model.bert.encoder.layer[0].intermediate.dense.weight
    assert int((weight == 0.0).all(1).sum()) == dead


def test_refuses_in_words(tmp_path):
    with pytest.raises(InputError, match="Adafactor"):
        train(small(), RiataProx(L1(), 0.1), tmp_path, optim="adafactor")
    model = small()
    momentum = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with pytest.raises(InputError, match=r"true step lr/\(1 - momentum\)"):
        train(model, RiataProx(L1(), 0.1), tmp_path, optimizer=momentum)
    with pytest.raises(InputError, match="fits no parameter"):
        train(small(), RiataProx(rules={"frist.weight": (L1(), 0.1)}), tmp_path)


def test_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'riata\[huggingface\]'"):
        runpy.run_path(str(Path(riata.huggingface.__file__)))
