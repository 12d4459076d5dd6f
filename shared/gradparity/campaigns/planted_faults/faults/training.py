"""Faults in the training loop."""

from __future__ import annotations

from .base import LINE, Fault, Patch


def _loop(marker: str, new: str) -> Patch:
    return Patch("train", "train", marker, new)


_ACCUMULATED = f"""
{LINE}
kept_grads = grads if not losses else map_params(np.add, grads, kept_grads)
grads = kept_grads
""".strip()
_STALE = f"""
{LINE}
grads, stale = (grads if not losses else stale), grads
""".strip()
_UNSHUFFLED = f"""
{LINE}
if schedule.batch_size is not None:
    begin = update % schedule.updates_per_epoch * schedule.batch_size
    batch = slice(begin, begin + schedule.batch_size)
""".strip()
_ONE_AT_A_TIME = f"""
{LINE}
for row in np.arange(len(inputs))[batch][:-1]:
    _, grads = loss_and_grads(network, params, inputs[[row]], targets[[row]])
    optimizers.update(schedule, params, grads, state)
_, grads = loss_and_grads(network, params, inputs[batch][-1:], targets[batch][-1:])
""".strip()
_RECORDED_AFTER = f"""
{LINE}
after, _ = LOSSES[network.loss](forward(network, params, inputs[batch])[-1], targets[batch])
losses.append(float(after))
""".strip()

TRAINING: tuple[Fault, ...] = (
    Fault(
        "accumulated gradient",
        (_loop("L, dL/dw", _ACCUMULATED),),
        "the gradient is accumulated: it is not set to zero between updates",
    ),
    Fault(
        "stale gradient",
        (_loop("L, dL/dw", _STALE),),
        "the gradient is stale: that of the update before",
    ),
    Fault(
        "unshuffled batches",
        (_loop("batch", _UNSHUFFLED),),
        "the batches are not shuffled",
    ),
    Fault(
        "the first epoch's order throughout",
        (_loop("batch", "batch = schedule.batch(update % schedule.updates_per_epoch)"),),
        "the first epoch's batches are used in every epoch",
    ),
    Fault(
        "all data in each step",
        (_loop("batch", "batch = slice(None)"),),
        "all samples in place of the batch",
    ),
    Fault(
        "skipped update",
        (Patch("optimizers", "_update", "SGD", f"{LINE} * 0.0"),),
        "the update is skipped",
    ),
    Fault(
        "one sample at a time",
        (_loop("L, dL/dw", _ONE_AT_A_TIME),),
        "an update after every sample",
    ),
    Fault(
        "loss recorded after the update",
        (_loop("losses", "pass"), _loop("w", _RECORDED_AFTER)),
        "the loss after the update, not before it",
    ),
    Fault(
        "learning rate halved",
        (Patch("optimizers", "_update", "SGD", "w -= 0.5 * rate * g"),),
        factor="½",
    ),
)
