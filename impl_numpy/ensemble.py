"""Many networks trained at once: by broadcasting."""

from __future__ import annotations

import numpy as np

from gradparity.contract import Batch, Ensemble, Network, Params, Schedule, Snapshot, map_params

from .gradients import value_and_grad
from .optimizers import initial_state, update
from .train import snapshot


def train_ensemble(
    network: Network, params: Params, inputs: Batch, targets: Batch, schedule: Schedule
) -> Ensemble:
    """Train many networks at once: `value_and_grad` broadcasts over the member axis in front of `params`."""
    params = map_params(np.copy, params)
    state = initial_state(schedule, params, None)
    members = len(params[0].weight)
    if inputs.ndim == len(network.input_shape) + 1:  # the same data for all members
        inputs = np.broadcast_to(inputs, (members, *inputs.shape))
        targets = np.broadcast_to(targets, (members, *targets.shape))
    losses = np.empty((members, schedule.updates))
    kept: dict[int, Snapshot] = {}

    while state.updates < schedule.updates:
        if state.updates in schedule.keep:
            kept[state.updates] = snapshot(params, state)
        batch = schedule.batch(state.updates)
        loss, grads = value_and_grad(network, params, inputs[:, batch], targets[:, batch])
        losses[:, state.updates] = loss
        state = update(schedule, params, grads, state)

    final = Snapshot(params, state)
    if state.updates in schedule.keep:
        kept[state.updates] = snapshot(params, state)
    return Ensemble(losses, final, kept)
