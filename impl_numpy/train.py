"""The training loop: plain arrays, updated in place."""

from __future__ import annotations

import numpy as np

from gradparity.contract import Batch, Layer, Network, Params, Schedule, Snapshot, State, Trajectory

from .gradients import loss_and_grads, mse
from .model import forward


def _copy(params: Params) -> Params:
    return tuple(Layer(w.copy(), None if b is None else b.copy()) for w, b in params)


def train(
    network: Network,
    params: Params,
    inputs: Batch,
    targets: Batch,
    schedule: Schedule,
    state: State | None = None,
) -> Trajectory:
    """Carry out `schedule` from update count `state.updates` (0 without a state) to its end."""
    params = _copy(params)
    start = 0 if state is None else state.updates
    losses: list[float] = []
    kept: dict[int, Snapshot] = {}

    for update in range(start, schedule.updates):
        if update in schedule.keep:
            kept[update] = Snapshot(_copy(params), State(update))
        batch = schedule.batch(update)
        loss, grads = loss_and_grads(network, params, inputs[batch], targets[batch])
        losses.append(loss)
        for layer, grad in zip(params, grads, strict=True):
            layer.weight[:] -= schedule.learning_rate * grad.weight
            if layer.bias is not None and grad.bias is not None:
                layer.bias[:] -= schedule.learning_rate * grad.bias

    final = Snapshot(params, State(schedule.updates))
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = Snapshot(_copy(params), State(schedule.updates))
    final_loss = mse(forward(network, params, inputs)[-1], targets)
    return Trajectory(np.array(losses), float(final_loss), final, kept)
