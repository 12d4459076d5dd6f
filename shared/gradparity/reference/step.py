"""The numbers of one training step: these are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..contract import Params
from .layers import Array


@dataclass(frozen=True, eq=False)
class StepValues:
    """The numbers of one training step, or a bound on each of them.

    A value that an implementation does not show is None, and is not compared.

    Attributes:
        activations: the activations of each layer, `(samples, units)`.
        loss: the loss on the batch, before the update.
        grads: the gradients of the loss.
        recorded: the loss that training records for this update.
        updated: the weights after the update.
        state: the optimizer's arrays after the update, by name.
        final_loss: the loss that a training run reports for its final weights. Its case starts from these, and its
            batch is all data.
    """

    activations: Sequence[Array | None] | None = None
    loss: Any = None
    grads: Params | None = None
    recorded: Any = None
    updated: Params | None = None
    state: Mapping[str, Params] | None = None
    final_loss: Any = None
