"""Faults in the training loop."""

from __future__ import annotations

from .base import Fault, Patch

_BATCH = "batch = schedule.batch(state.updates)"
_CALL = "loss, grads = loss_and_grads(network, params, inputs[batch], targets[batch])"
_UPDATE = "state = update(schedule, params, grads, state)"
_SGD = "case SGD(momentum=0.0):\n            w -= rate * g"
_RECORD = "losses.append(loss)"

TRAINING: tuple[Fault, ...] = (
    Fault(
        "accumulated gradient",
        (Patch("train", _CALL, f"{_CALL}\n        kept_grads = grads if not losses else map_params(np.add, grads, kept_grads)\n        grads = kept_grads"),),
        "the gradient is accumulated: it is not set to zero between updates",
    ),
    Fault(
        "stale gradient",
        (Patch("train", _CALL, f"{_CALL}\n        grads, stale = (grads if not losses else stale), grads"),),
        "the gradient is stale: that of the update before",
    ),
    Fault(
        "unshuffled batches",
        (Patch("train", _BATCH, f"{_BATCH}\n        if schedule.batch_size is not None:\n            batch = slice(state.updates % schedule.updates_per_epoch * schedule.batch_size, (state.updates % schedule.updates_per_epoch + 1) * schedule.batch_size)"),),
        "the batches are not shuffled",
    ),
    Fault(
        "the first epoch's order throughout",
        (Patch("train", _BATCH, "batch = schedule.batch(state.updates % schedule.updates_per_epoch)"),),
        "the first epoch's batches are used in every epoch",
    ),
    Fault(
        "all data in each step",
        (Patch("train", _BATCH, "batch = slice(None)"),),
        "all samples in place of the batch",
    ),
    Fault(
        "skipped update",
        (Patch("optimizers", _SGD, f"{_SGD} * 0.0"),),
        "the update is skipped",
    ),
    Fault(
        "one sample at a time",
        (Patch("train", _CALL, f"{_CALL}\n        for row in np.arange(len(inputs))[batch][:-1]:\n            update(schedule, params, loss_and_grads(network, params, inputs[[row]], targets[[row]])[1], state)\n        grads = loss_and_grads(network, params, inputs[batch][-1:], targets[batch][-1:])[1]"),),
        "an update after every sample",
    ),
    Fault(
        "loss recorded after the update",
        (Patch("train", _RECORD, "pass"), Patch("train", _UPDATE, f"{_UPDATE}\n        losses.append(float(LOSSES[network.loss](forward(network, params, inputs[batch])[-1], targets[batch])))")),
        "the loss after the update, not before it",
    ),
    Fault(
        "learning rate halved",
        (Patch("optimizers", _SGD, _SGD.replace("rate * g", "0.5 * rate * g")),),
        factor="½",
    ),
)  # fmt: skip
