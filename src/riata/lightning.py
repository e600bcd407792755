"""The Lightning front: a callback that attaches the prox to the module's own optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from riata.errors import InputError
from riata.penalties.base import Penalty
from riata.torch.adopt import Adopted, Rule, adopt
from riata.torch.attach import attach_prox

if find_spec("lightning") is None:
    raise InputError(
        "riata.lightning without Lightning; expected lightning >= 2.4; type: pip install 'riata[lightning]'"
    )

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy

__all__ = ["RiataProx"]


class RiataProx(Callback):
    """Adopt the module when fitting starts, and take the prox after every step of its optimizer.

    The optimizer is torch's SGD, Adam or AdamW as :func:`riata.torch.attach_prox` takes them: one whose true step is
    known. Accumulated gradients, schedulers and mixed precision work as without it. Clipping changes the solution: at
    a penalised solution the gradient of the loss is not zero but as long as the penalty pulls, and where it is clipped,
    training ends at a larger lam.

    Logged are, at the end of each epoch, ``riata/zero_groups``, and at the trainer's logging steps ``riata/kkt_step``:
    the largest KKT residual for that step's gradient before clipping. It is a certificate if the step saw all rows,
    and has the noise of a mini-batch otherwise.

    Parameters
    ----------
    penalty, lam, rules
        As for :func:`riata.torch.adopt`; names of parameters are those of the module adopted.
    module : str
        Name of the submodule to adopt, as ``net``; by default the whole LightningModule.

    Attributes
    ----------
    adopted : Adopted or None
        The table of the module, with its warnings, ``zeros()`` and ``kkt()``; None before the first fit.

    Raises
    ------
    InputError
        When fitting starts: if the step of the optimizer is not known, there are several, parameters are sharded, or a
        rule does not fit.

    Examples
    --------
    >>> from riata.penalties import L2, GroupLasso
    >>> callback = RiataProx(rules={"0.weight": ("input", GroupLasso(), 0.1), "*": (L2(), 1e-3)}, module="net")
    >>> trainer = Trainer(max_epochs=3, callbacks=[callback], logger=False, enable_checkpointing=False)
    """

    def __init__(
        self,
        penalty: Penalty | None = None,
        lam: float = 0.0,
        rules: Mapping[str, Rule] | None = None,
        module: str = "",
    ) -> None:
        self.penalty, self.lam, self.rules, self.module = penalty, lam, rules, module
        self.adopted: Adopted | None = None
        self._handle: RemovableHandle | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adopt the module and attach the prox."""
        if type(trainer.strategy) not in (SingleDeviceStrategy, DDPStrategy):
            raise InputError(
                f"strategy {type(trainer.strategy).__name__}, where a group may lie on several machines; expected one "
                "device or DDP; pass strategy='auto'"
            )
        if len(trainer.optimizers) != 1:
            raise InputError(
                f"{len(trainer.optimizers)} optimizers; expected one; call riata.torch.attach_prox for each"
            )
        try:
            module = pl_module.get_submodule(self.module)
        except AttributeError as error:
            names = ", ".join(name for name, _ in pl_module.named_children())
            raise InputError(f"no submodule {self.module!r}; expected one of {names}; pass module=''") from error
        self._detach()
        self.adopted = adopt(module, self.penalty, self.lam, self.rules)
        self._handle = attach_prox(trainer.optimizers[0], self.adopted)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Log the KKT residual for this step's gradient, at the trainer's logging steps."""
        every = max(1, int(trainer.log_every_n_steps))  # type: ignore[attr-defined,unused-ignore]
        if self.adopted is not None and (trainer.global_step + 1) % every == 0:
            pl_module.log("riata/kkt_step", max(self.adopted.kkt().values(), default=0.0))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log how many groups are exactly zero."""
        if self.adopted is not None:
            pl_module.log("riata/zero_groups", float(sum(dead for dead, _ in self.adopted.zeros().values())))

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the prox away from the optimizer."""
        self._detach()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Take the prox away from the optimizer."""
        self._detach()

    def _detach(self) -> None:
        if self._handle is not None:
            self._handle.remove()
        self._handle = None
