"""The Lightning callback: the same weights as a loop of one's own, with accumulation, clipping and bfloat16."""

from __future__ import annotations

import importlib.util
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

lightning = pytest.importorskip("lightning.pytorch")

from sklearn.linear_model import Lasso  # noqa: E402

import riata.lightning  # noqa: E402
from riata.errors import InputError  # noqa: E402
from riata.lightning import RiataProx  # noqa: E402
from riata.penalties import L1, L2, GroupLasso  # noqa: E402
from riata.torch import ProxAdam, adopt, attach_prox  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

N, D, LAM = 64, 6, 0.1
RULES = {"0.weight": ("input", GroupLasso(), 0.15), "*": (L2(), 1e-3)}


def rows():
    draw = np.random.default_rng(0)
    x = draw.standard_normal((N, D))
    return x, (x[:, :1] - 0.8 * x[:, 1:2] + 0.2 * draw.standard_normal((N, 1)))


X, Y = (torch.from_numpy(a).float() for a in rows())


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(D, 8), nn.ReLU(), nn.Linear(8, 1))


class Module(lightning.LightningModule):
    def __init__(self, net, make, automatic=True):
        super().__init__()
        self.net, self.make = net, make
        self.automatic_optimization = automatic

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, _):
        x, y = batch
        return 0.5 * (self.net(x) - y).square().mean()

    def configure_optimizers(self):
        return self.make(self.net.parameters())


def adam(params):
    return torch.optim.Adam(params, lr=0.01)


def fit(net, callback, make=adam, epochs=10, batch=16, data=(X, Y), automatic=True, **options):
    trainer = lightning.Trainer(
        max_epochs=epochs,
        callbacks=[callback],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        devices=1,
        log_every_n_steps=1,
        **options,
    )
    trainer.fit(Module(net, make, automatic), DataLoader(TensorDataset(*data), batch_size=batch))
    return trainer


def by_hand(epochs, batch, accumulate=1, clip=None):
    """The same training without Lightning."""
    net = network()
    optimizer = adam(net.parameters())
    attach_prox(optimizer, adopt(net, rules=RULES))
    for _ in range(epochs):
        for k, start in enumerate(range(0, N, batch), 1):
            x, y = X[start : start + batch], Y[start : start + batch]
            (0.5 * (net(x) - y).square().mean() / accumulate).backward()
            if k % accumulate == 0:
                if clip is not None:
                    nn.utils.clip_grad_norm_(net.parameters(), clip)
                optimizer.step()
                optimizer.zero_grad()
    return net


@pytest.mark.parametrize(
    ("options", "hand"),
    [
        ({}, {}),
        ({"accumulate_grad_batches": 2}, {"accumulate": 2}),
        ({"gradient_clip_val": 0.5}, {"clip": 0.5}),
    ],
    ids=["plain", "accumulated", "clipped"],
)
def test_equals_a_loop_of_ones_own(options, hand):
    net, callback = network(), RiataProx(rules=RULES, module="net")
    fit(net, callback, epochs=25, **options)
    wanted = by_hand(25, 16, **hand)
    for p, q in zip(net.parameters(), wanted.parameters(), strict=True):
        assert torch.equal(p, q)
    dead, count = callback.adopted.zeros()["0.weight"]
    assert count == D and 0 < dead < D


def test_full_batches_reach_the_lasso_and_the_log_certifies_it():
    x, y = rows()
    net = nn.Linear(D, 1, dtype=torch.float64)
    callback = RiataProx(L1(), LAM, module="net")
    trainer = fit(
        net,
        callback,
        make=lambda params: torch.optim.SGD(params, lr=0.5),
        epochs=120,
        batch=N,
        data=(torch.from_numpy(x), torch.from_numpy(y)),
    )
    exact = Lasso(alpha=LAM, tol=1e-14).fit(x, y[:, 0])
    np.testing.assert_allclose(net.weight.detach().numpy()[0], exact.coef_, atol=1e-8)
    assert np.array_equal(net.weight.detach().numpy()[0] == 0.0, exact.coef_ == 0.0)
    assert trainer.callback_metrics["riata/kkt_step"] <= 1e-6
    assert trainer.callback_metrics["riata/zero_groups"] == (exact.coef_ == 0.0).sum() > 0


def test_the_residual_is_that_of_the_gradient_before_clipping():
    found = []
    for clip in (None, 1e-3):
        trainer = fit(network(), RiataProx(rules=RULES, module="net"), epochs=1, batch=N, gradient_clip_val=clip)
        found.append(float(trainer.callback_metrics["riata/kkt_step"]))
    assert found[0] == found[1] > 0.05


def test_bfloat16_mixed_keeps_float32_weights_with_exact_zeros():
    net, callback = network(), RiataProx(rules=RULES, module="net")
    fit(net, callback, epochs=25, precision="bf16-mixed")
    assert net[0].weight.dtype == torch.float32
    assert 0 < callback.adopted.zeros()["0.weight"][0] < D
    plain = by_hand(25, 16)
    assert not torch.equal(net[0].weight, plain[0].weight)


def test_bfloat16_weights_get_exact_zeros():
    net, callback = network(), RiataProx(rules=RULES, module="net")
    fit(net, callback, epochs=25, precision="bf16-true")
    assert net[0].weight.dtype == torch.bfloat16
    assert callback.adopted.zeros()["0.weight"][0] > 0


def test_the_whole_module_is_adopted_by_default():
    callback = RiataProx(rules={"net.0.weight": ("input", GroupLasso(), 1e3)})
    net = network()
    fit(net, callback, epochs=1)
    assert callback.adopted.zeros() == {"net.0.weight": (D, D)}
    assert not bool(net[0].weight.any())


def test_the_prox_ends_with_the_fit():
    kept = []

    def make(params):
        kept.append(adam(params))
        return kept[-1]

    net, callback = network(), RiataProx(L1(), 1e3, module="net")
    fit(net, callback, make=make, epochs=1)
    assert not bool(net[0].weight.any())
    fit(net, callback, make=make, epochs=1)  # a second fit has a new optimizer
    net[0].weight.grad = torch.ones_like(net[0].weight)
    kept[-1].step()
    assert bool(net[0].weight.all())


@pytest.mark.parametrize(
    ("make", "module", "said"),
    [
        (lambda p: torch.optim.RMSprop(p, lr=0.1), "net", "RMSprop"),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), "net", r"true step lr/\(1 - momentum\)"),
        (lambda p: ProxAdam(p, lr=0.1), "net", "takes its own prox"),
        (lambda p: [torch.optim.SGD([w], lr=0.1) for w in p], "net", "4 optimizers; expected one"),
        (adam, "body", "no submodule 'body'; expected one of net"),
    ],
)
def test_refuses_in_words(make, module, said):
    with pytest.raises(InputError, match=said):
        fit(network(), RiataProx(L1(), 0.1, module=module), make=make, epochs=1, automatic="4 opt" not in said)


def test_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'riata\[lightning\]'"):
        runpy.run_path(str(Path(riata.lightning.__file__)))
