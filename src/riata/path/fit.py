"""One penalty's whole path of strengths, on folds and on all rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.say import refuse
from ..engines import BatchedEngine, Loss, NetworkSpec
from ..engines.threads import one_thread
from ..groups import Groups, by_variable
from ..penalties import GroupLasso, Penalty
from ..population.design import Training
from ..population.hands import Staff, staff
from ..population.solve import NOT_CONVERGED, certificate, objective
from ..population.train import OK, Rows
from ..updates import Term
from .frame import Frame, prepare, read_lams
from .inputs import Inputs, read_inputs
from .linear import LinearPath, linear_lam_max, linear_path
from .network import Job, Plan, certify, fold_outputs, run_path
from .options import PathOptions, default_batch, default_epochs
from .result import Fits, PathResult
from .score import PathScores, held_out, summarise
from .strengths import RATIO, grid, lam_max, starting_point

LINEAR_TOL = 1e-9
ABOVE = 1 + 1e-9
"""The top of a linear path over lam_max, so that rounding leaves nothing in."""


@one_thread()
def fit_path(
    X: Any,
    y: Any,
    penalty: Penalty | None = None,
    hidden: Sequence[int] = (64, 64),
    lams: Any = None,
    folds: int = 5,
    seeds: int = 3,
    *,
    task: str = "auto",
    groups: Any = None,
    standardize: bool = False,
    path_length: int = 20,
    tol: float | None = None,
    dropout: float = 0.0,
    update: str = "auto",
    dtype: str = "auto",
    early_stopping: bool = True,
    epochs: int | None = None,
    batch_size: int | None = None,
    patience: int | None = None,
    form: str = "bounded",
    upper_ridge: float = 1e-3,
    direction: str = "auto",
    lr: float = 0.01,
    seed: int = 0,
    workers: int | str = 1,
    device: str = "auto",
) -> PathResult:
    """Fit one penalty for a whole grid of strengths: on folds for scores, and on all rows for the weights.

    Minimises mean loss per row + lam * penalty(first-layer weights). The loss is half the squared error, or the cross
    entropy; intercepts and biases are free. With ``hidden=()`` this is convex and solved to rounding: the lam of L1
    is scikit-learn's ``Lasso(alpha=lam)`` and ``1 / (n C)`` of its logistic regression.

    Parameters
    ----------
    X : frame or array (n, d)
        Finite numbers: numpy, torch, pandas or polars.
    y : array (n,)
        Numbers, or texts for classes.
    penalty : Penalty, optional
        Group lasso if left out.
    hidden : sequence of int
        Widths of the hidden layers; ``()`` is a linear model.
    lams : sequence of float, optional
        Strengths >= 0. By default ``path_length`` of them, geometric, down to 1/1000 of lam_max, the smallest at which
        "no input" is stationary. A network's is run too: the path goes on at twice its largest strength until no
        input is left in the fit on all rows. L2 leaves nothing out: its grid is 10 to 1e-4.
    folds : int
        Held-out folds; 0 fits all rows only.
    seeds : int
        Networks per fold and strength (a linear model needs one).
    task : {"auto", "classification", "regression"}
    groups : list of column-index lists, or a label per column, optional
        Columns that live and die together; by default each its own group. A group's weight is the square root of its
        number of columns.
    standardize : bool
        Centre every column and divide it by its standard deviation, on the training rows of each fold.
    path_length : int
    tol : float, optional
        KKT residual to reach. Linear: relative to the gradient without inputs, 1e-9 by default. Network: absolute;
        the fit on all rows is finished with full-batch steps until it is met; by default it is not.
    dropout : float in [0, 1)
        Rate on the hidden layers.
    update : {"auto", "newton", "prox_adam", "prox_sgd", "apg"}
        ``auto``: ``newton`` for linear models, ``prox_adam`` for networks. ``apg`` takes all rows at once and has no
        early stopping.
    dtype : {"auto", "float32", "float64"}
        ``auto``: float64 for linear models, float32 for networks. ``newton`` is float64.
    early_stopping : bool
        Networks: keep the weights of the epoch with the smallest held-out loss + penalty. The held-out rows have then
        been used, so that ``scores`` is optimistic (:func:`riata.choose` nests). The fit on all rows takes the
        median of the folds' best epochs.
    epochs, batch_size, patience : int, optional
        Networks: epochs of the first stage (later stages, warm-started, take a quarter), rows a step, and epochs
        without a better monitor after which a network stops. ``epochs`` of ``apg`` are iterations.
    form : {"bounded", "ridge"}
        The layers above the first: rows of norm at most 1, or under ``upper_ridge``/2 ||.||^2.
    direction : {"auto", "sparse_to_dense", "dense_to_sparse", "cold"}
        Which way the warm starts run; see docs/decisions/0003.
    lr : float
        Learning rate of ``prox_adam`` and ``prox_sgd``.
    seed : int
        Of the folds, initial weights, row orders and dropout.
    workers : int or str
        Processes; ``ray`` or ``ray://host:port`` is a cluster, as in :func:`riata.choose`. The result does not depend
        on it. The fit on all rows stays here; a linear path is one piece, which a cluster gets as a whole.
    device : {"auto", "cpu", "cuda", "mps"}

    Returns
    -------
    PathResult

    Raises
    ------
    InputError
        If the data or an option cannot be used; the message says what to do.
    ResourceError
        If a cluster cannot be reached or was lost.

    Notes
    -----
    A network's regression target is standardized inside, as in :func:`riata.choose`: its lam refers to y in units of
    its standard deviation; held-out losses and predictions are in the units of y. A linear model's y is left alone.
    KKT residuals are those of the fit on all rows; an early-stopped network is not stationary, and its number says so.

    Examples
    --------
    >>> import riata
    >>> X = np.random.default_rng(0).normal(size=(60, 4))
    >>> path = riata.fit_path(X, 3 * X[:, 1] + X[:, 2], riata.L1(), hidden=(), folds=3)
    >>> path.kept(path.lams[0]), path.kept(path.lams[3])
    ([], ['x2', 'x3'])
    """
    began = time.perf_counter()
    options = PathOptions(
        tuple(hidden), folds, seeds, task, bool(standardize), path_length, tol, dropout, update, dtype,
        bool(early_stopping), epochs, batch_size, patience, form, upper_ridge, direction, lr, seed, workers, device,
    )  # fmt: skip
    inputs = read_inputs(X, y, task, groups)
    cost: Penalty = GroupLasso() if penalty is None else penalty
    if not isinstance(cost, Penalty):
        raise refuse(f"penalty is {penalty!r}; expected a penalty such as riata.GroupLasso(); pass one")
    asked = read_lams(lams)
    frame = prepare(inputs, options)
    run = _linear if options.rule == "newton" else _network
    script = type(cost).__module__ == "__main__"
    with staff(options.workers, options.place, script=script, then="run it again") as there:
        return run(inputs, cost, asked, options, frame, began, there)


def _grid(penalty: Penalty, largest: float, length: int) -> np.ndarray:
    top, ratio = starting_point(penalty, largest)
    if penalty.name == "none":
        return np.zeros(1)
    return grid(top, length, ratio if length > 1 else RATIO)


def _groups(inputs: Inputs, width: int) -> Groups:
    return by_variable((inputs.x.shape[1], width), torch.as_tensor(inputs.group), inputs.groups)


def _linear(
    inputs: Inputs, penalty: Penalty, lams: np.ndarray | None, options: PathOptions, frame: Frame, began: float,
    there: Staff,
) -> PathResult:  # fmt: skip
    """Fit linear models by Newton steps: every fold and all rows as members of one batch."""
    device, kind = options.place, torch.float64
    x = torch.as_tensor(frame.x).to(device, kind)
    y = torch.as_tensor(inputs.y).to(device, kind)
    groups = _groups(inputs, inputs.loss.outputs).to(device, kind)
    if lams is None:
        largest = linear_lam_max(x[-1], y, inputs.loss, penalty, groups)
        lams = _grid(penalty, largest * ABOVE, options.path_length)
    k, n = options.folds, len(y)
    weight = torch.ones(k + 1, n, dtype=kind, device=device)
    for f in range(k):
        weight[f, torch.as_tensor(frame.fold_of == f).to(device)] = 0.0
    asked = (x if len(x) > 1 else x[0], y, weight, inputs.loss, penalty, groups, lams, options.tol or LINEAR_TOL)
    ((_, found),) = there.each(_solved, [(None, asked)])
    spec = NetworkSpec(x.shape[2], inputs.loss.outputs, ())
    params = {"first": found.first[:, -1].copy(), "b_out": found.b_out[:, -1].copy()}  # Ray's arrays are read-only
    stack = {name: torch.as_tensor(v).to(device) for name, v in params.items()}
    terms = {"first": Term(penalty, torch.as_tensor(lams).to(device, kind), groups)}
    rows, engine = Rows(x[-1], y), BatchedEngine(spec, inputs.loss)
    fits = Fits(
        params, certificate(engine, stack, rows, terms).cpu().numpy(),
        objective(engine, stack, rows, terms).cpu().numpy(),
        tuple(OK if done else NOT_CONVERGED for done in found.converged[:, -1]), found.cycles[:, -1],
    )  # fmt: skip
    blocks = frame.x if len(frame.x) > 1 else np.broadcast_to(frame.x[0], (k + 1, *frame.x.shape[1:]))
    outputs = [
        [[blocks[f][frame.fold_of == f] @ found.first[i, f] + found.b_out[i, f]] for f in range(k)]
        for i in range(len(lams))
    ]
    return _result(inputs, penalty, lams, options, frame, fits, spec, outputs, (0.0, 1.0), 1.0, began)


def _solved(
    x: Tensor, y: Tensor, weight: Tensor, loss: Loss, penalty: Penalty, groups: Groups, lams: np.ndarray, tol: float
) -> LinearPath:
    """Return the linear path; the one job of a linear model."""
    return linear_path(x, y, weight, loss, penalty, groups, lams, tol=tol)


def _network(
    inputs: Inputs, penalty: Penalty, lams: np.ndarray | None, options: PathOptions, frame: Frame, began: float,
    there: Staff,
) -> PathResult:  # fmt: skip
    """Fit networks (or a linear model by an iterative update): folds and seeds along the path, then all rows."""
    scaling = (0.0, 1.0)
    if inputs.task == "regression" and options.hidden:
        scaling = (float(inputs.y.mean()), float(inputs.y.std()))
    spec = NetworkSpec(
        inputs.x.shape[1], inputs.loss.outputs, options.hidden, form=options.form, upper_ridge=options.upper_ridge
    )
    n = len(inputs.y)
    size = min(options.batch_size or default_batch(n), n)
    epochs = options.epochs or default_epochs(n, size, options.rule)
    later = epochs if options.rule == "apg" else max(1, round(epochs / 4))
    training = Training(
        update=options.rule, epochs=epochs, batch_size=size, patience=options.patience or max(4, round(later / 3)),
        early_stopping=options.early_stopping, hidden=options.hidden, form=options.form,
        upper_ridge=options.upper_ridge,
    )  # fmt: skip
    y = (inputs.y - scaling[0]) / scaling[1]
    job = Job(
        frame.x, y, frame.fold_of, inputs.group, inputs.groups, spec, inputs.loss, penalty, training, later,
        options.lr, options.dropout, options.way, options.number, options.place, options.tol,
    )  # fmt: skip
    automatic = lams is None
    if lams is None:
        lams = _grid(penalty, network_lam_max(job, options.seed), options.path_length)
    computed, k, seeds = lams[0], options.folds, options.seeds
    plan = Plan(k, seeds, options.seed, there)
    lams, lane, alone = run_path(job, lams, plan, extend=automatic and penalty.sparse)
    confirmed = float(lams[0] / computed) if computed > 0 else 1.0
    whole = certify(job, lams, alone, options.seed)
    fits = Fits(whole.params, whole.kkt, whole.objective, tuple(whole.status), whole.epochs)
    outputs = fold_outputs(job, lane, k, seeds) if k else []
    return _result(inputs, penalty, lams, options, frame, fits, spec, outputs, scaling, confirmed, began)


def network_lam_max(job: Job, seed: int) -> float:
    """Return the smallest strength at which "no input" is stationary on all rows, from the weights of ``seed``."""
    data = job.data()
    return lam_max(job.engine(), Rows(data.block(-1), data.y), job.penalty, job.variables(), seed)


def _result(
    inputs: Inputs, penalty: Penalty, lams: np.ndarray, options: PathOptions, frame: Frame, fits: Fits,
    spec: NetworkSpec, outputs: list[list[list[np.ndarray]]], scaling: tuple[float, float], confirmed: float,
    began: float,
) -> PathResult:  # fmt: skip
    """Put a path together."""
    groups = _groups(inputs, spec.first_width)
    norms = groups.norms(torch.as_tensor(fits.params["first"]).double()).numpy()
    scores = _scores(inputs, outputs, frame, scaling) if options.folds else None
    x = frame.x[-1]
    return PathResult(
        lams, scores, norms, penalty, inputs.task, inputs.classes, inputs.columns, inputs.groups, inputs.group, spec,
        inputs.loss, frame.centre, frame.scale, x.mean(0), x.var(0), scaling[0], scaling[1], fits,
        time.perf_counter() - began, confirmed,
    )  # fmt: skip


def _scores(
    inputs: Inputs, outputs: list[list[list[np.ndarray]]], frame: Frame, scaling: tuple[float, float]
) -> PathScores:
    """Return the held-out scores of raw outputs [strength][fold][seed]; a fold is the mean over its seeds."""
    shape = (len(outputs), len(outputs[0]))
    losses, metrics = np.full(shape, np.nan), np.full(shape, np.nan)
    for i, row in enumerate(outputs):
        for f, said in enumerate(row):
            y = inputs.y[frame.fold_of == f]
            each = [held_out(inputs.loss, z * scaling[1] + scaling[0], y) for z in said]
            losses[i, f], metrics[i, f] = np.mean([e[0] for e in each]), np.mean([e[1] for e in each])
    return summarise(losses, metrics, "r2" if inputs.task == "regression" else "auroc")
