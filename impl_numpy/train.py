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

from .gradients import LOSSES, loss_and_grads
from .model import forward
from .optimizers import initial_state, update


def snapshot(params: Params, state: State) -> Snapshot:
    """A copy of both."""
    arrays = {name: map_params(np.copy, array) for name, array in state.arrays.items()}
    return Snapshot(map_params(np.copy, params), State(state.updates, arrays))


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
    state = initial_state(schedule, params, state)
    losses: list[float] = []
    kept: dict[int, Snapshot] = {}

    while state.updates < schedule.updates:
        if state.updates in schedule.keep:
            kept[state.updates] = snapshot(params, state)
        batch = schedule.batch(state.updates)
        loss, grads = loss_and_grads(network, params, inputs[batch], targets[batch])
        losses.append(loss)
        state = update(schedule, params, grads, state)

    final = Snapshot(params, state)
    if state.updates in schedule.keep:
        kept[state.updates] = snapshot(params, state)
    final_loss = LOSSES[network.loss](forward(network, params, inputs)[-1], targets)
    return Trajectory(np.array(losses), float(final_loss), final, kept)
