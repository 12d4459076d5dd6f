"""The training loop: plain arrays, updated in place."""

from __future__ import annotations

import numpy as np

from gradparity.contract import (
    Batch,
    Network,
    Params,
    Schedule,
    Snapshot,
    State,
    Trajectory,
    map_params,
)

from . import optimizers
from .gradients import forward, loss_and_grads
from .losses import LOSSES


def train(
    network: Network,
    params: Params,
    inputs: Batch,
    targets: Batch,
    schedule: Schedule,
    state: State | None = None,
) -> Trajectory:
    """Carry out `schedule` from update count `state.updates` (0 without a state) to its end."""
    params = map_params(np.copy, params)
    state = optimizers.initial_state(schedule, params, state)
    losses: list[float] = []
    kept: dict[int, Snapshot] = {}

    for update in range(state.updates, schedule.updates):
        if update in schedule.keep:
            kept[update] = snapshot(params, state)
        batch = schedule.batch(update)  # batch
        loss, grads = loss_and_grads(network, params, inputs[batch], targets[batch])  # L, dL/dw
        losses.append(loss)  # losses
        state = optimizers.update(schedule, params, grads, state)  # w

    final = snapshot(params, state)
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    final_loss, _ = LOSSES[network.loss](forward(network, params, inputs)[-1], targets)  # L
    return Trajectory(np.array(losses), float(final_loss), final, kept)


def snapshot(params: Params, state: State) -> Snapshot:
    """Copy the weights and the state."""
    arrays = {name: map_params(np.copy, array) for name, array in state.arrays.items()}
    return Snapshot(map_params(np.copy, params), State(state.updates, arrays))
