"""Small populations for these tests."""

from __future__ import annotations

import numpy as np
import torch

from riata.engines import BatchedEngine, Loss, NetworkSpec
from riata.groups import by_variable
from riata.penalties import by_name
from riata.population.design import Design, Member, Split, Training
from riata.population.run import Blocks
from riata.population.train import Arms, Rows, Task, fit_minibatch, start, terms_for

D = 7
INDEX = [0, 0, 1, 2, 3, 3, 4]
QUICK = Training(epochs=6, batch_size=16, hidden=(6, 5), patience=3)


def table(rows=90, kind="logistic", seed=0):
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((rows, D)).astype(np.float32)
    signal = 1.5 * x[:, 0] - x[:, 2] + np.abs(x[:, 3]) - 0.8 + 0.5 * draw.standard_normal(rows)
    if kind == "squared":
        return x, signal.astype(np.float32)
    codes = np.digitize(signal, [0.0] if kind == "logistic" else [-1.0, 1.0])
    return x, codes.astype(np.float32)


def rows_of(x, y):
    return Rows(torch.from_numpy(x), torch.from_numpy(y))


def arms_for(lams, dropout=0.0, lr=0.01):
    lam = torch.tensor(lams, dtype=torch.float32)
    p = torch.as_tensor(dropout, dtype=torch.float32).expand_as(lam).clone()
    return Arms(lam, p, torch.as_tensor(lr, dtype=torch.float32).expand_as(lam).clone())


def fit(arms, penalty="group_lasso", training=QUICK, kind="logistic", seed=0, valid=True, table_of=None):
    """Train members on the first 60 rows of a small table and stop by the last 30."""
    x, y = table(kind=kind) if table_of is None else table_of
    loss = Loss(kind, 3 if kind == "softmax" else 1)
    spec = NetworkSpec(
        D, loss.outputs, training.hidden, training.activation, training.form, training.skip, training.upper_ridge
    )
    engine = BatchedEngine(spec, loss)
    groups = by_variable((D, spec.first_width), INDEX, list("abcde")).to("cpu", torch.float32)
    terms = terms_for(spec, by_name(penalty), arms.lam, groups)
    cut = len(y) * 2 // 3
    train, held = rows_of(x[:cut], y[:cut]), rows_of(x[cut:], y[cut:])
    params = start(spec, loss, train, seed, len(arms.lam))
    return fit_minibatch(Task(engine, train, held if valid else None, terms, arms, training, seed), params)


def blocks(kind="logistic"):
    x, y = table(kind=kind)
    loss = Loss(kind, 3 if kind == "softmax" else 1)
    return Blocks(x[None], y[None], np.array(INDEX), tuple("abcde"), loss)


def design(penalties=("l1", "group_lasso"), lams=(0.003, 0.03, 0.3), training=QUICK, **facts):
    members = tuple(
        Member(penalty, lam, split=split, seed=seed, **facts)
        for penalty in penalties
        for split, seed in ((0, 0), (1, 1))
        for lam in lams
    )
    rows = np.arange(90)
    splits = (Split(0, rows[:50], rows[50:70], rows[70:]), Split(1, rows[40:], rows[20:40], rows[:20]))
    return Design(members, splits, training)


def same(a, b):
    """Whether two member results agree in every bit."""
    return all(
        np.array_equal(x, y, equal_nan=True) if isinstance(x, np.ndarray) else x == y or (x != x and y != y)
        for x, y in zip(vars(a).values(), vars(b).values(), strict=True)
    )
