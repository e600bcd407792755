"""The torch front: exact zeros in a user's own module and training loop."""

from __future__ import annotations

from riata.torch.adopt import Adopted, adopt
from riata.torch.attach import attach_prox
from riata.torch.early_stopping import EarlyStopping
from riata.torch.groups import groups_by_input
from riata.torch.prox_adam import ProxAdam
from riata.torch.prox_sgd import ProxSGD

__all__ = ["Adopted", "EarlyStopping", "ProxAdam", "ProxSGD", "adopt", "attach_prox", "groups_by_input"]
