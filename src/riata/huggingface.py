"""The Hugging Face front: a callback that attaches the prox to the Trainer's own optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from torch import nn
from torch.utils.hooks import RemovableHandle

from riata.errors import InputError
from riata.penalties.base import Penalty
from riata.torch.adopt import Adopted, Rule, adopt
from riata.torch.attach import attach_prox

if find_spec("transformers") is None or find_spec("accelerate") is None:
    raise InputError(
        "riata.huggingface without transformers and accelerate; expected both; type: pip install 'riata[huggingface]'"
    )

from accelerate.optimizer import AcceleratedOptimizer  # type: ignore[import-untyped,unused-ignore]
from transformers import TrainerCallback

__all__ = ["RiataProx"]


class RiataProx(TrainerCallback):
    """Adopt the model when training starts, and take the prox after every step of the Trainer's optimizer.

    The Trainer's ``adamw_torch``, ``adamw_torch_fused`` and ``sgd`` are taken, and any SGD, Adam or AdamW of torch that
    you hand it, as :func:`riata.torch.attach_prox` takes them; others are refused. Set ``weight_decay=0``, and
    ``max_grad_norm=0`` (it is 1 by default): decay moves the solution, and where the gradient is clipped, training ends
    at a larger lam.

    Each log gets ``riata_zero_groups``, and ``riata_kkt_step`` if nothing is clipped: the largest KKT residual for
    the gradient of the latest step. It is a certificate if the step saw all rows, and has the noise of a mini-batch
    otherwise.

    Parameters
    ----------
    penalty, lam, rules
        As for :func:`riata.torch.adopt`; embeddings, norms, biases and tied weights are free unless named in full.

    Attributes
    ----------
    adopted : Adopted or None
        The table of the model, with its warnings, ``zeros()`` and ``kkt()``; None before training.

    Raises
    ------
    InputError
        When training starts: if the step of the optimizer is not known, parameters are sharded, or a rule does not fit.

    Examples
    --------
    >>> from riata.penalties import GroupLasso
    >>> callback = RiataProx(rules={"*.intermediate.dense.weight": ("output", GroupLasso(), 1e-3)})
    """

    def __init__(
        self, penalty: Penalty | None = None, lam: float = 0.0, rules: Mapping[str, Rule] | None = None
    ) -> None:
        self.penalty, self.lam, self.rules = penalty, lam, rules
        self.adopted: Adopted | None = None
        self._handle: RemovableHandle | None = None
        self._residual: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Adopt the model and attach the prox."""
        model, optimizer = kwargs["model"], kwargs["optimizer"]
        if args.fsdp or args.deepspeed:
            raise InputError(
                "sharded parameters, where a group may lie on several machines; expected one device or DDP"
            )
        if isinstance(optimizer, AcceleratedOptimizer):
            optimizer = optimizer.optimizer
        if isinstance(model, nn.parallel.DistributedDataParallel):
            model = model.module
        self._detach()
        self.adopted = adopt(model, self.penalty, self.lam, self.rules)
        self._handle = attach_prox(optimizer, self.adopted)

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Measure the KKT residual for this step's gradient, before a step that will be logged."""
        due = (state.global_step + 1) % max(1, int(state.logging_steps)) == 0
        if self.adopted is not None and due and not args.max_grad_norm:
            self._residual = max(self.adopted.kkt().values(), default=0.0)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Add what was measured to the log."""
        if self.adopted is None or logs is None:
            return
        found = {"riata_zero_groups": float(sum(dead for dead, _ in self.adopted.zeros().values()))}
        if self._residual is not None:
            found["riata_kkt_step"] = self._residual
        logs.update(found)
        state.log_history[-1].update(found)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take the prox away from the optimizer."""
        self._detach()

    def _detach(self) -> None:
        if self._handle is not None:
            self._handle.remove()
        self._handle = None
        self._residual = None
